"""A bare aiokafka consumer loop with the service's settings: `getmany`, and each record decoded; nothing more.

Usage: getmany.py TOPIC RECORDS json|events; SIGNALINK_KAFKA_* say where. Decoded are the JSON value and the headers to
a dict (json), or all that every consumer of the platform reads of a record (events).
Prints one JSON line: records, seconds, cpu (user + system seconds) between the first batch and the last.
"""

import json
import sys
import time
import uuid
from collections.abc import Callable
from typing import Any

import orjson
import uvloop
from aiokafka import AIOKafkaConsumer, TopicPartition

from signalink_core.kafka.delivery import read
from signalink_core.kafka.source import FETCH_BYTES, FETCH_SECONDS, PARTITION_BYTES
from signalink_core.settings import KafkaSettings

MOST_RECORDS = 4_000


def as_json(record: Any) -> None:
    dict(record.headers)
    orjson.loads(record.value)


def as_event(record: Any) -> None:
    read((record.topic, record.partition), record, "bare")


async def run(topic: str, records: int, decode: Callable[[Any], None]) -> dict[str, float]:
    kafka = KafkaSettings.from_env()
    consumer = AIOKafkaConsumer(
        **kafka.client_kwargs(),
        client_id=f"bare-{uuid.uuid4()}",
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        fetch_max_bytes=FETCH_BYTES,
        max_partition_fetch_bytes=PARTITION_BYTES,
    )
    await consumer.start()
    try:
        known = await consumer._client._wait_on_metadata(kafka.topic(topic))
        places = [TopicPartition(kafka.topic(topic), partition) for partition in sorted(known)]
        consumer.assign(places)
        await consumer.seek_to_beginning(*places)
        seen = first = 0
        began = cpu = 0.0
        while seen < records:
            fetched = await consumer.getmany(timeout_ms=int(FETCH_SECONDS * 1000), max_records=MOST_RECORDS)
            for batch in fetched.values():
                for record in batch:
                    decode(record)
                seen += len(batch)
            if not first and seen:
                began, cpu, first = time.monotonic(), time.process_time(), seen
        seconds = time.monotonic() - began
        return {"records": seen - first, "seconds": seconds, "cpu": time.process_time() - cpu}
    finally:
        await consumer.stop()


if __name__ == "__main__":
    chosen = {"json": as_json, "events": as_event}[sys.argv[3]]
    print(json.dumps(uvloop.run(run(sys.argv[1], int(sys.argv[2]), chosen))))  # noqa: T201 - a program's output
