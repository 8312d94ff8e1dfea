"""KafkaConsumerManager: from Kafka to effects in a database, each event once, in order per partition (log.md 4).

Owns which partitions are worked on: their opening at the stored offset, the fetching, how many at once, what a
rebalance and a stop do to them. How a batch becomes an effect is `settling`'s, what is kept is the store's (`store`).
"""

import asyncio
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from signalink_core.errors import DependencyUnavailable
from signalink_core.kafka.batching import Place
from signalink_core.kafka.delivery import Apply
from signalink_core.kafka.errors import KafkaUnavailable, StaleOwner, StoreUnavailable
from signalink_core.kafka.lanes import Abandoned, Lane, Report, Reporting
from signalink_core.kafka.records import Fetched, Producer
from signalink_core.kafka.settling import Retries, Settler
from signalink_core.kafka.source import PARTITION_BYTES, Assigned, KafkaSource, Revoked, Source
from signalink_core.kafka.store import OffsetStore
from signalink_core.lifecycle import Lifecycle, full_jitter
from signalink_core.settings import KafkaSettings
from signalink_core.telemetry import logging, names

log = logging.get_logger(__name__)
COMMIT_SECONDS: Final = 1.0
PRUNE_SECONDS: Final = 600.0
SILENT_SECONDS: Final = 10.0
LOST_SECONDS: Final = 30.0
"""A client that Kafka has not answered for so long is made anew."""
MOST_FAILURES: Final = 5


@dataclass(frozen=True, slots=True)
class ConsumerLimits:
    """The bounds of one consumer.

    `batch_records` in one transaction; `concurrency`: partitions whose effects run at once; `finish_seconds`: what work
    in hand gets when its partition is taken away, `drain_seconds` when the process stops; `idle_seconds`: how often an
    idle partition is told; `partition_bytes`: most of one partition in one fetch, which bounds a batch as well.
    """

    batch_records: int = 500
    concurrency: int = 4
    finish_seconds: float = 3.0
    drain_seconds: float = 6.0
    idle_seconds: float = 1.0
    partition_bytes: int = PARTITION_BYTES
    retries: Retries = field(default_factory=Retries)


