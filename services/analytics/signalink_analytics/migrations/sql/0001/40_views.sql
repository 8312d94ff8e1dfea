-- What readers use: per minute, hour and day, each complete up to now. What is rolled up comes from the rollup, the
-- rest is summed from the finer level; one statement sees one snapshot, so no period is counted twice or left out.
-- Bound window_start in every query.

CREATE FUNCTION analytics.hour_of(moment timestamptz) RETURNS timestamptz
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN date_bin('1 hour', moment, '2000-01-01 00:00:00+00');

CREATE FUNCTION analytics.day_of(moment timestamptz) RETURNS timestamptz
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN date_bin('1 day', moment, '2000-01-01 00:00:00+00');

CREATE FUNCTION analytics.reached(wanted text) RETURNS timestamptz
LANGUAGE sql STABLE STRICT PARALLEL SAFE
RETURN (SELECT reached FROM analytics.progress WHERE name = wanted);

CREATE VIEW analytics.message_by_minute AS
SELECT window_start,
    sum(events)::bigint AS events, sum(messages)::bigint AS messages, sum(replies)::bigint AS replies,
    sum(characters)::bigint AS characters, sum(edits)::bigint AS edits, sum(deletions)::bigint AS deletions,
    sum(joins)::bigint AS joins, sum(departures)::bigint AS departures, sum(reads)::bigint AS reads,
    sum(logins)::bigint AS logins, sum(logouts)::bigint AS logouts, sum(registrations)::bigint AS registrations,
    sum(channels)::bigint AS channels
FROM analytics.message_metrics GROUP BY window_start;

CREATE VIEW analytics.presence_by_minute AS
SELECT window_start, sum(became_online)::bigint AS became_online, sum(became_away)::bigint AS became_away,
    sum(became_dnd)::bigint AS became_dnd, sum(became_offline)::bigint AS became_offline
FROM analytics.presence_metrics GROUP BY window_start;

CREATE VIEW analytics.message_by_hour AS
SELECT
    f.window_start, f.events, f.messages, f.replies, f.characters, f.edits, f.deletions, f.joins, f.departures,
    f.reads, f.logins, f.logouts, f.registrations, f.channels
FROM analytics.message_hours f
JOIN analytics.rollups r ON r.level = 'hour' AND (r.window_start, r.generation) = (f.window_start, f.generation)
WHERE f.window_start < analytics.reached('hour')
UNION ALL
SELECT
    analytics.hour_of(window_start) AS window_start, sum(events)::bigint AS events,
    sum(messages)::bigint AS messages, sum(replies)::bigint AS replies, sum(characters)::bigint AS characters,
    sum(edits)::bigint AS edits, sum(deletions)::bigint AS deletions, sum(joins)::bigint AS joins,
    sum(departures)::bigint AS departures, sum(reads)::bigint AS reads, sum(logins)::bigint AS logins,
    sum(logouts)::bigint AS logouts, sum(registrations)::bigint AS registrations, sum(channels)::bigint AS channels
FROM analytics.message_metrics WHERE window_start >= analytics.reached('hour') GROUP BY 1;

CREATE VIEW analytics.message_by_day AS
SELECT
    f.window_start, f.events, f.messages, f.replies, f.characters, f.edits, f.deletions, f.joins, f.departures,
    f.reads, f.logins, f.logouts, f.registrations, f.channels
FROM analytics.message_days f
JOIN analytics.rollups r ON r.level = 'day' AND (r.window_start, r.generation) = (f.window_start, f.generation)
WHERE f.window_start < analytics.reached('day')
UNION ALL
SELECT
    analytics.day_of(window_start) AS window_start, sum(events)::bigint AS events, sum(messages)::bigint AS messages,
    sum(replies)::bigint AS replies, sum(characters)::bigint AS characters, sum(edits)::bigint AS edits,
    sum(deletions)::bigint AS deletions, sum(joins)::bigint AS joins, sum(departures)::bigint AS departures,
    sum(reads)::bigint AS reads, sum(logins)::bigint AS logins, sum(logouts)::bigint AS logouts,
    sum(registrations)::bigint AS registrations, sum(channels)::bigint AS channels
FROM analytics.message_by_hour WHERE window_start >= analytics.reached('day') GROUP BY 1;

-- Without `senders`: distinct users of several periods are no sum. They are in channel_hours and channel_days, and
-- below that in user_metrics.
CREATE VIEW analytics.channel_by_hour AS
SELECT
    f.window_start, f.channel_id, f.messages, f.replies, f.characters, f.edits, f.deletions, f.joins, f.departures,
    f.reads, f.response_ms, f.lengths, f.responses
