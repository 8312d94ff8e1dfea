-- Who may do what from which session. Names and e-mails are unique without regard to case through lower():
-- the embedded Postgres ships no citext and no ICU (docs/decisions/0011).

CREATE TABLE messaging.users (
    id            uuid PRIMARY KEY,
    username      text NOT NULL CHECK (char_length(username) BETWEEN 1 AND 64),
    email         text NOT NULL CHECK (char_length(email) BETWEEN 3 AND 254),
    display_name  text NOT NULL DEFAULT '' CHECK (char_length(display_name) <= 128),
    password_hash text NOT NULL,
    role          text NOT NULL DEFAULT 'member' CHECK (role IN ('member', 'moderator', 'admin')),
    status        text NOT NULL DEFAULT '' CHECK (char_length(status) <= 256),
    disabled_at   timestamptz,
    created_at    timestamptz NOT NULL DEFAULT date_trunc('milliseconds', clock_timestamp()),
    updated_at    timestamptz NOT NULL DEFAULT date_trunc('milliseconds', clock_timestamp())
);
CREATE UNIQUE INDEX users_username_key ON messaging.users (lower(username));
CREATE UNIQUE INDEX users_email_key ON messaging.users (lower(email));

-- One row per refresh token ever issued; `family_id` is the session that users see and that access tokens name (sid).
CREATE TABLE messaging.sessions (
    id           uuid PRIMARY KEY,
    user_id      uuid NOT NULL REFERENCES messaging.users,
    family_id    uuid NOT NULL,
    generation   integer NOT NULL DEFAULT 0,
    refresh_hash bytea NOT NULL UNIQUE,
    device_id    uuid,
    user_agent   text NOT NULL DEFAULT '',
    ip           inet,
    created_at   timestamptz NOT NULL DEFAULT date_trunc('milliseconds', clock_timestamp()),
    expires_at   timestamptz NOT NULL,
    rotated_at   timestamptz,
    revoked_at   timestamptz,
    reason       text,
    UNIQUE (family_id, generation)
);
CREATE INDEX sessions_user_id_idx ON messaging.sessions (user_id);

-- Read again by api and gateways every 2 s for the last 60 s, so a late commit is not missed.
CREATE TABLE messaging.revocations (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    subject_kind text NOT NULL CHECK (subject_kind IN ('user', 'session')),
    subject_id   uuid NOT NULL,
    reason       text NOT NULL DEFAULT '',
    at           timestamptz NOT NULL DEFAULT date_trunc('milliseconds', clock_timestamp())
);
CREATE INDEX revocations_at_idx ON messaging.revocations (at);

CREATE TABLE messaging.audit_log (
    id       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    actor_id uuid,
    action   text NOT NULL,
    target   text NOT NULL,
    details  jsonb NOT NULL DEFAULT '{}',
    trace_id text,
    at       timestamptz NOT NULL DEFAULT date_trunc('milliseconds', clock_timestamp())
);
