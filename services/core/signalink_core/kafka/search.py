"""Finds one record by its key and the id of its event, in the one partition its key belongs to. Bounded in all ways.

For a person who asks where a message is. `reader` reads whole topics, the consumer consumes; neither is done here.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Final
from uuid import UUID

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.errors import UnknownTopicOrPartitionError

from signalink_core.kafka import reading
from signalink_core.kafka.records import partition_of
from signalink_core.settings import KafkaSettings

FETCH_RECORDS: Final = 1000
MOST_RECORDS: Final = 20_000
ANSWER_SECONDS: Final = 5.0
Wanted = Callable[[ConsumerRecord[bytes, bytes]], bool]


@dataclass(frozen=True, slots=True)
class Found:
    """Where the search looked: `partition` from offset `start`, `read` records, up to `end`. `offset` None: not there.

    `timestamp_ms`: when the record was sent. `complete` False: the bound on records ended the search.
    """

    topic: str
    partition: int
    start: int
    end: int
    read: int
    complete: bool
    offset: int | None = None
    timestamp_ms: int | None = None


async def find_record(
    kafka: KafkaSettings,
    topic: str,
    key: bytes,
    event_id: UUID,
    *,
    since_ms: int,
    most: int = MOST_RECORDS,
    within: float = ANSWER_SECONDS,
) -> Found:
    """The first record of the event sent at or after `since_ms`; reads at most `most` records, `within` seconds in all.

    Raises TopicMissing, or KafkaUnavailable when Kafka does not answer in time.
    """
    wanted = partial(_is, event_id=str(event_id).encode())
    return await _find(kafka, topic, key, wanted, since_ms=since_ms, most=most, within=within)


async def find_text(
    kafka: KafkaSettings,
    topic: str,
    key: bytes,
    text: bytes,
    *,
    since_ms: int,
    most: int = MOST_RECORDS,
    within: float = ANSWER_SECONDS,
) -> Found:
    """The same for the first record with this key whose value holds `text`, as the id of a message."""
    wanted = partial(_holds, key=key, text=text)
    return await _find(kafka, topic, key, wanted, since_ms=since_ms, most=most, within=within)


async def _find(
    kafka: KafkaSettings, topic: str, key: bytes, wanted: Wanted, *, since_ms: int, most: int, within: float
) -> Found:
    options = {"client_id": "signalink-search", "request_timeout_ms": int(within * 1000)}
    async with reading.client(kafka, topic, within=within, assigned=False, **options) as consumer:
        return await _search(consumer, kafka.topic(topic), key, wanted, since_ms, most)


async def _search(
    consumer: AIOKafkaConsumer, topic: str, key: bytes, wanted: Wanted, since_ms: int, most: int
) -> Found:
    partitions = await _partitions(consumer, topic)
    place = TopicPartition(topic, partition_of(key, partitions))
    consumer.assign([place])
    end = (await consumer.end_offsets([place]))[place]
    start = (await consumer.offsets_for_times({place: since_ms}))[place]
    if start is None or start.offset < 0:
        return Found(topic, place.partition, end, end, 0, complete=True)
    consumer.seek(place, start.offset)
    read = 0
    while read < most and await consumer.position(place) < end:
        fetched = await consumer.getmany(
            place, timeout_ms=reading.FETCH_MS, max_records=min(FETCH_RECORDS, most - read)
        )
        for record in fetched.get(place, []):
            read += 1
            if wanted(record):
                return Found(topic, place.partition, start.offset, end, read, True, record.offset, record.timestamp)
    return Found(topic, place.partition, start.offset, end, read, complete=await consumer.position(place) >= end)


async def _partitions(consumer: AIOKafkaConsumer, topic: str) -> int:
    """How many the topic has. A consumer without a subscription has to be told to ask."""
    known = await consumer._client._wait_on_metadata(topic)
    if not known:
        raise UnknownTopicOrPartitionError(topic)
    return len(known)


def _is(record: ConsumerRecord[bytes, bytes], event_id: bytes) -> bool:
    return any(name == "ce_id" and value == event_id for name, value in record.headers)


def _holds(record: ConsumerRecord[bytes, bytes], key: bytes, text: bytes) -> bool:
    return record.key == key and text in (record.value or b"")
