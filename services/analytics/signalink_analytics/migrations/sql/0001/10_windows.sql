-- Figures per tumbling window of 60 s of event time. `window_start` is its first moment, in UTC; an event belongs to
-- the window that holds its time (of one from the future: the moment it was counted). All counters count events that
-- are in the window; an event that came too late for its window is in late_events and in no counter.
--
-- The counters, wherever they stand:
--   events         every event of the window, presence left out
--   messages       message.created            replies     of these, with a reply_to
--   characters     of the bodies of these     edits       message.edited          deletions  message.deleted
--   joins          member.joined              departures  member.left and member.removed
--   reads          message.read               logins, logouts, registrations  user.logged_in, _out, user.registered
--   channels       channel.created
--   lengths        histogram of the characters of messages; element n counts those up to the n-th bound, above the one
--                  before; bounds: signalink_analytics.histograms.LENGTHS, the last element counts what is above all
--   responses      histogram of response times: from a message to the next one of its channel, where another user sent
--                  it, counted at the later one; bounds in seconds: histograms.RESPONSES
--   response_ms    sum of these times; their number is the sum of `responses`

-- Element by element; the shorter one counts as zero beyond its end, so '{}' is zero and bounds may be added.
CREATE FUNCTION analytics.plus(one bigint[], other bigint[]) RETURNS bigint[]
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT coalesce(array_agg(coalesce(a, 0) + coalesce(b, 0) ORDER BY n), '{}')
    FROM unnest(one, other) WITH ORDINALITY t (a, b, n)
$$;
CREATE AGGREGATE analytics.total(bigint[]) (
    SFUNC = analytics.plus, STYPE = bigint[], INITCOND = '{}', COMBINEFUNC = analytics.plus, PARALLEL = SAFE
);

-- The whole platform. `part` is the partition whose batch wrote the row: batches of different partitions would wait for
-- each other's commit at a common row. A window's figure is the sum over its parts (view message_by_minute).
CREATE TABLE analytics.message_metrics (
    window_start  timestamptz NOT NULL CHECK (extract(epoch FROM window_start) % 60 = 0),
    part          smallint NOT NULL,
    events        bigint NOT NULL DEFAULT 0,
    messages      bigint NOT NULL DEFAULT 0,
    replies       bigint NOT NULL DEFAULT 0,
    characters    bigint NOT NULL DEFAULT 0,
    edits         bigint NOT NULL DEFAULT 0,
    deletions     bigint NOT NULL DEFAULT 0,
    joins         bigint NOT NULL DEFAULT 0,
    departures    bigint NOT NULL DEFAULT 0,
    reads         bigint NOT NULL DEFAULT 0,
    logins        bigint NOT NULL DEFAULT 0,
    logouts       bigint NOT NULL DEFAULT 0,
    registrations bigint NOT NULL DEFAULT 0,
    channels      bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (window_start, part)
) WITH (fillfactor = 70);

-- Per channel: what happened in it.
CREATE TABLE analytics.channel_metrics (
    window_start timestamptz NOT NULL,
    channel_id   uuid NOT NULL,
    messages     bigint NOT NULL DEFAULT 0,
    replies      bigint NOT NULL DEFAULT 0,
    characters   bigint NOT NULL DEFAULT 0,
    edits        bigint NOT NULL DEFAULT 0,
    deletions    bigint NOT NULL DEFAULT 0,
    joins        bigint NOT NULL DEFAULT 0,
    departures   bigint NOT NULL DEFAULT 0,
    reads        bigint NOT NULL DEFAULT 0,
    lengths      bigint[] NOT NULL DEFAULT '{}',
    responses    bigint[] NOT NULL DEFAULT '{}',
    response_ms  bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (window_start, channel_id)
) WITH (fillfactor = 70);
CREATE INDEX channel_metrics_channel_idx ON analytics.channel_metrics (channel_id, window_start);

-- Per user and channel: what the user did there. What belongs to no channel (logins) has the channel of zeros,
-- 00000000-0000-0000-0000-000000000000. A user who has a row was active in the window: the rows of a window are its set
-- of distinct users, and those with messages > 0 of a channel its distinct senders. Being removed by others, and
-- changing roles or settings, is no activity.
CREATE TABLE analytics.user_metrics (
    window_start  timestamptz NOT NULL,
    user_id       uuid NOT NULL,
    channel_id    uuid NOT NULL,
    messages      bigint NOT NULL DEFAULT 0,
    replies       bigint NOT NULL DEFAULT 0,
    characters    bigint NOT NULL DEFAULT 0,
    edits         bigint NOT NULL DEFAULT 0,
    deletions     bigint NOT NULL DEFAULT 0,
    joins         bigint NOT NULL DEFAULT 0,
    departures    bigint NOT NULL DEFAULT 0,
    reads         bigint NOT NULL DEFAULT 0,
    logins        bigint NOT NULL DEFAULT 0,
    logouts       bigint NOT NULL DEFAULT 0,
    registrations bigint NOT NULL DEFAULT 0,
    channels      bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (window_start, user_id, channel_id)
) WITH (fillfactor = 70);
CREATE INDEX user_metrics_user_idx ON analytics.user_metrics (user_id, window_start);

-- Events that came more than the allowed lateness after their window had closed, or after its hour was rolled up.
-- `watermark`: what was known to be over when it came; `late_seconds`: by how much it missed its window. A rebuild
-- leaves them out as well, so its figures are those that were counted.
CREATE TABLE analytics.late_events (
    event_id      uuid PRIMARY KEY,
    topic         text NOT NULL,
    partition     integer NOT NULL,
    record_offset bigint NOT NULL,
    type          text NOT NULL,
    channel_id    uuid,
    seq           bigint,
    user_id       uuid,
    event_time    timestamptz NOT NULL,
    window_start  timestamptz NOT NULL,
    watermark     timestamptz NOT NULL,
    late_seconds  double precision NOT NULL,
    recorded_at   timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX late_events_window_idx ON analytics.late_events (window_start);
CREATE INDEX late_events_recorded_at_idx ON analytics.late_events USING brin (recorded_at);

-- Events whose time was ahead of Postgres's clock when they came: counted in the window of `counted_at`.
CREATE TABLE analytics.clamped_events (
    event_id    uuid PRIMARY KEY,
    topic       text NOT NULL,
    type        text NOT NULL,
    channel_id  uuid,
    seq         bigint,
    event_time  timestamptz NOT NULL,
    counted_at  timestamptz NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX clamped_events_counted_at_idx ON analytics.clamped_events (counted_at);

-- The last message of each channel, from which the next one's response time counts. Only the consumer's.
CREATE TABLE analytics.conversations (
    channel_id uuid PRIMARY KEY,
    epoch      integer NOT NULL,
    seq        bigint NOT NULL,
    sender_id  uuid NOT NULL,
    sent_at    timestamptz NOT NULL
) WITH (fillfactor = 70);
