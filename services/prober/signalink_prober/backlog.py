"""How far the relays are behind, as gauges. The oldest event is a point in time, so its age grows whatever hangs.

Looks at the event log and at every other outbox of its shape that the prober may read.
"""

import asyncpg

from signalink_core.log import outbox, state
from signalink_core.telemetry import names
from signalink_prober.database import Database

EVERY_SECONDS = 5.0


class Backlog:
    """`look` sets the gauges of all shards; up to 1,000 rows a shard are counted."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def look(self) -> int:
        """The rows that wait in all shards of all outboxes."""
        pending = 0
        async with self._database.connection() as connection:
            for schema in await state.outboxes(connection):
                for row in await outbox.Outbox(schema).backlog(connection, outbox.SHARDS):
                    pending += row["pending"]
                    _show(schema, row)
        return pending


def _show(schema: str, row: asyncpg.Record) -> None:
    shard, oldest = str(row["shard"]), row["oldest"].timestamp() if row["oldest"] else 0
    names.OUTBOX_PENDING_ROWS.labels(outbox=schema, shard=shard).set(row["pending"])
    names.OUTBOX_OLDEST_PENDING_TIMESTAMP_SECONDS.labels(outbox=schema, shard=shard).set(oldest)