FROM analytics.channel_hours f
JOIN analytics.rollups r ON r.level = 'hour' AND (r.window_start, r.generation) = (f.window_start, f.generation)
WHERE f.window_start < analytics.reached('hour')
UNION ALL
SELECT
    analytics.hour_of(window_start) AS window_start, channel_id, sum(messages)::bigint AS messages,
    sum(replies)::bigint AS replies, sum(characters)::bigint AS characters, sum(edits)::bigint AS edits,
    sum(deletions)::bigint AS deletions, sum(joins)::bigint AS joins, sum(departures)::bigint AS departures,
    sum(reads)::bigint AS reads, sum(response_ms)::bigint AS response_ms, analytics.total(lengths) AS lengths,
    analytics.total(responses) AS responses
FROM analytics.channel_metrics WHERE window_start >= analytics.reached('hour') GROUP BY 1, 2;

CREATE VIEW analytics.channel_by_day AS
SELECT
    f.window_start, f.channel_id, f.messages, f.replies, f.characters, f.edits, f.deletions, f.joins, f.departures,
    f.reads, f.response_ms, f.lengths, f.responses
FROM analytics.channel_days f
JOIN analytics.rollups r ON r.level = 'day' AND (r.window_start, r.generation) = (f.window_start, f.generation)
WHERE f.window_start < analytics.reached('day')
UNION ALL
SELECT
    analytics.day_of(window_start) AS window_start, channel_id, sum(messages)::bigint AS messages,
    sum(replies)::bigint AS replies, sum(characters)::bigint AS characters, sum(edits)::bigint AS edits,
    sum(deletions)::bigint AS deletions, sum(joins)::bigint AS joins, sum(departures)::bigint AS departures,
    sum(reads)::bigint AS reads, sum(response_ms)::bigint AS response_ms, analytics.total(lengths) AS lengths,
    analytics.total(responses) AS responses
FROM analytics.channel_by_hour WHERE window_start >= analytics.reached('day') GROUP BY 1, 2;

CREATE VIEW analytics.user_by_hour AS
SELECT
    f.window_start, f.user_id, f.channel_id, f.messages, f.replies, f.characters, f.edits, f.deletions, f.joins,
    f.departures, f.reads, f.logins, f.logouts, f.registrations, f.channels
FROM analytics.user_hours f
JOIN analytics.rollups r ON r.level = 'hour' AND (r.window_start, r.generation) = (f.window_start, f.generation)
WHERE f.window_start < analytics.reached('hour')
UNION ALL
SELECT
    analytics.hour_of(window_start) AS window_start, user_id, channel_id, sum(messages)::bigint AS messages,
    sum(replies)::bigint AS replies, sum(characters)::bigint AS characters, sum(edits)::bigint AS edits,
    sum(deletions)::bigint AS deletions, sum(joins)::bigint AS joins, sum(departures)::bigint AS departures,
    sum(reads)::bigint AS reads, sum(logins)::bigint AS logins, sum(logouts)::bigint AS logouts,
    sum(registrations)::bigint AS registrations, sum(channels)::bigint AS channels
FROM analytics.user_metrics WHERE window_start >= analytics.reached('hour') GROUP BY 1, 2, 3;

CREATE VIEW analytics.user_by_day AS
SELECT
    f.window_start, f.user_id, f.channel_id, f.messages, f.replies, f.characters, f.edits, f.deletions, f.joins,
    f.departures, f.reads, f.logins, f.logouts, f.registrations, f.channels
FROM analytics.user_days f
JOIN analytics.rollups r ON r.level = 'day' AND (r.window_start, r.generation) = (f.window_start, f.generation)
WHERE f.window_start < analytics.reached('day')
UNION ALL
SELECT
    analytics.day_of(window_start) AS window_start, user_id, channel_id, sum(messages)::bigint AS messages,
    sum(replies)::bigint AS replies, sum(characters)::bigint AS characters, sum(edits)::bigint AS edits,
    sum(deletions)::bigint AS deletions, sum(joins)::bigint AS joins, sum(departures)::bigint AS departures,
    sum(reads)::bigint AS reads, sum(logins)::bigint AS logins, sum(logouts)::bigint AS logouts,
    sum(registrations)::bigint AS registrations, sum(channels)::bigint AS channels
FROM analytics.user_by_hour WHERE window_start >= analytics.reached('day') GROUP BY 1, 2, 3;

-- How fresh the figures are, per topic. `watermark`: event time up to which everything is believed to have come; NULL
-- while a partition has told nothing yet. That of all is the smallest. What is behind is in
-- signalink_core.kafka.groups.
CREATE VIEW analytics.freshness AS
SELECT topic, count(*) AS partitions,
    CASE WHEN count(watermark) = count(*) THEN min(watermark) END AS watermark, max(updated_at) AS moved_at
FROM analytics.offsets WHERE consumer_group = 'signalink-analytics' GROUP BY topic;
