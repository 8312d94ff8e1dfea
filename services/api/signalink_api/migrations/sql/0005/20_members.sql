-- Taking in and letting go, as decided: the callers judge, people's and services' alike.

CREATE FUNCTION messaging.admit(e messaging.entered, newcomer uuid, new_role text, command jsonb) RETURNS jsonb
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    event jsonb := messaging.append_event(e, 'member.joined', (e.channel).id,
        jsonb_build_object('user_id', newcomer, 'role', new_role, 'by', command -> 'actor_id'), command);
BEGIN
    INSERT INTO messaging.channel_members (channel_id, user_id, role, last_read_seq)
    VALUES ((e.channel).id, newcomer, new_role, (event ->> 'seq')::bigint);
    INSERT INTO messaging.memberships (channel_id, user_id, from_seq)
    VALUES ((e.channel).id, newcomer, (event ->> 'seq')::bigint);
    RETURN event;
END $$;

CREATE FUNCTION messaging.release(e messaging.entered, leaver uuid, event_type text, data jsonb, command jsonb)
RETURNS jsonb
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    event jsonb := messaging.append_event(e, event_type, (e.channel).id, data, command);
BEGIN
    DELETE FROM messaging.channel_members WHERE channel_id = (e.channel).id AND user_id = leaver;
    UPDATE messaging.memberships SET to_seq = (event ->> 'seq')::bigint
    WHERE channel_id = (e.channel).id AND user_id = leaver AND to_seq IS NULL;
    RETURN event;
END $$;

CREATE OR REPLACE FUNCTION messaging.take_in(e messaging.entered, newcomer uuid, new_role text, command jsonb)
RETURNS jsonb
LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    IF EXISTS (SELECT FROM messaging.channel_members WHERE channel_id = (e.channel).id AND user_id = newcomer) THEN
        RETURN messaging.unchanged();
    ELSIF (SELECT count(*) FROM messaging.channel_members WHERE channel_id = (e.channel).id)
          >= (e.channel).max_members THEN
        RETURN messaging.refusal('conflict', 'channel_full');
    END IF;
    RETURN messaging.accepted(messaging.admit(e, newcomer, new_role, command));
END $$;

CREATE OR REPLACE FUNCTION messaging.let_go(
    e messaging.entered, leaver uuid, event_type text, data jsonb, command jsonb) RETURNS jsonb
LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    IF messaging.is_last_owner((e.channel).id, leaver) THEN
        RETURN messaging.refusal('conflict', 'last_owner');
    END IF;
    RETURN messaging.accepted(messaging.release(e, leaver, event_type, data, command));
END $$;

-- A deleted channel is none.
CREATE OR REPLACE FUNCTION messaging.enter(wanted uuid, actor uuid, action text, even_archived boolean DEFAULT false)
RETURNS messaging.entered
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    e messaging.entered;
BEGIN
    PERFORM messaging.lock_channels(ARRAY[wanted], true);
    e.log_epoch := messaging.current_epoch();
    SELECT c INTO e.channel FROM messaging.channels c WHERE c.id = wanted AND c.deleted_at IS NULL;
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
