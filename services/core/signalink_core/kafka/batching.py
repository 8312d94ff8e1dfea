"""The records of one call, queued per partition, and what became of each; shared by the producer and its twin."""

from collections import deque
from collections.abc import Sequence

from signalink_core.kafka.errors import KafkaUnavailable, Problem
from signalink_core.kafka.records import Record, partition_of

Place = tuple[str, int]
"""(logical topic, partition)"""
NOT_SENT = KafkaUnavailable("The record was not acknowledged in time.", next_step="send it again.")


class Work:
    """Indices into `records` per partition, in order; `outcomes` is the answer of `send_batches`."""

    def __init__(self, records: Sequence[Record]) -> None:
        self.records = records
        self.outcomes: list[Problem | None] = [NOT_SENT] * len(records)
        self.queues: dict[Place, deque[int]] = {}  # bound: one entry per record

    def topics(self) -> set[str]:
        return {record.topic for record in self.records}

    def queue(self, partitions: dict[str, int], missing: dict[str, Problem]) -> None:
        """Place every record. `partitions`: topic -> count; `missing`: the topics that cannot be written, and why."""
        for index, record in enumerate(self.records):
            if (problem := missing.get(record.topic)) is not None:
                self.outcomes[index] = problem
                continue
            place = (record.topic, partition_of(record.key, partitions[record.topic]))
            self.queues.setdefault(place, deque()).append(index)  # bound: the caller's records

    def acknowledged(self, place: Place, count: int) -> None:
        """The first `count` records of this partition's queue are in Kafka."""
        self._settle(place, count, None)

    def refused(self, place: Place, problem: Problem) -> None:
        """The first record of this partition's queue will never be taken; those behind it go on."""
        self._settle(place, 1, problem)

    def failed(self, place: Place, problem: Problem) -> None:
        """Nothing more of this partition is sent in this call, so that nothing overtakes."""
        self._settle(place, len(self.queues[place]), problem)

    def _settle(self, place: Place, count: int, outcome: Problem | None) -> None:
        queue = self.queues[place]
        for _ in range(count):
            self.outcomes[queue.popleft()] = outcome
        if not queue:
            del self.queues[place]
