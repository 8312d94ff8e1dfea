-- Direct channels, read positions and mutes.

-- The sorted ids of both members: one direct channel per pair, for ever.
ALTER TABLE messaging.channels ADD COLUMN direct_key text UNIQUE CHECK ((direct_key IS NULL) = (kind <> 'direct'));
CREATE INDEX messages_thread_root_idx ON messaging.messages (thread_root, seq) WHERE thread_root IS NOT NULL;

CREATE FUNCTION messaging.direct_key(one uuid, other uuid) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN least(one, other)::text || ':' || greatest(one, other)::text;

-- {id, actor_id, user_id, event_id, traceparent} -> {"verdict", "id", "changed"}. Who left it is taken in again.
-- Both are members from seq 1 on without events, as the creator of a channel is.
CREATE FUNCTION messaging.open_direct(command jsonb) RETURNS jsonb
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    actor uuid := (command ->> 'actor_id')::uuid;
    other uuid := (command ->> 'user_id')::uuid;
    made uuid := (command ->> 'id')::uuid;
    found uuid := (SELECT c.id FROM messaging.channels c WHERE c.direct_key = messaging.direct_key(actor, other));
    log_epoch integer;
    e messaging.entered;
    answer jsonb;
BEGIN
    IF found IS NOT NULL THEN
        e := messaging.enter(found, actor, 'see');
        IF e.member_role IS NOT NULL OR e.actor_role IS NULL THEN
            RETURN CASE WHEN e.verdict = 'ok' THEN messaging.unchanged() || jsonb_build_object('id', found)
                        ELSE messaging.refusal(e.verdict) END;
        END IF;
        RETURN messaging.take_in(e, actor, 'member', command) || jsonb_build_object('id', found);
    END IF;
    PERFORM messaging.lock_channels(ARRAY[made], true);
    log_epoch := messaging.current_epoch();
    IF NOT EXISTS (SELECT FROM messaging.users WHERE id = actor AND disabled_at IS NULL) THEN
        RETURN messaging.refusal('forbidden');
    ELSIF actor = other THEN
        RETURN messaging.refusal('invalid', 'user_id');
    ELSIF NOT EXISTS (SELECT FROM messaging.users WHERE id = other AND disabled_at IS NULL) THEN
        RETURN messaging.refusal('not_found', 'user');
    END IF;
    INSERT INTO messaging.channels (id, name, kind, history, created_by, epoch, direct_key)
    VALUES (made, 'direct', 'direct', 'all', actor, log_epoch, messaging.direct_key(actor, other));
    INSERT INTO messaging.channel_members (channel_id, user_id, role)
    SELECT made, member, 'member' FROM unnest(ARRAY[actor, other]) member;
    INSERT INTO messaging.memberships (channel_id, user_id, from_seq)
    SELECT made, member, 1 FROM unnest(ARRAY[actor, other]) member;
    PERFORM messaging.record_fact(command || jsonb_build_object(
        'topic', 'analytics', 'type', 'channel.created', 'aggregatetype', 'channel', 'aggregateid', made,
        'payload', jsonb_build_object('id', made, 'slug', NULL, 'name', 'direct', 'kind', 'direct',
                                      'created_by', actor)));
    RETURN jsonb_build_object('verdict', 'ok', 'changed', true, 'id', made, 'epoch', log_epoch, 'events', '[]'::jsonb);
END $$;

-- {channel_id, actor_id, seq, event_id, traceparent} -> {"verdict", "last_read_seq"}. Never back, never above the last
-- event. The fact `message.read` follows when all is read, else at most once a minute.
CREATE FUNCTION messaging.read_channel(command jsonb) RETURNS jsonb
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    wanted uuid := (command ->> 'channel_id')::uuid;
    actor uuid := (command ->> 'actor_id')::uuid;
    held record;
    reached bigint;
BEGIN
    SELECT u.role AS actor_role, m.role AS member_role, c.kind, c.last_seq, m.last_read_seq, m.last_read_at INTO held
    FROM messaging.channels c JOIN messaging.users u ON u.id = actor AND u.disabled_at IS NULL
    LEFT JOIN messaging.channel_members m ON m.channel_id = c.id AND m.user_id = actor
    WHERE c.id = wanted;
    IF held.kind IS NULL OR NOT messaging.may(held.actor_role, held.member_role, held.kind, 'see') THEN
        RETURN messaging.refusal('not_found');
    ELSIF held.member_role IS NULL THEN
        RETURN messaging.refusal('forbidden');
    END IF;
    reached := greatest(held.last_read_seq, least((command ->> 'seq')::bigint, held.last_seq));
    IF reached > held.last_read_seq THEN
        IF reached = held.last_seq OR held.last_read_at IS NULL
            OR held.last_read_at < clock_timestamp() - interval '60 s' THEN
            PERFORM messaging.record_fact(command || jsonb_build_object(
                'topic', 'analytics', 'type', 'message.read', 'aggregatetype', 'user', 'aggregateid', actor,
                'payload', jsonb_build_object('user_id', actor, 'channel_id', wanted, 'seq', reached)));
        END IF;
        UPDATE messaging.channel_members
        SET last_read_seq = greatest(last_read_seq, reached),
            last_read_at = date_trunc('milliseconds', clock_timestamp())
        WHERE channel_id = wanted AND user_id = actor;
    END IF;
    RETURN jsonb_build_object('verdict', 'ok', 'changed', reached > held.last_read_seq, 'last_read_seq', reached,
                              'last_seq', held.last_seq, 'events', '[]'::jsonb);
END $$;

-- {channel_id, actor_id, user_id, until (null: not any more), event_id, ...}; members below the actor's own role.
CREATE FUNCTION messaging.mute_member(command jsonb) RETURNS jsonb
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    member uuid := (command ->> 'user_id')::uuid;
    until timestamptz := (command ->> 'until')::timestamptz;
    e messaging.entered := messaging.enter((command ->> 'channel_id')::uuid, (command ->> 'actor_id')::uuid, 'mute');
    held record;
BEGIN
    IF e.verdict <> 'ok' THEN
        RETURN messaging.refusal(e.verdict);
    END IF;
    SELECT role, muted_until INTO held FROM messaging.channel_members
    WHERE channel_id = (e.channel).id AND user_id = member;
    IF held.role IS NULL THEN
        RETURN messaging.refusal('not_found', 'member');
    ELSIF NOT messaging.outranks(e, held.role) THEN
        RETURN messaging.refusal('forbidden');
    ELSIF held.muted_until IS NOT DISTINCT FROM until THEN
        RETURN messaging.unchanged();
    END IF;
    UPDATE messaging.channel_members SET muted_until = until WHERE channel_id = (e.channel).id AND user_id = member;
    INSERT INTO messaging.audit_log (actor_id, action, target, details)
    VALUES ((command ->> 'actor_id')::uuid, 'member.muted', (e.channel).id::text,
            jsonb_build_object('user_id', member, 'until', until));
    RETURN messaging.unchanged() || '{"changed": true}';
END $$;
