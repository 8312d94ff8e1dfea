"""Reads a whole topic once, from its start to the end it had when the reading began. Bounded in time.

For proofs and dumps. Consuming for ever, with offsets and effects, is the consumer's business, not this module's.
"""

import asyncio

from aiokafka import AIOKafkaConsumer, ConsumerRecord
from aiokafka.errors import KafkaError, UnknownTopicOrPartitionError

from signalink_core.kafka.errors import KafkaUnavailable, TopicMissing
from signalink_core.kafka.records import StoredRecord
from signalink_core.settings import KafkaSettings

FETCH_MS = 500
FETCH_RECORDS = 5000
METADATA_MS = 5_000


async def read_topic(kafka: KafkaSettings, topic: str, *, within: float = 60.0) -> list[StoredRecord]:
    """Every record of `topic`, ordered by (partition, offset). `within`: seconds for all of it.

    Raises TopicMissing, or KafkaUnavailable when the end was not reached in time.
    """
    consumer = AIOKafkaConsumer(
        kafka.topic(topic),
        **kafka.client_kwargs(),
        client_id="signalink-reader",
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        request_timeout_ms=METADATA_MS,
        max_partition_fetch_bytes=4 * 1024 * 1024,
    )
    try:
        async with asyncio.timeout(within):
            await consumer.start()
            return await _read_to_end(consumer, topic)
    except UnknownTopicOrPartitionError as error:
        raise TopicMissing(
            f"Kafka has no topic {kafka.topic(topic)} that this principal may see.", next_step="apply its manifest."
        ) from error
    except (KafkaError, OSError, TimeoutError) as error:
        raise KafkaUnavailable(
            f"Topic {topic} was not read to its end within {within} s: {error!r}.",
            next_step="check that the broker runs and that this principal may read the topic.",
        ) from error
    finally:
        await consumer.stop()


async def _read_to_end(consumer: AIOKafkaConsumer, topic: str) -> list[StoredRecord]:
    partitions = consumer.assignment()
    ends = await consumer.end_offsets(partitions)
    found: list[StoredRecord] = []
    open_partitions = {partition for partition in partitions if await consumer.position(partition) < ends[partition]}
    while open_partitions:
        fetched = await consumer.getmany(*open_partitions, timeout_ms=FETCH_MS, max_records=FETCH_RECORDS)
        for partition, records in fetched.items():
            found += [_stored(topic, record) for record in records if record.offset < ends[partition]]
        open_partitions = {p for p in open_partitions if await consumer.position(p) < ends[p]}
    return sorted(found, key=lambda record: (record.partition, record.offset))


def _stored(topic: str, record: ConsumerRecord[bytes, bytes]) -> StoredRecord:
    return StoredRecord(
        topic, record.partition, record.offset, record.key, record.value, record.headers, record.timestamp
    )
