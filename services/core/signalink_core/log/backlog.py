"""How far the relay is behind, as gauges. The oldest event is a point in time, so its age grows when this hangs."""

import asyncio
from collections.abc import Sequence

from signalink_core.database.pool import Pool
from signalink_core.lifecycle import Lifecycle
from signalink_core.log import outbox
from signalink_core.telemetry import logging, names

EVERY_SECONDS = 5.0
log = logging.get_logger(__name__)


class Backlog(Lifecycle):
    """Reads every 5 s; up to 1,000 rows a shard are counted."""

    def __init__(self, pool: Pool, *, shards: Sequence[int] = outbox.SHARDS, schema: str = "messaging") -> None:
        super().__init__()
        self._pool, self._shards, self._outbox = pool, tuple(shards), outbox.Outbox(schema)

    async def _start(self) -> None:
        self.spawn(self._run(), "backlog")

    async def _run(self) -> None:
        while True:
            try:
                await self.read()
            except outbox.ERRORS as error:
                log.warning("backlog_failed", reason=repr(error))
            await asyncio.sleep(EVERY_SECONDS)

    async def read(self) -> int:
        """Set the gauges; the rows that wait in all shards."""
        async with self._pool.acquire() as conn:
            rows = await self._outbox.backlog(conn, self._shards)
        for row in rows:
            shard = str(row["shard"])
            names.OUTBOX_PENDING_ROWS.labels(shard=shard).set(row["pending"])
            oldest = row["oldest"]
            names.OUTBOX_OLDEST_PENDING_TIMESTAMP_SECONDS.labels(shard=shard).set(oldest.timestamp() if oldest else 0)
        return sum(row["pending"] for row in rows)
