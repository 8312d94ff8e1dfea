-- Every other writer of channel events. Each: lock, look, decide, write, answer {"verdict", ..., "events": [...]}.

CREATE TYPE messaging.entered AS (
    verdict text, channel messaging.channels, actor_role text, member_role text, log_epoch integer
);

-- Locks the channel and judges whether the actor may do this to it.
CREATE FUNCTION messaging.enter(wanted uuid, actor uuid, action text, even_archived boolean DEFAULT false)
RETURNS messaging.entered
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    e messaging.entered;
BEGIN
    PERFORM messaging.lock_channels(ARRAY[wanted], true);
    e.log_epoch := messaging.current_epoch();
    SELECT c INTO e.channel FROM messaging.channels c WHERE c.id = wanted;
    SELECT role INTO e.actor_role FROM messaging.users WHERE id = actor AND disabled_at IS NULL;
    SELECT role INTO e.member_role FROM messaging.channel_members WHERE channel_id = wanted AND user_id = actor;
    e.verdict := CASE
        WHEN e.actor_role IS NULL THEN 'forbidden'
        WHEN (e.channel).id IS NULL OR NOT messaging.may(e.actor_role, e.member_role, (e.channel).kind, 'see')
            THEN 'not_found'
        WHEN (e.channel).archived_at IS NOT NULL AND NOT even_archived THEN 'archived'
        WHEN NOT messaging.may(e.actor_role, e.member_role, (e.channel).kind, action) THEN 'forbidden'
        ELSE 'ok'
    END;
    RETURN e;
END $$;

CREATE FUNCTION messaging.refusal(verdict text, reason text DEFAULT NULL) RETURNS jsonb
LANGUAGE sql IMMUTABLE
RETURN jsonb_strip_nulls(jsonb_build_object('verdict', verdict, 'reason', reason, 'events', '[]'::jsonb));

CREATE FUNCTION messaging.unchanged() RETURNS jsonb
LANGUAGE sql IMMUTABLE
RETURN '{"verdict": "ok", "changed": false, "events": []}'::jsonb;

CREATE FUNCTION messaging.accepted(event jsonb) RETURNS jsonb
LANGUAGE sql IMMUTABLE
RETURN jsonb_build_object('verdict', 'ok', 'changed', true, 'seq', event -> 'seq', 'epoch', event -> 'epoch',
                          'events', jsonb_build_array(event));

-- Gives the event the next seq of its channel and returns it as it is to be published.
CREATE FUNCTION messaging.append_event(e messaging.entered, event_type text, aggregate uuid, data jsonb, command jsonb)
RETURNS jsonb
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    moment timestamptz := date_trunc('milliseconds', clock_timestamp());
    next_seq bigint;
BEGIN
    UPDATE messaging.channels SET last_seq = last_seq + 1 WHERE id = (e.channel).id RETURNING last_seq INTO next_seq;
    INSERT INTO messaging.events (event_id, epoch, shard, topic, aggregatetype, aggregateid, type, channel_id, seq,
                                  payload, traceparent, occurred_at)
    VALUES ((command ->> 'event_id')::uuid, e.log_epoch, messaging.shard_of((e.channel).id), (e.channel).event_topic,
            CASE WHEN aggregate = (e.channel).id THEN 'channel' ELSE 'message' END, aggregate,
            'dev.signalink.' || event_type, (e.channel).id, next_seq, data, command ->> 'traceparent', moment);
    RETURN jsonb_build_object('channel_id', (e.channel).id, 'seq', next_seq, 'epoch', e.log_epoch,
        'event_id', command -> 'event_id', 'type', 'dev.signalink.' || event_type, 'payload', data,
        'occurred_at', messaging.iso(moment), 'traceparent', command -> 'traceparent');
END $$;

-- A fact for analytics: no channel, no seq, no channel lock. Also called by the api inside its own transactions:
-- {topic?, type (without prefix), aggregatetype, aggregateid, payload, event_id, traceparent}.
CREATE FUNCTION messaging.record_fact(command jsonb) RETURNS void
LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    PERFORM pg_advisory_xact_lock_shared(1397311308, 1);  -- new_epoch() waits for facts too
    INSERT INTO messaging.events (event_id, epoch, shard, topic, aggregatetype, aggregateid, type, payload, traceparent)
    VALUES ((command ->> 'event_id')::uuid, messaging.current_epoch(),
            messaging.shard_of((command ->> 'aggregateid')::uuid), coalesce(command ->> 'topic', 'analytics'),
            command ->> 'aggregatetype', (command ->> 'aggregateid')::uuid, 'dev.signalink.' || (command ->> 'type'),
            command -> 'payload', command ->> 'traceparent');
END $$;

