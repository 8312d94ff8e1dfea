"""A bare aiokafka producer with the relay's settings: the same records, whole batches per partition, nothing else.

Usage: send_batch.py FILE TOPIC; SIGNALINK_KAFKA_* say where. FILE: msgpack [(key, value, [(header, value)])]. Prints
one JSON line: records, seconds, cpu (user + system seconds between the first batch and the last acknowledgement).
"""

import asyncio
import json
import sys
import time
from collections import defaultdict
from pathlib import Path

import msgspec
import uvloop
from aiokafka import AIOKafkaProducer

from signalink_core.kafka.producer import BATCH_BYTES
from signalink_core.kafka.records import partition_of
from signalink_core.settings import KafkaSettings

Stored = tuple[bytes, bytes, list[tuple[str, bytes]]]


async def partition(producer: AIOKafkaProducer, topic: str, number: int, records: list[Stored]) -> None:
    """One partition in order: a batch leaves when the one before it was acknowledged."""
    at = 0
    while at < len(records):
        batch = producer.create_batch()
        while at < len(records):
            key, value, headers = records[at]
            if batch.append(key=key, value=value, timestamp=None, headers=headers) is None:
                break
            at += 1
        batch.close()
        await (await producer.send_batch(batch, topic, partition=number))


async def run(records: list[Stored], topic: str) -> dict[str, float]:
    kafka = KafkaSettings.from_env()
    producer = AIOKafkaProducer(
        **kafka.client_kwargs(), acks="all", enable_idempotence=True, max_batch_size=BATCH_BYTES
    )
    await producer.start()
    try:
        count = len(await producer.partitions_for(kafka.topic(topic)))
        queues: dict[int, list[Stored]] = defaultdict(list)
        for record in records:
            queues[partition_of(record[0], count)].append(record)
        began, cpu = time.monotonic(), time.process_time()
        await asyncio.gather(*(partition(producer, kafka.topic(topic), *each) for each in queues.items()))
        return {"records": len(records), "seconds": time.monotonic() - began, "cpu": time.process_time() - cpu}
    finally:
        await producer.stop()


if __name__ == "__main__":
    stored = msgspec.msgpack.decode(Path(sys.argv[1]).read_bytes(), type=list[Stored])
    print(json.dumps(uvloop.run(run(stored, sys.argv[2]))))  # noqa: T201 - a program's output
