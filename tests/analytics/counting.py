"""A consumer without Kafka: batches of partitions, applied as the core's consumer applies them, to a real store."""

from collections.abc import Sequence
from typing import Any

from happenings import delivered

from signalink_analytics import GROUP, SCHEMA
from signalink_analytics.effect import WindowEffect
from signalink_analytics.marks import Rules
from signalink_core.database.pool import Pool
from signalink_core.events import Event
from signalink_core.kafka.delivery import Batch
from signalink_core.kafka.offsets import PostgresOffsets
from signalink_core.kafka.store import Step


class Crash(Exception):
    """The process ends here."""


class Counting:
    """`partitions`: how many there are in all topics."""

    def __init__(self, pool: Pool, partitions: int = 2) -> None:
        self.store = PostgresOffsets(pool, SCHEMA, GROUP)
        self.effect = WindowEffect(Rules())
        self.effect.partitions = partitions

    async def take(
        self, events: Sequence[Event], topic: str = "messages", partition: int = 0, *, crash: bool = False
    ) -> None:
        """One batch. `crash`: after the effect, before the commit."""
        place = topic, partition
        start = (await self.store.load([place])).get(place)
        step = Step(place, start, (start or 0) + len(events), delivered(events, *place, start or 0))

        async def apply(tx: Any, batch: Batch) -> None:
            await self.effect.apply(tx, batch)
            if crash:
                raise Crash

        await self.store.settle(step, apply)

    async def idle(self, topic: str = "messages", partition: int = 0) -> None:
        place = topic, partition
        start = (await self.store.load([place])).get(place)
        await self.store.settle(Step(place, start, start or 0, at_end=True), self.effect.on_idle)
