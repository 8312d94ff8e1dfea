"""What is done beside counting, every few seconds by one process of the group: freshness, presence levels, rollups,
retention.

Owns when and by whom; how is in `rollup` and `retention`. Who does it holds an advisory lock of its session (`alone`),
which a rebuild holds as well: both change what is rolled up.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Final

import asyncpg

from signalink_analytics import GROUP, retention, rollup, statements
from signalink_analytics.effect import WindowEffect
from signalink_analytics.settings import Retention, WindowSettings
from signalink_core.database.pool import Pool
from signalink_core.kafka import partitions
from signalink_core.kafka.errors import KafkaUnavailable
from signalink_core.lifecycle import Lifecycle
from signalink_core.log.outbox import ERRORS
from signalink_core.settings import KafkaSettings
from signalink_core.telemetry import logging, names

TOPICS: Final = ("messages", "analytics", "presence")
FORGET_SECONDS: Final = 60.0
PARTITIONS_SECONDS: Final = 60.0
PASS_SECONDS: Final = 600.0
log = logging.get_logger(__name__)

TRY_ALONE: Final = f"SELECT pg_try_advisory_lock({statements.LOCK_SPACE}, {statements.KEEPER})"
NOT_ALONE: Final = f"SELECT pg_advisory_unlock({statements.LOCK_SPACE}, {statements.KEEPER})"
NOW: Final = "SELECT clock_timestamp()"
# The counts of this minute, once.
LEVELS: Final = """
INSERT INTO analytics.presence_levels (at, online, away, dnd)
SELECT date_bin('1 min', clock_timestamp(), '2000-01-01 00:00:00+00'), count(*) FILTER (WHERE state = 'online'),
    count(*) FILTER (WHERE state = 'away'), count(*) FILTER (WHERE state = 'dnd')
FROM analytics.presence_now WHERE state <> 'offline'
ON CONFLICT (at) DO NOTHING
"""
REBUILDING: Final = "SELECT count(*) FROM analytics.rebuilds WHERE state = 'running'"


@asynccontextmanager
async def alone(conn: asyncpg.Connection) -> AsyncIterator[bool]:
    """Whether this connection may roll up and forget, until the block ends."""
    mine: bool = await conn.fetchval(TRY_ALONE)
    try:
        yield mine
    finally:
        if mine and not conn.is_closed():
            await conn.fetchval(NOT_ALONE)


class Keeper(Lifecycle):
    """Needs one connection of the pool now and then. Postgres or Kafka away: it tries again."""

    def __init__(
        self, pool: Pool, kafka: KafkaSettings, effect: WindowEffect, windows: WindowSettings, kept: Retention
    ) -> None:
        super().__init__()
        self._pool, self._kafka, self._effect, self._windows, self._kept = pool, kafka, effect, windows, kept
        self._forgotten = 0.0

    async def _start(self) -> None:
        self.spawn(self._count_partitions(), "count-partitions")
        self.spawn(self._keep(), "keeper")

    async def _count_partitions(self) -> None:
        """Partitions may be added while we run; until one is known nothing is over."""
        while True:
            try:
                found = await partitions.count(self._kafka, TOPICS)
                self._effect.partitions = sum(found.values())
            except KafkaUnavailable as error:
                log.warning("partitions_unknown", reason=error.detail)
            await asyncio.sleep(PARTITIONS_SECONDS if self._effect.partitions else 1.0)

    async def _keep(self) -> None:
        while True:
            try:
                async with asyncio.timeout(PASS_SECONDS), self._pool.acquire() as conn:
                    await self.look(conn)
            except ERRORS as error:
                log.warning("keeping_failed", reason=repr(error))
            await asyncio.sleep(self._windows.keep_seconds)

    async def look(self, conn: asyncpg.Connection) -> None:
        """One round."""
        count = self._effect.partitions
        reached: datetime | None = await conn.fetchval(statements.WATERMARK, GROUP, count)
        names.ANALYTICS_WATERMARK_TIMESTAMP_SECONDS.set(0 if reached is None else reached.timestamp())
        names.ANALYTICS_REBUILDS_RUNNING.set(await conn.fetchval(REBUILDING))
        await conn.execute(LEVELS)
        async with alone(conn) as mine:
            if mine and count is not None:
                await self._roll_up(conn, count)
                await self._forget(conn)

    async def _roll_up(self, conn: asyncpg.Connection, count: int) -> None:
        until = await rollup.close(conn, GROUP, count, timedelta(seconds=self._windows.lateness_seconds))
        if until is None:
            return
        for level in rollup.LEVELS:
            made = await rollup.catch_up(conn, level, until)
            names.ANALYTICS_ROLLED_UP_TIMESTAMP_SECONDS.labels(level=level.name).set(until.timestamp())
            if made:
                log.info("rolled_up", level=level.name, periods=made)

    async def _forget(self, conn: asyncpg.Connection) -> None:
        now: datetime = await conn.fetchval(NOW)
        if now.timestamp() - self._forgotten < FORGET_SECONDS:
            return
        self._forgotten = now.timestamp()
        gone: Mapping[str, int] = await retention.forget(conn, self._kept, now)
        for table, rows in gone.items():
            names.ANALYTICS_ROWS_REMOVED_TOTAL.labels(table=table).inc(rows)
        if gone:
            log.info("rows_removed", **gone)
