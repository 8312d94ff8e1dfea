"""How far the relay is behind, as gauges. The oldest event is a point in time, so its age grows whatever hangs."""

from signalink_core.log import outbox
from signalink_core.telemetry import names
from signalink_prober.database import Database

EVERY_SECONDS = 5.0


class Backlog:
    """`look` sets the gauges of all shards; up to 1,000 rows a shard are counted."""

    def __init__(self, database: Database) -> None:
        self._database, self._outbox = database, outbox.Outbox()

    async def look(self) -> int:
        """The rows that wait in all shards."""
        async with self._database.connection() as connection:
            rows = await self._outbox.backlog(connection, outbox.SHARDS)
        for row in rows:
            shard = str(row["shard"])
            names.OUTBOX_PENDING_ROWS.labels(shard=shard).set(row["pending"])
            oldest = row["oldest"]
            names.OUTBOX_OLDEST_PENDING_TIMESTAMP_SECONDS.labels(shard=shard).set(oldest.timestamp() if oldest else 0)
        return sum(row["pending"] for row in rows)
