"""Asks Postgres where a message is in the log, and how far the relay's cursor has come there. One snapshot, read only.

Owns the SQL and its answer. What it means is `hops`'s.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from asyncpg.exceptions import InterfaceError, ObjectNotInPrerequisiteStateError, PostgresError

from signalink_core.database import pool
from signalink_core.errors import DependencyUnavailable, NotFound
from signalink_core.settings import PostgresSettings

MOST_WAITING: Final = 10_000
# $1 message. `waiting`: rows of the shard above the cursor and below the event, counted up to a bound.
FIND: Final = f"""
SELECT m.id AS message_id, m.channel_id, m.seq, m.sender_id, u.username AS sender, m.client_id, m.created_at,
    m.edited_at, m.deleted_at, c.name AS channel, c.epoch AS channel_epoch, c.last_seq,
    e.id AS event_row, e.event_id, e.epoch, e.xid::text AS xid, e.shard, e.topic, e.traceparent, e.occurred_at,
    e.aggregateid, e.xid >= pg_snapshot_xmin(pg_current_snapshot()) AS hidden,
    (cur.epoch, cur.xid, cur.event_id) >= (e.epoch, e.xid, e.id) AS relayed,
    cur.epoch AS cursor_epoch, cur.xid::text AS cursor_xid, cur.event_id AS cursor_row, cur.holder, cur.lease_until,
    (cur.lease_until > clock_timestamp()) IS TRUE AS leased,
    (SELECT count(*) FROM (
        SELECT FROM messaging.events w WHERE w.shard = e.shard
            AND (w.epoch, w.xid, w.id) > (cur.epoch, cur.xid, cur.event_id)
            AND (w.epoch, w.xid, w.id) < (e.epoch, e.xid, e.id)
        LIMIT {MOST_WAITING}) waiting) AS waiting
FROM messaging.messages m
JOIN messaging.channels c ON c.id = m.channel_id
JOIN messaging.users u ON u.id = m.sender_id
LEFT JOIN messaging.events e ON e.channel_id = m.channel_id AND e.seq = m.seq
LEFT JOIN messaging.relay_cursors cur ON cur.shard = e.shard
WHERE m.id = $1
"""  # noqa: S608  a number of ours
COMMITTED: Final = "SELECT pg_xact_commit_timestamp($1::text::xid8::xid)"
# $1 an id that is no message's
OTHERS: Final = """
SELECT CASE WHEN EXISTS (SELECT FROM messaging.channels WHERE id = $1) THEN 'a channel'
    WHEN EXISTS (SELECT FROM messaging.users WHERE id = $1) THEN 'a user'
    ELSE (SELECT 'the event of message ' || aggregateid FROM messaging.events
          WHERE event_id = $1 AND aggregatetype = 'message' LIMIT 1) END
"""


@dataclass(frozen=True, slots=True)
class Stored:
    """`row` as `FIND` names its columns; `committed`: when, where Postgres keeps commit times."""

    row: dict[str, Any]
    committed: datetime | None

    @property
    def in_log(self) -> bool:
        """False: its event went by retention."""
        return self.row["event_row"] is not None


async def find(postgres: PostgresSettings, message_id: UUID) -> Stored:
    """NotFound when there is no such message, DependencyUnavailable when Postgres does not answer."""
    try:
        return await _find(postgres, message_id)
    except (PostgresError, InterfaceError, OSError, TimeoutError) as error:
        raise DependencyUnavailable(
            f"Postgres does not answer ({type(error).__name__}), and only it knows the message.",
            next_step="`signalink status`, `signalink logs postgres`",
        ) from error


async def _find(postgres: PostgresSettings, message_id: UUID) -> Stored:
    connection = await pool.connect(postgres)
    try:
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            row = await connection.fetchrow(FIND, message_id)
            other = None if row is not None else await connection.fetchval(OTHERS, message_id)
        if row is None:
            raise _unknown(message_id, other)
        return Stored(dict(row), await _committed(connection, row["xid"]))
    finally:
        await connection.close(timeout=2)


def _unknown(message_id: UUID, other: str | None) -> NotFound:
    if other is not None:
        return NotFound(f"{message_id} is the id of {other}, not of a message.", next_step="take a message's `id`")
    return NotFound(
        f"There is no message {message_id}: it was never acknowledged, or belongs to another platform.",
        next_step="ids are in the answer of a post and in `data.id` of an event",
    )


async def _committed(connection: Any, xid: str | None) -> datetime | None:
    """None: not kept here (`track_commit_timestamp` off), or too old."""
    if xid is None:
        return None
    try:
        at: datetime | None = await connection.fetchval(COMMITTED, xid)
    except ObjectNotInPrerequisiteStateError:
        return None
    return at