class KafkaConsumerManager(Lifecycle):
    """Consumes `topics` as a member of `group`; `apply` runs inside the transaction that moves the offset.

    `on_idle` is called with an empty batch about every second for each partition that was read to its end. `report`
    hears of `kafka` and `postgres` (`Readiness.set` fits). Starts and lives without either, and tries again.
    """

    def __init__(
        self,
        kafka: KafkaSettings,
        *,
        group: str,
        topics: Sequence[str],
        apply: Apply,
        store: OffsetStore,
        dead_letters: Producer,
        node: str,
        on_idle: Apply | None = None,
        limits: ConsumerLimits | None = None,
        report: Report | None = None,
    ) -> None:
        super().__init__()
        self._kafka, self._group, self._topics, self._node = kafka, group, tuple(topics), node
        self._store, self._on_idle, self._limits = store, on_idle, limits or ConsumerLimits()
        self._report = Reporting(report)
        self._settler = Settler(group, apply, store, dead_letters, self._limits.retries, self._report)
        self._turns = asyncio.Semaphore(self._limits.concurrency)
        self._lanes: dict[Place, Lane] = {}
        self._wake = asyncio.Event()
        self._draining = self._joined = False
        self._following: asyncio.Task[None] | None = None
        self._in_hand = 0

    @property
    def assignment(self) -> set[Place]:
        """The partitions that are this member's now."""
        return set(self._lanes)

    def _source(self) -> Source:
        return KafkaSource(self._kafka, self._group, self._topics, self._node, self._limits.partition_bytes)

    async def _start(self) -> None:
        self._draining = False
        self._report("kafka", "down", "not in the group yet")
        self.spawn(self._prune(), f"prune:{self._group}")
        self._following = self.spawn(self._run(), f"consume:{self._group}")

    async def _stop(self) -> None:
        """Stop fetching, finish what is in hand, commit, leave the group: at most 10 s."""
        self._draining = True
        self._wake.set()
        if self._following is not None and self._joined:
            await asyncio.wait({self._following}, timeout=self._limits.drain_seconds + 4)

    async def _run(self) -> None:
        failures = 0
        while not self._draining:
            source = self._source()
            try:
                await source.start(self._assigned(source), self._revoked(source))
                failures, self._joined = 0, True
                await self._follow(source)
            except KafkaUnavailable as error:
                failures += 1
                self._report("kafka", "down", error.detail)
                log.warning("consumer_without_kafka", group=self._group, reason=error.detail)
            finally:
                await self._leave(source)
                self._joined = False
            if not self._draining:
                await asyncio.sleep(full_jitter(failures, cap=2.0))

    async def _leave(self, source: Source) -> None:
        await self._give_back(source, list(self._lanes), self._limits.drain_seconds)
        await source.stop()

    # -- assignment --------------------------------------------------------------------------------------------------

    def _assigned(self, source: Source) -> Assigned:
        def assigned(places: Collection[Place]) -> None:
            lanes = [Lane(place) for place in places]
            self._lanes = {lane.place: lane for lane in lanes}
            names.CONSUMER_REBALANCES_TOTAL.labels(group=self._group).inc()
            log.info("partitions_assigned", group=self._group, count=len(lanes))
            self._report("kafka", "ok", "")
            self._open(source, lanes)

        return assigned

    def _revoked(self, source: Source) -> Revoked:
        async def revoked(places: Collection[Place]) -> None:
            await self._give_back(source, places, self._limits.finish_seconds)

        return revoked

    async def _give_back(self, source: Source, places: Collection[Place], seconds: float) -> None:
        """Finish what is in hand within `seconds`, else abandon it: its transaction is rolled back."""
        lanes = [lane for place in places if (lane := self._lanes.pop(place, None)) is not None]
        for lane in lanes:
            lane.closed.set()
        tasks = {lane.task for lane in lanes if lane.task is not None}
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=seconds)
            for task in late:
                task.cancel()
            if late:
                log.warning("work_abandoned", group=self._group, batches=len(late))
                await asyncio.wait(late, timeout=1.0)
        await self._commit(source, lanes)

    def _open(self, source: Source, lanes: Sequence[Lane]) -> None:
        task = self.spawn(self._opened(source, lanes), f"open:{self._group}")
        for lane in lanes:
            lane.task = task
        task.add_done_callback(lambda _: self._done(lanes))

    def _done(self, lanes: Sequence[Lane]) -> None:
        for lane in lanes:
            lane.task = None
        self._wake.set()

    async def _opened(self, source: Source, lanes: Sequence[Lane]) -> None:
        """Postgres says where to go on; until it does, the partitions stay paused."""
        failures = 0
        while held := [lane for lane in lanes if not lane.closed.is_set()]:
            try:
                stored = await self._store.load([lane.place for lane in held])
                offsets = await source.open({lane.place: stored.get(lane.place) for lane in held})
            except DependencyUnavailable as error:
                failures += 1
                self._report("postgres" if isinstance(error, StoreUnavailable) else "kafka", "down", error.detail)
                await asyncio.sleep(full_jitter(failures, cap=2.0))
                continue
            self._report("postgres", "ok", "")
            for lane in held:
                lane.stored, lane.position = stored.get(lane.place), offsets.get(lane.place)
            return

    # -- records -----------------------------------------------------------------------------------------------------

    async def _follow(self, source: Source) -> None:
        """Hand out what there is to the partitions that are free, until the process stops or the client is lost."""
        failures, committed = 0, time.monotonic()
        while not self._draining:
            free = [lane.place for lane in self._lanes.values() if lane.ready]
            try:
                self._take(source, await self._fetched(source, free))
                failures = 0
            except KafkaUnavailable as error:
                failures += 1
                self._report("kafka", "degraded", error.detail)
                if failures == MOST_FAILURES:
                    raise
                await source.rewind({lane.place: lane.position or 0 for lane in self._lanes.values() if lane.ready})
                await asyncio.sleep(full_jitter(failures, cap=1.0))
            self._idle(source)
            if time.monotonic() - committed >= COMMIT_SECONDS:
                committed = time.monotonic()
                self._look_after(source)

    async def _fetched(self, source: Source, free: Sequence[Place]) -> Mapping[Place, Sequence[Fetched]]:
        """What came first: records, or a partition that became free and is to be asked for as well."""
        self._wake.clear()
        woken = asyncio.ensure_future(self._wake.wait())
        fetching = asyncio.ensure_future(source.fetch(free, self._limits.batch_records)) if free else None
        waited: set[asyncio.Future[Any]] = {task for task in (woken, fetching) if task is not None}
        try:
            await asyncio.wait(waited, timeout=COMMIT_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in waited:
                task.cancel()
            await asyncio.wait(waited)
        return fetching.result() if fetching is not None and not fetching.cancelled() else {}

    def _take(self, source: Source, fetched: Mapping[Place, Sequence[Fetched]]) -> None:
        for place, records in fetched.items():
            lane = self._lanes.get(place)
            if lane is None or not lane.ready or not records:
                continue
            names.MESSAGING_CLIENT_CONSUMED_MESSAGES_TOTAL.labels(topic=place[0], group=self._group).inc(len(records))
            self._begin(source, lane, records)

    def _begin(self, source: Source, lane: Lane, records: Sequence[Fetched]) -> None:
        """Without records: the partition is idle."""
        task = self.spawn(self._work(source, lane, records), f"settle:{lane.place[0]}/{lane.place[1]}")
        lane.task = task
        task.add_done_callback(lambda _: self._worked(source, lane))

    def _worked(self, source: Source, lane: Lane) -> None:
        """A lane whose work did not end well has no position: it is opened anew at the stored offset."""
        self._done([lane])
        if lane.position is None and not lane.closed.is_set() and not self._draining:
            self._open(source, [lane])

    async def _work(self, source: Source, lane: Lane, records: Sequence[Fetched]) -> None:
        self._hold(len(records))
        try:
            async with self._turns:
                if records:
                    await self._settler.settle(lane, records, source.at_end(lane.place))
                elif self._on_idle is not None:
                    await self._settler.idle(lane, self._on_idle)
        except Abandoned:
            pass
        except StaleOwner as error:
            log.warning("stale_owner", group=self._group, **lane.fields, reason=error.detail)
            lane.position = None
            await asyncio.sleep(full_jitter(3))
        finally:
            self._hold(-len(records))

    def _hold(self, records: int) -> None:
        self._in_hand += records
        names.QUEUE_DEPTH.labels(queue="consumer").set(self._in_hand)

    def _idle(self, source: Source) -> None:
        if self._on_idle is None:
            return
        due = time.monotonic() - self._limits.idle_seconds
        for lane in self._lanes.values():
            if lane.ready and lane.touched <= due and source.at_end(lane.place):
                self._begin(source, lane, ())

    # -- what is told to Kafka and what it tells -----------------------------------------------------------------------

    def _look_after(self, source: Source) -> None:
        """Every second. Raises KafkaUnavailable when the client is to be made anew."""
        silent = source.silent_seconds([lane.place for lane in self._lanes.values() if lane.ready])
        if silent > LOST_SECONDS:
            raise KafkaUnavailable(f"Kafka has not answered a fetch for {silent:.0f} s.")
        if silent > SILENT_SECONDS:
            self._report("kafka", "down", f"Kafka has not answered a fetch for {silent:.0f} s.")
        elif self._lanes:
            self._report("kafka", "ok", "")
        self.spawn(self._commit(source, list(self._lanes.values())), f"commit:{self._group}")

    async def _commit(self, source: Source, lanes: Sequence[Lane]) -> None:
        moved = {lane.place: lane.stored for lane in lanes if lane.stored is not None and lane.stored != lane.committed}
        if moved:
            await source.commit(moved)
            for lane in lanes:
                lane.committed = moved.get(lane.place, lane.committed)

    async def _prune(self) -> None:
        while True:
            await asyncio.sleep(PRUNE_SECONDS)
            try:
                await self._store.prune()
            except DependencyUnavailable as error:
                log.warning("prune_failed", group=self._group, reason=error.detail)
