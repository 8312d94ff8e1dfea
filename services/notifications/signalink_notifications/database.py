"""The process's connections to Postgres: one pool for consumers, relay, dispatcher and preferences, opened when it can.

Owns the pool and the translation of an outage; statements belong to the repositories and the consumers.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg

from signalink_core.database.outage import unavailable_when_away
from signalink_core.database.pool import Pool, open_pool
from signalink_core.lifecycle import Lifecycle, full_jitter
from signalink_core.log.outbox import ERRORS
from signalink_core.settings import PostgresSettings


class Database(Lifecycle):
    """Starts without a server. `pool` waits for it, `begin` does not: who asks over HTTP is told at once."""

    def __init__(self, settings: PostgresSettings, *, connections: int) -> None:
        super().__init__()
        self._settings, self._connections = settings, connections
        self._opening = asyncio.Lock()
        self._pool: Pool | None = None

    async def pool(self) -> Pool:
        """The pool, as soon as Postgres answers."""
        attempt = 0
        while True:
            try:
                return await self._opened()
            except ERRORS:
                attempt += 1
                await asyncio.sleep(full_jitter(attempt, cap=2.0))

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[asyncpg.Connection]:
        """One transaction: commits at the end of the block. DependencyUnavailable when Postgres is away."""
        with unavailable_when_away():
            pool = await self._opened()
            async with pool.acquire() as connection, connection.transaction():
                yield connection

    @asynccontextmanager
    async def read(self) -> AsyncIterator[asyncpg.Connection]:
        """A connection outside any transaction; errors as `begin`."""
        with unavailable_when_away():
            pool = await self._opened()
            async with pool.acquire() as connection:
                yield connection

    async def _opened(self) -> Pool:
        async with self._opening:
            if self._pool is None:
                pool: Pool = await self.enter(await open_pool(self._settings, max_size=self._connections))
                self._pool = pool
            return self._pool

    async def _stop(self) -> None:
        self._pool = None
