-- The same figures per hour and per day (UTC), made once nothing can change them any more. Rows of a period are written
-- in pieces, under a new generation; they are shown from the moment at which `rollups` names that generation, all at
-- once. A rebuild writes another generation beside the shown one. Read through the views of 40_views.sql.

CREATE SEQUENCE analytics.generations AS integer CYCLE;

CREATE TABLE analytics.message_hours (LIKE analytics.message_metrics INCLUDING DEFAULTS, generation integer NOT NULL);
ALTER TABLE analytics.message_hours DROP COLUMN part, ADD PRIMARY KEY (window_start, generation);
CREATE TABLE analytics.message_days (LIKE analytics.message_hours INCLUDING ALL);

-- `senders`: distinct users who sent a message to the channel in the period.
CREATE TABLE analytics.channel_hours (
    LIKE analytics.channel_metrics INCLUDING DEFAULTS, senders bigint NOT NULL DEFAULT 0, generation integer NOT NULL,
    PRIMARY KEY (window_start, channel_id, generation)
);
CREATE INDEX channel_hours_channel_idx ON analytics.channel_hours (channel_id, window_start);
CREATE TABLE analytics.channel_days (LIKE analytics.channel_hours INCLUDING ALL);

CREATE TABLE analytics.user_hours (
    LIKE analytics.user_metrics INCLUDING DEFAULTS, generation integer NOT NULL,
    PRIMARY KEY (window_start, user_id, channel_id, generation)
);
CREATE INDEX user_hours_user_idx ON analytics.user_hours (user_id, window_start);
CREATE INDEX user_hours_channel_idx ON analytics.user_hours (channel_id, window_start);
CREATE TABLE analytics.user_days (LIKE analytics.user_hours INCLUDING ALL);

-- One row per period that is shown from its rollup. `active_users`: the distinct users of the period, exact up to 10,000:
-- the set are the period's user rows. Above that an estimate (`exact` false) with the error that
-- signalink_analytics.distinct.ERROR states; then `sketch` is their HyperLogLog, for the union of periods (weeks, months).
CREATE TABLE analytics.rollups (
    level        text NOT NULL CHECK (level IN ('hour', 'day')),
    window_start timestamptz NOT NULL,
    generation   integer NOT NULL,
    active_users bigint NOT NULL,
    exact        boolean NOT NULL,
    sketch       bytea CHECK (exact = (sketch IS NULL)),
    rolled_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (level, window_start)
);

-- How far things are; moments, exclusive.
--   final  nothing is counted any more in a window that ends at or before it
--   hour   every hour that ends at or before it is in `rollups`, or was empty; the views sum minutes from it on
--   day    likewise for days, which are made of hours
CREATE TABLE analytics.progress (
    name    text PRIMARY KEY CHECK (name IN ('final', 'hour', 'day')),
    reached timestamptz NOT NULL
);
INSERT INTO analytics.progress VALUES ('final', '-infinity'), ('hour', '-infinity'), ('day', '-infinity');

-- One row per run of `signalink analytics rebuild`. `next_window`: windows before it are made anew, from `from_window`
-- on.
CREATE TABLE analytics.rebuilds (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    from_window  timestamptz NOT NULL,
    until_window timestamptz NOT NULL,
    next_window  timestamptz NOT NULL,
    state        text NOT NULL DEFAULT 'running' CHECK (state IN ('running', 'done', 'failed')),
    windows      bigint NOT NULL DEFAULT 0,
    changed      bigint NOT NULL DEFAULT 0,  -- windows whose figures were others before
    events       bigint NOT NULL DEFAULT 0,
    started_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
    heard_at     timestamptz NOT NULL DEFAULT clock_timestamp(),
    ended_at     timestamptz
);
