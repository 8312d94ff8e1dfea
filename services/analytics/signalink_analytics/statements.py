"""The SQL of counting, named. Times travel as milliseconds, windows as minutes, ids as text: cheap to encode in bulk.

Rows come sorted by their keys, and tables are written in one order, so transactions wait for each other and never in a
circle.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from signalink_analytics.kinds import CHANNEL_COLUMNS, MESSAGE_COLUMNS, USER_COLUMNS

LOCK_SPACE: Final = 1397311309
"""First half of the advisory locks of this schema; the second is a window's slot, or one of those below."""
SLOTS: Final = 64
Key = tuple[str, str, str]
KEEPER: Final = 1_001
REBUILD: Final = 1_002

# $1 slots, sorted. Shared by all who count in these windows; a rollup and a rebuild take them alone. A statement of its
# own: what follows must be read after the lock was given.
ENTER: Final = f"SELECT count(pg_advisory_xact_lock_shared({LOCK_SPACE}, slot)) FROM unnest($1::int[]) slot"
# $1 slots, sorted
ENTER_ALONE: Final = f"SELECT count(pg_advisory_xact_lock({LOCK_SPACE}, slot)) FROM unnest($1::int[]) slot"

# $1 group, $2 topic, $3 partition, $4 how many partitions there are in all topics (NULL: not known)
MARKS: Final = """
SELECT floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint AS now,
    floor(extract(epoch FROM own.watermark) * 1000)::bigint AS own,
    CASE WHEN others.count > 0 THEN floor(extract(epoch FROM others.watermark) * 1000)::bigint
         WHEN others.count = 0 THEN 9223372036854775 END AS others,
    floor(extract(epoch FROM nullif(p.reached, '-infinity')) * 1000)::bigint AS final
FROM analytics.progress p
LEFT JOIN analytics.offsets own ON own.consumer_group = $1 AND own.topic = $2 AND own.partition = $3
LEFT JOIN (
    SELECT min(o.watermark) AS watermark, count(*) AS count FROM analytics.offsets o
    WHERE o.consumer_group = $1 AND (o.topic, o.partition) <> ($2, $3)
    HAVING count(o.watermark) = count(*) AND count(*) >= $4::int - 1
) others ON true
WHERE p.name = 'final'
"""
# $1 group, $2 how many partitions there are; NULL while one has told nothing
WATERMARK: Final = """
SELECT min(watermark) AS watermark FROM analytics.offsets WHERE consumer_group = $1
HAVING count(watermark) = count(*) AND count(*) >= $2::int
"""
# $1 group, $2 how many partitions there are, $3 the allowed lateness: until when all is over, in whole hours
OVER: Final = f"SELECT analytics.hour_of(w.watermark - $3::interval) FROM ({WATERMARK}) w"
# $1 group, $2 topic, $3 partition, $4 watermark
MOVE_ON: Final = """
UPDATE analytics.offsets SET watermark = greatest(watermark, timestamptz 'epoch' + $4::bigint * interval '1 ms')
WHERE consumer_group = $1 AND topic = $2 AND partition = $3
"""
# $1 channels
SAID: Final = """
SELECT channel_id::text AS channel, epoch, seq, sender_id::text AS sender,
    floor(extract(epoch FROM sent_at) * 1000)::bigint AS at
FROM analytics.conversations WHERE channel_id = ANY ($1::text[]::uuid[])
"""
# $1 channels, $2 epochs, $3 seqs, $4 senders, $5 times
SAY: Final = """
INSERT INTO analytics.conversations AS c (channel_id, epoch, seq, sender_id, sent_at)
SELECT channel::uuid, epoch, seq, sender::uuid, timestamptz 'epoch' + at * interval '1 ms'
FROM unnest($1::text[], $2::int[], $3::bigint[], $4::text[], $5::bigint[]) r (channel, epoch, seq, sender, at)
ON CONFLICT (channel_id) DO UPDATE SET epoch = excluded.epoch, seq = excluded.seq, sender_id = excluded.sender_id,
    sent_at = excluded.sent_at
WHERE (c.epoch, c.seq) < (excluded.epoch, excluded.seq)
"""
# $1 events, $2 topic, $3 partition, $4 offsets, $5 types, $6 channels, $7 seqs, $8 users, $9 times, $10 windows,
# $11 watermarks
LATE: Final = """
INSERT INTO analytics.late_events (event_id, topic, partition, record_offset, type, channel_id, seq, user_id,
    event_time, window_start, watermark, late_seconds)
SELECT event_id, $2, $3, record_offset, type, channel_id::uuid, seq, user_id::uuid, epoch.of + at * interval '1 ms',
    epoch.of + "window" * interval '1 min', epoch.of + watermark * interval '1 ms',
    (watermark - ("window" + 1) * 60000) / 1000.0
FROM unnest($1::uuid[], $4::bigint[], $5::text[], $6::text[], $7::bigint[], $8::text[], $9::bigint[], $10::bigint[],
    $11::bigint[]) r (event_id, record_offset, type, channel_id, seq, user_id, at, "window", watermark),
    (SELECT timestamptz 'epoch') epoch (of)
ON CONFLICT (event_id) DO NOTHING
"""
# $1 events, $2 topic, $3 types, $4 channels, $5 seqs, $6 times, $7 counted at
CLAMPED: Final = """
INSERT INTO analytics.clamped_events (event_id, topic, type, channel_id, seq, event_time, counted_at)
SELECT event_id, $2, type, channel_id::uuid, seq, epoch.of + at * interval '1 ms', epoch.of + counted * interval '1 ms'
FROM unnest($1::uuid[], $3::text[], $4::text[], $5::bigint[], $6::bigint[], $7::bigint[])
    r (event_id, type, channel_id, seq, at, counted),
    (SELECT timestamptz 'epoch') epoch (of)
ON CONFLICT (event_id) DO NOTHING
"""


