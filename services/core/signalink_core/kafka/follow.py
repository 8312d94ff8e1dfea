"""Follows whole topics from a moment on, every partition, without sharing them with anybody: for who looks on.

No offsets are kept for a restart; they are committed under a group's name only so that its lag can be seen. Effects and
exactly-once are the consumer's business, not this module's.
"""

import asyncio
import contextlib
import time
from collections.abc import Callable, Sequence
from typing import Final

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.errors import KafkaError

from signalink_core.kafka.records import StoredRecord, stored
from signalink_core.lifecycle import Lifecycle, full_jitter
from signalink_core.settings import KafkaSettings
from signalink_core.telemetry import logging

FETCH_MS: Final = 500
FETCH_RECORDS: Final = 1000
START_SECONDS: Final = 10.0
REQUEST_MS: Final = 10_000
COMMIT_SECONDS: Final = 5.0
STOP_SECONDS: Final = 2.0

log = logging.get_logger(__name__)


class Follower(Lifecycle):
    """`on_record` is called for each record, in order per partition; it must not block.

    `caught_up_at`: monotonic seconds at which everything that was in the topics then had been handed over; None while
    Kafka does not answer. After an outage it begins again `since_seconds` ago, so records may come twice with the same
    offset: `on_record` sees offsets and can tell.
    """

    def __init__(
        self,
        kafka: KafkaSettings,
        topics: Sequence[str],
        on_record: Callable[[StoredRecord], None],
        *,
        group: str,
        since_seconds: float = 0.0,
    ) -> None:
        super().__init__()
        self._kafka, self._topics, self._on_record = kafka, tuple(topics), on_record
        self._group, self._since = group, since_seconds
        self.caught_up_at: float | None = None

    async def _start(self) -> None:
        self.spawn(self._run(), "kafka-follower")

    async def _run(self) -> None:
        failures = 0
        while True:
            consumer = self._consumer()
            try:
                async with asyncio.timeout(START_SECONDS):
                    await consumer.start()
                    await self._begin(consumer)
                failures = 0
                await self._follow(consumer)
            except (KafkaError, OSError, TimeoutError) as error:
                failures += 1
                log.warning("follower_lost", reason=repr(error), attempt=failures)
            finally:
                self.caught_up_at = None
                with contextlib.suppress(TimeoutError, KafkaError, OSError):
                    await asyncio.wait_for(consumer.stop(), STOP_SECONDS)
            await asyncio.sleep(full_jitter(failures, cap=2.0))

    def _consumer(self) -> AIOKafkaConsumer:
        return AIOKafkaConsumer(
            **self._kafka.client_kwargs(),
            client_id=self._group,
            group_id=self._kafka.topic(self._group),
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            request_timeout_ms=REQUEST_MS,
            max_partition_fetch_bytes=1024 * 1024,
        )

    async def _begin(self, consumer: AIOKafkaConsumer) -> None:
        """Stand where the topics were `since_seconds` ago."""
        places: list[TopicPartition] = []
        for name in map(self._kafka.topic, self._topics):
            known = await consumer._client._wait_on_metadata(name)  # without a subscription it has to be told to ask
            places += [TopicPartition(name, partition) for partition in sorted(known or ())]
        consumer.assign(places)
        then = int((time.time() - self._since) * 1000)
        ends = await consumer.end_offsets(places)
        starts = await consumer.offsets_for_times(dict.fromkeys(places, then))
        for place in places:
            start = starts.get(place)
            consumer.seek(place, ends[place] if start is None or start.offset < 0 else start.offset)

    async def _follow(self, consumer: AIOKafkaConsumer) -> None:
        commit_at = 0.0
        while True:
            asked = time.monotonic()
            ends = await consumer.end_offsets(consumer.assignment())
            while True:
                for records in (await consumer.getmany(timeout_ms=FETCH_MS, max_records=FETCH_RECORDS)).values():
                    for record in records:
                        self._on_record(self._stored(record))
                positions = {place: await consumer.position(place) for place in ends}
                if all(positions[place] >= end for place, end in ends.items()):
                    break
            self.caught_up_at = asked
            if asked - commit_at >= COMMIT_SECONDS and positions:
                await consumer.commit(positions)
                commit_at = asked

    def _stored(self, record: ConsumerRecord[bytes, bytes]) -> StoredRecord:
        return stored(record.topic[len(self._kafka.topic_prefix) :], record.partition, record)
