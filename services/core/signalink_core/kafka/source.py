"""Where a consumer's records come from: the group's member on Kafka (aiokafka), behind a small port.

Owns the client, its time-outs and its bounds, and that nothing is handed out before the caller opened a partition at an
offset of its own. What is done with records, and when, is `consumer`'s. `memory_group.MemorySource` is the twin.
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping, Sequence
from typing import Any, Final, Protocol

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.abc import ConsumerRebalanceListener
from aiokafka.errors import IllegalStateError, KafkaError, UnknownTopicOrPartitionError

from signalink_core.kafka.batching import Place
from signalink_core.kafka.errors import KafkaUnavailable, TopicMissing
from signalink_core.kafka.records import Fetched
from signalink_core.settings import KafkaSettings

Assigned = Callable[[Collection[Place]], None]
Revoked = Callable[[Collection[Place]], Awaitable[None]]
FETCH_SECONDS: Final = 0.2
FETCH_BYTES: Final = 8 * 1024 * 1024
PARTITION_BYTES: Final = 512 * 1024
"""Per partition and fetch; a larger record comes alone. One fetch waits in the client while one is worked on."""
SESSION_MS: Final = 6_000
HEARTBEAT_MS: Final = 1_000
START_SECONDS: Final = 20.0
CALL_SECONDS: Final = 5.0
REQUEST_MS: Final = SESSION_MS + 4_000
"""Joining waits until a member that died is given up: with less, the join itself would be given up and begun again."""
LEAVE_SECONDS: Final = 2.0
FRESH_SECONDS: Final = 2.0
FOR_EVER_MS: Final = 24 * 3600 * 1000
"""Work that waits for Postgres must not cost the membership: heartbeats say that the process lives."""


class Source(Protocol):
    """One member of a group. Raises KafkaUnavailable where Kafka is needed and does not answer."""

    async def start(self, assigned: Assigned, revoked: Revoked) -> None:
        """Join. `assigned` and `revoked` are called at every rebalance, from then on."""
        ...

    async def stop(self) -> None:
        """Leave the group; at most 6 s. Never raises."""
        ...

    async def open(self, offsets: Mapping[Place, int | None]) -> Mapping[Place, int]:
        """Hand out records of these partitions from these offsets on (None: the earliest); where each starts."""
        ...

    async def fetch(self, places: Collection[Place], most: int) -> Mapping[Place, Sequence[Fetched]]:
        """What there is of opened partitions, up to `most` records in all; waits 0.2 s. Cancelling loses none."""
        ...

    async def rewind(self, offsets: Mapping[Place, int]) -> None:
        """After a failed fetch: go on from here."""
        ...

    def at_end(self, place: Place) -> bool:
        """Whether everything of an opened partition was handed out, as Kafka said within the last 2 s."""
        ...

    def silent_seconds(self, places: Collection[Place]) -> float:
        """How long ago Kafka answered a fetch of any of these partitions; 0 when none was asked."""
        ...

    async def commit(self, offsets: Mapping[Place, int]) -> None:
        """Tell Kafka, for lag metrics only. Never raises."""
        ...


class KafkaSource:
    """The real one. A stopped source is not started again."""

    def __init__(
        self,
        kafka: KafkaSettings,
        group: str,
        topics: Sequence[str],
        node: str,
        partition_bytes: int = PARTITION_BYTES,
    ) -> None:
        self._kafka, self._group, self._topics, self._node = kafka, group, topics, node
        self._partition_bytes = partition_bytes
        self._client: AIOKafkaConsumer | None = None
        self._committing = asyncio.Lock()

    async def start(self, assigned: Assigned, revoked: Revoked) -> None:
        self._client = client = AIOKafkaConsumer(
            **(
                self._kafka.client_kwargs()
                | {"client_id": self._node, "group_id": self._kafka.topic(self._group)}
                | self._options()
            )
        )
        client.subscribe(
            [self._kafka.topic(topic) for topic in self._topics],
            listener=_Rebalance(self, assigned, revoked),
        )
        async with _translated("The group could not be joined", START_SECONDS):
            await client.start()

    def _options(self) -> dict[str, Any]:
        return {
            "enable_auto_commit": False,
            "auto_offset_reset": "earliest",
            "fetch_max_bytes": max(FETCH_BYTES, 4 * self._partition_bytes),
            "max_partition_fetch_bytes": self._partition_bytes,
            "session_timeout_ms": SESSION_MS,
            "rebalance_timeout_ms": SESSION_MS,
            "heartbeat_interval_ms": HEARTBEAT_MS,
            "max_poll_interval_ms": FOR_EVER_MS,
            "request_timeout_ms": REQUEST_MS,
            "metadata_max_age_ms": 60_000,
        }

    async def stop(self) -> None:
        client, self._client = self._client, None
        if client is None:
            return
        with contextlib.suppress(TimeoutError):  # a commit in flight would fail unheard when its connection goes
            await asyncio.wait_for(self._committing.acquire(), LEAVE_SECONDS)
        try:
            await asyncio.wait_for(client.stop(), LEAVE_SECONDS)
        except (TimeoutError, KafkaError, OSError):
            await _abandon(client)

    async def open(self, offsets: Mapping[Place, int | None]) -> Mapping[Place, int]:
        client = self._joined()
        held = {place: offset for place, offset in offsets.items() if self._tp(place) in client.assignment()}
        unknown = [self._tp(place) for place, offset in held.items() if offset is None]
        async with _translated("The start of a partition is not known", CALL_SECONDS):
            earliest = await client.beginning_offsets(unknown) if unknown else {}
        found = {place: earliest[self._tp(place)] if offset is None else offset for place, offset in held.items()}
        await self.rewind(found)
        client.resume(*(tp for place in found if (tp := self._tp(place)) in client.assignment()))
        return found

    async def rewind(self, offsets: Mapping[Place, int]) -> None:
        client = self._joined()
        for place, offset in offsets.items():
            with contextlib.suppress(IllegalStateError, AssertionError):  # taken away meanwhile
                client.seek(self._tp(place), offset)

    async def fetch(self, places: Collection[Place], most: int) -> Mapping[Place, Sequence[Fetched]]:
        """A partition that is not asked for keeps what was fetched of it and gets no more: that is the back-pressure.

        Pausing it would throw that away.
        """
        wanted = [self._tp(place) for place in places]
        try:
            fetched = await self._joined().getmany(*wanted, timeout_ms=int(FETCH_SECONDS * 1000), max_records=most)
        except (KafkaError, OSError) as error:
            raise KafkaUnavailable(f"Kafka did not hand out records: {error!r}.") from error
        return {self._place(tp): records for tp, records in fetched.items()}

    def at_end(self, place: Place) -> bool:
        state = self._state(place)
        if state is None or state.highwater is None or not state.has_valid_position or state.timestamp is None:
            return False
        return bool(state.position >= state.highwater) and time.time() - state.timestamp / 1000 < FRESH_SECONDS

    def silent_seconds(self, places: Collection[Place]) -> float:
        heard = [state.timestamp for place in places if (state := self._state(place)) and state.timestamp is not None]
        return time.time() - max(heard) / 1000 if heard else 0.0

    async def commit(self, offsets: Mapping[Place, int]) -> None:
        """For lag metrics only: whatever happens to it, also that the client went while it waited, is no failure."""
        with contextlib.suppress(TimeoutError, KafkaError, OSError, KafkaUnavailable):
            async with asyncio.timeout(CALL_SECONDS), self._committing:
                await self._joined().commit({self._tp(place): offset for place, offset in offsets.items()})

    def _joined(self) -> AIOKafkaConsumer:
        if self._client is None:
            raise KafkaUnavailable("The consumer is not in its group.", next_step="wait until it has joined.")
        return self._client

    def _state(self, place: Place) -> Any:
        subscription = None if self._client is None else self._client._subscription.subscription
        return (
            None
            if subscription is None or subscription.assignment is None
            else (subscription.assignment.state_value(self._tp(place)))
        )

    def _tp(self, place: Place) -> TopicPartition:
        return TopicPartition(self._kafka.topic(place[0]), place[1])

    def _place(self, tp: TopicPartition) -> Place:
        return tp.topic.removeprefix(self._kafka.topic_prefix), tp.partition


class _Rebalance(ConsumerRebalanceListener):
    """Pauses what was assigned before anything else happens: aiokafka would go on from the offsets Kafka knows."""

    def __init__(self, source: KafkaSource, assigned: Assigned, revoked: Revoked) -> None:
        self._source, self._assigned, self._revoked = source, assigned, revoked

    async def on_partitions_revoked(self, revoked: Collection[TopicPartition]) -> None:
        await self._revoked([self._source._place(tp) for tp in revoked])

    def on_partitions_assigned(self, assigned: Collection[TopicPartition]) -> None:
        self._source._joined().pause(*assigned)
        self._assigned([self._source._place(tp) for tp in assigned])


@contextlib.asynccontextmanager
async def _translated(what: str, seconds: float) -> AsyncIterator[None]:
    try:
        async with asyncio.timeout(seconds):
            yield
    except UnknownTopicOrPartitionError as error:
        raise TopicMissing(f"{what}: a topic is missing.", next_step="apply its manifest.") from error
    except (KafkaError, OSError, TimeoutError) as error:
        raise KafkaUnavailable(f"{what}: {error!r}.", next_step="check that the broker runs.") from error


async def _abandon(client: AIOKafkaConsumer) -> None:
    """End a client whose `stop()` waits for a broker that does not answer: its connections first, then its tasks."""
    with contextlib.suppress(TimeoutError, KafkaError, OSError):
        await asyncio.wait_for(client._client.close(), LEAVE_SECONDS)
    coordinator, fetcher = client._coordinator, client._fetcher
    owned = [] if coordinator is None else [coordinator._coordination_task]
    owned += [] if coordinator is None else [coordinator._heartbeat_task, coordinator._commit_refresh_task]
    owned += [] if fetcher is None else [fetcher._fetch_task, *fetcher._pending_tasks]
    tasks = [task for task in owned if task is not None]
    for task in tasks:
        task.cancel()
    if tasks:
        await asyncio.wait(tasks, timeout=LEAVE_SECONDS)
        for task in tasks:
            if task.done() and not task.cancelled():
                task.exception()
