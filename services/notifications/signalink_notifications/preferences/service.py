"""A user's own wishes: what they see of them, and changing them. Who never changed anything has the defaults."""

import secrets
from datetime import time
from typing import Any, Final
from uuid import UUID

import asyncpg

from signalink_core.events.types import NotificationChannel, NotificationKind
from signalink_notifications.database import Database
from signalink_notifications.egress import Egress
from signalink_notifications.planner.rules import CHANNELS, KINDS
from signalink_notifications.preferences import repository
from signalink_notifications.preferences.schemas import (
    Choice,
    NewWebhook,
    Preferences,
    PreferencesPatch,
    QuietHours,
    QuietHoursRequest,
    Webhook,
)

SECRET_BYTES: Final = 32


class PreferenceService:
    """`time_zone` and `digest_minutes`: what holds for users who chose none. `egress`: where webhooks may lead."""

    def __init__(self, database: Database, egress: Egress, *, time_zone: str, digest_minutes: int) -> None:
        self._database, self._egress = database, egress
        self._time_zone, self._digest_minutes = time_zone, digest_minutes

    async def mine(self, user_id: UUID) -> Preferences:
        async with self._database.read() as db:
            return await self._read(db, user_id)

    async def patch(self, user_id: UUID, asked: PreferencesPatch) -> Preferences:
        async with self._database.begin() as db:
            await repository.ensure(db, user_id, self._time_zone)
            await repository.change(db, user_id, _columns(asked))
            if "email" in asked.model_fields_set:
                await repository.switch_email(db, user_id, asked.email)
            return await self._read(db, user_id)

    async def choose(
        self, user_id: UUID, kind: NotificationKind, channel: NotificationChannel, enabled: bool
    ) -> Preferences:
        async with self._database.begin() as db:
            await repository.choose(db, user_id, kind, channel, enabled)
            return await self._read(db, user_id)

    async def set_webhook(self, user_id: UUID, url: str) -> NewWebhook:
        """Raises UrlRefused, also for a name that does not exist; DependencyUnavailable when it cannot be asked for."""
        await self._egress.inspect(url)
        secret = secrets.token_urlsafe(SECRET_BYTES)
        async with self._database.begin() as db:
            await repository.ensure(db, user_id, self._time_zone)
            await repository.change(db, user_id, {"webhook_url": url, "webhook_secret": secret})
            row: Any = await repository.of_user(db, user_id)
        return NewWebhook(url=url, set_at=row["webhook_set_at"], secret=secret)

    async def drop_webhook(self, user_id: UUID) -> None:
        async with self._database.begin() as db:
            await repository.change(db, user_id, {"webhook_url": None, "webhook_secret": None})

    async def unsubscribe(self, user_id: UUID) -> None:
        """No mail any more; repeating changes nothing."""
        async with self._database.begin() as db:
            await repository.ensure(db, user_id, self._time_zone)
            await repository.switch_email(db, user_id, False)

    async def _read(self, db: asyncpg.Connection, user_id: UUID) -> Preferences:
        row = await repository.of_user(db, user_id)
        chosen = await repository.choices(db, user_id)
        choices = [
            Choice(kind=kind, channel=channel, enabled=chosen.get((kind, channel), True))
            for kind in KINDS
            for channel in CHANNELS
        ]
        common: dict[str, Any] = {"default_digest_minutes": self._digest_minutes, "choices": choices}
        if row is None:
            defaults = {"time_zone": self._time_zone, "keywords": [], "email": True}
            return Preferences(quiet_hours=None, digest_minutes=None, webhook=None, **defaults, **common)
        return Preferences(
            time_zone=row["time_zone"],
            quiet_hours=_quiet(row["quiet_from"], row["quiet_until"]),
            digest_minutes=row["digest_minutes"],
            keywords=row["keywords"],
            email=row["email_off_at"] is None,
            webhook=_webhook(row),
            **common,
        )


def _columns(asked: PreferencesPatch) -> dict[str, Any]:
    """What the named fields mean for the row; `email` is another statement's."""
    named = asked.model_fields_set
    kept = ("time_zone", "digest_minutes", "keywords")
    values: dict[str, Any] = {field: getattr(asked, field) for field in kept if field in named}
    if "quiet_hours" in named:
        values |= _times(asked.quiet_hours)
    return values


def _times(asked: QuietHoursRequest | None) -> dict[str, time | None]:
    if asked is None:
        return {"quiet_from": None, "quiet_until": None}
    return {"quiet_from": time.fromisoformat(asked.begin), "quiet_until": time.fromisoformat(asked.end)}


def _quiet(begin: time | None, end: time | None) -> QuietHours | None:
    return None if begin is None or end is None else QuietHours(begin=begin, end=end)


def _webhook(row: asyncpg.Record) -> Webhook | None:
    return None if row["webhook_url"] is None else Webhook(url=row["webhook_url"], set_at=row["webhook_set_at"])
