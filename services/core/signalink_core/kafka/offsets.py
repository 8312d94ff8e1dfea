"""Offsets in Postgres, in the transaction of the effect: compare-and-set, positions, processed events, parked rows.

Owns the four tables that each consuming service has in its schema, and their SQL (`$` stands for the schema). The
transaction's connection is what an effect is given as `tx`. Rules are in `store`.
"""

from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final
from uuid import UUID

import asyncpg
from asyncpg.exceptions import InterfaceError

from signalink_core.database.pool import Pool
from signalink_core.events import Position
from signalink_core.kafka.batching import Place
from signalink_core.kafka.delivery import Apply, Batch, Delivered, Origin
from signalink_core.kafka.errors import EffectTooSlow, StaleOwner, StoreUnavailable
from signalink_core.kafka.store import Parked, Settled, Step, unseen

_AWAY: Final = (
    OSError,
    TimeoutError,
    InterfaceError,
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,
    asyncpg.InsufficientResourcesError,
    asyncpg.TransactionRollbackError,
    asyncpg.LockNotAvailableError,
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.exceptions.ReadOnlySQLTransactionError,
)

TABLES: Final = """
CREATE TABLE $.offsets (
    consumer_group text NOT NULL,
    topic text NOT NULL,
    partition int NOT NULL,
    next_offset bigint NOT NULL,
    watermark timestamptz,
    updated_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (consumer_group, topic, partition)
);
CREATE TABLE $.positions (
    consumer_group text NOT NULL,
    topic text NOT NULL,
    channel_id uuid NOT NULL,
    epoch int NOT NULL,
    seq bigint NOT NULL,
    PRIMARY KEY (consumer_group, topic, channel_id)
);
CREATE TABLE $.processed_events (
    consumer_group text NOT NULL,
    event_id uuid NOT NULL,
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (consumer_group, event_id)
);
CREATE INDEX processed_events_at ON $.processed_events (at);
CREATE TABLE $.parked (
    consumer_group text NOT NULL,
    topic text NOT NULL,
    partition int NOT NULL,
    record_offset bigint NOT NULL,
    event_id uuid,
    channel_id uuid,
    epoch int,
    seq bigint,
    error text NOT NULL,
    attempts int NOT NULL,
    first_at timestamptz NOT NULL,
    last_at timestamptz NOT NULL,
    dlq_confirmed_at timestamptz NOT NULL,
    redriven_at timestamptz,
    dropped_at timestamptz,
    PRIMARY KEY (consumer_group, topic, partition, record_offset)
);
GRANT USAGE ON SCHEMA $ TO @;
GRANT SELECT, INSERT, UPDATE, DELETE ON $.offsets, $.positions, $.processed_events, $.parked TO @;
"""

