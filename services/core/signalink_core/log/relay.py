"""OutboxRelay: from the event log to Kafka, in log order, repeating after a crash and never losing (log.md 3).

One turn: read past the cursors of the leased shards, send, wait for every acknowledgement, move the cursors. A crash at
any point repeats from the cursor. Heads, which must go on without Kafka, are in `heads`; SQL is in `outbox`.
"""

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, Literal, Protocol

from asyncpg.exceptions import PostgresError

from signalink_core import faults
from signalink_core.database.pool import Pool
from signalink_core.errors import FaultInjected, LogMismatch, SignalinkError
from signalink_core.events import kafka_headers, kafka_key, kafka_value
from signalink_core.kafka.errors import KafkaUnavailable, Problem, RecordRefused, TopicMissing
from signalink_core.kafka.records import Producer, Record
from signalink_core.lifecycle import Lifecycle, full_jitter
from signalink_core.log import outbox, parked, rows, state, telling
from signalink_core.log.leases import LEASE_SECONDS, Leases
from signalink_core.log.rest import Rest
from signalink_core.telemetry import logging, names

POLL_SECONDS = 0.05
BATCH_ROWS = 1000
LEAST_PER_SHARD = 16
DRAIN_SECONDS = 10.0
EMPTY_MOVE_SECONDS = 1.0
PROBE_SECONDS = 5.0
LEASE_LOOKS = 4
"""Per life of a lease; four times as often while another relay is about to give shards back."""
TURN_ERRORS = (*outbox.ERRORS, LogMismatch, FaultInjected)

Row = Mapping[str, Any]
State = Literal["ok", "degraded", "down"]
Report = Callable[[str, State, str], None]
log = logging.get_logger(__name__)


class Wake(Protocol):
    """What tells the relay that the log grew; `signalink_core.bus.Wake` is one."""

    async def wait(self, seconds: float) -> bool: ...


