"""The statements of a relay on an outbox: its leases, its read in log order, its cursor. Rules are in log.md 2 and 3.

Owns the SQL and what it answers; when to call what is decided in `leases`, `relay` and `heads`, for the backlog by the
prober. `$` stands for the schema, since another service may keep an outbox of the same shape.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import asyncpg
from asyncpg.exceptions import InterfaceError, InternalClientError, PostgresError

SHARDS = tuple(range(64))
ERRORS = (PostgresError, InterfaceError, InternalClientError, OSError, TimeoutError)
"""What a statement raises when Postgres is away, slow or refuses."""

# Whether this is still the log's server.
VERIFY = "SELECT $.current_epoch()"

# $1 holder, $2 shards. The relays that live beside this one.
OTHERS = """
SELECT count(DISTINCT holder) FROM $.relay_cursors
WHERE shard = ANY ($2::smallint[]) AND lease_until >= clock_timestamp() AND holder <> $1
"""

# $1 holder, $2 seconds, $3 shards, $4 the most of them. SKIP LOCKED: two relays that come at once share what is free
# and never wait.
ACQUIRE = """
UPDATE $.relay_cursors c
SET holder = $1, lease_until = clock_timestamp() + make_interval(secs => $2), fencing_epoch = c.fencing_epoch + 1
FROM (
    SELECT shard FROM $.relay_cursors
    WHERE shard = ANY ($3::smallint[]) AND (lease_until IS NULL OR lease_until < clock_timestamp())
    ORDER BY shard LIMIT $4 FOR UPDATE SKIP LOCKED
) free
WHERE c.shard = free.shard
RETURNING c.shard, c.fencing_epoch
"""

# $1 holder, $2 seconds, $3 shards, $4 fair share. One shard of whoever has more than that: from then on the others see
# this relay and give the rest back by themselves. An idle shard first, since of a busy one a batch is sent twice.
KNOCK = """
UPDATE $.relay_cursors c
SET holder = $1, lease_until = clock_timestamp() + make_interval(secs => $2), fencing_epoch = c.fencing_epoch + 1
FROM (
    SELECT r.shard FROM $.relay_cursors r JOIN (
        SELECT holder, count(*) AS shards FROM $.relay_cursors
        WHERE shard = ANY ($3::smallint[]) AND lease_until >= clock_timestamp() GROUP BY holder HAVING count(*) > $4
    ) rich USING (holder)
    WHERE r.shard = ANY ($3::smallint[])
    ORDER BY EXISTS (
        SELECT FROM $.events e WHERE e.shard = r.shard AND (e.epoch, e.xid, e.id) > (r.epoch, r.xid, r.event_id)
    ), rich.shards DESC, r.shard
    LIMIT 1 FOR UPDATE OF r SKIP LOCKED
) door
WHERE c.shard = door.shard
RETURNING c.shard, c.fencing_epoch
"""

# $1 holder, $2 seconds, $3 shards, $4 fencing epochs. A lease that ran out and that nobody took may go on.
RENEW = """
UPDATE $.relay_cursors c SET lease_until = clock_timestamp() + make_interval(secs => $2)
FROM unnest($3::smallint[], $4::bigint[]) h (shard, fencing_epoch)
WHERE c.shard = h.shard AND c.fencing_epoch = h.fencing_epoch AND c.holder = $1
RETURNING c.shard
"""

# $1 holder, $2 shards, $3 fencing epochs
RELEASE = """
UPDATE $.relay_cursors c SET holder = NULL, lease_until = NULL
FROM unnest($2::smallint[], $3::bigint[]) h (shard, fencing_epoch)
WHERE c.shard = h.shard AND c.fencing_epoch = h.fencing_epoch AND c.holder = $1
"""

# $1 shards, $2 fencing epochs, $3 rows per shard, $4 rows. One statement, so one snapshot: the epoch, xmin and the rows
# agree (current_epoch() would look with a younger snapshot and could hide a late row of the old epoch for ever).
# Row comparisons on both ends are index ranges of (shard, epoch, xid, id); spelled with OR they are a scan.
READ = """
WITH held AS MATERIALIZED (
    SELECT c.* FROM unnest($1::smallint[], $2::bigint[]) h (shard, fencing_epoch)
    JOIN $.relay_cursors c USING (shard, fencing_epoch)
), state AS MATERIALIZED (
    SELECT l.epoch AS current_epoch, pg_snapshot_xmin(now.snapshot) AS xmin,
        (SELECT count(*) FROM held) AS held,
        (SELECT min(c.shard) FROM held c
         WHERE c.epoch > l.epoch OR (c.epoch = l.epoch AND c.xid >= pg_snapshot_xmax(now.snapshot))) AS ahead
    FROM $.log_state l, (SELECT pg_current_snapshot() AS snapshot) now
)
SELECT s.*, e.*
FROM state s LEFT JOIN LATERAL (
    SELECT e.* FROM held c CROSS JOIN LATERAL (
        SELECT e.id, e.event_id, e.epoch, e.xid, e.shard, e.topic, e.aggregateid, e.type, e.channel_id, e.seq,
            e.payload, e.traceparent, e.occurred_at
        FROM $.events e
        WHERE e.shard = c.shard
          AND (e.epoch, e.xid, e.id) > (c.epoch, c.xid, c.event_id) AND (e.epoch, e.xid) < (s.current_epoch, s.xmin)
        ORDER BY e.epoch, e.xid, e.id LIMIT $3
    ) e
    WHERE s.ahead IS NULL
    ORDER BY e.epoch, e.xid, e.id LIMIT $4
) e ON true
"""

# $1 holder, $2 shards, $3 fencing epochs, $4 epochs, $5 xids, $6 ids. A stale relay moves nothing; no cursor goes back.
MOVE = """
UPDATE $.relay_cursors c SET epoch = t.epoch, xid = t.xid, event_id = t.id
FROM unnest($2::smallint[], $3::bigint[], $4::int[], $5::xid8[], $6::bigint[]) t (shard, fencing_epoch, epoch, xid, id)
WHERE c.shard = t.shard AND c.fencing_epoch = t.fencing_epoch AND c.holder = $1
  AND (c.epoch, c.xid, c.event_id) <= (t.epoch, t.xid, t.id)
