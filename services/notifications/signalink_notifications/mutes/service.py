"""A user's mutes: of channels they are a member of, for good or for a time."""

from datetime import datetime
from uuid import UUID

from signalink_core.clock import utc_now
from signalink_core.errors import Conflict, NotFound
from signalink_core.web.catalogue import Invalid
from signalink_notifications.database import Database
from signalink_notifications.mutes import repository
from signalink_notifications.mutes.schemas import Mute, Mutes


class MuteService:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def mine(self, user_id: UUID) -> Mutes:
        async with self._database.read() as db:
            return Mutes(items=[Mute(**row) for row in await repository.of_user(db, user_id)])

    async def put(self, user_id: UUID, channel_id: UUID, until: datetime | None) -> Mute:
        if until is not None and until <= utc_now():
            raise Invalid.field("body.until", "Must be in the future")
        async with self._database.begin() as db:
            if not await repository.is_member(db, channel_id, user_id):
                raise NotFound("There is no such channel among yours.")
            if await repository.others(db, user_id, channel_id) >= repository.MOST:
                raise Conflict(f"You may mute {repository.MOST} channels.", next_step="end another mute first.")
            return Mute(**await repository.put(db, user_id, channel_id, until))

    async def drop(self, user_id: UUID, channel_id: UUID) -> None:
        async with self._database.begin() as db:
            await repository.drop(db, user_id, channel_id)
