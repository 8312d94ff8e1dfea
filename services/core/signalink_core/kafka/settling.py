"""One partition's records, settled: applied once, or parked after their attempts; the offset moves with what happened.

Owns retries, the halving that finds a poison record among its neighbours, and the order letter, confirmation, parked
row. What is away (Postgres, Kafka) is waited for; what a record does to its effect is counted against the record.
"""

import time
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final, TypeVar

from signalink_core import clock, faults
from signalink_core.errors import DependencyUnavailable
from signalink_core.kafka import dead_letters
from signalink_core.kafka.accounts import Account
from signalink_core.kafka.batching import Place
from signalink_core.kafka.delivery import Apply, Batch, Delivered, origin, read
from signalink_core.kafka.errors import BadRecord, KafkaUnavailable, RecordRefused, StaleOwner, StoreUnavailable
from signalink_core.kafka.lanes import Lane, Reporting
from signalink_core.kafka.records import Fetched, Producer, Record, StoredRecord, stored
from signalink_core.kafka.store import OffsetStore, Settled, Step
from signalink_core.lifecycle import full_jitter

T = TypeVar("T")
AWAY_CAP_SECONDS: Final = 2.0
TOGETHER: Final = 2
"""Attempts of several events at once before they are halved."""


@dataclass(frozen=True, slots=True)
class Retries:
    """How often a record is tried and how long it may hold up its partition.

    `attempts`: of one record. The waits between are full jitter from `base_seconds` to `cap_seconds`; once a piece has
    failed for `blocked_seconds` they are left out.
    """

    attempts: int = 5
    base_seconds: float = 0.1
    cap_seconds: float = 4.0
    blocked_seconds: float = 15.0


@dataclass(frozen=True, slots=True)
class _Poison:
    record: StoredRecord
    error: BaseException
    attempts: int
    first_at: datetime


@dataclass(frozen=True, slots=True)
class _Piece:
    """Events to apply together, after which the offset is `end`; or one poison record. `tried`: attempts so far."""

    end: int
    events: Sequence[Delivered] = ()
    at_end: bool = False
    tried: int = 0
    poison: _Poison | None = None


