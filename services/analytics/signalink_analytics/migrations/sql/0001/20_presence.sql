-- Presence is best effort: an event may be missing or come twice, and it is not in the log, so no rebuild makes it
-- anew.

-- The newest known state of each user. `changed_at`: since when (event time).
CREATE TABLE analytics.presence_now (
    user_id    uuid PRIMARY KEY,
    state      text NOT NULL CHECK (state IN ('online', 'away', 'dnd', 'offline')),
    changed_at timestamptz NOT NULL
) WITH (fillfactor = 70);
CREATE INDEX presence_now_state_idx ON analytics.presence_now (state) WHERE state <> 'offline';

-- Every change, for the history of one user.
CREATE TABLE analytics.presence_changes (
    user_id    uuid NOT NULL,
    changed_at timestamptz NOT NULL,
    event_id   uuid NOT NULL,
    state      text NOT NULL,
    PRIMARY KEY (user_id, changed_at, event_id)
);
CREATE INDEX presence_changes_changed_at_idx ON analytics.presence_changes USING brin (changed_at);

-- Changes per window of event time, by the state that was entered.
CREATE TABLE analytics.presence_metrics (
    window_start   timestamptz NOT NULL,
    part           smallint NOT NULL,  -- as in message_metrics
    became_online  bigint NOT NULL DEFAULT 0,
    became_away    bigint NOT NULL DEFAULT 0,
    became_dnd     bigint NOT NULL DEFAULT 0,
    became_offline bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (window_start, part)
) WITH (fillfactor = 70);

-- How many users were in each state, looked at once a minute: the history of presence over all users.
CREATE TABLE analytics.presence_levels (
    at     timestamptz PRIMARY KEY,  -- the full minute
    online bigint NOT NULL,
    away   bigint NOT NULL,
    dnd    bigint NOT NULL
);
