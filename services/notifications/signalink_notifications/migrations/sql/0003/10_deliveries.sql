-- One row per (event, user, channel): a repeat in the topic finds it there. Nothing of a message is kept here; who sends
-- reads what is there at that moment.
--
-- pending -> sent      the provider took it: provider_id, and receipts where one user has several devices
--         -> skipped   it need not be sent any more: reason
--         -> failed    a letter is in dlq.notifications: last_error; `signalink dlq redrive` makes it pending again
CREATE TABLE notifications.deliveries (
    id              uuid PRIMARY KEY,
    event_id        uuid NOT NULL,
    notification_id uuid NOT NULL,
    user_id         uuid NOT NULL,
    channel         text NOT NULL CHECK (channel IN ('email', 'push', 'webhook')),
    kind            text NOT NULL,
    channel_id      uuid NOT NULL,
    message_id      uuid NOT NULL,
    message_seq     bigint NOT NULL,
    sender_id       uuid NOT NULL,
    digest          boolean NOT NULL,
    told_at         timestamptz NOT NULL,        -- when the message was posted, or edited so that it concerns them
    state           text NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'sent', 'skipped', 'failed')),
    reason          text CHECK (char_length(reason) <= 64),
    attempts        integer NOT NULL DEFAULT 0,  -- recorded before the provider is called
    round_from      integer NOT NULL DEFAULT 0,  -- attempts before the last redrive
    asked_at        timestamptz NOT NULL,        -- when it was requested, or redriven
    not_before      timestamptz NOT NULL,        -- the end of quiet hours
    next_attempt_at timestamptz NOT NULL,
    last_attempt_at timestamptz,
    last_error      text CHECK (char_length(last_error) <= 64),
    idempotency_key uuid NOT NULL,               -- what the provider is told; the mails of one digest share it
    provider_id     text CHECK (char_length(provider_id) <= 300),
    receipts        jsonb NOT NULL DEFAULT '{}', -- device -> provider_id
    -- Who works on it. A holder whose fence is not the row's any more records nothing.
    holder          text,
    lease_until     timestamptz,
    fence           bigint NOT NULL DEFAULT 0,
    -- The record it came in, for its letter.
    record_partition integer NOT NULL,
    record_offset    bigint NOT NULL,
    record_headers   jsonb NOT NULL,
    record_value     text NOT NULL,
    created_at      timestamptz NOT NULL DEFAULT clock_timestamp(),
    settled_at      timestamptz,
    UNIQUE (event_id, user_id, channel),
    CHECK ((state = 'pending') = (settled_at IS NULL))
) WITH (fillfactor = 80);
CREATE INDEX deliveries_due_idx ON notifications.deliveries (channel, next_attempt_at) WHERE state = 'pending';
CREATE INDEX deliveries_waiting_idx ON notifications.deliveries (user_id) WHERE state = 'pending' AND digest;
CREATE INDEX deliveries_key_idx ON notifications.deliveries (idempotency_key);
CREATE INDEX deliveries_settled_at_idx ON notifications.deliveries (settled_at) WHERE state <> 'pending';
CREATE INDEX deliveries_user_idx ON notifications.deliveries (user_id, created_at);

REVOKE ALL ON notifications.deliveries FROM PUBLIC;
GRANT SELECT, INSERT, UPDATE, DELETE ON notifications.deliveries TO signalink_notifications;
