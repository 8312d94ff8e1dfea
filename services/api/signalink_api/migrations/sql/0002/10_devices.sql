-- Where a user's push notifications go. A token belongs to one device and one user: whoever registers it has it now.
CREATE TABLE messaging.devices (
    id           uuid PRIMARY KEY,
    user_id      uuid NOT NULL REFERENCES messaging.users,
    kind         text NOT NULL CHECK (kind IN ('fcm')),
    push_token   text NOT NULL UNIQUE CHECK (char_length(push_token) BETWEEN 1 AND 4096),
    name         text NOT NULL DEFAULT '' CHECK (char_length(name) <= 100),
    created_at   timestamptz NOT NULL DEFAULT date_trunc('milliseconds', clock_timestamp()),
    last_seen_at timestamptz NOT NULL DEFAULT date_trunc('milliseconds', clock_timestamp())
);
CREATE INDEX devices_user_id_idx ON messaging.devices (user_id);

-- The push service says that a token is dead: its device goes, and why is on record. Runs with the owner's rights, so
-- that whoever sends notifications needs none on the table.
CREATE FUNCTION messaging.delete_device(token text, reason text) RETURNS boolean
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    gone messaging.devices;
BEGIN
    DELETE FROM messaging.devices WHERE push_token = token RETURNING * INTO gone;
    IF gone.id IS NULL THEN
        RETURN false;
    END IF;
    INSERT INTO messaging.audit_log (actor_id, action, target, details)
    VALUES (gone.user_id, 'device.deleted', gone.id::text, jsonb_build_object('reason', left(reason, 200)));
    RETURN true;
END $$;