class OutboxRelay(Lifecycle):
    """Publishes the shards it has leased, of those it was given (all, unless said otherwise).

    `report(dependency, state, detail)` hears of `postgres`, `kafka` and `log`; `Readiness.set` fits.
    """

    READ: ClassVar[str] = outbox.READ

    def __init__(
        self,
        pool: Pool,
        producer: Producer,
        *,
        node: str,
        wake: Wake | None = None,
        shards: Sequence[int] = outbox.SHARDS,
        schema: str = "messaging",
        report: Report | None = None,
        lease_seconds: float = LEASE_SECONDS,
    ) -> None:
        super().__init__()
        self._pool, self._producer, self._wake = pool, producer, wake
        self._outbox = outbox.Outbox(schema, read=self.READ)
        self.leases = Leases(pool, self._outbox, node=node, shards=shards, seconds=lease_seconds)
        self._report: Report = report or (lambda *_: None)
        self._rest: Rest[int] = Rest()
        self._per_shard = LEAST_PER_SHARD
        self._moved_empty_at = self._kafka_asked_at = float("-inf")
        self._draining = False
        self._loop: asyncio.Task[None] | None = None

    async def _start(self) -> None:
        self._draining = False
        self.leases.reopen()
        self.spawn(self._keep_leases(), "relay-leases")
        self._loop = self.spawn(self._run(), "relay")

    async def _stop(self) -> None:
        """Finish the turn in hand, at most 10 s, then give the leases back."""
        self._draining = True
        if self._loop is not None:
            await asyncio.wait({self._loop}, timeout=DRAIN_SECONDS)
        with contextlib.suppress(*outbox.ERRORS):
            await self.leases.release()

    async def _keep_leases(self) -> None:
        while not self._draining:
            try:
                await self.leases.refresh()
                self._standing()
            except TURN_ERRORS as error:
                self._refused(error)
            await asyncio.sleep(self.leases.seconds / (LEASE_LOOKS * (4 if self.leases.waiting else 1)))

    def _standing(self) -> None:
        """Without a lease (another relay has all) this one is ready to take over."""
        self._report("postgres", "ok", "")
        if not self.leases.held():
            self._report("log", "ok", "")

    async def _run(self) -> None:
        failures = 0
        while not self._draining:
            try:
                await self.leases.hand_over()
                busy = await self.turn()
                failures = 0
            except TURN_ERRORS as error:
                self._refused(error)
                failures, busy = failures + 1, False
            if failures:
                await asyncio.sleep(full_jitter(failures, cap=2.0))
            elif not busy:
                await self._idle()

    async def _idle(self) -> None:
        if self._wake is None:
            await asyncio.sleep(POLL_SECONDS)
        else:
            await self._wake.wait(POLL_SECONDS)

    async def turn(self) -> bool:
        """Read, send, move the cursors once; whether there may be more at once."""
        held = self._rest.awake(self.leases.held())
        if not held:
            await self._ask_kafka()
            return False
        began = time.monotonic()
        page = await self._read(held)
        if not page.rows:
            await self._empty(held, page.end)
            return False
        await faults.point("relay.after_read")
        if held.keys() - self.leases.held().keys():
            return True  # the lease ran out meanwhile; what was read is another relay's now
        done = await self._publish(page.rows)
        names.RELAY_PUBLISH_SECONDS.observe(time.monotonic() - began)
        await faults.point("relay.after_produce")
        await self._move(held, done)
        await faults.point("relay.after_cursor")
        self._settle(page.rows, done)
        return bool(done)

    # -- reading -----------------------------------------------------------------------------------------------------

    async def _read(self, held: dict[int, int]) -> outbox.Page:
        async with self._pool.acquire() as conn:
            page = await self._outbox.read(conn, held, self._per_shard, BATCH_ROWS)
        self._report("postgres", "ok", "")
        if page.ahead is not None:
            raise LogMismatch(
                f"The cursor of shard {page.ahead} is ahead of this server's log: its transaction ids went back.",
                next_step="the database was restored or moved: stop the writers and run: signalink log new-epoch",
            )
        if page.held < len(held):
            await self.leases.refresh()
        self._report("log", "ok", "")
        return page

    async def _empty(self, held: dict[int, int], end: outbox.Place) -> None:
        """Nothing is below xmin: the cursors may stand there."""
        now = time.monotonic()
        self._per_shard = LEAST_PER_SHARD
        if now - self._moved_empty_at >= EMPTY_MOVE_SECONDS:
            self._moved_empty_at = now
            await self._move(held, dict.fromkeys(held, end))
        await self._ask_kafka()

    async def _ask_kafka(self) -> None:
        """While there is nothing to send: is Kafka there?"""
        if time.monotonic() - self._kafka_asked_at >= PROBE_SECONDS:
            self._kafka_answered(await self._producer.probe())

    # -- sending -----------------------------------------------------------------------------------------------------

    async def _publish(self, page: Sequence[Row]) -> dict[int, outbox.Place]:
        """Send one page; how far each shard got: up to its first row that is neither in Kafka nor parked."""
        outcomes = await self._send(page)
        telling.sent(page, outcomes)
        refused = [index for index, outcome in enumerate(outcomes) if isinstance(outcome, RecordRefused)]
        self._count(page, outcomes)
        if refused:
            pointers = [parked.pointer(page[index], _problem(outcomes[index])) for index in refused]
            for index, outcome in zip(refused, await self._producer.send_batches(pointers), strict=True):
                self._parked(page[index], _problem(outcomes[index]), outcome)
                outcomes[index] = outcome
        return reached(page, outcomes)

    async def _send(self, page: Sequence[Row]) -> list[Problem | None]:
        outcomes: list[Problem | None] = [None] * len(page)
        records: list[Record] = []
        places: list[int] = []
        for index, row in enumerate(page):
            made = record_of(row)
            if isinstance(made, RecordRefused):
                outcomes[index] = made
            else:
                records.append(made)
                places.append(index)
        for index, outcome in zip(places, await self._producer.send_batches(records), strict=True):
            outcomes[index] = outcome
        return outcomes

    def _parked(self, row: Row, why: SignalinkError, outcome: Problem | None) -> None:
        result = "ok" if outcome is None else "failed"
        names.RELAY_PUBLISHED_TOTAL.labels(topic=parked.PREFIX + row["topic"], result=result).inc()
        log.error("row_parked", result=result, id=row["id"], event_id=str(row["event_id"]), reason=why.detail)

    def _count(self, page: Sequence[Row], outcomes: Sequence[Problem | None]) -> None:
        results = Counter((row["topic"], result_of(outcome)) for row, outcome in zip(page, outcomes, strict=True))
        for (topic, result), count in results.items():
            names.RELAY_PUBLISHED_TOTAL.labels(topic=topic, result=result).inc(count)
        self._kafka_answered(next((outcome for outcome in outcomes if isinstance(outcome, KafkaUnavailable)), None))

    def _kafka_answered(self, problem: Problem | None) -> None:
        """A topic that is missing holds up its own rows only: degraded, not down."""
        self._kafka_asked_at = time.monotonic()
        if problem is None:
            self._report("kafka", "ok", "")
        else:
            self._report("kafka", "degraded" if isinstance(problem, TopicMissing) else "down", problem.detail)

    # -- the cursor --------------------------------------------------------------------------------------------------

    async def _move(self, held: dict[int, int], places: Mapping[int, outbox.Place]) -> None:
        if not places:
            return
        async with self._pool.acquire() as conn:
            moved = await self._outbox.move(conn, self.leases.holder, held, places)
        self.leases.lose(places.keys() - moved)

    def _settle(self, page: Sequence[Row], done: Mapping[int, outbox.Place]) -> None:
        """Back-off for the shards that are stuck, and how many rows a shard may give in the next read."""
        last = {row["shard"]: row for row in page}
        stuck = {shard for shard, row in last.items() if shard not in done or done[shard].id != row["id"]}
        self._rest.failed(stuck)
        self._rest.succeeded(last.keys() - stuck)
        self._per_shard = max(LEAST_PER_SHARD, BATCH_ROWS // len(last))

    def _refused(self, error: BaseException) -> None:
        mismatch = state.mismatch(error) if isinstance(error, PostgresError) else error
        if isinstance(mismatch, LogMismatch):
            self._report("log", "down", str(mismatch))
        elif not isinstance(error, FaultInjected):
            self._report("postgres", "down", repr(error))


def record_of(row: Row) -> Record | RecordRefused:
    """The Kafka record of a row of the log; a row that is no event is refused for ever."""
    try:
        event = rows.to_event(row)
        return Record(row["topic"], kafka_key(event), kafka_value(event), kafka_headers(event))
    except (ValueError, TypeError, KeyError) as error:
        return RecordRefused(f"The row is no event: {error!r}.")


def result_of(outcome: Problem | None) -> str:
    """The value of the label `result` of `signalink_relay_published_total`."""
    if outcome is None:
        return "ok"
    return "refused" if isinstance(outcome, RecordRefused) else "failed"


def reached(page: Sequence[Row], outcomes: Sequence[Problem | None]) -> dict[int, outbox.Place]:
    """Shard -> the last row of its unbroken run of handled rows, for shards that got anywhere."""
    places: dict[int, outbox.Place] = {}
    broken: set[int] = set()
    for row, outcome in zip(page, outcomes, strict=True):
        if outcome is not None:
            broken.add(row["shard"])
        elif row["shard"] not in broken:
            places[row["shard"]] = outbox.Place(row["epoch"], row["xid"], row["id"])
    return places


def _problem(outcome: Problem | None) -> Problem:
    if outcome is None:
        raise ValueError("a refused record has a problem")
    return outcome
