"""The consuming side of the memory twin: groups on a MemoryKafka, and a consumer and an offset store without engines.

Same rules as Kafka and Postgres, no network and no loss. `records` and effects are in this process.
"""

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any
from uuid import UUID

from signalink_core import clock
from signalink_core.events import Position
from signalink_core.kafka.batching import Place
from signalink_core.kafka.consumer import KafkaConsumerManager
from signalink_core.kafka.delivery import Apply, Batch, Origin
from signalink_core.kafka.errors import KafkaUnavailable, StaleOwner, StoreUnavailable
from signalink_core.kafka.memory import MemoryKafka
from signalink_core.kafka.records import Fetched
from signalink_core.kafka.source import Assigned, Revoked, Source
from signalink_core.kafka.store import Parked, Settled, Step, unseen

FETCH_SECONDS = 0.02
EVERY_SECONDS = 0.002


class MemorySource:
    """One member of a group on a MemoryKafka; see `source.Source`. Partitions go round robin, as with Kafka."""

    def __init__(self, kafka: MemoryKafka, group: str, topics: Sequence[str]) -> None:
        self._kafka, self._group, self._topics = kafka, group, tuple(topics)
        self._positions: dict[Place, int] = {}
        self._held: set[Place] = set()
        self._callbacks: tuple[Assigned, Revoked] | None = None

    async def start(self, assigned: Assigned, revoked: Revoked) -> None:
        missing = [topic for topic in self._topics if topic not in self._kafka.topics]
        if missing or not self._kafka.available:
            raise KafkaUnavailable(f"Kafka does not answer, or has no topic {missing}.")
        self._callbacks = assigned, revoked
        members = self._kafka.groups[self._group]
        await rebalance(members, [*members, self])

    async def stop(self) -> None:
        members = self._kafka.groups[self._group]
        if self in members:
            await rebalance(members, [member for member in members if member is not self])

    async def open(self, offsets: Mapping[Place, int | None]) -> Mapping[Place, int]:
        found = {place: offset or 0 for place, offset in offsets.items() if place in self._held}
        await self.rewind(found)
        return found

    async def rewind(self, offsets: Mapping[Place, int]) -> None:
        self._positions |= {place: offset for place, offset in offsets.items() if place in self._held}

    async def fetch(self, places: Collection[Place], most: int) -> Mapping[Place, Sequence[Fetched]]:
        ends = asyncio.get_running_loop().time() + FETCH_SECONDS
        while not (found := self._take(places, most)) and asyncio.get_running_loop().time() < ends:  # noqa: ASYNC110
            await asyncio.sleep(EVERY_SECONDS)
        return found

    def _take(self, places: Collection[Place], most: int) -> dict[Place, Sequence[Fetched]]:
        if not self._kafka.available:
            return {}
        found: dict[Place, Sequence[Fetched]] = {}
        for place in places:
            records = self._kafka.after(place, self._positions[place])[:most] if place in self._positions else []
            if records:
                found[place] = records
                self._positions[place] += len(records)
                most -= len(records)
        return found

    def at_end(self, place: Place) -> bool:
        return self._kafka.available and self._positions.get(place, -1) >= self._kafka.end(place)

    def silent_seconds(self, places: Collection[Place]) -> float:
        return 0.0 if self._kafka.available or not places else 11.0

    async def commit(self, offsets: Mapping[Place, int]) -> None:
        self._kafka.committed[self._group].update(offsets)

    def partitions(self) -> list[Place]:
        return [(topic, number) for topic in self._topics for number in range(self._kafka.topics[topic])]

    async def lose(self) -> None:
        """Everything is revoked."""
        if self._callbacks is not None and self._held:
            await self._callbacks[1](self._held)
        self._held, self._positions = set(), {}

    def gain(self, places: Collection[Place]) -> None:
        self._held = set(places)
        if self._callbacks is not None:
            self._callbacks[0](places)


