"""Statements of the figures, on the views and tables of schema `analytics` and on what `messaging` shows of rights.

Owns SQL alone: every range is bounded by its windows, every list by a limit. `channels` None means the whole platform.
"""

# ruff: noqa: S608 - statements are made of the names below, never of what was asked

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import asyncpg

from signalink_analytics.kinds import FACTS, NO_CHANNEL, SHARED
from signalink_analytics.ranges import IntervalName, Segment, Span

Rows = Sequence[Mapping[str, Any]]
_SUMS: Final = ", ".join(f"sum({name})::bigint AS {name}" for name in SHARED)
_FACT_SUMS: Final = ", ".join(f"sum({name})::bigint AS {name}" for name in FACTS)
_PLATFORM: Final[Mapping[IntervalName, str]] = {
    "1m": "analytics.message_by_minute",
    "1h": "analytics.message_by_hour",
    "1d": "analytics.message_by_day",
}
_CHANNELS: Final[Mapping[IntervalName, str]] = {
    "1m": "analytics.channel_metrics",
    "1h": "analytics.channel_by_hour",
    "1d": "analytics.channel_by_day",
}
_USERS: Final[Mapping[IntervalName, str]] = {
    "1m": "analytics.user_metrics",
    "1h": "analytics.user_by_hour",
    "1d": "analytics.user_by_day",
}
_RANGE: Final = "window_start >= $1 AND window_start < $2"

ACTOR = "SELECT role FROM messaging.actors WHERE user_id = $1 AND NOT disabled"
PERSON = "SELECT NOT disabled AS open FROM messaging.actors WHERE user_id = $1"
MINE = "SELECT channel_id FROM messaging.channel_people WHERE user_id = $1"
MINE_AND_PUBLIC = f"{MINE} UNION SELECT channel_id FROM messaging.channel_kinds WHERE kind = 'public'"
CHANNEL = """
SELECT k.channel_id, k.kind, k.slug, k.name, k.archived, p.role AS member_role
FROM messaging.channel_kinds k
LEFT JOIN messaging.channel_people p ON p.channel_id = k.channel_id AND p.user_id = $2
WHERE k.channel_id = $1
"""
CHANNEL_NAMES = """
SELECT channel_id, kind, slug, name, archived FROM messaging.channel_kinds WHERE channel_id = ANY ($1::uuid[])
"""
# The smallest of all topics; null while one of them has told nothing yet, or nothing was ever read.
WATERMARK = """
SELECT CASE WHEN count(watermark) = count(*) THEN min(watermark) END FROM analytics.freshness
"""
FRESHNESS = "SELECT topic, watermark, moved_at FROM analytics.freshness ORDER BY topic"
FINAL = "SELECT reached FROM analytics.progress WHERE name = 'final' AND reached > '-infinity'"
LATE = """
SELECT count(*) FILTER (WHERE recorded_at > now() - interval '1 hour') AS hour, count(*) AS day
FROM analytics.late_events WHERE recorded_at > now() - interval '1 day'
"""
FUTURE = "SELECT count(*) FROM analytics.clamped_events WHERE counted_at > now() - interval '1 day'"
REBUILD = """
SELECT from_window, until_window, next_window, started_at FROM analytics.rebuilds
WHERE state = 'running' AND heard_at > now() - interval '1 minute' ORDER BY id DESC LIMIT 1
"""
LEVELS_OF: Final[Mapping[IntervalName, str]] = {"1m": "minute", "1h": "hour", "1d": "day"}
# $1 level, $2, $3 range; what is rolled up and has no exact set
SKETCHES = """
SELECT sketch FROM analytics.rollups
WHERE level = $1 AND window_start >= $2 AND window_start < least($3, analytics.reached($1)) AND NOT exact
"""
ONLINE = "SELECT count(*) FROM analytics.presence_now WHERE state <> 'offline'"
ONLINE_AMONG = """
SELECT count(*) FROM analytics.presence_now
WHERE state <> 'offline'
    AND user_id IN (SELECT user_id FROM messaging.channel_people WHERE channel_id = ANY ($1::uuid[]))
"""
# $1, $2 range, $3 length of a window
LEVELS = """
SELECT date_bin($3, at, '2000-01-01 00:00:00+00') AS window_start, avg(online)::float8 AS online,
    avg(away)::float8 AS away, avg(dnd)::float8 AS dnd, max(online + away + dnd) AS most
FROM analytics.presence_levels WHERE at >= $1 AND at < $2 GROUP BY 1
"""
# The state that the range begins with, then what changed in it.
STATE_BEFORE = """
SELECT state, changed_at FROM analytics.presence_changes WHERE user_id = $1 AND changed_at < $2
ORDER BY changed_at DESC, event_id DESC LIMIT 1
"""
CHANGES = """
SELECT state, changed_at FROM analytics.presence_changes WHERE user_id = $1 AND changed_at >= $2 AND changed_at < $3
ORDER BY changed_at, event_id LIMIT $4
"""


async def actor_role(db: asyncpg.Connection, user_id: UUID) -> str | None:
    """None: unknown or disabled."""
    found: str | None = await db.fetchval(ACTOR, user_id)
    return found


