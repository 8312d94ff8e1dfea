"""The api's two ways into Postgres: SQLAlchemy for reads and simple rows, an asyncpg pool for the writing functions.

Owns pools, time-outs and the translation of driver errors; statements belong to the repositories, the post path to the
writer. A pool connection that died is noticed when it is taken out, so a restart of Postgres costs nobody an error.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import asyncpg
import orjson
import sqlalchemy
from sqlalchemy import exc as sqlalchemy_errors
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from signalink_core.database import outage
from signalink_core.database import pool as postgres_pool
from signalink_core.lifecycle import Lifecycle
from signalink_core.settings import PostgresSettings
from signalink_core.telemetry import names

POOL_SECONDS = 1.0
CLOSE_SECONDS = 5.0


class Database(Lifecycle):
    """`begin` for one transaction, `read` for statements that need none, `commands` for the writing functions."""

    def __init__(self, settings: PostgresSettings, *, connections: int = 10, command_connections: int = 6) -> None:
        super().__init__()
        self._settings = settings
        self._command_connections = command_connections
        self._pool: postgres_pool.Pool | None = None
        self._opening = asyncio.Lock()
        self.engine = self._make_engine(connections)
        self._autocommit = self.engine.execution_options(isolation_level="AUTOCOMMIT")

    def _make_engine(self, connections: int) -> AsyncEngine:
        """On asyncpg; its connects, waits and commands are all bounded, its errors show no values."""
        engine = create_async_engine(
            "postgresql+asyncpg://",
            async_creator=self._connect,
            pool_size=connections,
            max_overflow=0,
            pool_timeout=POOL_SECONDS,
            hide_parameters=True,
            json_serializer=lambda value: orjson.dumps(value).decode(),
            json_deserializer=orjson.loads,
        )
        sqlalchemy.event.listen(engine.sync_engine, "checkout", _refuse_dead)
        return engine

    async def _connect(self) -> asyncpg.Connection:
        return await postgres_pool.connect(self._settings)

    async def _stop(self) -> None:
        if self._pool is not None:
            await self._pool.close()
            self._pool = None
        await asyncio.wait_for(self.engine.dispose(), CLOSE_SECONDS)

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[AsyncConnection]:
        """One transaction: commits at the end of the block, rolls back on an error."""
        async with self._taken(self.engine.begin) as connection:
            yield connection

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncConnection]:
        """Autocommit: each statement is its own snapshot and no round trip goes to BEGIN."""
        async with self._taken(self._autocommit.connect) as connection:
            yield connection

    @asynccontextmanager
    async def commands(self) -> AsyncIterator[asyncpg.Connection]:
        """A plain asyncpg connection outside any transaction, as the functions of `messaging` demand."""
        with unavailable_when_away():
            pool = self._pool or await self._open()
            started = time.perf_counter()
            async with pool.acquire() as connection:
                with _counted(started):
                    yield connection

    async def _open(self) -> postgres_pool.Pool:
        """Opened at first use, so the api starts before its database."""
        async with self._opening:
            if self._pool is None:
                self._pool = await postgres_pool.open_pool(self._settings, max_size=self._command_connections)
            return self._pool

    @asynccontextmanager
    async def _taken(self, take: Callable[[], Any]) -> AsyncIterator[AsyncConnection]:
        started = time.perf_counter()
        with unavailable_when_away():
            async with take() as connection:
                with _counted(started):
                    yield connection


@contextmanager
def _counted(started: float) -> Iterator[None]:
    names.DB_POOL_WAIT_SECONDS.observe(time.perf_counter() - started)
    names.DB_POOL_IN_USE.inc()
    try:
        yield
    finally:
        names.DB_POOL_IN_USE.dec()


def _refuse_dead(connection: Any, _record: Any, _proxy: Any) -> None:
    """A socket the server closed is known to be closed: no ping is needed to find out."""
    if connection.driver_connection.is_closed():
        raise sqlalchemy_errors.InvalidatePoolError


_AWAY: tuple[type[BaseException], ...] = (*outage.AWAY, sqlalchemy_errors.TimeoutError)


@contextmanager
def unavailable_when_away() -> Iterator[None]:
    """As the core's, for what comes through SQLAlchemy too."""
    try:
        yield
    except _AWAY as error:
        raise outage.unavailable() from error
    except sqlalchemy_errors.DBAPIError as error:
        cause = error.orig.__cause__ if error.orig is not None else None
        if error.connection_invalidated or isinstance(cause, _AWAY) or isinstance(error.orig, _AWAY):
            raise outage.unavailable() from error
        raise
