"""The way of the endpoints into Postgres: one snapshot per answer, read only, on a small pool of their own.

The consumer has its own pool: what people ask must never keep it waiting. Statements belong to `repository`.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

import asyncpg

from signalink_core.database.outage import unavailable_when_away
from signalink_core.database.pool import Pool, open_pool
from signalink_core.lifecycle import Lifecycle
from signalink_core.settings import PostgresSettings
from signalink_core.telemetry import names

CONNECTIONS = 4


class Reading(Lifecycle):
    """The pool is opened at first use, so that the service starts before its database."""

    def __init__(self, postgres: PostgresSettings, *, connections: int = CONNECTIONS) -> None:
        super().__init__()
        self._postgres, self._connections = postgres, connections
        self._opening = asyncio.Lock()
        self._pool: Pool | None = None

    @asynccontextmanager
    async def snapshot(self) -> AsyncIterator[asyncpg.Connection]:
        """A connection on which every statement sees the same state: totals agree with the marks beside them.

        Raises DependencyUnavailable when Postgres is away, or slower than its time-out.
        """
        started = time.perf_counter()
        with unavailable_when_away():
            pool = self._pool or await self._open()
            async with pool.acquire() as connection:
                with _counted(started):
                    async with connection.transaction(isolation="repeatable_read", readonly=True):
                        yield connection

    async def _open(self) -> Pool:
        async with self._opening:
            if self._pool is None:
                self._pool = await open_pool(self._postgres, max_size=self._connections)
            return self._pool

    async def _stop(self) -> None:
        if self._pool is not None:
            await self._pool.close()
            self._pool = None


@contextmanager
def _counted(started: float) -> Iterator[None]:
    names.DB_POOL_WAIT_SECONDS.observe(time.perf_counter() - started)
    names.DB_POOL_IN_USE.inc()
    try:
        yield
    finally:
        names.DB_POOL_IN_USE.dec()