async def is_open(db: asyncpg.Connection, user_id: UUID) -> bool | None:
    """Whether an account can be used; None: there is none."""
    found: bool | None = await db.fetchval(PERSON, user_id)
    return found


async def visible_channels(db: asyncpg.Connection, user_id: UUID, *, public: bool) -> list[UUID]:
    """Those the user is in, and with `public` all public ones."""
    rows = await db.fetch(MINE_AND_PUBLIC if public else MINE, user_id)
    return [row["channel_id"] for row in rows]


async def channel(db: asyncpg.Connection, channel_id: UUID, user_id: UUID) -> Mapping[str, Any] | None:
    """Its name and kind, and the user's role in it."""
    found: Mapping[str, Any] | None = await db.fetchrow(CHANNEL, channel_id, user_id)
    return found


async def channel_names(db: asyncpg.Connection, channels: Sequence[UUID]) -> dict[UUID, Mapping[str, Any]]:
    return {row["channel_id"]: row for row in await db.fetch(CHANNEL_NAMES, channels)}


async def watermark(db: asyncpg.Connection) -> datetime | None:
    found: datetime | None = await db.fetchval(WATERMARK)
    return found


async def series(db: asyncpg.Connection, span: Span, channels: Sequence[UUID] | None) -> Rows:
    """The counters of each window that has any."""
    if channels is None:
        statement = f"SELECT window_start, {', '.join(SHARED)} FROM {_PLATFORM[span.interval]} WHERE {_RANGE}"
        return await _fetch(db, statement, span)
    statement = (
        f"SELECT window_start, {_SUMS} FROM {_CHANNELS[span.interval]}"
        f" WHERE {_RANGE} AND channel_id = ANY ($3::uuid[]) GROUP BY 1"
    )
    return await _fetch(db, statement, span, channels)


async def totals(db: asyncpg.Connection, span: Span, channels: Sequence[UUID] | None) -> Mapping[str, Any]:
    """Counters of the range, of the platform with those of facts; null where there is no row."""
    if channels is None:
        statement = f"SELECT {_SUMS}, {_FACT_SUMS} FROM {_PLATFORM[span.interval]} WHERE {_RANGE}"
        return (await _fetch(db, statement, span))[0]
    statement = f"SELECT {_SUMS} FROM {_CHANNELS[span.interval]} WHERE {_RANGE} AND channel_id = ANY ($3::uuid[])"
    return (await _fetch(db, statement, span, channels))[0]


async def active_channels(db: asyncpg.Connection, span: Span, channels: Sequence[UUID] | None) -> int:
    """Channels with a message in the range."""
    where = "" if channels is None else " AND channel_id = ANY ($3::uuid[])"
    statement = (
        f"SELECT count(DISTINCT channel_id) FROM {_CHANNELS[span.interval]} WHERE {_RANGE} AND messages > 0{where}"
    )
    return await _count(db, statement, span, *([] if channels is None else [channels]))


async def histograms(db: asyncpg.Connection, span: Span, channel_id: UUID) -> Mapping[str, Any]:
    """The two histograms of a channel over the range, and the sum of its response times."""
    statement = (
        "SELECT analytics.total(lengths) AS lengths, analytics.total(responses) AS responses,"
        f" coalesce(sum(response_ms), 0)::bigint AS response_ms FROM {_CHANNELS[span.interval]}"
        f" WHERE {_RANGE} AND channel_id = $3"
    )
    return (await _fetch(db, statement, span, channel_id))[0]


async def top(
    db: asyncpg.Connection,
    span: Span,
    channels: Sequence[UUID] | None,
    by: str,
    after: tuple[int, UUID] | None,
    limit: int,
) -> Rows:
    """Channels by a counter, most first, equal ones by id; `after`: the last one of the page before. `by` is one of
    kinds.SHARED."""
    assert by in SHARED  # noqa: S101 - it becomes a part of the statement
    value, last = after or (None, None)
    statement = (
        f"SELECT channel_id, {_SUMS} FROM {_CHANNELS[span.interval]}"
        f" WHERE {_RANGE} AND ($3::uuid[] IS NULL OR channel_id = ANY ($3)) GROUP BY channel_id"
        f" HAVING sum({by}) > 0 AND ($4::bigint IS NULL OR sum({by}) < $4 OR (sum({by}) = $4 AND channel_id > $5))"
        f" ORDER BY sum({by}) DESC, channel_id LIMIT $6"
    )
    return await _fetch(db, statement, span, channels, value, last, limit)


async def senders(db: asyncpg.Connection, span: Span, channels: Sequence[UUID]) -> dict[UUID, int]:
    """Different users who sent a message to each of these channels."""
    statement = (
        f"SELECT channel_id, count(DISTINCT user_id) AS senders FROM {_USERS[span.interval]}"
        f" WHERE {_RANGE} AND messages > 0 AND channel_id = ANY ($3::uuid[]) GROUP BY 1"
    )
    return {row["channel_id"]: row["senders"] for row in await _fetch(db, statement, span, channels)}


