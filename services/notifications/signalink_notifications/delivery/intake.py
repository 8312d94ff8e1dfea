"""From records of topic `notifications` to rows of deliveries, in the transaction that moves the consumer's offset.

Owns the statement that makes a repeat find its row, and what a redriven record does: its failed deliveries are
attempted anew. Nothing here waits for a provider, so no provider holds up a partition.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final, cast

import asyncpg

from signalink_core.events.types import NOTIFICATION_REQUESTED, NotificationRequested
from signalink_core.ids import uuid7
from signalink_core.kafka.delivery import Batch, Delivered, Origin

# $1 rows. A time in a far future, by a wrong clock, is not waited for longer than quiet hours or a digest can last.
INSERT: Final = """
INSERT INTO notifications.deliveries (id, event_id, notification_id, user_id, channel, kind, channel_id, message_id,
    message_seq, sender_id, digest, told_at, asked_at, not_before, next_attempt_at, idempotency_key, record_partition,
    record_offset, record_headers, record_value)
SELECT id, event_id, notification_id, user_id, channel, kind, channel_id, message_id, message_seq, sender_id, digest,
    told_at, least(asked_at, clock_timestamp()),
    least(coalesce(not_before, clock_timestamp()), clock_timestamp() + interval '26 h'),
    least(greatest(coalesce(not_before, clock_timestamp()), coalesce(digest_at, clock_timestamp())),
          clock_timestamp() + interval '26 h'),
    id, record_partition, record_offset, record_headers, record_value
FROM jsonb_to_recordset($1) AS r (
    id uuid, event_id uuid, notification_id uuid, user_id uuid, channel text, kind text, channel_id uuid,
    message_id uuid, message_seq bigint, sender_id uuid, digest boolean, told_at timestamptz, asked_at timestamptz,
    not_before timestamptz, digest_at timestamptz, record_partition integer, record_offset bigint, record_headers jsonb,
    record_value text)
ORDER BY event_id, channel
ON CONFLICT (event_id, user_id, channel) DO NOTHING
"""
# $1 events. Each goes by itself, with a key of its own: what shared one with others would pass for the same mail.
AGAIN: Final = """
UPDATE notifications.deliveries
SET state = 'pending', reason = NULL, settled_at = NULL, round_from = attempts, asked_at = clock_timestamp(),
    next_attempt_at = clock_timestamp(), idempotency_key = id
WHERE event_id = ANY ($1::uuid[]) AND state = 'failed'
"""


async def apply(tx: asyncpg.Connection, batch: Batch) -> None:
    """The effect of the consumer. Raises BadRecord for data that is none of a notification's."""
    requested = [one for one in batch.events if one.event.type == NOTIFICATION_REQUESTED]
    rows = [row for one in requested for row in rows_of(one)]
    if rows:
        await tx.execute(INSERT, rows)
    redriven = [one.id for one in requested if one.redriven is not None]
    if redriven:
        await tx.execute(AGAIN, redriven)


def rows_of(delivered: Delivered) -> list[dict[str, Any]]:
    """One row per channel that was planned, each channel once."""
    data = cast(NotificationRequested, delivered.data())
    record, event = delivered.record, delivered.event
    origin = delivered.redriven or Origin(record.topic, record.partition, record.offset)
    common = {
        "event_id": event.id,
        "notification_id": data.notification_id,
        "user_id": data.user_id,
        "kind": data.kind,
        "channel_id": data.channel_id,
        "message_id": data.message_id,
        "message_seq": data.message_seq,
        "sender_id": data.sender_id,
        "told_at": data.created_at,
        "asked_at": event.time,
        "not_before": data.not_before,
        "record_partition": origin.partition,
        "record_offset": origin.offset,
        "record_headers": _headers(record.headers),
        "record_value": (record.value or b"").decode(errors="replace"),
    }
    return [
        {"id": uuid7(), "channel": channel, **common, **_digest(data, channel)}
        for channel in sorted(set(data.channels))
    ]


def _digest(data: NotificationRequested, channel: str) -> dict[str, bool | datetime | None]:
    """Only mails wait for each other."""
    digest = data.digest and channel == "email"
    return {"digest": digest, "digest_at": data.digest_at if digest else None}


def _headers(headers: Sequence[tuple[str, bytes]]) -> list[tuple[str, str]]:
    return [(name, (value or b"").decode(errors="replace")) for name, value in headers]