@dataclass(frozen=True, slots=True)
class Counts:
    """A table of counters. `keys`: column, its expression over the parameter `k_<column>`, the parameter's type."""

    table: str
    keys: tuple[Key, ...]
    columns: tuple[str, ...]
    arrays: tuple[str, ...] = ()

    @lru_cache(maxsize=512)  # noqa: B019 - three of them, for ever
    def add(self, columns: tuple[str, ...]) -> str:
        """Add to these columns; what nobody counted is not sent. Parameters: the keys and `columns`, each an array
        written as one text, then `arrays` as arrays of such texts. asyncpg looks twice at each element of an array that
        it encodes itself."""
        names = [name for name, _, _ in self.keys]
        types = [f"text::{kind}" for _, _, kind in self.keys] + ["text::bigint"] * len(columns)
        given = ", ".join(f"${place}::{kind}[]" for place, kind in enumerate([*types, *["text"] * len(self.arrays)], 1))
        added = [f"{column} = m.{column} + excluded.{column}" for column in columns]
        added += [f"{column} = analytics.plus(m.{column}, excluded.{column})" for column in self.arrays]
        values = [*(value for _, value, _ in self.keys), *columns, *(f"{array}::bigint[]" for array in self.arrays)]
        return (
            f"INSERT INTO analytics.{self.table} AS m ({', '.join([*names, *columns, *self.arrays])}) "
            f"SELECT {', '.join(values)} FROM unnest({given}) "
            f"r ({', '.join([*(f'k_{name}' for name in names), *columns, *self.arrays])}) "
            f"ON CONFLICT ({', '.join(names)}) DO {'UPDATE SET ' + ', '.join(added) if added else 'NOTHING'}"
        )


_WINDOW: Final = ("window_start", "to_timestamp(k_window_start * 60)", "bigint")
_CHANNEL: Final = ("channel_id", "k_channel_id::uuid", "text")
MESSAGES: Final = Counts("message_metrics", (_WINDOW, ("part", "k_part", "smallint")), MESSAGE_COLUMNS)
CHANNELS: Final = Counts("channel_metrics", (_WINDOW, _CHANNEL), CHANNEL_COLUMNS, ("lengths", "responses"))
USERS: Final = Counts("user_metrics", (_WINDOW, ("user_id", "k_user_id::uuid", "text"), _CHANNEL), USER_COLUMNS)