RETURNING c.shard
"""

# $1 shards, $2 xid that the log had 10 s ago (NULL: not known, the last rows of the last minute stand in for it).
# Not limited to xmin: a head may be ahead of what the relay may publish, since the row is committed and readable.
HEADS = """
WITH state AS MATERIALIZED (
    SELECT l.epoch, pg_snapshot_xmin(pg_current_snapshot()) AS xmin FROM $.log_state l
)
SELECT s.epoch, s.xmin, h.channel_id, h.seq
FROM state s LEFT JOIN LATERAL (
    SELECT e.channel_id, max(e.seq) AS seq
    FROM unnest($1::smallint[]) AS wanted (shard) CROSS JOIN LATERAL (
        SELECT r.channel_id, r.seq FROM $.events r
        WHERE $2::xid8 IS NOT NULL AND r.shard = wanted.shard AND r.epoch = s.epoch AND r.xid >= $2::xid8
        UNION ALL
        SELECT b.channel_id, b.seq FROM (
            SELECT r.channel_id, r.seq, r.occurred_at FROM $.events r
            WHERE $2::xid8 IS NULL AND r.shard = wanted.shard AND r.epoch = s.epoch
            ORDER BY r.xid DESC, r.id DESC LIMIT 256
        ) b WHERE b.occurred_at > clock_timestamp() - interval '60 s'
    ) e
    WHERE e.channel_id IS NOT NULL GROUP BY e.channel_id
) h ON true
"""

# $1 shards. Counted up to 1,000 rows a shard: a gauge must not cost more than the work it shows.
BACKLOG = """
SELECT c.shard, b.pending, b.oldest
FROM $.relay_cursors c CROSS JOIN LATERAL (
    SELECT count(*) AS pending, min(w.occurred_at) AS oldest FROM (
        SELECT e.occurred_at FROM $.events e
        WHERE e.shard = c.shard AND (e.epoch, e.xid, e.id) > (c.epoch, c.xid, c.event_id)
        ORDER BY e.epoch, e.xid, e.id LIMIT 1000
    ) w
) b
WHERE c.shard = ANY ($1::smallint[])
"""


@dataclass(frozen=True, slots=True)
class Place:
    """A place in a shard's log order."""

    epoch: int
    xid: int
    id: int


