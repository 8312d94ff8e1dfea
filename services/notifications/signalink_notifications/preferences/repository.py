"""Statements on wishes: `notifications.preferences` and `choices`. What may be in them is decided in `schemas`."""

from collections.abc import Mapping
from typing import Any, Final
from uuid import UUID

import asyncpg

OF_USER: Final = "SELECT * FROM notifications.preferences WHERE user_id = $1"
# $1 user, $2 time zone. A row is there from the first change on, so that two first changes at once keep both.
ENSURE: Final = "INSERT INTO notifications.preferences (user_id, time_zone) VALUES ($1, $2) ON CONFLICT DO NOTHING"
CHOICES: Final = "SELECT kind, channel, enabled FROM notifications.choices WHERE user_id = $1"
CHOOSE: Final = """
INSERT INTO notifications.choices (user_id, kind, channel, enabled) VALUES ($1, $2, $3, $4)
ON CONFLICT (user_id, kind, channel) DO UPDATE SET enabled = excluded.enabled
"""
COLUMNS: Final = frozenset(
    {"time_zone", "quiet_from", "quiet_until", "digest_minutes", "keywords", "webhook_url", "webhook_secret"}
)
# $1 user, $2 whether mails are on. Off stays off since when it was first.
EMAIL: Final = """
UPDATE notifications.preferences
SET email_off_at = CASE WHEN $2 THEN NULL ELSE coalesce(email_off_at, date_trunc('milliseconds', clock_timestamp())) END
WHERE user_id = $1
"""


async def of_user(db: asyncpg.Connection, user_id: UUID) -> asyncpg.Record | None:
    row: asyncpg.Record | None = await db.fetchrow(OF_USER, user_id)
    return row


async def choices(db: asyncpg.Connection, user_id: UUID) -> dict[tuple[str, str], bool]:
    """What differs from the defaults."""
    rows = await db.fetch(CHOICES, user_id)
    return {(row["kind"], row["channel"]): row["enabled"] for row in rows}


async def ensure(db: asyncpg.Connection, user_id: UUID, time_zone: str) -> None:
    await db.execute(ENSURE, user_id, time_zone)


async def change(db: asyncpg.Connection, user_id: UUID, values: Mapping[str, Any]) -> None:
    """`values`: some of `COLUMNS`. The address of a webhook changes with its secret and its time."""
    if values.keys() - COLUMNS:
        raise ValueError(f"no columns of preferences: {sorted(values.keys() - COLUMNS)}")
    sets = [f"{column} = ${n}" for n, column in enumerate(values, start=2)]
    if "webhook_url" in values:
        sets.append("webhook_set_at = " + ("NULL" if values["webhook_url"] is None else _NOW))
    sets.append(f"updated_at = {_NOW}")
    statement = f"UPDATE notifications.preferences SET {', '.join(sets)} WHERE user_id = $1"  # noqa: S608 - COLUMNS only
    await db.execute(statement, user_id, *values.values())


async def switch_email(db: asyncpg.Connection, user_id: UUID, on: bool) -> None:
    await db.execute(EMAIL, user_id, on)


async def choose(db: asyncpg.Connection, user_id: UUID, kind: str, channel: str, enabled: bool) -> None:
    await db.execute(CHOOSE, user_id, kind, channel, enabled)


_NOW: Final = "date_trunc('milliseconds', clock_timestamp())"
