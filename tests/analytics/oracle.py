"""What the figures must be: one batch of SQL over the log, written without the product's code.

It is told nothing but the log and which events were to come late; `differences` compares it with the tables.
"""

from typing import Any

# $1: ids of the events that missed their windows
_EVENTS = """
CREATE TEMP TABLE o_events AS
SELECT e.event_id, replace(e.type, 'dev.signalink.', '') AS kind, e.channel_id AS channel, e.seq, e.occurred_at AS at,
    e.payload AS p, date_trunc('minute', coalesce(c.counted_at, e.occurred_at)) AS w,
    e.event_id = ANY ($1::uuid[]) AS late
FROM messaging.events e LEFT JOIN analytics.clamped_events c USING (event_id) WHERE e.topic IN ('messages', 'analytics')
"""
_MESSAGES = """
SELECT w AS window_start, count(*) AS events, count(*) FILTER (WHERE kind = 'message.created') AS messages,
    count(*) FILTER (WHERE kind = 'message.created' AND p ->> 'reply_to' IS NOT NULL) AS replies,
    coalesce(sum(char_length(p ->> 'body')) FILTER (WHERE kind = 'message.created'), 0) AS characters,
    count(*) FILTER (WHERE kind = 'message.edited') AS edits,
    count(*) FILTER (WHERE kind = 'message.deleted') AS deletions,
    count(*) FILTER (WHERE kind = 'member.joined') AS joins,
    count(*) FILTER (WHERE kind IN ('member.left', 'member.removed')) AS departures,
    count(*) FILTER (WHERE kind = 'message.read') AS reads, count(*) FILTER (WHERE kind = 'user.logged_in') AS logins,
    count(*) FILTER (WHERE kind = 'user.logged_out') AS logouts,
    count(*) FILTER (WHERE kind = 'user.registered') AS registrations,
    count(*) FILTER (WHERE kind = 'channel.created') AS channels
FROM o_events WHERE NOT late GROUP BY w
"""
_MESSAGE_ROWS = """
SELECT window_start, sum(events), sum(messages), sum(replies), sum(characters), sum(edits), sum(deletions), sum(joins),
    sum(departures), sum(reads), sum(logins), sum(logouts), sum(registrations), sum(channels)
FROM analytics.message_metrics GROUP BY 1
"""
_CHANNELS = """
SELECT w, coalesce(channel, (p ->> 'channel_id')::uuid) AS c, count(*) FILTER (WHERE kind = 'message.created'),
    count(*) FILTER (WHERE kind = 'message.created' AND p ->> 'reply_to' IS NOT NULL),
    coalesce(sum(char_length(p ->> 'body')) FILTER (WHERE kind = 'message.created'), 0),
    count(*) FILTER (WHERE kind = 'message.edited'), count(*) FILTER (WHERE kind = 'message.deleted'),
    count(*) FILTER (WHERE kind = 'member.joined'), count(*) FILTER (WHERE kind IN ('member.left', 'member.removed')),
    count(*) FILTER (WHERE kind = 'message.read')
FROM o_events WHERE NOT late AND kind IN ('message.created', 'message.edited', 'message.deleted', 'member.joined',
    'member.left', 'member.removed', 'message.read') GROUP BY 1, 2
"""
_CHANNEL_ROWS = """
SELECT window_start, channel_id, messages, replies, characters, edits, deletions, joins, departures, reads
FROM analytics.channel_metrics
"""
_BOUNDS = "ARRAY[10, 25, 50, 100, 250, 500, 1000, 2000, 4000]"
_SECONDS = "ARRAY[1, 2, 5, 10, 30, 60, 300, 900, 3600, 14400, 86400]"
_LENGTHS = f"""
SELECT w, channel, 1 + (SELECT count(*) FROM unnest({_BOUNDS}) b WHERE char_length(p ->> 'body') > b) AS place, count(*)
FROM o_events WHERE NOT late AND kind = 'message.created' GROUP BY 1, 2, 3
"""
_LENGTH_ROWS = """
SELECT window_start, channel_id, place, n FROM analytics.channel_metrics, unnest(lengths) WITH ORDINALITY u (n, place)
WHERE n > 0
"""
_ANSWERS = f"""
WITH said AS (
    SELECT w, channel, late, at, p ->> 'sender_id' AS sender, lag(at) OVER a AS before,
        lag(p ->> 'sender_id') OVER a AS whose
    FROM o_events WHERE kind = 'message.created' WINDOW a AS (PARTITION BY channel ORDER BY seq)
), answers AS (
    SELECT w, channel, greatest(extract(epoch FROM at - before), 0) AS s FROM said WHERE NOT late AND whose <> sender
)
SELECT w, channel, 1 + (SELECT count(*) FROM unnest({_SECONDS}) b WHERE s > b) AS place, count(*) FROM answers
GROUP BY 1, 2, 3
UNION ALL SELECT w, channel, 0, round(sum(s) * 1000)::bigint FROM answers GROUP BY 1, 2 HAVING sum(s) > 0
"""
_ANSWER_ROWS = """
SELECT window_start, channel_id, place, n FROM analytics.channel_metrics, unnest(responses) WITH ORDINALITY u (n, place)
WHERE n > 0
UNION ALL SELECT window_start, channel_id, 0, response_ms FROM analytics.channel_metrics WHERE response_ms > 0
"""
_USERS = """
SELECT w,
    coalesce(p ->> 'sender_id', p ->> 'edited_by', p ->> 'deleted_by', p ->> 'user_id', p ->> 'created_by')::uuid AS u,
    coalesce(channel, CASE WHEN kind = 'message.read' THEN (p ->> 'channel_id')::uuid END,
        '00000000-0000-0000-0000-000000000000') AS c,
    count(*) FILTER (WHERE kind = 'message.created'),
    count(*) FILTER (WHERE kind = 'message.created' AND p ->> 'reply_to' IS NOT NULL),
    coalesce(sum(char_length(p ->> 'body')) FILTER (WHERE kind = 'message.created'), 0),
    count(*) FILTER (WHERE kind = 'message.edited'), count(*) FILTER (WHERE kind = 'message.deleted'),
    count(*) FILTER (WHERE kind = 'member.joined'), count(*) FILTER (WHERE kind = 'member.left'),
    count(*) FILTER (WHERE kind = 'message.read'), count(*) FILTER (WHERE kind = 'user.logged_in'),
    count(*) FILTER (WHERE kind = 'user.logged_out'), count(*) FILTER (WHERE kind = 'user.registered'),
    count(*) FILTER (WHERE kind = 'channel.created')
FROM o_events
WHERE NOT late AND kind NOT IN ('member.removed', 'member.role_changed', 'channel.updated', 'channel.archived',
    'channel.deleted')
GROUP BY 1, 2, 3
"""
_USER_ROWS = """
SELECT window_start, user_id, channel_id, messages, replies, characters, edits, deletions, joins, departures, reads,
    logins, logouts, registrations, channels
FROM analytics.user_metrics
"""
_LATE = "SELECT event_id, w FROM o_events WHERE late"
_LATE_ROWS = "SELECT event_id, window_start FROM analytics.late_events WHERE topic <> 'presence'"
PAIRS = {
    "messages": (_MESSAGES, _MESSAGE_ROWS),
    "channels": (_CHANNELS, _CHANNEL_ROWS),
    "lengths": (_LENGTHS, _LENGTH_ROWS),
    "responses": (_ANSWERS, _ANSWER_ROWS),
    "users": (_USERS, _USER_ROWS),
    "late": (_LATE, _LATE_ROWS),
}


async def differences(admin: Any, late: list[Any]) -> list[str]:
    """One line per row that is in the tables and not in the oracle, or the reverse; empty when they are equal."""
    found: list[str] = []
    async with admin.transaction():
        await admin.execute("SET LOCAL TimeZone = 'UTC'")
        await admin.execute("SET LOCAL statement_timeout = '120s'")
        await admin.execute("DROP TABLE IF EXISTS o_events")
        await admin.execute(_EVENTS.replace("$1", "'{" + ",".join(map(str, late)) + "}'"))
        for name, (wanted, rows) in PAIRS.items():
            for sign, (left, right) in (("missing", (wanted, rows)), ("wrong", (rows, wanted))):
                answers = await admin.fetch(f"SELECT * FROM ({left}) l EXCEPT SELECT * FROM ({right}) r")
                found += [f"{name}: {sign}: {tuple(map(str, answer))}" for answer in answers]
        await admin.execute("DROP TABLE o_events")
    return found


async def events(admin: Any) -> int:
    """How many events the figures count."""
    count: int = await admin.fetchval("SELECT coalesce(sum(events), 0)::bigint FROM analytics.message_metrics")
    return count