# $1 group, $2 topics, $3 partitions
LOAD = """
SELECT o.topic, o.partition, o.next_offset
FROM $.offsets o JOIN unnest($2::text[], $3::int[]) p (topic, partition) USING (topic, partition)
WHERE o.consumer_group = $1
"""
# $1 group, $2 topic, $3 partition, $4 from, $5 to
MOVE = """
UPDATE $.offsets SET next_offset = $5, updated_at = clock_timestamp()
WHERE consumer_group = $1 AND topic = $2 AND partition = $3 AND next_offset = $4 RETURNING true
"""
# $1 group, $2 topic, $3 partition, $4 to
BEGIN = """
INSERT INTO $.offsets (consumer_group, topic, partition, next_offset) VALUES ($1, $2, $3, $4)
ON CONFLICT DO NOTHING RETURNING true
"""
# $1 group, $2 topic, $3 channels
POSITIONS = """
SELECT channel_id, epoch, seq FROM $.positions
WHERE consumer_group = $1 AND topic = $2 AND channel_id = ANY ($3::uuid[])
"""
# $1 group, $2 topic, $3 channels, $4 epochs, $5 seqs
RAISE = """
INSERT INTO $.positions (consumer_group, topic, channel_id, epoch, seq)
SELECT $1, $2, r.* FROM unnest($3::uuid[], $4::int[], $5::bigint[]) r
ON CONFLICT (consumer_group, topic, channel_id) DO UPDATE SET epoch = excluded.epoch, seq = excluded.seq
WHERE (positions.epoch, positions.seq) < (excluded.epoch, excluded.seq)
"""
# $1 group, $2 events; answers those that are new
PROCESSED = """
INSERT INTO $.processed_events (consumer_group, event_id) SELECT $1, e FROM unnest($2::uuid[]) e
ON CONFLICT DO NOTHING RETURNING event_id
"""
# $1 group, $2 topics, $3 partitions, $4 offsets; a dropped row stays dropped
TAKE = """
DELETE FROM $.parked p USING unnest($2::text[], $3::int[], $4::bigint[]) r (topic, partition, record_offset)
WHERE p.consumer_group = $1 AND p.topic = r.topic AND p.partition = r.partition AND p.record_offset = r.record_offset
  AND p.dropped_at IS NULL
RETURNING p.topic, p.partition, p.record_offset
"""
# $1 group, $2 topic, $3 partition, $4 offset, $5 event, $6 channel, $7 epoch, $8 seq, $9 error, $10 attempts, $11, $12.
# A redriven record that failed again has its row already.
PARK = """
INSERT INTO $.parked AS p (consumer_group, topic, partition, record_offset, event_id, channel_id, epoch, seq, error,
    attempts, first_at, last_at, dlq_confirmed_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, clock_timestamp())
ON CONFLICT (consumer_group, topic, partition, record_offset) DO UPDATE SET error = excluded.error,
    attempts = p.attempts + excluded.attempts, last_at = excluded.last_at,
    dlq_confirmed_at = excluded.dlq_confirmed_at, redriven_at = NULL
"""
# $1 group, $2 topic, $3 partition, $4 offset
IS_PARKED = """
SELECT true FROM $.parked
WHERE consumer_group = $1 AND topic = $2 AND partition = $3 AND record_offset = $4 AND dropped_at IS NULL
"""
# $1 group. A bounded number at a time, so that no other transaction waits for long.
PRUNE = (
    "DELETE FROM $.processed_events WHERE ctid = ANY (ARRAY(SELECT ctid FROM $.processed_events "
    "WHERE at < clock_timestamp() - interval '7 days' AND consumer_group = $1 LIMIT 5000))",
    "DELETE FROM $.parked WHERE dropped_at < clock_timestamp() - interval '30 days' AND consumer_group = $1",
)


def tables(schema: str, role: str) -> str:
    """The statements that a consuming service's migration runs: its tables, and the rights of its role."""
    return TABLES.replace("$", schema).replace("@", role)


