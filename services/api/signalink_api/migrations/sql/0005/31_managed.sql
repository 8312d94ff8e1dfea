-- Channels that a service keeps as its document says. Each function: lock, look, decide, write, answer.

-- UUIDv7 (RFC 9562) for events made here in numbers that the caller cannot know; uuidv7() came with Postgres 18 only.
CREATE FUNCTION messaging.uuid7() RETURNS uuid
LANGUAGE sql VOLATILE
RETURN encode(set_bit(set_bit(overlay(uuid_send(gen_random_uuid())
    PLACING substring(int8send((extract(epoch FROM clock_timestamp()) * 1000)::bigint) FROM 3) FROM 1 FOR 6),
    52, 1), 53, 1), 'hex')::uuid;

CREATE FUNCTION messaging.with_event_id(command jsonb) RETURNS jsonb
LANGUAGE sql VOLATILE
RETURN command || jsonb_build_object('event_id', messaging.uuid7());

-- What the service sees of the channel of a slug; NULL: there is none.
CREATE FUNCTION messaging.managed_channel(wanted text) RETURNS jsonb
LANGUAGE sql STABLE
RETURN (
    SELECT jsonb_build_object('id', c.id, 'slug', c.slug, 'managed_by', c.managed_by, 'display_name', c.name,
        'description', c.description, 'visibility', c.kind, 'archived', c.archived_at IS NOT NULL,
        'quota', jsonb_build_object('messages_per_second', c.messages_per_second,
            'slow_mode_seconds', nullif(c.slow_mode_seconds, 0), 'retention_days', c.retention_days,
            'max_members', c.max_members),
        'event_topic', c.also_topic,
        'member_count', (SELECT count(*) FROM messaging.channel_members m WHERE m.channel_id = c.id))
    FROM messaging.channels c WHERE c.slug = wanted
);

-- Locks the channel of a slug; where there is none, the id that a new one would get. 'again': the slug changed hands
-- between the look and the lock, and nothing was written.
CREATE FUNCTION messaging.enter_managed(wanted text, made uuid) RETURNS messaging.entered
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    e messaging.entered;
    found uuid := (SELECT id FROM messaging.channels WHERE slug = wanted);
BEGIN
    PERFORM messaging.lock_channels(ARRAY[coalesce(found, made)], true);
    e.log_epoch := messaging.current_epoch();
    SELECT c INTO e.channel FROM messaging.channels c WHERE c.slug = wanted;
    e.verdict := CASE WHEN (e.channel).id IS NOT DISTINCT FROM found THEN 'ok' ELSE 'again' END;
    RETURN e;
END $$;

CREATE FUNCTION messaging.held_elsewhere(holder text) RETURNS jsonb
LANGUAGE sql IMMUTABLE
RETURN messaging.refusal('conflict', 'managed_elsewhere') || jsonb_build_object('managed_by', holder);

CREATE FUNCTION messaging.record_management(command jsonb, action text, channel uuid, details jsonb) RETURNS void
LANGUAGE sql VOLATILE
BEGIN ATOMIC
    INSERT INTO messaging.audit_log (actor_id, action, target, details)
    VALUES ((command ->> 'actor_id')::uuid, action, channel::text,
            details || jsonb_build_object('slug', command -> 'slug', 'managed_by', command -> 'managed_by',
                                          'token', command -> 'token'));
END;

-- A channel of nobody yet: its first members come by events, unlike the creator of a channel made by people.
CREATE FUNCTION messaging.insert_managed(command jsonb, log_epoch integer) RETURNS messaging.channels
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    made messaging.channels;
BEGIN
    INSERT INTO messaging.channels (id, slug, name, description, kind, history, created_by, epoch, slow_mode_seconds,
        max_members, messages_per_second, retention_days, managed_by, also_topic)
    SELECT (command ->> 'id')::uuid, command ->> 'slug', n.name, n.description, n.kind,
        CASE n.kind WHEN 'public' THEN 'all' ELSE 'joined' END, (command ->> 'actor_id')::uuid, log_epoch,
        n.slow_mode_seconds, n.max_members, n.messages_per_second, n.retention_days, n.managed_by, n.also_topic
    FROM jsonb_populate_record(NULL::messaging.channels, command -> 'settings') n
    ON CONFLICT (slug) DO NOTHING RETURNING * INTO made;
    IF made.id IS NOT NULL THEN
        PERFORM messaging.record_fact(command || jsonb_build_object('event_id', messaging.uuid7(),
            'topic', 'analytics', 'type', 'channel.created', 'aggregatetype', 'channel', 'aggregateid', made.id,
            'payload', jsonb_build_object('id', made.id, 'slug', made.slug, 'name', made.name, 'kind', made.kind,
                                          'created_by', made.created_by)));
    END IF;
    RETURN made;
