"""What the stores hold at the end, as `dump` lines: the event log in its own order, and the Kafka topic `messages`.

Owns reading both whole; it compares nothing.
"""

from collections.abc import Collection, Iterator
from contextlib import suppress
from typing import Any
from uuid import UUID

from signalink_core.database import pool
from signalink_core.events import Event, from_record
from signalink_core.kafka import reader
from signalink_core.log.rows import to_event
from signalink_core.settings import KafkaSettings, PostgresSettings
from signalink_core.testing import eventually
from signalink_labs.history import Recorder, event_fields

PAGE = 2_000
TOPIC = "messages"
READ_LOG = """
SELECT epoch, xid::text AS xid_text, id, event_id, aggregateid, type, channel_id, seq, payload, traceparent, occurred_at
FROM messaging.events
WHERE channel_id = ANY($1) AND (epoch, xid, id) > ($2, $3::text::xid8, $4)
ORDER BY epoch, xid, id LIMIT $5
"""


async def log(postgres: PostgresSettings, channels: Collection[str]) -> list[Event]:
    """Answer all events of these channels in log order."""
    connection = await pool.connect(postgres)
    ids = [UUID(channel) for channel in channels]
    events: list[Event] = []
    after: tuple[Any, ...] = (0, "0", 0)
    try:
        while rows := await connection.fetch(READ_LOG, ids, *after, PAGE):
            events += [to_event(row) for row in rows]
            after = (rows[-1]["epoch"], rows[-1]["xid_text"], rows[-1]["id"])
    finally:
        await connection.close()
    return events


async def topic(kafka: KafkaSettings, channels: Collection[str], wanted: int, within: float) -> list[Event]:
    """Answer the topic's events of these channels by partition and offset, once `wanted` different ones are there."""
    events: list[Event] = []

    async def all_there() -> bool:
        events[:] = _of(await reader.read_topic(kafka, TOPIC), channels)
        return len({event.id for event in events}) >= wanted

    with suppress(AssertionError):
        await eventually(all_there, within=within, every=0.5)
    return events


def _of(records: Any, channels: Collection[str]) -> Iterator[Event]:
    for record in records:
        event = from_record(record.headers, record.value)
        if str(event.channel) in channels:
            yield event


def write(recorder: Recorder, store: str, events: list[Event]) -> None:
    """Record a whole dump."""
    for event in events:
        fields = event_fields(str(event.id), event.type, event.data)
        sender = event.data.get("sender_id")
        fields["user"] = str(sender) if sender else None
        recorder.record("note", "dump", view=store, ch=str(event.channel), seq=event.seq, **fields)
    recorder.record("ok", "dump", view=store, n=len(events))