class Settler:
    """Settles one batch of one partition at a time; several partitions may be in it at once."""

    def __init__(
        self, group: str, apply: Apply, store: OffsetStore, letters: Producer, retries: Retries, report: Reporting
    ) -> None:
        self._group, self._apply, self._store, self._letters = group, apply, store, letters
        self._retries, self._report, self._account = retries, report, Account(group)

    async def settle(self, lane: Lane, records: Sequence[Fetched], at_end: bool) -> None:
        """All of `records`, in order. Raises StaleOwner or Abandoned; what was settled before that stays settled."""
        pieces = deque(self._pieces(lane.place, records, at_end))  # bound: the records, and halves of them
        while pieces:
            lane.check()
            pieces.extendleft(reversed(await self._piece(lane, pieces.popleft())))

    async def idle(self, lane: Lane, apply: Apply) -> None:
        """Tell the effect that the partition is at its end; failing is no harm, the next second tells it again."""
        end = lane.position or 0
        lane.touched = time.monotonic()
        try:
            await self._store.settle(Step(lane.place, lane.stored, end, at_end=True), apply)
        except StaleOwner:
            raise
        except DependencyUnavailable as error:
            self._away(error)
        except Exception as error:  # whatever an effect may raise
            self._account.failed(lane, (), error, 1)
        else:
            lane.moved(end)
            self._report("postgres", "ok", "")

    def _pieces(self, place: Place, records: Sequence[Fetched], at_end: bool) -> list[_Piece]:
        pieces: list[_Piece] = []
        run: list[Delivered] = []
        for record in records:
            try:
                delivered = read(place, record, self._group)
            except BadRecord as error:
                if run:
                    pieces.append(_Piece(record.offset, run))
                    run = []
                poison = _Poison(stored(*place, record), error, 1, clock.utc_now())
                pieces.append(_Piece(record.offset + 1, poison=poison))
            else:
                if delivered is None:
                    self._account.ignored(place[0])
                else:
                    run.append(delivered)
        return [*pieces, _Piece(records[-1].offset + 1, run, at_end)]

    async def _piece(self, lane: Lane, piece: _Piece) -> Sequence[_Piece]:
        """Settle one piece; what it fell into instead, in order."""
        if piece.poison is not None:
            await self._park(lane, piece.poison)
            return ()
        if not piece.events and lane.stored == piece.end:
            return ()
        began, since, tried = clock.utc_now(), time.monotonic(), piece.tried
        while True:
            try:
                await self._present(lane, lambda: self._apply_once(lane, piece))
                return ()
            except StaleOwner:
                raise
            except BadRecord as error:
                return _cut_out(piece, error, tried + 1, began)
            except Exception as error:  # whatever an effect may raise
                if not piece.events:
                    raise
                tried += 1
                self._account.failed(lane, piece.events, error, tried)
                if tried >= (self._retries.attempts if len(piece.events) == 1 else TOGETHER):
                    return self._fallen(piece, error, tried, began)
            if time.monotonic() - since < self._retries.blocked_seconds:
                await lane.pause(full_jitter(tried, self._retries.base_seconds, self._retries.cap_seconds))

    async def _apply_once(self, lane: Lane, piece: _Piece) -> None:
        began = time.perf_counter()
        step = Step(lane.place, lane.stored, piece.end, piece.events, piece.at_end)
        settled = await self._store.settle(step, self._effect if piece.events else None)
        await self._settled(lane, step)
        if piece.events:
            self._account.applied(lane, piece.events, settled, time.perf_counter() - began)

    async def _settled(self, lane: Lane, step: Step) -> None:
        lane.moved(step.end)
        self._report("postgres", "ok", "")
        await faults.point("consumer.crash", group=self._group, topic=lane.place[0])

    async def _effect(self, tx: object, batch: Batch) -> None:
        await faults.point("consumer.before_effect", group=self._group, topic=batch.topic)
        await self._apply(tx, batch)
        await faults.point("consumer.after_effect", group=self._group, topic=batch.topic)

    def _fallen(self, piece: _Piece, error: Exception, tried: int, began: datetime) -> Sequence[_Piece]:
        """Halves, each with one attempt until a record is alone; alone it has those that are left."""
        first = piece.events[0].record
        if len(piece.events) == 1:
            poison = _Poison(first, error, tried, began)
            return _Piece(first.offset + 1, poison=poison), _Piece(piece.end, at_end=piece.at_end)
        middle = len(piece.events) // 2
        halves = (piece.events[:middle], piece.events[middle:])
        ends = (halves[1][0].offset, piece.end)
        return [
            _Piece(
                end, half, piece.at_end and end == piece.end, TOGETHER - 1 if len(half) > 1 else min(tried, TOGETHER)
            )
            for half, end in zip(halves, ends, strict=True)
        ]

    # -- dead letters ------------------------------------------------------------------------------------------------

    async def _park(self, lane: Lane, poison: _Poison) -> None:
        """The letter, confirmed; then the parked row and the offset in one transaction. A crash between repeats it."""
        record = poison.record
        row = dead_letters.parked(record, poison.error, poison.attempts, poison.first_at)
        step = Step(lane.place, lane.stored, record.offset + 1, parked=row)
        if not await self._present(lane, lambda: self._waits(record)):
            step = replace(step, parked=None)
        else:
            await self._present(lane, lambda: self._send(dead_letters.letter(record, self._group, row)))
        await self._present(lane, lambda: self._store_only(step))
        await self._settled(lane, step)
        if step.parked is not None:
            self._account.parked(record, row, poison.error)

    async def _store_only(self, step: Step) -> Settled:
        return await self._store.settle(step, None)

    async def _waits(self, record: StoredRecord) -> bool:
        """A redriven record is parked again only while its row is there: it may have been dropped, or come twice."""
        try:
            where, back = origin(record)
        except BadRecord:
            return True
        return not back or await self._store.parked(where)

    async def _send(self, letter: Record) -> None:
        """Raises KafkaUnavailable; then it is sent again: a partition waits rather than losing what it cannot apply."""
        await faults.point("consumer.before_dlq", group=self._group, topic=letter.topic)
        (problem,) = await self._letters.send_batches([letter])
        if isinstance(problem, RecordRefused):
            (problem,) = await self._letters.send_batches([dead_letters.without_value(letter)])
        if problem is not None:
            raise KafkaUnavailable(problem.detail, next_step=problem.next_step)
        self._report("kafka", "ok", "")

    # -- what is away ------------------------------------------------------------------------------------------------

    async def _present(self, lane: Lane, work: Callable[[], Awaitable[T]]) -> T:
        """Do `work` as soon as what it needs is there."""
        failures = 0
        while True:
            lane.check()
            try:
                return await work()
            except DependencyUnavailable as error:
                failures += 1
                self._away(error)
            await lane.pause(full_jitter(failures, cap=AWAY_CAP_SECONDS))

    def _away(self, error: DependencyUnavailable) -> None:
        if isinstance(error, StoreUnavailable):
            self._report("postgres", "down", error.detail)
        elif isinstance(error, KafkaUnavailable):
            self._report("kafka", "down", error.detail)


def _cut_out(piece: _Piece, error: BadRecord, attempts: int, began: datetime) -> Sequence[_Piece]:
    """The effect found a record to be no valid event: no retry would change that. Raises what is of another piece."""
    place = next((n for n, delivered in enumerate(piece.events) if delivered.offset == error.offset), None)
    if place is None:
        raise error
    found: list[_Piece] = [_Piece(error.offset, piece.events[:place])] if place else []
    poison = _Poison(piece.events[place].record, error, attempts, began)
    rest = _Piece(piece.end, piece.events[place + 1 :], piece.at_end)
    return [*found, _Piece(error.offset + 1, poison=poison), rest]