class PostgresOffsets:
    """An OffsetStore of one group in one schema; the pool stays the caller's and needs a connection per partition that
    is worked on at once (`ConsumerLimits.concurrency`)."""

    def __init__(self, pool: Pool, schema: str, group: str) -> None:
        self._pool, self._schema, self._group = pool, schema, group

    async def load(self, places: Collection[Place]) -> Mapping[Place, int]:
        async with self._connection() as conn:
            rows = await conn.fetch(self._sql(LOAD), self._group, [p[0] for p in places], [p[1] for p in places])
        return {(row["topic"], row["partition"]): row["next_offset"] for row in rows}

    async def settle(self, step: Step, apply: Apply | None) -> Settled:
        async with self._connection() as conn, conn.transaction():
            await self._move(conn, step)
            fresh, reached = await self._unseen(conn, step)
            if apply is not None and (fresh or not step.events):
                await _apply(apply, conn, Batch(*step.place, fresh, step.at_end))
            if step.parked is not None:
                await self._park(conn, step.parked, reached)
            if reached:
                await self._raise(conn, step.place[0], reached)
        return Settled(len(fresh), len(step.events) - len(fresh))

    async def parked(self, origin: Origin) -> bool:
        async with self._connection() as conn:
            return bool(await conn.fetchval(self._sql(IS_PARKED), self._group, *origin))

    async def prune(self) -> None:
        async with self._connection() as conn:
            for statement in PRUNE:
                await conn.execute(self._sql(statement), self._group)

    def _sql(self, statement: str) -> str:
        return statement.replace("$.", f"{self._schema}.")

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[asyncpg.Connection]:
        """What means that Postgres is away, or busy, is no fault of a record."""
        try:
            async with self._pool.acquire() as conn:
                yield conn
        except _AWAY as error:
            raise StoreUnavailable(f"Postgres did not take it: {error!r}.", next_step="check Postgres.") from error

    async def _move(self, conn: asyncpg.Connection, step: Step) -> None:
        if step.start is None:
            moved = await conn.fetchval(self._sql(BEGIN), self._group, *step.place, step.end)
        else:
            moved = await conn.fetchval(self._sql(MOVE), self._group, *step.place, step.start, step.end)
        if not moved:
            raise StaleOwner(f"The offset of {step.place[0]}/{step.place[1]} is not {step.start} any more.")

    async def _unseen(self, conn: asyncpg.Connection, step: Step) -> tuple[list[Delivered], dict[UUID, Position]]:
        channels = {delivered.channel for delivered in step.events} - {None}
        facts = {delivered.id for delivered in step.events if delivered.channel is None}
        origins = [delivered.redriven for delivered in step.events if delivered.redriven is not None]
        positions: dict[UUID, Position] = {}
        if channels:
            rows = await conn.fetch(self._sql(POSITIONS), self._group, step.place[0], list(channels))
            positions = {row["channel_id"]: Position(row["epoch"], row["seq"]) for row in rows}
        new: set[UUID] = set()
        if facts:
            rows = await conn.fetch(self._sql(PROCESSED), self._group, sorted(facts))
            new = {row["event_id"] for row in rows}
        taken: set[Origin] = set()
        if origins:
            rows = await conn.fetch(self._sql(TAKE), self._group, *map(list, zip(*origins, strict=True)))
            taken = {Origin(row["topic"], row["partition"], row["record_offset"]) for row in rows}
        return unseen(step.events, positions, facts - new, taken)

    async def _park(self, conn: asyncpg.Connection, parked: Parked, reached: dict[UUID, Position]) -> None:
        """What is parked counts as seen: its repeat at another offset must not be parked, and redriven, once more."""
        position = parked.position
        place: tuple[Any, ...] = (None, None) if position is None else (position.epoch, position.seq)
        await conn.execute(
            self._sql(PARK),
            self._group,
            *parked.origin,
            parked.event_id,
            parked.channel,
            *place,
            parked.error,
            parked.attempts,
            parked.first_at,
            parked.last_at,
        )
        if parked.channel is not None and position is not None:
            reached[parked.channel] = position
        elif parked.event_id is not None:
            await conn.fetch(self._sql(PROCESSED), self._group, [parked.event_id])

    async def _raise(self, conn: asyncpg.Connection, topic: str, reached: Mapping[UUID, Position]) -> None:
        channels = sorted(reached)
        epochs = [reached[channel].epoch for channel in channels]
        seqs = [reached[channel].seq for channel in channels]
        await conn.execute(self._sql(RAISE), self._group, topic, channels, epochs, seqs)


async def _apply(apply: Apply, conn: asyncpg.Connection, batch: Batch) -> None:
    """A statement of the effect that runs into its time-out may be the record's doing; one of ours is the server's."""
    try:
        await apply(conn, batch)
    except asyncpg.QueryCanceledError as error:
        raise EffectTooSlow(f"Postgres ended a statement of the effect: {error}.") from error
