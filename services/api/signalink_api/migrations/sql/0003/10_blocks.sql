-- Of whom a user wants to be told nothing.
CREATE TABLE messaging.blocks (
    user_id    uuid NOT NULL REFERENCES messaging.users,
    blocked_id uuid NOT NULL REFERENCES messaging.users,
    created_at timestamptz NOT NULL DEFAULT date_trunc('milliseconds', clock_timestamp()),
    PRIMARY KEY (user_id, blocked_id),
    CHECK (user_id <> blocked_id)
);
