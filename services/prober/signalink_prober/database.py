"""The prober's connections to Postgres: made when first needed, so that it starts without a server."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import asyncpg

from signalink_core.database.pool import Pool, open_pool
from signalink_core.lifecycle import Lifecycle
from signalink_core.settings import PostgresSettings

POOL_SIZE = 3
"""What waits, the server's figures, the log: one each."""


class Database(Lifecycle):
    def __init__(self, settings: PostgresSettings) -> None:
        super().__init__()
        self._settings = settings
        self._opening = asyncio.Lock()
        self._pool: Pool | None = None

    @contextlib.asynccontextmanager
    async def connection(self) -> AsyncIterator[asyncpg.Connection]:
        """Raises what `signalink_core.log.outbox.ERRORS` names."""
        async with self._opening:
            if self._pool is None:
                pool: Pool = await self.enter(await open_pool(self._settings, max_size=POOL_SIZE))
                self._pool = pool
            pool = self._pool
        async with pool.acquire() as connection:
            yield connection
