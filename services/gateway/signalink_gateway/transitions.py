"""Presence transitions to Kafka: best effort. A bounded buffer, one task, whole batches, backoff; nothing waits for it.

Owns what a transition looks like as an event and what is dropped (the oldest, counted). Kafka away means that the
buffer fills; sockets and readiness never notice.
"""

import asyncio
import contextlib
from collections import deque
from uuid import UUID

from signalink_core import clock, ids, lifecycle
from signalink_core.events import Event, kafka_headers, kafka_key, kafka_value
from signalink_core.events.types import PRESENCE_CHANGED, PresenceState
from signalink_core.kafka.errors import RecordRefused
from signalink_core.kafka.records import Producer, Record
from signalink_core.telemetry import logging, names

TOPIC = "presence"
SOURCE = "/signalink/gateway"
LIMIT = 10_000
BATCH = 500
GATHER_SECONDS = 0.05
FLUSH_SECONDS = 1.0

log = logging.get_logger(__name__)


class Transitions(lifecycle.Lifecycle):
    """Without a producer (no Kafka configured) transitions are not published."""

    def __init__(self, producer: Producer | None, *, limit: int = LIMIT) -> None:
        super().__init__()
        self._producer = producer
        self._waiting: deque[Record] = deque(maxlen=limit)
        self._filled = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self.dropped = 0

    def add(self, user: UUID, state: PresenceState) -> None:
        """The user is in another state, over all nodes. Never blocks or raises."""
        names.PRESENCE_TRANSITIONS_TOTAL.labels(state=state).inc()
        if self._producer is None:
            return
        if len(self._waiting) == self._waiting.maxlen:
            self._drop(1)
        self._waiting.append(record(user, state))
        self._filled.set()
        self._idle.clear()

    def _drop(self, count: int) -> None:
        self.dropped += count
        names.PRESENCE_DROPPED_TOTAL.inc(count)

    async def _start(self) -> None:
        if self._producer is not None:
            self.spawn(self._run(self._producer), "presence-transitions")

    async def _stop(self) -> None:
        """What Kafka takes within a second still goes out."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(FLUSH_SECONDS):
                await self._idle.wait()

    async def _run(self, producer: Producer) -> None:
        failures = 0
        while True:
            await self._filled.wait()
            await asyncio.sleep(GATHER_SECONDS)
            batch = [self._waiting.popleft() for _ in range(min(BATCH, len(self._waiting)))]
            again = await self._send(producer, batch)
            if again:
                self._return(again)
                failures += 1
                await asyncio.sleep(lifecycle.full_jitter(failures, base=0.1, cap=5.0))
                continue
            failures = 0
            if not self._waiting:
                self._filled.clear()
                self._idle.set()

    async def _send(self, producer: Producer, batch: list[Record]) -> list[Record]:
        """Those to send again. What Kafka refuses for ever is dropped."""
        outcomes = await producer.send_batches(batch)
        refused = sum(isinstance(outcome, RecordRefused) for outcome in outcomes)
        if refused:
            self._drop(refused)
            log.warning("transitions_refused", records=refused)
        return [
            record
            for record, outcome in zip(batch, outcomes, strict=True)
            if outcome is not None and not isinstance(outcome, RecordRefused)
        ]

    def _return(self, records: list[Record]) -> None:
        """Back to the front, as far as there is space: newer ones are worth more."""
        space = (self._waiting.maxlen or 0) - len(self._waiting)
        self._drop(max(0, len(records) - space))
        self._waiting.extendleft(reversed(records[max(0, len(records) - space) :]))


def record(user: UUID, state: PresenceState) -> Record:
    """One transition as a CloudEvent, keyed by the user. It belongs to no channel, so epoch 0 and no seq."""
    event = Event(
        id=ids.uuid7(),
        type=PRESENCE_CHANGED,
        time=clock.utc_now(),
        epoch=0,
        data={"user_id": str(user), "state": state},
        subject=str(user),
        source=SOURCE,
    )
    return Record(TOPIC, kafka_key(event), kafka_value(event), kafka_headers(event))
