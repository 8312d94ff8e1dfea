"""The log as a reader sees it: one face with two sides, Postgres here and the twin in `memory`."""

from collections.abc import Iterable
from typing import Protocol
from uuid import UUID

from signalink_core.database.pool import Pool
from signalink_core.events import Event, Position
from signalink_core.log import reads
from signalink_core.log.reads import PAGE_BYTES, PAGE_ROWS, ResumePage, Revocation


class LogReader(Protocol):
    """What recovery needs; the meaning of each is documented in `reads`."""

    async def resume(
        self, user_id: UUID, channel_id: UUID, after: Position | None, limit_bytes: int = PAGE_BYTES
    ) -> ResumePage: ...

    async def events_after(self, channel_id: UUID, seq: int, limit: int = PAGE_ROWS) -> list[Event]: ...

    async def heads(self, channel_ids: Iterable[UUID]) -> dict[UUID, Position]: ...

    async def revocations_since(self, seconds: float = 60) -> list[Revocation]: ...


class PostgresLog:
    """A LogReader over a pool, which stays the caller's."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def resume(
        self, user_id: UUID, channel_id: UUID, after: Position | None, limit_bytes: int = PAGE_BYTES
    ) -> ResumePage:
        async with self._pool.acquire() as connection:
            return await reads.resume(connection, user_id, channel_id, after, limit_bytes)

    async def events_after(self, channel_id: UUID, seq: int, limit: int = PAGE_ROWS) -> list[Event]:
        async with self._pool.acquire() as connection:
            return await reads.events_after(connection, channel_id, seq, limit)

    async def heads(self, channel_ids: Iterable[UUID]) -> dict[UUID, Position]:
        async with self._pool.acquire() as connection:
            return await reads.heads(connection, channel_ids)

    async def revocations_since(self, seconds: float = 60) -> list[Revocation]:
        async with self._pool.acquire() as connection:
            return await reads.revocations_since(connection, seconds)
