-- What users want to be told and how, what the planner knows of them, and what it planned. What was sent is deliveries.

-- One row per user who ever changed anything; without one the defaults hold. Quiet hours are local times of the zone,
-- from `quiet_from` up to `quiet_until`, over midnight when `quiet_until` is the smaller one.
CREATE TABLE notifications.preferences (
    user_id        uuid PRIMARY KEY,
    time_zone      text NOT NULL DEFAULT 'UTC' CHECK (char_length(time_zone) BETWEEN 1 AND 64),
    quiet_from     time,
    quiet_until    time,
    digest_minutes integer CHECK (digest_minutes BETWEEN 0 AND 1440),  -- NULL: the service's own; 0: never
    keywords       text[] NOT NULL DEFAULT '{}' CHECK (cardinality(keywords) <= 50),
    email_off_at   timestamptz,  -- by the unsubscribe link or here: no mail at all since then
    webhook_url    text CHECK (char_length(webhook_url) <= 2000),
    webhook_secret text,  -- signs what is posted there, so it cannot be kept as a hash
    webhook_set_at timestamptz,
    updated_at     timestamptz NOT NULL DEFAULT date_trunc('milliseconds', clock_timestamp()),
    CHECK ((quiet_from IS NULL) = (quiet_until IS NULL)),
    CHECK (quiet_from <> quiet_until),
    CHECK ((webhook_url IS NULL) = (webhook_secret IS NULL) AND (webhook_url IS NULL) = (webhook_set_at IS NULL))
);
CREATE INDEX preferences_keywords_idx ON notifications.preferences (user_id) WHERE keywords <> '{}';

-- What differs from the defaults: whether a kind goes through a channel.
CREATE TABLE notifications.choices (
    user_id uuid NOT NULL,
    kind    text NOT NULL CHECK (kind IN ('mention', 'direct', 'reply', 'keyword')),
    channel text NOT NULL CHECK (channel IN ('email', 'push', 'webhook')),
    enabled boolean NOT NULL,
    PRIMARY KEY (user_id, kind, channel)
);

-- Channels that a user wants to hear nothing from; `until` NULL: for good.
CREATE TABLE notifications.mutes (
    user_id    uuid NOT NULL,
    channel_id uuid NOT NULL,
    until      timestamptz,
    muted_at   timestamptz NOT NULL DEFAULT date_trunc('milliseconds', clock_timestamp()),
    PRIMARY KEY (user_id, channel_id)
);

-- The last state that topic presence told of each user, and since when.
CREATE TABLE notifications.presence (
    user_id    uuid PRIMARY KEY,
    state      text NOT NULL CHECK (state IN ('online', 'away', 'dnd', 'offline')),
    changed_at timestamptz NOT NULL
) WITH (fillfactor = 70);

-- One per message and user, whatever the reasons and however often it is edited.
CREATE TABLE notifications.plans (
    message_id      uuid NOT NULL,
    user_id         uuid NOT NULL,
    notification_id uuid NOT NULL UNIQUE,
    kind            text NOT NULL,
    channels        text[] NOT NULL,
    digest          boolean NOT NULL,
    planned_at      timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (message_id, user_id)
);
CREATE INDEX plans_user_idx ON notifications.plans (user_id, planned_at) WHERE 'email' = ANY (channels);
CREATE INDEX plans_planned_at_idx ON notifications.plans USING brin (planned_at);
