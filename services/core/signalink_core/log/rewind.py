"""Moves the cursors of an outbox back, so that its relays publish again from there: after a loss of Kafka, or for a
consumer that must see everything anew.

Back only: a cursor that went forward would skip events for ever. The fencing epoch rises in the same statement, so a
relay that runs meanwhile cannot put a cursor forward again; it takes its shards anew and goes on from here.
"""

from dataclasses import dataclass
from datetime import UTC, datetime

import asyncpg

from signalink_core.log import state, topic_cursors

MESSAGING = "messaging"
"""The one outbox whose channels may have further topics."""
EVER = datetime(1970, 1, 1, tzinfo=UTC)

# $1 time; events have milliseconds. Of each shard the first event since then in log order, not by its time alone:
# clocks are not the order.
REWIND = """
WITH target AS (
    SELECT c.shard, f.epoch, f.xid, f.id
    FROM $.relay_cursors c CROSS JOIN LATERAL (
        SELECT e.epoch, e.xid, e.id FROM $.events e
        WHERE e.shard = c.shard AND e.occurred_at >= date_trunc('milliseconds', $1::timestamptz)
        ORDER BY e.epoch, e.xid, e.id LIMIT 1
    ) f
)
UPDATE $.relay_cursors c SET epoch = t.epoch, xid = t.xid, event_id = t.id - 1,
    fencing_epoch = c.fencing_epoch + 1, holder = NULL, lease_until = NULL
FROM target t
WHERE t.shard = c.shard AND (t.epoch, t.xid, t.id) <= (c.epoch, c.xid, c.event_id)
RETURNING c.shard
"""
WAITING = """
SELECT count(*) FROM $.relay_cursors c JOIN $.events e ON e.shard = c.shard
WHERE (e.epoch, e.xid, e.id) > (c.epoch, c.xid, c.event_id)
"""


@dataclass(frozen=True, slots=True)
class Rewound:
    """How many shards went back, and how many events are to be published now, those that waited before included."""

    shards: int
    events: int


async def rewind(conn: asyncpg.Connection, to: datetime | None, schema: str = "messaging") -> Rewound:
    """Every event that occurred at `to` or later is published again; None: all that the log still holds.

    As owner of the schema. Events that retention deleted are not published again. Raises what Postgres raises.
    """
    async with conn.transaction():
        moved = await conn.fetch(_on(REWIND, schema), to or EVER)
        if schema == MESSAGING:
            await topic_cursors.rewind(conn, to or EVER)
        waiting: int = await conn.fetchval(_on(WAITING, schema))
    return Rewound(len(moved), waiting)


async def rewind_all(conn: asyncpg.Connection, to: datetime | None) -> dict[str, Rewound]:
    """As `rewind`, for every outbox of the database: Kafka is lost for all of them. Schema -> what became of it."""
    return {schema: await rewind(conn, to, schema) for schema in await state.outboxes(conn)}


def _on(statement: str, schema: str) -> str:
    return statement.replace("$.", f"{schema}.")