async def user_series(db: asyncpg.Connection, span: Span, user_id: UUID) -> Rows:
    """Each window in which the user did something."""
    statement = (
        f"SELECT window_start, {_SUMS}, {_FACT_SUMS} FROM {_USERS[span.interval]}"
        f" WHERE {_RANGE} AND user_id = $3 GROUP BY 1 ORDER BY 1"
    )
    return await _fetch(db, statement, span, user_id)


async def user_channels(db: asyncpg.Connection, span: Span, user_id: UUID) -> int:
    """How many channels the user did something in."""
    statement = (
        f"SELECT count(DISTINCT channel_id) FROM {_USERS[span.interval]}"
        f" WHERE {_RANGE} AND user_id = $3 AND channel_id <> $4"
    )
    return await _count(db, statement, span, user_id, UUID(NO_CHANNEL))


async def distinct_users(db: asyncpg.Connection, segments: Sequence[Segment], channels: Sequence[UUID] | None) -> int:
    """Exactly how many different users did something in one of the segments (and channels)."""
    where = "" if channels is None else " AND channel_id = ANY ($1::uuid[])"
    arguments: list[Any] = [] if channels is None else [channels]
    parts = []
    for segment in segments:
        place = len(arguments)
        arguments += [segment.start, segment.end]
        parts.append(
            f"SELECT user_id FROM {_USERS[segment.interval]}"
            f" WHERE window_start >= ${place + 1} AND window_start < ${place + 2}{where}"
        )
    found: int = await db.fetchval(
        f"SELECT count(DISTINCT user_id) FROM ({' UNION ALL '.join(parts)}) users", *arguments
    )
    return found


async def sketches(db: asyncpg.Connection, segments: Sequence[Segment]) -> list[bytes]:
    """Those of the hours and days whose users were too many for an exact set."""
    found: list[bytes] = []
    for segment in segments:
        rows = await db.fetch(SKETCHES, LEVELS_OF[segment.interval], segment.start, segment.end)
        found += [row["sketch"] for row in rows]
    return found


async def users_without_sketch(db: asyncpg.Connection, segments: Sequence[Segment]) -> list[str]:
    """Users of all other windows of the segments, spelled as in the sketches."""
    parts: list[str] = []
    arguments: list[Any] = []
    for segment in segments:
        first, end, level = range(len(arguments) + 1, len(arguments) + 4)
        arguments += [segment.start, segment.end, LEVELS_OF[segment.interval]]
        parts.append(
            f"SELECT user_id FROM {_USERS[segment.interval]} u WHERE window_start >= ${first} AND window_start < ${end}"
            f" AND NOT EXISTS (SELECT FROM analytics.rollups r WHERE r.level = ${level}"
            f" AND r.window_start = u.window_start AND NOT r.exact AND r.window_start < analytics.reached(${level}))"
        )
    rows = await db.fetch(f"SELECT DISTINCT user_id::text AS id FROM ({' UNION ALL '.join(parts)}) users", *arguments)
    return [row["id"] for row in rows]


async def online(db: asyncpg.Connection, channels: Sequence[UUID] | None) -> int:
    """Users who are not offline, among all or among the people of these channels."""
    found: int = await (db.fetchval(ONLINE) if channels is None else db.fetchval(ONLINE_AMONG, channels))
    return found


async def presence_levels(db: asyncpg.Connection, span: Span) -> Rows:
    return await _fetch(db, LEVELS, span, span.step)


async def presence_before(db: asyncpg.Connection, user_id: UUID, moment: datetime) -> str | None:
    """The last known state before a moment."""
    found: str | None = await db.fetchval(STATE_BEFORE, user_id, moment)
    return found


async def presence_changes(db: asyncpg.Connection, span: Span, user_id: UUID, limit: int) -> Rows:
    rows: Rows = await db.fetch(CHANGES, user_id, span.first, span.end, limit)
    return rows


async def fresh_topics(db: asyncpg.Connection) -> Rows:
    rows: Rows = await db.fetch(FRESHNESS)
    return rows


async def final_until(db: asyncpg.Connection) -> datetime | None:
    found: datetime | None = await db.fetchval(FINAL)
    return found


async def late(db: asyncpg.Connection) -> Mapping[str, Any]:
    """Late events of the last hour and the last day."""
    found: Mapping[str, Any] = await db.fetchrow(LATE)
    return found


async def future(db: asyncpg.Connection) -> int:
    """Events from the future of the last day."""
    found: int = await db.fetchval(FUTURE)
    return found


async def running_rebuild(db: asyncpg.Connection) -> Mapping[str, Any] | None:
    found: Mapping[str, Any] | None = await db.fetchrow(REBUILD)
    return found


async def _fetch(db: asyncpg.Connection, statement: str, span: Span, *more: Any) -> Rows:
    """A statement whose first two parameters are the kept part of the range."""
    rows: Rows = await db.fetch(statement, span.first, span.end, *more)
    return rows


async def _count(db: asyncpg.Connection, statement: str, span: Span, *more: Any) -> int:
    found: int = await db.fetchval(statement, span.first, span.end, *more)
    return found