END $$;

-- The settings that differ are written and, except who manages it and where else its events go, told in one event.
CREATE FUNCTION messaging.change_managed(e messaging.entered, differing jsonb, command jsonb) RETURNS jsonb
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    told jsonb := differing - 'managed_by' - 'also_topic';
BEGIN
    UPDATE messaging.channels c
    SET (name, description, kind, slow_mode_seconds, max_members, messages_per_second, retention_days, managed_by,
         also_topic, version) =
        (SELECT n.name, n.description, n.kind, n.slow_mode_seconds, n.max_members, n.messages_per_second,
            n.retention_days, n.managed_by, n.also_topic, c.version + 1
         FROM jsonb_populate_record(e.channel, differing) n)
    WHERE c.id = (e.channel).id;
    IF told = '{}' THEN
        RETURN '[]';
    END IF;
    RETURN jsonb_build_array(messaging.append_event(e, 'channel.updated', (e.channel).id,
        told || jsonb_build_object('by', command -> 'actor_id'), messaging.with_event_id(command)));
END $$;

CREATE FUNCTION messaging.change_members(e messaging.entered, changes messaging.member_change[], command jsonb)
RETURNS jsonb
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    m messaging.member_change;
    said jsonb;
    events jsonb := '[]';
BEGIN
    FOREACH m IN ARRAY changes LOOP
        said := messaging.with_event_id(command);
        IF m.change = 'add' THEN
            events := events || messaging.admit(e, m.user_id, m.role, said);
        ELSIF m.change = 'remove' THEN
            events := events || messaging.release(e, m.user_id, 'member.removed',
                jsonb_build_object('user_id', m.user_id, 'by', command -> 'actor_id'), said);
        ELSE
            UPDATE messaging.channel_members SET role = m.role
            WHERE channel_id = (e.channel).id AND user_id = m.user_id;
            events := events || messaging.append_event(e, 'member.role_changed', (e.channel).id,
                jsonb_build_object('user_id', m.user_id, 'role', m.role, 'by', command -> 'actor_id'), said);
        END IF;
    END LOOP;
    RETURN events;
END $$;

-- {id (of a new one), slug, managed_by, adopt, settings: {column: value}, members: see resolve_members, exact, most,
--  actor_id, token, traceparent} -> {"verdict", "created", "changed", "more", "channel", "unresolved", "kept_owner",
--  "events"}. At most `most` members are changed by one call; `more`: call again.
CREATE FUNCTION messaging.put_managed_channel(command jsonb) RETURNS jsonb
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    wanted jsonb := command -> 'settings';
    most integer := (command ->> 'most')::integer;
    e messaging.entered := messaging.enter_managed(command ->> 'slug', (command ->> 'id')::uuid);
    made boolean := (e.channel).id IS NULL;
    differing jsonb := '{}';
    plan messaging.member_plan;
    events jsonb := '[]';
BEGIN
    IF e.verdict <> 'ok' THEN
        RETURN messaging.refusal(e.verdict);
    ELSIF NOT made AND (e.channel).managed_by IS DISTINCT FROM command ->> 'managed_by'
        AND NOT (command ->> 'adopt')::boolean
        AND NOT ((e.channel).managed_by IS NULL AND (e.channel).archived_at IS NOT NULL) THEN
        RETURN messaging.held_elsewhere((e.channel).managed_by);
    ELSIF (e.channel).archived_at IS NOT NULL THEN
        RETURN messaging.refusal('archived');
    END IF;
    plan := messaging.plan_members((e.channel).id, command -> 'members', (command ->> 'exact')::boolean);
    IF plan.doubled THEN
        RETURN messaging.refusal('invalid', 'members');
    ELSIF plan.members > (wanted ->> 'max_members')::bigint
        AND EXISTS (SELECT FROM unnest(plan.changes) WHERE change = 'add') THEN
        RETURN messaging.refusal('conflict', 'channel_full');
    END IF;
    IF made THEN
        e.channel := messaging.insert_managed(command, e.log_epoch);
        IF (e.channel).id IS NULL THEN
            RETURN messaging.refusal('again');
        END IF;
    ELSE
        SELECT coalesce(jsonb_object_agg(w.key, w.value), '{}') INTO differing FROM jsonb_each(wanted) w
        WHERE to_jsonb(e.channel) -> w.key IS DISTINCT FROM w.value;
        IF differing <> '{}' THEN
            events := messaging.change_managed(e, differing, command);
        END IF;
    END IF;
    events := events || messaging.change_members(e, (plan.changes)[1:most], command);
    IF made OR differing <> '{}' OR plan.changes <> '{}' THEN
        PERFORM messaging.record_management(command, 'channel.put', (e.channel).id, jsonb_build_object(
            'created', made, 'settings', CASE WHEN made THEN wanted ELSE differing END,
            'members', cardinality((plan.changes)[1:most]),
            'before', CASE WHEN differing ? 'managed_by' THEN (e.channel).managed_by END));
    END IF;
    RETURN jsonb_build_object('verdict', 'ok', 'created', made,
        'changed', made OR differing <> '{}' OR plan.changes <> '{}', 'more', cardinality(plan.changes) > most,
        'channel', messaging.managed_channel(command ->> 'slug'), 'unresolved', plan.unresolved,
        'kept_owner', plan.kept_owner, 'events', events);
