-- Changing a message after it was posted. The log keeps that it happened; a deleted body is gone from every read.

-- {message_id, body, actor_id, event_id, ...} -> {..., "message": {id, channel_id, seq, body, revision, edited_at}}
CREATE FUNCTION messaging.edit_message(command jsonb) RETURNS jsonb
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    message messaging.messages;
    e messaging.entered;
    moment timestamptz;
BEGIN
    SELECT * INTO message FROM messaging.messages WHERE id = (command ->> 'message_id')::uuid;
    IF message.id IS NULL THEN
        RETURN messaging.refusal('not_found');
    END IF;
    e := messaging.enter(message.channel_id, (command ->> 'actor_id')::uuid, 'edit_own');
    SELECT * INTO STRICT message FROM messaging.messages WHERE id = message.id;  -- as it is now that the lock is held
    IF e.verdict <> 'ok' THEN
        RETURN messaging.refusal(e.verdict);
    ELSIF message.sender_id <> (command ->> 'actor_id')::uuid THEN
        RETURN messaging.refusal('forbidden');
    ELSIF message.deleted_at IS NOT NULL THEN
        RETURN messaging.refusal('conflict', 'deleted');
    ELSIF char_length(command ->> 'body') NOT BETWEEN 1 AND 16000 THEN
        RETURN messaging.refusal('invalid', 'body');
    ELSIF message.body = command ->> 'body' THEN
        RETURN messaging.unchanged();
    END IF;
    moment := date_trunc('milliseconds', clock_timestamp());
    UPDATE messaging.messages SET body = command ->> 'body', revision = revision + 1, edited_at = moment,
        edited_by = (command ->> 'actor_id')::uuid
    WHERE id = message.id RETURNING * INTO message;
    RETURN messaging.accepted(messaging.append_event(e, 'message.edited', message.id,
        jsonb_build_object('id', message.id, 'message_seq', message.seq, 'body', message.body,
            'edited_by', message.edited_by, 'edited_at', messaging.iso(moment), 'revision', message.revision), command));
END $$;

-- {message_id, actor_id, event_id, ...}; one's own in an archived channel too
CREATE FUNCTION messaging.delete_message(command jsonb) RETURNS jsonb
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    actor uuid := (command ->> 'actor_id')::uuid;
    message messaging.messages;
    e messaging.entered;
    moment timestamptz;
BEGIN
    SELECT * INTO message FROM messaging.messages WHERE id = (command ->> 'message_id')::uuid;
    IF message.id IS NULL THEN
        RETURN messaging.refusal('not_found');
    END IF;
    e := messaging.enter(message.channel_id, actor,
                         CASE WHEN message.sender_id = actor THEN 'delete_own' ELSE 'delete_others' END, true);
    SELECT * INTO STRICT message FROM messaging.messages WHERE id = message.id;
    IF e.verdict <> 'ok' THEN
        RETURN messaging.refusal(e.verdict);
    ELSIF message.deleted_at IS NOT NULL THEN
        RETURN messaging.unchanged();
    END IF;
    moment := date_trunc('milliseconds', clock_timestamp());
    UPDATE messaging.messages SET body = '', metadata = '{}', deleted_at = moment, deleted_by = actor
    WHERE id = message.id;
    DELETE FROM messaging.message_revisions WHERE message_id = message.id;
    RETURN messaging.accepted(messaging.append_event(e, 'message.deleted', message.id,
        jsonb_build_object('id', message.id, 'message_seq', message.seq, 'deleted_by', actor,
            'deleted_at', messaging.iso(moment)), command));
END $$;
