"""Reads the event log in its order, every shard from where the relay stood when the reading began, without leases."""

from collections.abc import Mapping, Sequence
from typing import Any

from signalink_core.log.outbox import Place
from signalink_prober.database import Database

ROWS_PER_SHARD = 200
CURSORS = "SELECT shard, epoch, xid, event_id FROM messaging.relay_cursors"

# $1 shards, $2 epochs, $3 xids, $4 ids, $5 rows per shard. As the relay reads, and as cheap: see log.outbox.READ.
AFTER = """
WITH state AS MATERIALIZED (
    SELECT l.epoch AS current_epoch, pg_snapshot_xmin(pg_current_snapshot()) AS xmin FROM messaging.log_state l
)
SELECT e.* FROM state s
CROSS JOIN unnest($1::smallint[], $2::int[], $3::xid8[], $4::bigint[]) AS c (shard, epoch, xid, id)
CROSS JOIN LATERAL (
    SELECT e.event_id, e.shard, e.epoch, e.xid, e.id, e.topic, e.channel_id, e.seq, e.occurred_at
    FROM messaging.events e
    WHERE e.shard = c.shard
      AND (e.epoch, e.xid, e.id) > (c.epoch, c.xid, c.id) AND (e.epoch, e.xid) < (s.current_epoch, s.xmin)
    ORDER BY e.epoch, e.xid, e.id LIMIT $5
) e
"""


class LogReads:
    """`places`: where the reading stands in each shard; empty until `start_at`."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.places: dict[int, Place] = {}

    async def cursors(self) -> dict[int, Place]:
        """Where the relay stands in each shard."""
        async with self._database.connection() as connection:
            rows = await connection.fetch(CURSORS)
        return {row["shard"]: Place(row["epoch"], row["xid"], row["event_id"]) for row in rows}

    def start_at(self, cursors: Mapping[int, Place]) -> None:
        self.places = dict(cursors)

    async def next(self) -> Sequence[Mapping[str, Any]]:
        """Rows that were not read yet, in order within each shard; the places move on."""
        places = self.places.items()
        async with self._database.connection() as connection:
            rows = await connection.fetch(
                AFTER,
                [shard for shard, _ in places],
                [place.epoch for _, place in places],
                [place.xid for _, place in places],
                [place.id for _, place in places],
                ROWS_PER_SHARD,
            )
        for row in rows:
            self.places[row["shard"]] = Place(row["epoch"], row["xid"], row["id"])
        return list(rows)