END $$;

-- Its service lets a channel go: closed for changes, readable, and nobody's. Repeating changes nothing.
CREATE FUNCTION messaging.archive_managed(e messaging.entered, command jsonb) RETURNS jsonb
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    events jsonb := '[]';
BEGIN
    IF (e.channel).archived_at IS NULL THEN
        events := jsonb_build_array(messaging.append_event(e, 'channel.archived', (e.channel).id,
            jsonb_build_object('by', command -> 'actor_id'), messaging.with_event_id(command)));
    END IF;
    UPDATE messaging.channels
    SET archived_at = coalesce(archived_at, date_trunc('milliseconds', clock_timestamp())), managed_by = NULL,
        also_topic = NULL, version = version + 1
    WHERE id = (e.channel).id;
    PERFORM messaging.record_management(command, 'channel.archive', (e.channel).id, '{}');
    RETURN events;
END $$;

-- Gone for every reader: the last event tells the members, who are none from then on. Messages and events stay until
-- retention takes them; the slug is free.
CREATE FUNCTION messaging.delete_managed(e messaging.entered, command jsonb) RETURNS jsonb
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    event jsonb := messaging.append_event(e, 'channel.deleted', (e.channel).id,
        jsonb_build_object('by', command -> 'actor_id'), messaging.with_event_id(command));
    moment timestamptz := date_trunc('milliseconds', clock_timestamp());
BEGIN
    DELETE FROM messaging.channel_members WHERE channel_id = (e.channel).id;
    UPDATE messaging.memberships SET to_seq = (event ->> 'seq')::bigint
    WHERE channel_id = (e.channel).id AND to_seq IS NULL;
    -- Private, so that whoever forgets to look at deleted_at still shows it to nobody but admins.
    UPDATE messaging.channels
    SET slug = NULL, managed_by = NULL, also_topic = NULL, kind = 'private', deleted_at = moment,
        archived_at = coalesce(archived_at, moment), version = version + 1
    WHERE id = (e.channel).id;
    PERFORM messaging.record_management(command, 'channel.delete', (e.channel).id, '{}');
    RETURN jsonb_build_array(event);
END $$;

-- {slug, managed_by, mode: archive|delete, actor_id, token, traceparent} -> {"verdict", "changed", "events"}
CREATE FUNCTION messaging.remove_managed_channel(command jsonb) RETURNS jsonb
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    e messaging.entered := messaging.enter_managed(command ->> 'slug', gen_random_uuid());
    archives boolean := command ->> 'mode' = 'archive';
BEGIN
    IF e.verdict <> 'ok' THEN
        RETURN messaging.refusal(e.verdict);
    ELSIF (e.channel).id IS NULL THEN
        RETURN messaging.refusal('not_found');
    ELSIF archives AND (e.channel).archived_at IS NOT NULL AND (e.channel).managed_by IS NULL THEN
        RETURN messaging.unchanged();
    ELSIF (e.channel).managed_by IS DISTINCT FROM command ->> 'managed_by' THEN
        RETURN messaging.held_elsewhere((e.channel).managed_by);
    END IF;
    RETURN jsonb_build_object('verdict', 'ok', 'changed', true, 'events',
        CASE WHEN archives THEN messaging.archive_managed(e, command) ELSE messaging.delete_managed(e, command) END);
END $$;
