"""Reads a whole topic once, from its start to the end it had when the reading began. Bounded in time.

For proofs and dumps. Consuming for ever, with offsets and effects, is the consumer's business, not this module's.
"""

from aiokafka import AIOKafkaConsumer

from signalink_core.kafka import reading
from signalink_core.kafka.records import StoredRecord, stored
from signalink_core.settings import KafkaSettings

FETCH_RECORDS = 5000
METADATA_MS = 5_000
PARTITION_BYTES = 4 * 1024 * 1024


async def read_topic(kafka: KafkaSettings, topic: str, *, within: float = 60.0) -> list[StoredRecord]:
    """Every record of `topic`, ordered by (partition, offset). `within`: seconds for all of it.

    Raises TopicMissing, or KafkaUnavailable when the end was not reached in time.
    """
    options = {"client_id": "signalink-reader", "request_timeout_ms": METADATA_MS}
    async with reading.client(
        kafka, topic, within=within, assigned=True, max_partition_fetch_bytes=PARTITION_BYTES, **options
    ) as consumer:
        return await _read_to_end(consumer, topic)


async def _read_to_end(consumer: AIOKafkaConsumer, topic: str) -> list[StoredRecord]:
    partitions = consumer.assignment()
    ends = await consumer.end_offsets(partitions)
    found: list[StoredRecord] = []
    open_partitions = {partition for partition in partitions if await consumer.position(partition) < ends[partition]}
    while open_partitions:
        fetched = await consumer.getmany(*open_partitions, timeout_ms=reading.FETCH_MS, max_records=FETCH_RECORDS)
        for partition, records in fetched.items():
            found += [stored(topic, record.partition, record) for record in records if record.offset < ends[partition]]
        open_partitions = {p for p in open_partitions if await consumer.position(p) < ends[p]}
    return sorted(found, key=lambda record: (record.partition, record.offset))
