"""The memory twin of Kafka and its producer, for tests and demonstrations without a broker. Same answers, no loss.

The consuming side is in `memory_group`.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from signalink_core.kafka.batching import Place, Work
from signalink_core.kafka.errors import KafkaUnavailable, Problem, RecordRefused, TopicMissing
from signalink_core.kafka.records import Record, StoredRecord
from signalink_core.lifecycle import Lifecycle

MemoryMembers = list[Any]
"""The members of one group, `memory_group.MemorySource`, in the order in which they joined."""


class MemoryKafka:
    """Topics, what they hold, their groups. `available` False: nothing is acknowledged. `max_bytes`: of a value."""

    def __init__(self, topics: Mapping[str, int], *, max_bytes: int = 1_000_000) -> None:
        self.topics = dict(topics)
        self.max_bytes = max_bytes
        self.available = True
        self.groups: dict[str, MemoryMembers] = defaultdict(list)
        self.committed: dict[str, dict[Place, int]] = defaultdict(dict)
        self._log: dict[Place, list[StoredRecord]] = defaultdict(list)

    def append(self, place: Place, record: Record) -> None:
        topic, partition = place
        log = self._log[place]
        log.append(
            StoredRecord(topic, partition, len(log), record.key, record.value, tuple(record.headers), timestamp_ms=0)
        )

    def after(self, place: Place, offset: int) -> list[StoredRecord]:
        """The records of one partition from an offset on."""
        return self._log[place][offset:]

    def end(self, place: Place) -> int:
        return len(self._log[place])

    def read(self, topic: str) -> list[StoredRecord]:
        """Every record of a topic, ordered by (partition, offset); the twin of `reader.read_topic`."""
        return [record for place in sorted(self._log) if place[0] == topic for record in self._log[place]]


class MemoryProducer(Lifecycle):
    """Writes to a MemoryKafka as `producer.KafkaProducer` writes to a broker."""

    def __init__(self, kafka: MemoryKafka) -> None:
        super().__init__()
        self._kafka = kafka

    async def send_batches(self, records: Sequence[Record]) -> list[Problem | None]:
        """See `records.Producer`."""
        work = Work(records)
        if not self._kafka.available:
            return work.outcomes
        missing = work.topics() - self._kafka.topics.keys()
        work.queue(self._kafka.topics, {topic: TopicMissing(f"Kafka has no topic {topic}.") for topic in missing})
        for place in list(work.queues):
            while place in work.queues:
                self._take(work, place)
        return work.outcomes

    async def probe(self) -> Problem | None:
        """See `records.Producer`."""
        return None if self._kafka.available else KafkaUnavailable("Kafka does not answer.")

    async def topics(self) -> frozenset[str] | KafkaUnavailable:
        """See `records.Producer`."""
        if not self._kafka.available:
            return KafkaUnavailable("Kafka does not answer.")
        return frozenset(self._kafka.topics)

    def _take(self, work: Work, place: Place) -> None:
        record = work.records[work.queues[place][0]]
        if len(record.value) > self._kafka.max_bytes:
            work.refused(place, RecordRefused("Kafka refused the record for ever: too large.", bytes=len(record.value)))
            return
        self._kafka.append(place, record)
        work.acknowledged(place, 1)
