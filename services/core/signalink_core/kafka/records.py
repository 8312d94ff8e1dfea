"""What goes into Kafka and what comes out of it, and which partition a key belongs to. Plain data, no connection."""

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from aiokafka import ConsumerRecord
from aiokafka.partitioner import murmur2

from signalink_core.kafka.errors import KafkaUnavailable, Problem

KEYS_REMEMBERED = 10_000
"""About 1.5 MB; a busy channel's key is hashed once."""
Headers = Sequence[tuple[str, bytes]]


@dataclass(frozen=True, slots=True)
class Record:
    """One record to send; the order of records with one key in one topic is kept."""

    topic: str
    key: bytes
    value: bytes
    headers: Headers = ()


class StoredRecord(NamedTuple):
    """One record as Kafka holds it; `timestamp_ms` is when it was sent."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: Headers
    timestamp_ms: int


Fetched = StoredRecord | ConsumerRecord[bytes, bytes]
"""One record as a source hands it out; `stored` when more is needed than its offset, key, value and headers."""


def stored(topic: str, partition: int, record: Fetched) -> StoredRecord:
    """`topic`: its name without prefix, which a client's record does not know."""
    if isinstance(record, StoredRecord):
        return record
    return StoredRecord(
        topic, partition, record.offset, record.key, record.value, record.headers, timestamp_ms=record.timestamp
    )


class Producer(Protocol):
    """What the relay needs of Kafka; `producer.KafkaProducer` and `memory.MemoryProducer` are the two."""

    async def send_batches(self, records: Sequence[Record]) -> list[Problem | None]:
        """Send all and wait for every acknowledgement, at most 10 s; None or the problem, per record, in their order.

        Within one topic and key an acknowledged record never stands behind one that was not, except behind a
        `RecordRefused`. Never raises for Kafka's failures.
        """
        ...

    async def probe(self) -> Problem | None:
        """Whether Kafka answers now; at most 10 s."""
        ...

    async def topics(self) -> frozenset[str] | KafkaUnavailable:
        """The topics that this account may write or see, without the prefix; at most 10 s."""
        ...


def partition_of(key: bytes, partitions: int) -> int:
    """Kafka's default partitioner: murmur2 of the key (Java client, `Utils.murmur2`)."""
    return (_hash(key) & 0x7FFFFFFF) % partitions


@functools.lru_cache(maxsize=KEYS_REMEMBERED)
def _hash(key: bytes) -> int:
    """aiokafka's is Python: 3 us for a UUID, a tenth of what the relay spent on an event."""
    return int(murmur2(key))
