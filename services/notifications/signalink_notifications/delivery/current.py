"""Reads what is true of some deliveries now: message, entitlement, read position, preferences, targets.

Owns the SQL over messaging's views and this schema's preferences. What follows from it is decided in `verdicts`.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

import asyncpg

from signalink_core.database.pool import Pool
from signalink_notifications.channels.port import Notice, Target
from signalink_notifications.delivery.verdicts import Now
from signalink_notifications.planner.quiet import Quiet

# $1 deliveries. A text that concerns somebody only since an edit may have been read before it: that is no reason.
FACTS: Final = """
SELECT d.id, d.notification_id, d.user_id, d.channel, d.kind, d.channel_id, d.message_id, d.message_seq, d.sender_id,
    clock_timestamp() AS at,
    u.user_id IS NOT NULL AND NOT u.disabled AS user_here, u.display_name AS user_name, u.email,
    t.message_id IS NOT NULL AND NOT t.deleted AS there, t.body, t.created_at AS written_at,
    s.display_name AS sender_name, k.name AS channel_name, k.kind AS channel_kind, held.entitled,
    held.last_read_seq >= d.message_seq AND d.told_at < t.created_at + interval '1 s' AS read,
    EXISTS (
        SELECT FROM messaging.blocked_people b WHERE b.user_id = d.user_id AND b.blocked_id = d.sender_id
    ) AS blocked,
    EXISTS (
        SELECT FROM notifications.mutes m
        WHERE m.user_id = d.user_id AND m.channel_id = d.channel_id AND (m.until IS NULL OR m.until > clock_timestamp())
    ) AS muted,
    c.enabled, p.email_off_at IS NOT NULL AS mail_off, p.webhook_url, p.webhook_secret,
    p.time_zone, p.quiet_from, p.quiet_until
FROM notifications.deliveries d
LEFT JOIN messaging.contacts u ON u.user_id = d.user_id
LEFT JOIN messaging.contacts s ON s.user_id = d.sender_id
LEFT JOIN messaging.message_texts t ON t.message_id = d.message_id
LEFT JOIN messaging.channel_kinds k ON k.channel_id = d.channel_id
LEFT JOIN notifications.preferences p ON p.user_id = d.user_id
LEFT JOIN notifications.choices c ON c.user_id = d.user_id AND c.kind = d.kind AND c.channel = d.channel
LEFT JOIN LATERAL (
    SELECT
        coalesce(bool_or(e.history = 'all' OR d.message_seq BETWEEN e.from_seq AND coalesce(e.to_seq, d.message_seq)),
            false) AS entitled,
        coalesce(max(e.last_read_seq), 0) AS last_read_seq
    FROM messaging.entitlements e WHERE e.channel_id = d.channel_id AND e.user_id = d.user_id
) held ON true
WHERE d.id = ANY ($1::uuid[])
"""
# $1 users
DEVICES: Final = """
SELECT user_id, device_id, push_token FROM messaging.push_devices
WHERE user_id = ANY ($1::uuid[]) AND kind = 'fcm' ORDER BY device_id LIMIT 1000
"""
# $1 token, $2 reason
DELETE_DEVICE: Final = "SELECT messaging.delete_device($1, $2)"


class Current:
    """On the service's pool. Every method raises what asyncpg raises when Postgres is away."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def read(self, deliveries: Sequence[UUID]) -> Mapping[UUID, Now]:
        """By delivery; those that are not there (any more) are left out."""
        async with self._pool.acquire() as conn:
            rows = await conn.fetch(FACTS, list(deliveries))
            users = sorted({row["user_id"] for row in rows if row["channel"] == "push"})
            devices = await conn.fetch(DEVICES, users) if users else []
        return {row["id"]: _now(row, devices) for row in rows}

    async def delete_device(self, token: str, reason: str) -> bool:
        """The push service says that a token is dead."""
        async with self._pool.acquire() as conn:
            return bool(await conn.fetchval(DELETE_DEVICE, token, reason))


def _now(row: asyncpg.Record, devices: Sequence[asyncpg.Record]) -> Now:
    return Now(
        at=row["at"],
        notice=_notice(row) if row["there"] else None,
        user_name=row["user_name"] or "",
        user_here=row["user_here"],
        entitled=row["entitled"],
        read=bool(row["read"]),
        blocked=row["blocked"],
        muted=row["muted"],
        enabled=row["enabled"],
        mail_off=row["mail_off"],
        quiet_until=_quiet_until(row),
        targets=tuple(_targets(row, devices)),
    )


def _quiet_until(row: asyncpg.Record) -> datetime | None:
    if row["quiet_from"] is None:
        return None
    return Quiet(row["time_zone"], row["quiet_from"], row["quiet_until"]).ends(row["at"])


def _notice(row: asyncpg.Record) -> Notice:
    return Notice(
        notification_id=row["notification_id"],
        kind=row["kind"],
        message_id=row["message_id"],
        message_seq=row["message_seq"],
        channel_id=row["channel_id"],
        channel_name=row["channel_name"] or "",
        channel_kind=row["channel_kind"] or "",
        sender_id=row["sender_id"],
        sender_name=row["sender_name"] or "",
        body=row["body"] or "",
        written_at=row["written_at"],
    )


def _targets(row: asyncpg.Record, devices: Sequence[asyncpg.Record]) -> list[Target]:
    match row["channel"]:
        case "email":
            return [Target("", row["email"])] if row["email"] else []
        case "webhook":
            return [Target("", row["webhook_url"], row["webhook_secret"])] if row["webhook_url"] else []
    return [Target(str(one["device_id"]), one["push_token"]) for one in devices if one["user_id"] == row["user_id"]]
