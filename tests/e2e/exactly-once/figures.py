"""The figures of analytics beside a batch count over the log, in one statement and so in one snapshot.

What came too late for its window is left out on both sides, as analytics promises; how many those were is told. Owns
the SQL of both sides; a difference is a row that one of them lacks.
"""

from collections.abc import Sequence

import evidence
from rig import Platform

# Every event of the log that analytics counts, with its window.
EVENTS = """
events AS (
    SELECT date_bin('60 s', coalesce(c.counted_at, e.occurred_at), '2000-01-01 00:00:00+00') AS window_start,
        split_part(e.type, 'dev.signalink.', 2) AS kind, e.channel_id, e.payload
    FROM messaging.events e LEFT JOIN analytics.clamped_events c USING (event_id)
    WHERE e.topic IN ('messages', 'analytics') AND NOT EXISTS (
        SELECT FROM analytics.late_events l WHERE l.event_id = e.event_id)
)
"""
PLATFORM = (
    """
    SELECT window_start, count(*) AS events, count(*) FILTER (WHERE kind = 'message.created') AS messages,
        coalesce(sum(char_length(payload ->> 'body')) FILTER (WHERE kind = 'message.created'), 0) AS characters,
        count(*) FILTER (WHERE kind = 'member.joined') AS joins, count(*) FILTER (WHERE kind = 'message.read') AS reads,
        count(*) FILTER (WHERE kind = 'user.logged_in') AS logins,
        count(*) FILTER (WHERE kind = 'user.registered') AS registrations,
        count(*) FILTER (WHERE kind = 'channel.created') AS channels
    FROM events GROUP BY window_start
    """,
    """
    SELECT window_start, sum(events)::bigint, sum(messages)::bigint, sum(characters)::bigint, sum(joins)::bigint,
        sum(reads)::bigint, sum(logins)::bigint, sum(registrations)::bigint, sum(channels)::bigint
    FROM analytics.message_metrics GROUP BY window_start
    """,
)
CHANNELS = (
    """
    SELECT window_start, channel_id, count(*) FILTER (WHERE kind = 'message.created') AS messages,
        coalesce(sum(char_length(payload ->> 'body')) FILTER (WHERE kind = 'message.created'), 0) AS characters,
        count(*) FILTER (WHERE kind = 'member.joined') AS joins
    FROM events WHERE kind IN ('message.created', 'member.joined') GROUP BY window_start, channel_id
    """,
    """
    SELECT window_start, channel_id, messages, characters, joins FROM analytics.channel_metrics
    WHERE messages > 0 OR joins > 0
    """,
)
USERS = (
    """
    SELECT window_start, channel_id, (payload ->> 'sender_id')::uuid AS user_id, count(*) AS messages
    FROM events WHERE kind = 'message.created' GROUP BY window_start, channel_id, user_id
    """,
    "SELECT window_start, channel_id, user_id, messages FROM analytics.user_metrics WHERE messages > 0",
)
SIDES = {"the platform": PLATFORM, "channels": CHANNELS, "users": USERS}
DIFFERENCE = """
WITH {events}, wanted AS ({oracle}), counted AS ({figures})
SELECT 'the log' AS side, d::text AS line FROM (SELECT * FROM wanted EXCEPT SELECT * FROM counted) d
UNION ALL
SELECT 'analytics', d::text FROM (SELECT * FROM counted EXCEPT SELECT * FROM wanted) d
"""
COUNTED = "SELECT coalesce(sum(messages), 0)::bigint AS n FROM analytics.message_metrics"
LATE = "SELECT count(*) AS n FROM analytics.late_events"


def statements() -> dict[str, str]:
    """What is compared -> the statement whose rows are the differences: side, line."""
    return {
        what: DIFFERENCE.format(events=EVENTS, oracle=oracle, figures=figures)
        for what, (oracle, figures) in SIDES.items()
    }


async def differences(platform: Platform) -> Sequence[str]:
    """Lines of one side that the other lacks; none: the figures are the count."""
    found: list[str] = []
    for what, statement in statements().items():
        found += [f"{what}: only {row['side']} has {row['line']}" for row in await evidence.fetch(platform, statement)]
    return found


async def counted(platform: Platform) -> tuple[int, int]:
    """Messages that the figures count, and events that were late."""
    return (await evidence.fetch(platform, COUNTED))[0]["n"], (await evidence.fetch(platform, LATE))[0]["n"]
