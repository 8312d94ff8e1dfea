"""Statements on `notifications.mutes`; a mute whose time is over counts as none."""

from datetime import datetime
from typing import Final
from uuid import UUID

import asyncpg

MOST: Final = 1_000
OF_USER: Final = """
SELECT channel_id, until, muted_at FROM notifications.mutes
WHERE user_id = $1 AND (until IS NULL OR until > clock_timestamp()) ORDER BY muted_at DESC, channel_id
"""
OVER: Final = "DELETE FROM notifications.mutes WHERE user_id = $1 AND until <= clock_timestamp()"
COUNT: Final = "SELECT count(*) FROM notifications.mutes WHERE user_id = $1 AND channel_id <> $2"
IS_MEMBER: Final = "SELECT EXISTS (SELECT FROM messaging.channel_people WHERE channel_id = $1 AND user_id = $2)"
PUT: Final = """
INSERT INTO notifications.mutes (user_id, channel_id, until) VALUES ($1, $2, $3)
ON CONFLICT (user_id, channel_id) DO UPDATE SET until = excluded.until
RETURNING channel_id, until, muted_at
"""
DROP: Final = "DELETE FROM notifications.mutes WHERE user_id = $1 AND channel_id = $2"


async def of_user(db: asyncpg.Connection, user_id: UUID) -> list[asyncpg.Record]:
    """The one muted last first."""
    rows: list[asyncpg.Record] = await db.fetch(OF_USER, user_id)
    return rows


async def is_member(db: asyncpg.Connection, channel_id: UUID, user_id: UUID) -> bool:
    return bool(await db.fetchval(IS_MEMBER, channel_id, user_id))


async def others(db: asyncpg.Connection, user_id: UUID, channel_id: UUID) -> int:
    """How many other channels are muted; those whose time is over are deleted."""
    await db.execute(OVER, user_id)
    count: int = await db.fetchval(COUNT, user_id, channel_id)
    return count


async def put(db: asyncpg.Connection, user_id: UUID, channel_id: UUID, until: datetime | None) -> asyncpg.Record:
    row: asyncpg.Record = await db.fetchrow(PUT, user_id, channel_id, until)
    return row


async def drop(db: asyncpg.Connection, user_id: UUID, channel_id: UUID) -> None:
    await db.execute(DROP, user_id, channel_id)