async def rebalance(members: list[MemorySource], after: Sequence[MemorySource]) -> None:
    """Revoke everything, then give it out anew among those who are in the group afterwards."""
    await asyncio.gather(*(member.lose() for member in members))
    members[:] = after
    places = sorted({place for member in members for place in member.partitions()})
    for number, member in enumerate(members):
        member.gain(places[number :: len(members)])


class MemoryConsumerManager(KafkaConsumerManager):
    """A KafkaConsumerManager on a MemoryKafka."""

    def __init__(self, kafka: MemoryKafka, **options: Any) -> None:
        super().__init__(None, **options)  # type: ignore[arg-type]  # its source is another
        self._memory = kafka

    def _source(self) -> Source:
        return MemorySource(self._memory, self._group, self._topics)


@dataclass
class MemoryTransaction:
    """What an effect writes to in the twin: `write` keeps a value if the transaction ends well."""

    written: list[Any] = field(default_factory=list)

    def write(self, value: Any) -> None:
        self.written.append(value)


@dataclass
class _State:
    offsets: dict[Place, int] = field(default_factory=dict)
    positions: dict[tuple[str, UUID], Position] = field(default_factory=dict)
    processed: dict[UUID, Any] = field(default_factory=dict)
    rows: dict[Origin, Parked] = field(default_factory=dict)


class MemoryOffsets:
    """An OffsetStore of one group. `effects`: all that was written, in order. `available` False: it does not answer.

    `tampered` is called within each transaction, for tests that move an offset under its owner.
    """

    def __init__(self) -> None:
        self.effects: list[Any] = []
        self.available = True
        self.state = _State()
        self.tampered: Callable[[], None] | None = None

    async def load(self, places: Collection[Place]) -> Mapping[Place, int]:
        self._check()
        return {place: self.state.offsets[place] for place in places if place in self.state.offsets}

    async def settle(self, step: Step, apply: Apply | None) -> Settled:
        self._check()
        self._owner(step)
        topic = step.place[0]
        positions = {channel: position for (name, channel), position in self.state.positions.items() if name == topic}
        taken = {d.redriven for d in step.events if d.redriven is not None and d.redriven in self.state.rows}
        fresh, reached = unseen(step.events, positions, self.state.processed, taken)
        tx = MemoryTransaction()
        if apply is not None and (fresh or not step.events):
            await apply(tx, Batch(*step.place, fresh, step.at_end))
        self._check()
        self._owner(step)
        self.effects += tx.written
        self.state.offsets[step.place] = step.end
        for origin in taken:
            del self.state.rows[origin]
        facts = [delivered.id for delivered in step.events if delivered.channel is None]
        if step.parked is not None:
            self._park(step.parked, reached)
        self.state.processed |= dict.fromkeys(facts, clock.utc_now())
        self.state.positions |= {(topic, channel): position for channel, position in reached.items()}
        return Settled(len(fresh), len(step.events) - len(fresh))

    async def parked(self, origin: Origin) -> bool:
        self._check()
        return origin in self.state.rows

    async def prune(self) -> None:
        oldest = clock.utc_now() - timedelta(days=7)
        self.state.processed = {event: at for event, at in self.state.processed.items() if at >= oldest}

    def _check(self) -> None:
        if not self.available:
            raise StoreUnavailable("The store does not answer.")

    def _owner(self, step: Step) -> None:
        """Before the effect, and as the row lock would do it, after it."""
        if self.tampered is not None:
            self.tampered()
        if self.state.offsets.get(step.place) != step.start:
            raise StaleOwner(f"The offset of {step.place} is not {step.start} any more.")

    def _park(self, row: Parked, reached: dict[UUID, Position]) -> None:
        before = self.state.rows.get(row.origin)
        attempts = row.attempts + (before.attempts if before else 0)
        first_at = before.first_at if before else row.first_at
        self.state.rows[row.origin] = replace(row, attempts=attempts, first_at=first_at)
        if row.channel is not None and row.position is not None:
            reached[row.channel] = row.position
        elif row.event_id is not None:
            self.state.processed[row.event_id] = clock.utc_now()
