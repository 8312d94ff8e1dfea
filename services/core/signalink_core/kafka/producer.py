"""The real producer: idempotent aiokafka, whole batches per partition, deadlines of our own.

aiokafka's idempotent producer never gives a batch up: its `stop()` can hang and a batch that "failed" can appear later.
So after any failure the client is dropped and a new one is made; what was not acknowledged may still land, and the
caller sends it again: a repeat, never a loss. Order per partition: a batch leaves only when the one before it was
acknowledged.
"""

import asyncio
import contextlib
from collections.abc import Sequence
from typing import Final

from aiokafka import AIOKafkaProducer
from aiokafka.errors import (
    CorruptRecordException,
    InvalidTimestampError,
    KafkaError,
    MessageSizeTooLargeError,
    RecordListTooLargeError,
    TopicAuthorizationFailedError,
    UnknownTopicOrPartitionError,
)
from aiokafka.producer.message_accumulator import BatchBuilder

from signalink_core import faults
from signalink_core.errors import FaultInjected
from signalink_core.kafka.batching import NOT_SENT, Place, Work
from signalink_core.kafka.errors import KafkaUnavailable, Problem, RecordRefused, TopicMissing
from signalink_core.kafka.records import Record
from signalink_core.lifecycle import Lifecycle
from signalink_core.settings import KafkaSettings
from signalink_core.telemetry import logging, names

DEADLINE_SECONDS: Final = 10.0
METADATA_SECONDS: Final = 2.0
STOP_SECONDS: Final = 2.0
BATCH_BYTES: Final = 512 * 1024
"""Half of Kafka's default for max.message.bytes."""
LEAST_BATCH_BYTES: Final = 1024

_TOO_LARGE = (MessageSizeTooLargeError, RecordListTooLargeError)
_FOR_EVER = (*_TOO_LARGE, CorruptRecordException, InvalidTimestampError)
_BROKEN = (KafkaError, OSError, FaultInjected)

log = logging.get_logger(__name__)


