"""Hours from minutes, days from hours: written in pieces beside what is shown, then shown at once.

`close` says that nothing is counted any more before a moment; after it the rows below do not change, so that rolling up
needs no locks. Every transaction is short: a long one would hold up the relay (log.md 3). One process at a time does
this (`keeper.alone`).
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import asyncpg

from signalink_analytics import statements, writing
from signalink_analytics.distinct import Distinct
from signalink_analytics.kinds import CHANNEL_COLUMNS, MESSAGE_COLUMNS, USER_COLUMNS

PIECE_ROWS: Final = 50_000
"""Rows that one transaction sums up; measured 0.3 s."""
MOST_PIECES: Final = 256
USERS_AT_ONCE: Final = 20_000
REMOVE_ROWS: Final = 5_000


@dataclass(frozen=True, slots=True)
class Level:
    """`sources`: where the rows of messages, channels and users come from; `shown`: only shown generations of them."""

    name: str
    step: timedelta
    sources: tuple[str, str, str]
    shown: str = ""

    @property
    def tables(self) -> tuple[str, str, str]:
        return (f"message_{self.name}s", f"channel_{self.name}s", f"user_{self.name}s")


_SHOWN_HOURS: Final = (
    "JOIN analytics.rollups r ON r.level = 'hour' AND (r.window_start, r.generation) = (f.window_start, f.generation)"
)
HOUR: Final = Level("hour", timedelta(hours=1), ("message_metrics", "channel_metrics", "user_metrics"))
DAY: Final = Level("day", timedelta(days=1), HOUR.tables, _SHOWN_HOURS)
LEVELS: Final = (HOUR, DAY)

GENERATION: Final = "SELECT nextval('analytics.generations')::int"
REACHED: Final = "SELECT nullif(reached, '-infinity') FROM analytics.progress WHERE name = $1"
# $1 name, $2 moment
REACH: Final = "UPDATE analytics.progress SET reached = greatest(reached, $2) WHERE name = $1"
# $1 level, $2 start, $3 generation, $4 users, $5 whether that is exact, $6 sketch
SHOW: Final = """
INSERT INTO analytics.rollups (level, window_start, generation, active_users, exact, sketch)
VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (level, window_start) DO UPDATE SET generation = excluded.generation, active_users = excluded.active_users,
    exact = excluded.exact, sketch = excluded.sketch, rolled_at = clock_timestamp()