-- {id?, slug, name, description?, kind, history?, actor_id, event_id, traceparent} -> {"verdict", "id", "epoch"}.
-- The creator is its owner from seq 1 on, without an event of their own: the first post is seq 1.
CREATE FUNCTION messaging.create_channel(command jsonb) RETURNS jsonb
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    made uuid := coalesce((command ->> 'id')::uuid, gen_random_uuid());
    actor uuid := (command ->> 'actor_id')::uuid;
    channel_kind text := command ->> 'kind';
    log_epoch integer;
BEGIN
    -- The lock keeps new_epoch() out: the channel's epoch must be the log's.
    PERFORM messaging.lock_channels(ARRAY[made], true);
    log_epoch := messaging.current_epoch();
    IF NOT EXISTS (SELECT FROM messaging.users WHERE id = actor AND disabled_at IS NULL) THEN
        RETURN messaging.refusal('forbidden');
    END IF;
    IF EXISTS (SELECT FROM messaging.channels WHERE id = made) THEN
        RETURN messaging.refusal('conflict', 'id_taken');
    END IF;
    INSERT INTO messaging.channels (id, slug, name, description, kind, history, created_by, epoch)
    VALUES (made, command ->> 'slug', command ->> 'name', coalesce(command ->> 'description', ''), channel_kind,
            coalesce(command ->> 'history', CASE channel_kind WHEN 'public' THEN 'all' ELSE 'joined' END), actor,
            log_epoch)
    ON CONFLICT (slug) DO NOTHING;
    IF NOT FOUND THEN
        RETURN messaging.refusal('conflict', 'slug_taken');
    END IF;
    INSERT INTO messaging.channel_members (channel_id, user_id, role) VALUES (made, actor, 'owner');
    INSERT INTO messaging.memberships (channel_id, user_id, from_seq) VALUES (made, actor, 1);
    PERFORM messaging.record_fact(command || jsonb_build_object(
        'topic', 'analytics', 'type', 'channel.created', 'aggregatetype', 'channel', 'aggregateid', made,
        'payload', jsonb_build_object('id', made, 'slug', command -> 'slug', 'name', command -> 'name',
                                      'kind', channel_kind, 'created_by', actor)));
    RETURN jsonb_build_object('verdict', 'ok', 'changed', true, 'id', made, 'epoch', log_epoch, 'events', '[]'::jsonb);
END $$;

-- {channel_id, actor_id, changes: {name?, description?, history?, slow_mode_seconds?, max_members?}, event_id, ...}
CREATE FUNCTION messaging.update_channel(command jsonb) RETURNS jsonb
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    wanted jsonb := command -> 'changes';
    only_pace boolean := wanted ? 'slow_mode_seconds' AND wanted - 'slow_mode_seconds' = '{}';
    e messaging.entered;
    before jsonb;
BEGIN
    e := messaging.enter((command ->> 'channel_id')::uuid, (command ->> 'actor_id')::uuid,
                         CASE WHEN only_pace THEN 'slow_mode' ELSE 'update' END);
    IF e.verdict <> 'ok' THEN
        RETURN messaging.refusal(e.verdict);
    END IF;
    before := to_jsonb(e.channel);
    SELECT coalesce(jsonb_object_agg(w.key, w.value), '{}') INTO wanted FROM jsonb_each(wanted) w
    WHERE w.key IN ('name', 'description', 'history', 'slow_mode_seconds', 'max_members')
      AND before -> w.key IS DISTINCT FROM w.value;
    IF wanted = '{}' THEN
        RETURN messaging.unchanged();
    END IF;
    UPDATE messaging.channels c
    SET (name, description, history, slow_mode_seconds, max_members, version) =
        (SELECT n.name, n.description, n.history, n.slow_mode_seconds, n.max_members, c.version + 1
         FROM jsonb_populate_record(e.channel, wanted) n)
    WHERE c.id = (e.channel).id;
    RETURN messaging.accepted(messaging.append_event(e, 'channel.updated', (e.channel).id,
        wanted || jsonb_build_object('by', command -> 'actor_id'), command));
END $$;

-- {channel_id, actor_id, event_id, ...}
CREATE FUNCTION messaging.archive_channel(command jsonb) RETURNS jsonb
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    e messaging.entered;
BEGIN
    e := messaging.enter((command ->> 'channel_id')::uuid, (command ->> 'actor_id')::uuid, 'archive', true);
    IF e.verdict <> 'ok' THEN
        RETURN messaging.refusal(e.verdict);
    ELSIF (e.channel).archived_at IS NOT NULL THEN
        RETURN messaging.unchanged();
    END IF;
    UPDATE messaging.channels SET archived_at = date_trunc('milliseconds', clock_timestamp()), version = version + 1
    WHERE id = (e.channel).id;
    RETURN messaging.accepted(messaging.append_event(e, 'channel.archived', (e.channel).id,
        jsonb_build_object('by', command -> 'actor_id'), command));
END $$;
