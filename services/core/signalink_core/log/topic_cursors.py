"""The statements on cursors of further topics: a channel's events for a topic besides `messages`, in order of seq.

Within a channel seq order is commit order and a later seq is never seen before an earlier one, so no snapshot rule is
needed here. What is sent, and when, is decided in `copies`.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple
from uuid import UUID

import asyncpg

ROWS_PER_CURSOR = 64

# $1 shards, $2 fencing epochs, $3 topics to leave alone, $4 rows per cursor, $5 rows. Only under a lease.
READ = """
SELECT t.topic AS also_topic, t.until_seq, e.*
FROM unnest($1::smallint[], $2::bigint[]) h (shard, fencing_epoch)
JOIN messaging.relay_cursors c USING (shard, fencing_epoch)
JOIN messaging.topic_cursors t ON t.shard = c.shard AND t.topic <> ALL ($3::text[])
CROSS JOIN LATERAL (
    SELECT e.id, e.event_id, e.epoch, e.shard, e.topic, e.aggregateid, e.type, e.channel_id, e.seq, e.payload,
        e.traceparent, e.occurred_at, e.xid
    FROM messaging.events e
    WHERE e.channel_id = t.channel_id AND e.seq > t.seq AND e.seq <= coalesce(t.until_seq, e.seq)
    ORDER BY e.seq LIMIT $4
) e
LIMIT $5
"""

# $1 holder, $2 shards, $3 fencing epochs, $4 channels, $5 topics, $6 seqs. A stale relay moves nothing; none goes back.
MOVE = """
UPDATE messaging.topic_cursors t SET seq = m.seq
FROM unnest($4::uuid[], $5::text[], $6::bigint[]) m (channel_id, topic, seq),
    unnest($2::smallint[], $3::bigint[]) h (shard, fencing_epoch)
    JOIN messaging.relay_cursors c USING (shard, fencing_epoch)
WHERE (t.channel_id, t.topic) = (m.channel_id, m.topic) AND t.shard = h.shard AND c.holder = $1 AND t.seq < m.seq
"""

# $1 shards, $2 topics that Kafka does not have. Those that a channel has left and that have all they get; and those
# that it has left and that are gone.
END = """
DELETE FROM messaging.topic_cursors
WHERE shard = ANY ($1::smallint[]) AND until_seq IS NOT NULL AND (seq >= until_seq OR topic = ANY ($2::text[]))
RETURNING channel_id, topic, seq, until_seq
"""

# $1 time. As `rewind`: of each cursor the first event since then; and whoever holds its shard now moves nothing more.
REWIND = """
WITH target AS (
    SELECT t.channel_id, t.topic, t.shard, f.seq
    FROM messaging.topic_cursors t CROSS JOIN LATERAL (
        SELECT min(e.seq) AS seq FROM messaging.events e
        WHERE e.channel_id = t.channel_id AND e.occurred_at >= date_trunc('milliseconds', $1::timestamptz)
    ) f WHERE f.seq <= t.seq
), fenced AS (
    UPDATE messaging.relay_cursors c SET fencing_epoch = c.fencing_epoch + 1, holder = NULL, lease_until = NULL
    WHERE c.shard IN (SELECT shard FROM target)
)
UPDATE messaging.topic_cursors t SET seq = g.seq - 1 FROM target g
WHERE (t.channel_id, t.topic) = (g.channel_id, g.topic) RETURNING t.channel_id
"""


class Copied(NamedTuple):
    """A cursor and the seq it may move to."""

    channel_id: UUID
    topic: str
    seq: int


async def read(
    conn: asyncpg.Connection, held: Mapping[int, int], resting: Collection[str], limit: int
) -> list[asyncpg.Record]:
    """Events behind the cursors of the held shards, per cursor in order of seq; `also_topic` is where they go."""
    rows: list[asyncpg.Record] = await conn.fetch(
        READ, list(held), list(held.values()), list(resting), ROWS_PER_CURSOR, limit
    )
    return rows


async def move(conn: asyncpg.Connection, holder: str, held: Mapping[int, int], copied: Sequence[Copied]) -> None:
    """Move the cursors whose shards are still the holder's."""
    channels, topics, seqs = ([one[n] for one in copied] for n in range(3))
    await conn.execute(MOVE, holder, list(held), list(held.values()), channels, topics, seqs)


async def end(conn: asyncpg.Connection, shards: Collection[int], missing: Collection[str]) -> list[Mapping[str, Any]]:
    """Let go of the cursors that have nothing more to do; those that ended early have `seq` below `until_seq`."""
    return list(await conn.fetch(END, list(shards), list(missing)))


async def rewind(conn: asyncpg.Connection, since: Any) -> int:
    """How many cursors went back."""
    return len(await conn.fetch(REWIND, since))