"""
_SUMS: Final = ", ".join(f"sum(f.{column})" for column in MESSAGE_COLUMNS)


async def close(conn: asyncpg.Connection, group: str, partitions: int, lateness: timedelta) -> datetime | None:
    """Say how far everything is over, hour by hour; None: that is not known."""
    over = await conn.fetchval(statements.OVER, group, partitions, lateness)
    final: datetime | None = await conn.fetchval(REACHED, "final")
    if over is None or (final is not None and over <= final):
        return final
    await finish(conn, over)
    return over  # type: ignore[no-any-return]


async def finish(conn: asyncpg.Connection, moment: datetime) -> None:
    """From now on nothing is counted before this moment; who is still counting is waited for."""
    async with conn.transaction():
        await writing.enter(conn, range(statements.SLOTS), alone=True)
        await conn.execute(REACH, "final", moment)


async def catch_up(conn: asyncpg.Connection, level: Level, until: datetime) -> int:
    """Roll up every period that ends at or before `until` and has rows; how many there were."""
    done = 0
    while (start := await _next(conn, level, until)) is not None:
        await roll(conn, level, start)
        await conn.execute(REACH, level.name, start + level.step)
        done += 1
    await conn.execute(REACH, level.name, await conn.fetchval(f"SELECT analytics.{level.name}_of($1)", until))
    return done


async def _next(conn: asyncpg.Connection, level: Level, until: datetime) -> datetime | None:
    start: datetime | None = await conn.fetchval(
        f"SELECT analytics.{level.name}_of(min(window_start)) FROM analytics.{level.sources[0]} "
        f"WHERE window_start >= analytics.reached($1) AND window_start < $2",
        level.name,
        until,
    )
    return None if start is None or start + level.step > until else start


async def roll(conn: asyncpg.Connection, level: Level, start: datetime) -> None:
    """Make one period anew and show it. Killed anywhere, what was shown before stays shown."""
    generation = await conn.fetchval(GENERATION)
    await _messages(conn, level, start, generation)
    await _channels(conn, level, start, generation)
    await _users(conn, level, start, generation)
    users = await _distinct(conn, level, start, generation)
    await conn.execute(SHOW, level.name, start, generation, users.count, users.exact, users.sketch())
    await _remove_others(conn, level, start, generation)


async def _messages(conn: asyncpg.Connection, level: Level, start: datetime, generation: int) -> None:
    await conn.execute(
        f"INSERT INTO analytics.{level.tables[0]} (window_start, generation, {', '.join(MESSAGE_COLUMNS)}) "
        f"SELECT $1, $3, {_SUMS} FROM analytics.{level.sources[0]} f {level.shown} "
        f"WHERE f.window_start >= $1 AND f.window_start < $2 HAVING count(*) > 0",
        start,
        start + level.step,
        generation,
    )


async def _channels(conn: asyncpg.Connection, level: Level, start: datetime, generation: int) -> None:
    columns = ", ".join(CHANNEL_COLUMNS)
    sums = ", ".join(f"sum(f.{column})" for column in CHANNEL_COLUMNS)
    statement = f"""
        INSERT INTO analytics.{level.tables[1]}
            (window_start, generation, channel_id, {columns}, lengths, responses, senders)
        SELECT $1, $3, c.*, coalesce(s.senders, 0) FROM (
            SELECT f.channel_id, {sums}, analytics.total(f.lengths), analytics.total(f.responses)
            FROM analytics.{level.sources[1]} f {level.shown}
            WHERE f.window_start >= $1 AND f.window_start < $2 AND {_piece("f.channel_id")} GROUP BY 1
        ) c LEFT JOIN (
            SELECT f.channel_id, count(DISTINCT f.user_id) AS senders FROM analytics.{level.sources[2]} f {level.shown}
            WHERE f.window_start >= $1 AND f.window_start < $2 AND f.messages > 0 AND {_piece("f.channel_id")}
            GROUP BY 1
        ) s USING (channel_id)
    """
    await _in_pieces(conn, statement, level.sources[1], start, level, generation)


async def _users(conn: asyncpg.Connection, level: Level, start: datetime, generation: int) -> None:
    sums = ", ".join(f"sum(f.{column})" for column in USER_COLUMNS)
    statement = f"""
        INSERT INTO analytics.{level.tables[2]}
            (window_start, generation, user_id, channel_id, {", ".join(USER_COLUMNS)})
        SELECT $1, $3, f.user_id, f.channel_id, {sums} FROM analytics.{level.sources[2]} f {level.shown}
        WHERE f.window_start >= $1 AND f.window_start < $2 AND {_piece("f.user_id")} GROUP BY f.user_id, f.channel_id
    """
    await _in_pieces(conn, statement, level.sources[2], start, level, generation)


def _piece(column: str) -> str:
    """The last byte of a UUID is random in every version: pieces are alike."""
    return f"get_byte(uuid_send({column}), 15) % $5::int = $4::int"


async def _in_pieces(
    conn: asyncpg.Connection, statement: str, source: str, start: datetime, level: Level, generation: int
) -> None:
    rows = await conn.fetchval(
        f"SELECT count(*) FROM analytics.{source} WHERE window_start >= $1 AND window_start < $2",
        start,
        start + level.step,
    )
    pieces = min(MOST_PIECES, 1 + rows // PIECE_ROWS)
    for piece in range(pieces):
        await conn.execute(statement, start, start + level.step, generation, piece, pieces)


async def _distinct(conn: asyncpg.Connection, level: Level, start: datetime, generation: int) -> Distinct:
    users, after = Distinct(), "00000000-0000-0000-0000-000000000000"
    while True:
        rows = await conn.fetch(
            f"SELECT DISTINCT user_id::text AS user_id FROM analytics.{level.tables[2]} "
            f"WHERE window_start = $1 AND generation = $2 AND user_id > $3::text::uuid "
            f"ORDER BY 1 LIMIT {USERS_AT_ONCE}",
            start,
            generation,
            after,
        )
        users.update([row["user_id"] for row in rows])
        if len(rows) < USERS_AT_ONCE:
            return users
        after = rows[-1]["user_id"]


async def _remove_others(conn: asyncpg.Connection, level: Level, start: datetime, generation: int) -> None:
    for table in level.tables:
        await remove(conn, table, "window_start = $1 AND generation <> $2", start, generation)


async def remove(conn: asyncpg.Connection, table: str, where: str, *values: object) -> int:
    """Delete what fits, some thousand rows in each transaction; how many rows went."""
    gone = 0
    while True:
        answer = await conn.execute(
            f"DELETE FROM analytics.{table} WHERE ctid = ANY (ARRAY("
            f"SELECT ctid FROM analytics.{table} WHERE {where} LIMIT {REMOVE_ROWS}))",
            *values,
        )
        rows = int(answer.rpartition(" ")[2])
        gone += rows
        if rows < REMOVE_ROWS:
            return gone
