"""Figures of Postgres and Redis under the names of their exporters, for targets on which those do not run."""

import contextlib

from redis.asyncio import Redis

from signalink_core.lifecycle import Lifecycle
from signalink_core.log import outbox
from signalink_core.settings import RedisSettings
from signalink_core.telemetry import names
from signalink_prober.database import Database
from signalink_prober.rounds import ERRORS

EVERY_SECONDS = 5.0
CONNECTIONS = """
SELECT coalesce(datname, '') AS datname, coalesce(state, '') AS state, count(*) AS connections
FROM pg_stat_activity WHERE backend_type = 'client backend' GROUP BY 1, 2
"""
# Of all databases, since xmin is the cluster's; those that only read hold nothing up. Needs pg_monitor.
SERVER = """
SELECT current_setting('max_connections')::int AS most,
    (SELECT extract(epoch FROM min(xact_start)) FROM pg_stat_activity WHERE backend_xid IS NOT NULL) AS oldest
"""


class Postgres:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def look(self) -> None:
        """Raises what Postgres raises, after `pg_up` said 0."""
        try:
            async with self._database.connection() as connection:
                counts, server = await connection.fetch(CONNECTIONS), await connection.fetchrow(SERVER)
        except outbox.ERRORS:
            names.PG_UP.set(0)
            raise
        names.PG_UP.set(1)
        names.PG_SETTINGS_MAX_CONNECTIONS.set(server["most"])
        names.PG_OLDEST_WRITE_TRANSACTION_TIMESTAMP_SECONDS.set(float(server["oldest"] or 0))
        names.PG_STAT_ACTIVITY_COUNT.clear()
        for row in counts:
            labels = names.PG_STAT_ACTIVITY_COUNT.labels(datname=row["datname"], state=row["state"])
            labels.set(row["connections"])


class RedisFigures(Lifecycle):
    def __init__(self, settings: RedisSettings) -> None:
        super().__init__()
        self._settings = settings
        self._evicted: int | None = None

    async def _start(self) -> None:
        self._client: Redis = self._settings.client(max_connections=1)
        await self.enter(contextlib.aclosing(self._client))

    async def look(self) -> None:
        """Raises what Redis raises, after `redis_up` said 0."""
        try:
            info = {**await self._client.info("memory"), **await self._client.info("stats")}
            info |= await self._client.info("clients")
        except ERRORS:
            names.REDIS_UP.set(0)
            raise
        names.REDIS_UP.set(1)
        names.REDIS_MEMORY_USED_BYTES.set(info["used_memory"])
        names.REDIS_MEMORY_MAX_BYTES.set(info["maxmemory"])
        names.REDIS_CONNECTED_CLIENTS.set(info["connected_clients"])
        self._count_evicted(int(info["evicted_keys"]))

    def _count_evicted(self, total: int) -> None:
        """Redis counts from its own start; ours only grows."""
        before = total if self._evicted is None else self._evicted
        names.REDIS_EVICTED_KEYS_TOTAL.inc(total - before if total >= before else total)
        self._evicted = total
