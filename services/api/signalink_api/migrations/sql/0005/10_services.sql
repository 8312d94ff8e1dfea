-- Services: programs that act by a token of their own instead of a session, and the channels they manage.

-- A service's account is the `by` of what it did. It is disabled for good, so it can do nothing that people do: sign
-- in, be found, be taken into a channel, be written to.
ALTER TABLE messaging.users ADD COLUMN kind text NOT NULL DEFAULT 'person' CHECK (kind IN ('person', 'service'));
ALTER TABLE messaging.users ADD CONSTRAINT users_service_is_disabled CHECK (kind = 'person' OR disabled_at IS NOT NULL);

-- Every service token that was ever issued. A token without its row, or with revoked_at, is refused.
CREATE TABLE messaging.service_tokens (
    id         uuid PRIMARY KEY,  -- the token's jti
    account_id uuid NOT NULL REFERENCES messaging.users,
    name       text NOT NULL CHECK (name ~ '^[a-z][a-z0-9-]{0,39}$'),
    scopes     text[] NOT NULL CHECK (cardinality(scopes) > 0),
    issued_at  timestamptz NOT NULL DEFAULT date_trunc('milliseconds', clock_timestamp()),
    expires_at timestamptz NOT NULL,
    revoked_at timestamptz
);
CREATE INDEX service_tokens_name_idx ON messaging.service_tokens (name);

ALTER TABLE messaging.channels
    ADD COLUMN managed_by          text CHECK (char_length(managed_by) BETWEEN 1 AND 600),
    ADD COLUMN messages_per_second integer CHECK (messages_per_second BETWEEN 1 AND 1000),
    ADD COLUMN retention_days      integer CHECK (retention_days BETWEEN 1 AND 36500),
    ADD COLUMN also_topic          text CHECK (also_topic ~ '^[a-zA-Z0-9._-]{1,249}$'),
    ADD COLUMN deleted_at          timestamptz,
    ADD CONSTRAINT channels_deleted_has_no_slug CHECK (deleted_at IS NULL OR slug IS NULL);

DROP TRIGGER channels_touch ON messaging.channels;
CREATE TRIGGER channels_touch BEFORE UPDATE OF name, description, kind, history, archived_at, slow_mode_seconds,
    max_members, messages_per_second, retention_days, deleted_at
    ON messaging.channels FOR EACH ROW EXECUTE FUNCTION messaging.touch_updated_at();
