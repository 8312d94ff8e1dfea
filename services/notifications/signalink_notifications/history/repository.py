"""Statements on what was planned for a user, the youngest first."""

from datetime import datetime
from typing import Final
from uuid import UUID

import asyncpg

# $1 user, $2 and $3 the last one shown (NULL: begin), $4 rows
PLANNED: Final = """
SELECT p.notification_id AS id, p.kind, m.channel_id, p.message_id, m.seq AS message_seq, m.sender_id, p.channels,
    p.digest, p.planned_at
FROM notifications.plans p JOIN messaging.message_authors m ON m.message_id = p.message_id
WHERE p.user_id = $1 AND ($2::timestamptz IS NULL OR (p.planned_at, p.notification_id) < ($2, $3::uuid))
ORDER BY p.planned_at DESC, p.notification_id DESC LIMIT $4
"""


async def planned(
    db: asyncpg.Connection, user_id: UUID, before: tuple[datetime, UUID] | None, limit: int
) -> list[asyncpg.Record]:
    at, notification = before or (None, None)
    rows: list[asyncpg.Record] = await db.fetch(PLANNED, user_id, at, notification, limit)
    return rows
