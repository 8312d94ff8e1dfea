"""The consumer's effect: what a batch counts, in the transaction that moves its offset (log.md 4).

Owns the order of the statements; what is counted is planned in `planning` and `presence`. Exactly once is the
consumer's: this is called with events that were not applied before, and what it writes stays or goes with the offset.
"""

from collections.abc import Sequence
from typing import Any

import asyncpg

from signalink_analytics import GROUP, planning, presence, statements, writing
from signalink_analytics.marks import WINDOW_MS, Marks, Rules, idle
from signalink_analytics.passing import Clamped, Late, Passing
from signalink_analytics.planning import Plan, Said, channel_key
from signalink_core.events.types import MESSAGE_CREATED
from signalink_core.kafka.delivery import Batch, Delivered
from signalink_core.telemetry import logging, names

log = logging.get_logger(__name__)


class WindowEffect:
    """`apply` and `on_idle` of a consumer. `partitions`: how many there are in all topics; None: not known yet, and
    until then nothing is over."""

    def __init__(self, rules: Rules, *, group: str = GROUP) -> None:
        self._rules, self._group = rules, group
        self.partitions: int | None = None

    async def apply(self, tx: asyncpg.Connection, batch: Batch) -> None:
        """Raises BadRecord for an event whose data are not those of its type."""
        entered = {delivered.at_ms // WINDOW_MS for delivered in batch.events}
        await writing.enter(tx, entered)
        marks = await self._marks(tx, batch)
        if any(delivered.at_ms > marks.now for delivered in batch.events):
            await writing.enter(tx, [marks.now // WINDOW_MS])
        if batch.topic == presence.TOPIC:
            passing = await self._presence(tx, batch, marks)
        else:
            passing = await self._figures(tx, batch, marks)
        await self._odd(tx, batch, passing)
        await self._pass(tx, batch, passing.watermark, marks.own)

    async def on_idle(self, tx: asyncpg.Connection, batch: Batch) -> None:
        """The partition was read to its end: its watermark goes with Postgres's clock."""
        marks = await self._marks(tx, batch)
        await self._pass(tx, batch, idle(marks, self._rules), marks.own)

    async def _figures(self, tx: asyncpg.Connection, batch: Batch, marks: Marks) -> Passing:
        said = await self._said(tx, batch.events)
        made = planning.plan(batch.events, marks, self._rules, said)
        await writing.add(tx, made.tally, batch.partition)
        if made.said:
            await tx.execute(statements.SAY, *_said_rows(made))
        return made.passing

    async def _presence(self, tx: asyncpg.Connection, batch: Batch, marks: Marks) -> Passing:
        made = presence.plan(batch.events, marks, self._rules)
        await presence.write(tx, made, batch.partition)
        return made.passing

    async def _marks(self, tx: asyncpg.Connection, batch: Batch) -> Marks:
        row = await tx.fetchrow(statements.MARKS, self._group, batch.topic, batch.partition, self.partitions)
        return Marks(row["now"], row["own"], row["others"], row["final"])

    async def _said(self, tx: asyncpg.Connection, events: Sequence[Delivered]) -> dict[str, Said]:
        channels = {
            delivered.channel
            for delivered in events
            if delivered.type == MESSAGE_CREATED and delivered.channel is not None
        }
        if not channels:
            return {}
        rows = await tx.fetch(statements.SAID, [channel_key(channel) for channel in channels])
        return {row["channel"]: (row["epoch"], row["seq"], row["sender"], row["at"]) for row in rows}

    async def _pass(self, tx: asyncpg.Connection, batch: Batch, reached: int | None, before: int | None) -> None:
        if reached is not None and reached != before:
            await tx.execute(statements.MOVE_ON, self._group, batch.topic, batch.partition, reached)

    async def _odd(self, tx: asyncpg.Connection, batch: Batch, passing: Passing) -> None:
        """Events out of their time: kept, counted, told."""
        if passing.corrected:
            names.ANALYTICS_CORRECTED_EVENTS_TOTAL.labels(topic=batch.topic).inc(passing.corrected)
        if passing.late:
            await tx.execute(statements.LATE, *_late_rows(batch, passing.late))
            names.ANALYTICS_LATE_EVENTS_TOTAL.labels(topic=batch.topic).inc(len(passing.late))
            first = str(passing.late[0].delivered.id)
            log.info("events_late", **_fields(batch), count=len(passing.late), event_id=first)
        if passing.clamped:
            await tx.execute(statements.CLAMPED, *_clamped_rows(batch, passing.clamped))
            names.ANALYTICS_CLAMPED_EVENTS_TOTAL.labels(topic=batch.topic).inc(len(passing.clamped))
            ahead = max(each.at - each.counted_at for each in passing.clamped) / 1000
            first = str(passing.clamped[0].delivered.id)
            told = {**_fields(batch), "count": len(passing.clamped), "ahead_seconds": ahead, "event_id": first}
            log.warning("events_from_the_future", **told)


def _fields(batch: Batch) -> dict[str, Any]:
    return {"topic": batch.topic, "partition": batch.partition}


def _said_rows(plan: Plan) -> Sequence[Sequence[Any]]:
    channels = sorted(plan.said)
    return [channels, *zip(*(plan.said[channel] for channel in channels), strict=True)]


def _late_rows(batch: Batch, late: Sequence[Late]) -> Sequence[Any]:
    events = [each.delivered for each in late]
    return [
        [event.id for event in events],
        batch.topic,
        batch.partition,
        [event.offset for event in events],
        [event.type for event in events],
        writing.ids(event.channel for event in events),
        [event.seq for event in events],
        [each.user for each in late],
        [each.at for each in late],
        [each.window for each in late],
        [each.watermark for each in late],
    ]


def _clamped_rows(batch: Batch, clamped: Sequence[Clamped]) -> Sequence[Any]:
    events = [each.delivered for each in clamped]
    return [
        [event.id for event in events],
        batch.topic,
        [event.type for event in events],
        writing.ids(event.channel for event in events),
        [event.seq for event in events],
        [each.at for each in clamped],
        [each.counted_at for each in clamped],
    ]
