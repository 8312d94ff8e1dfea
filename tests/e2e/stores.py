"""Reads both stores whole: the event log in its own order, and the Kafka topic `messages`.

Owns reading; it compares nothing. Where a cluster's engines cannot be reached from outside, `cluster.py` runs this text
in a pod that has the account: one JSON request on stdin (`Request`), one event a line on stdout.
"""

import asyncio
import json
import sys
from collections.abc import Collection, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from signalink_core.database import pool
from signalink_core.events import Event, from_record
from signalink_core.kafka import reader
from signalink_core.log.rows import to_event
from signalink_core.settings import KafkaSettings, PostgresSettings
from signalink_core.testing import eventually

PAGE = 2_000
TOPIC = "messages"
READ_LOG = """
SELECT epoch, xid::text AS xid_text, id, event_id, aggregateid, type, channel_id, seq, payload, traceparent, occurred_at
FROM messaging.events
WHERE channel_id = ANY($1) AND (epoch, xid, id) > ($2, $3::text::xid8, $4)
ORDER BY epoch, xid, id LIMIT $5
"""


@dataclass(frozen=True)
class Told:
    """What a history needs of an event."""

    id: str
    type: str
    channel: str
    seq: int | None
    data: dict[str, Any]


async def log(postgres: PostgresSettings, channels: Collection[str]) -> list[Told]:
    """Answer all events of these channels in log order."""
    connection = await pool.connect(postgres)
    ids = [UUID(channel) for channel in channels]
    events: list[Told] = []
    after: tuple[Any, ...] = (0, "0", 0)
    try:
        while rows := await connection.fetch(READ_LOG, ids, *after, PAGE):
            events += [told(to_event(row)) for row in rows]
            after = (rows[-1]["epoch"], rows[-1]["xid_text"], rows[-1]["id"])
    finally:
        await connection.close()
    return events


async def topic(kafka: KafkaSettings, channels: Collection[str], wanted: int, within: float) -> list[Told]:
    """Answer the topic's events of these channels by partition and offset, once `wanted` different ones are there."""
    events: list[Told] = []

    async def all_there() -> bool:
        events[:] = _of(await reader.read_topic(kafka, TOPIC), channels)
        return len({event.id for event in events}) >= wanted

    with suppress(AssertionError):
        await eventually(all_there, within=within, every=0.5)
    return events


def _of(records: Any, channels: Collection[str]) -> Iterator[Told]:
    for record in records:
        event = from_record(record.headers, record.value)
        if str(event.channel) in channels:
            yield told(event)


def told(event: Event) -> Told:
    return Told(str(event.id), event.type, str(event.channel), event.seq, dict(event.data))


async def answer(request: dict[str, Any]) -> list[Told]:
    """`{"store": "log" | "topic", "channels": [..]}`, for a topic also `wanted` and `within`; accounts as in env."""
    channels = set(request["channels"])
    if request["store"] == "log":
        return await log(PostgresSettings.from_env(), channels)
    return await topic(KafkaSettings.from_env(), channels, request["wanted"], request["within"])


if __name__ == "__main__":
    for each in asyncio.run(answer(json.load(sys.stdin))):
        sys.stdout.write(json.dumps(vars(each), default=str) + "\n")
