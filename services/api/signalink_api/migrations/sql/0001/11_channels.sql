-- Channels, who is in them, and for which seqs they are entitled.

CREATE TABLE messaging.channels (
    id                uuid PRIMARY KEY,
    slug              text UNIQUE CHECK (char_length(slug) BETWEEN 1 AND 100),
    name              text NOT NULL CHECK (char_length(name) BETWEEN 1 AND 200),
    description       text NOT NULL DEFAULT '' CHECK (char_length(description) <= 2000),
    kind              text NOT NULL CHECK (kind IN ('public', 'private', 'direct')),
    history           text NOT NULL CHECK (history IN ('all', 'joined')),
    created_by        uuid NOT NULL REFERENCES messaging.users,
    last_seq          bigint NOT NULL DEFAULT 0,
    epoch             integer NOT NULL,
    log_floor         bigint NOT NULL DEFAULT 0,  -- events with seq <= floor went by retention
    archived_at       timestamptz,
    slow_mode_seconds integer NOT NULL DEFAULT 0 CHECK (slow_mode_seconds BETWEEN 0 AND 86400),
    max_members       integer CHECK (max_members > 0),
    event_topic       text NOT NULL DEFAULT 'messages',
    version           integer NOT NULL DEFAULT 1,
    created_at        timestamptz NOT NULL DEFAULT date_trunc('milliseconds', clock_timestamp()),
    updated_at        timestamptz NOT NULL DEFAULT date_trunc('milliseconds', clock_timestamp()),
    CHECK (log_floor <= last_seq)
) WITH (fillfactor = 70);  -- last_seq changes with every post: space for updates in place

CREATE TABLE messaging.channel_members (
    channel_id    uuid NOT NULL REFERENCES messaging.channels,
    user_id       uuid NOT NULL REFERENCES messaging.users,
    role          text NOT NULL CHECK (role IN ('owner', 'moderator', 'member', 'reader')),
    joined_at     timestamptz NOT NULL DEFAULT date_trunc('milliseconds', clock_timestamp()),
    muted_until   timestamptz,
    last_read_seq bigint NOT NULL DEFAULT 0,
    last_read_at  timestamptz,
    last_post_at  timestamptz,  -- kept in channels with slow mode only
    PRIMARY KEY (channel_id, user_id)
);
CREATE INDEX channel_members_user_id_idx ON messaging.channel_members (user_id);

-- Entitlement by seq: a user was a member for from_seq..to_seq (both included; NULL: still is).
CREATE TABLE messaging.memberships (
    channel_id uuid NOT NULL REFERENCES messaging.channels,
    user_id    uuid NOT NULL REFERENCES messaging.users,
    from_seq   bigint NOT NULL,
    to_seq     bigint,
    PRIMARY KEY (channel_id, user_id, from_seq),
    CHECK (to_seq >= from_seq)
);
CREATE UNIQUE INDEX memberships_current_key ON messaging.memberships (channel_id, user_id) WHERE to_seq IS NULL;

CREATE TABLE messaging.messages (
    id           uuid PRIMARY KEY,
    channel_id   uuid NOT NULL REFERENCES messaging.channels,
    seq          bigint NOT NULL,
    sender_id    uuid NOT NULL REFERENCES messaging.users,
    client_id    text NOT NULL CHECK (char_length(client_id) BETWEEN 1 AND 64),
    request_hash bytea NOT NULL,  -- of the post as first received; edits never touch it
    body         text NOT NULL,
    format       text NOT NULL,
    metadata     jsonb NOT NULL DEFAULT '{}',
    reply_to     uuid REFERENCES messaging.messages,
    thread_root  uuid REFERENCES messaging.messages,
    revision     integer NOT NULL DEFAULT 0,
    created_at   timestamptz NOT NULL,
    edited_at    timestamptz,
    edited_by    uuid REFERENCES messaging.users,
    deleted_at   timestamptz,
    deleted_by   uuid REFERENCES messaging.users,
    UNIQUE (sender_id, client_id),
    UNIQUE (channel_id, seq)
);

-- What an edit replaced: revision 0 is the body as posted. Gone once the message is deleted.
CREATE TABLE messaging.message_revisions (
    message_id uuid NOT NULL REFERENCES messaging.messages,
    revision   integer NOT NULL,
    body       text NOT NULL,
    edited_by  uuid NOT NULL,
    edited_at  timestamptz NOT NULL,
    PRIMARY KEY (message_id, revision)
);