class KafkaProducer(Lifecycle):
    """Starts without Kafka: the connection is made by the first call that needs it. One call is served at a time."""

    def __init__(
        self, kafka: KafkaSettings, *, client_id: str = "signalink", deadline_seconds: float = DEADLINE_SECONDS
    ) -> None:
        super().__init__()
        self._kafka = kafka
        self._client_id = client_id
        self._deadline = deadline_seconds
        self._turn = asyncio.Lock()
        self._client: AIOKafkaProducer | None = None
        self._limits: dict[str, int] = {}
        self.dropped = 0
        """Clients that were given up after a failure."""

    async def send_batches(self, records: Sequence[Record]) -> list[Problem | None]:
        """See `records.Producer`."""
        work = Work(records)
        async with self._turn:
            try:
                async with asyncio.timeout(self._deadline):
                    await self._send_all(work)
            except TimeoutError:
                await self._drop(f"no acknowledgement within {self._deadline} s")
            except _BROKEN as error:
                await self._drop(repr(error))
                work.outcomes = [_unavailable(error) if o is NOT_SENT else o for o in work.outcomes]
        return work.outcomes

    async def probe(self) -> Problem | None:
        """See `records.Producer`."""
        async with self._turn:
            try:
                async with asyncio.timeout(self._deadline):
                    client = await self._connected()
                    if await client.client.force_metadata_update():
                        return None
            except (TimeoutError, *_BROKEN) as error:
                await self._drop(repr(error))
                return _unavailable(error)
        return KafkaUnavailable("Kafka does not answer.", next_step="check that the broker runs.")

    async def topics(self) -> frozenset[str] | KafkaUnavailable:
        """See `records.Producer`."""
        async with self._turn:
            try:
                async with asyncio.timeout(self._deadline):
                    client = await self._connected()
                    found = (await client.client.fetch_all_metadata()).topics()
            except (TimeoutError, *_BROKEN) as error:
                await self._drop(repr(error))
                return _unavailable(error)
        prefix = self._kafka.topic("")
        return frozenset(name[len(prefix) :] for name in found if name.startswith(prefix))

    async def _stop(self) -> None:
        async with self._turn:
            client, self._client = self._client, None
            if client is None:
                return
            try:
                await asyncio.wait_for(client.stop(), STOP_SECONDS)
            except (TimeoutError, *_BROKEN):
                await _abandon(client)

    async def _send_all(self, work: Work) -> None:
        await faults.point("kafka.produce")
        partitions, missing = await self._partitions(work.topics())
        work.queue(partitions, missing)
        while work.queues:
            client = await self._connected()
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(self._send_partition(client, work, place)) for place in work.queues]
            if not all(task.result() for task in tasks):
                await self._drop("a batch was not taken")

    async def _partitions(self, topics: set[str]) -> tuple[dict[str, int], dict[str, Problem]]:
        client = await self._connected()
        counts: dict[str, int] = {}
        missing: dict[str, Problem] = {}
        for topic in sorted(topics):
            try:
                async with asyncio.timeout(METADATA_SECONDS):
                    counts[topic] = len(await client.partitions_for(self._kafka.topic(topic)))
            except TopicAuthorizationFailedError as error:
                missing[topic] = _unavailable(error)
            except (TimeoutError, UnknownTopicOrPartitionError):
                missing[topic] = TopicMissing(
                    f"Kafka has no topic {self._kafka.topic(topic)}.", next_step="apply its manifest."
                )
        return counts, missing

    async def _send_partition(self, client: AIOKafkaProducer, work: Work, place: Place) -> bool:
        """Send one partition's queue batch by batch; False when this client must not be used any more."""
        while (queue := work.queues.get(place)) is not None:
            batch = self._build(client, work, place)
            count, size = batch.record_count(), batch.size()
            try:
                await (await client.send_batch(batch, self._kafka.topic(place[0]), partition=place[1]))
            except (KafkaError, AssertionError) as error:  # it asserts that the partition still exists
                self._give_up(work, place, error, min(count, len(queue)), size)
                return False
            names.MESSAGING_CLIENT_SENT_MESSAGES_TOTAL.labels(topic=place[0]).inc(count)
            work.acknowledged(place, count)
        return True

    def _build(self, client: AIOKafkaProducer, work: Work, place: Place) -> BatchBuilder:
        batch: BatchBuilder = client.create_batch()
        limit = self._limits.get(place[0], BATCH_BYTES)
        for index in work.queues[place]:
            record = work.records[index]
            if batch.record_count() and batch.size() >= limit:
                break
            if batch.append(key=record.key, value=record.value, timestamp=None, headers=list(record.headers)) is None:
                break
        batch.close()
        return batch

    def _give_up(self, work: Work, place: Place, error: Exception, count: int, size: int) -> None:
        if isinstance(error, _TOO_LARGE) and count > 1:
            self._limits[place[0]] = max(LEAST_BATCH_BYTES, size // 2)
        elif isinstance(error, _FOR_EVER) and count == 1:
            work.refused(place, RecordRefused(f"Kafka refused the record for ever: {error!r}.", bytes=size))
        else:
            work.failed(place, _unavailable(error))

    async def _connected(self) -> AIOKafkaProducer:
        if self._client is None:
            self._client = AIOKafkaProducer(
                **self._kafka.client_kwargs(),
                client_id=self._client_id,
                acks="all",
                enable_idempotence=True,
                max_batch_size=BATCH_BYTES,
                request_timeout_ms=int(self._deadline * 1000),
                metadata_max_age_ms=60_000,
            )
            await self._client.start()
        return self._client

    async def _drop(self, why: str) -> None:
        client, self._client = self._client, None
        if client is not None:
            self.dropped += 1
            log.warning("producer_dropped", reason=why)
            await _abandon(client)


async def _abandon(client: AIOKafkaProducer) -> None:
    """End a client whose `stop()` would wait for batches that nobody wants any more.

    Its sender waits for requests in flight, so the connections are closed under it first. What it still held stays
    unanswered, which is what the caller was told.
    """
    client._closed = True
    sender = client._sender.sender_task
    if sender is not None:
        sender.cancel()
    with contextlib.suppress(TimeoutError, KafkaError, OSError):
        await asyncio.wait_for(client.client.close(), STOP_SECONDS)
    if sender is not None:
        await asyncio.wait({sender}, timeout=STOP_SECONDS)
        with contextlib.suppress(TimeoutError, KafkaError, OSError):
            await asyncio.wait_for(client.client.close(), STOP_SECONDS)


def _unavailable(error: BaseException) -> KafkaUnavailable:
    return KafkaUnavailable(f"Kafka did not take the record: {error!r}.", next_step="check the broker; send it again.")
