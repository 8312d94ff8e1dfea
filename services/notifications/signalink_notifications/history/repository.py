"""Statements on what was planned for a user and what became of it, the youngest first."""

from datetime import datetime
from typing import Final
from uuid import UUID

import asyncpg

# $1 user, $2 and $3 the last one shown (NULL: begin), $4 rows
PLANNED: Final = """
SELECT p.notification_id AS id, p.kind, m.channel_id, p.message_id, m.seq AS message_seq, m.sender_id, p.channels,
    p.digest, p.planned_at, sent.deliveries
FROM notifications.plans p JOIN messaging.message_authors m ON m.message_id = p.message_id
CROSS JOIN LATERAL (
    SELECT coalesce(jsonb_agg(jsonb_build_object(
        'channel', d.channel, 'state', d.state, 'reason', d.reason, 'error', d.last_error, 'attempts', d.attempts,
        'next_attempt_at', CASE d.state WHEN 'pending' THEN d.next_attempt_at END, 'settled_at', d.settled_at
    ) ORDER BY d.channel), '[]') AS deliveries
    FROM notifications.deliveries d WHERE d.event_id = p.notification_id AND d.user_id = p.user_id
) sent
WHERE p.user_id = $1 AND ($2::timestamptz IS NULL OR (p.planned_at, p.notification_id) < ($2, $3::uuid))
ORDER BY p.planned_at DESC, p.notification_id DESC LIMIT $4
"""


async def planned(
    db: asyncpg.Connection, user_id: UUID, before: tuple[datetime, UUID] | None, limit: int
) -> list[asyncpg.Record]:
    at, notification = before or (None, None)
    rows: list[asyncpg.Record] = await db.fetch(PLANNED, user_id, at, notification, limit)
    return rows