@dataclass(frozen=True, slots=True)
class Page:
    """One read. `rows` in log order over all shards; `held` counts the asked shards that are still the reader's;
    `ahead` names a shard whose cursor is beyond this server's log; `end` is where an empty shard's cursor may go."""

    rows: Sequence[Mapping[str, Any]]
    held: int
    ahead: int | None
    end: Place


class Outbox:
    """The statements for one schema."""

    def __init__(self, schema: str = "messaging", *, read: str = READ) -> None:
        self._schema = schema
        self._read = self._sql(read)

    def _sql(self, statement: str) -> str:
        return statement.replace("$.", f"{self._schema}.")

    async def verify(self, conn: asyncpg.Connection) -> None:
        """Raises PostgresError SL001 on another server than the log's."""
        await conn.execute(self._sql(VERIFY))

    async def acquire(
        self, conn: asyncpg.Connection, holder: str, seconds: float, shards: Sequence[int], most: int = len(SHARDS)
    ) -> dict[int, int]:
        """Take at most `most` of what is free; shard -> fencing epoch."""
        rows = await conn.fetch(self._sql(ACQUIRE), holder, seconds, list(shards), most)
        return {row["shard"]: row["fencing_epoch"] for row in rows}

    async def others(self, conn: asyncpg.Connection, holder: str, shards: Sequence[int]) -> int:
        """How many other relays hold some of these shards now."""
        count: int = await conn.fetchval(self._sql(OTHERS), holder, list(shards))
        return count

    async def knock(
        self, conn: asyncpg.Connection, holder: str, seconds: float, shards: Sequence[int], share: int
    ) -> dict[int, int]:
        """Take one shard from a relay that has more than its share; empty when none has."""
        rows = await conn.fetch(self._sql(KNOCK), holder, seconds, list(shards), share)
        return {row["shard"]: row["fencing_epoch"] for row in rows}

    async def renew(self, conn: asyncpg.Connection, holder: str, seconds: float, held: Mapping[int, int]) -> set[int]:
        """The shards that are still the holder's."""
        rows = await conn.fetch(self._sql(RENEW), holder, seconds, list(held), list(held.values()))
        return {row["shard"] for row in rows}

    async def release(self, conn: asyncpg.Connection, holder: str, held: Mapping[int, int]) -> None:
        """Give all back at once."""
        await conn.execute(self._sql(RELEASE), holder, list(held), list(held.values()))

    async def read(self, conn: asyncpg.Connection, held: Mapping[int, int], per_shard: int, limit: int) -> Page:
        """The next rows after the cursors of the held shards."""
        rows = await conn.fetch(self._read, list(held), list(held.values()), per_shard, limit)
        first: Any = rows[0]
        found = [row for row in rows if row["id"] is not None]
        return Page(found, first["held"], first["ahead"], Place(first["current_epoch"], first["xmin"], 0))

    async def move(
        self, conn: asyncpg.Connection, holder: str, held: Mapping[int, int], places: Mapping[int, Place]
    ) -> set[int]:
        """Move the cursors of some held shards; the shards that moved."""
        to = list(places.values())
        rows = await conn.fetch(
            self._sql(MOVE),
            holder,
            list(places),
            [held[shard] for shard in places],
            [place.epoch for place in to],
            [place.xid for place in to],
            [place.id for place in to],
        )
        return {row["shard"] for row in rows}

    async def heads(self, conn: asyncpg.Connection, shards: Sequence[int], since: int | None) -> list[asyncpg.Record]:
        """Rows of (epoch, xmin, channel_id, seq); at least one, with NULLs when no channel moved."""
        rows: list[asyncpg.Record] = await conn.fetch(self._sql(HEADS), list(shards), since)
        return rows

    async def backlog(self, conn: asyncpg.Connection, shards: Sequence[int]) -> list[asyncpg.Record]:
        """Rows of (shard, pending, oldest)."""
        rows: list[asyncpg.Record] = await conn.fetch(self._sql(BACKLOG), list(shards))
        return rows
