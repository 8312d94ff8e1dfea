"""A user's blocks: of others that exist, at most `MOST`; nobody learns who blocked them."""

from typing import Final
from uuid import UUID

from signalink_api.blocks import repository
from signalink_api.blocks.schemas import Block, Blocks
from signalink_api.database import Database
from signalink_api.users import repository as users
from signalink_core.errors import Conflict, NotFound
from signalink_core.web.catalogue import Invalid

MOST: Final = 1_000


class BlockService:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def mine(self, user_id: UUID) -> Blocks:
        async with self._database.read() as db:
            return Blocks(items=[Block.model_validate(row) for row in await repository.of_user(db, user_id)])

    async def put(self, user_id: UUID, other: UUID) -> None:
        if user_id == other:
            raise Invalid.field("path.user_id", "Must be another user")
        async with self._database.begin() as db:
            if await users.find(db, other) is None:
                raise NotFound("There is no such user.")
            if await repository.count(db, user_id, other) >= MOST:
                raise Conflict(f"You may block {MOST} users.", next_step="end another block first.")
            await repository.put(db, user_id, other)

    async def delete(self, user_id: UUID, other: UUID) -> None:
        async with self._database.begin() as db:
            await repository.drop(db, user_id, other)
