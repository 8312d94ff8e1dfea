"""What the log holds beside what Kafka gave: which events are there once, which are missing, which came twice. Pure.

An event is judged when it is older than 30 s, behind the relay's cursor, and Kafka has been read past that moment: one
that still waits for the relay is late, not lost. Everything is bounded; what does not fit is not judged, and said so.
"""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple
from uuid import UUID

from signalink_core.log.outbox import SHARDS, Place

OLD_SECONDS = 30.0
MOST = 100_000
"""Events that wait for their judgement: about 40 MB."""
REMEMBERED = 100_000
"""Records of one generation; the last two are known."""
GENERATION_SECONDS = 120.0

Where = tuple[str, int, int]
"""(topic, partition, offset)"""


class Expected(NamedTuple):
    """A row of the log. `at`: Unix seconds of the event."""

    event_id: UUID
    shard: int
    place: Place
    at: float


@dataclass(slots=True)
class Verdicts:
    """Of one judgement."""

    checked: int = 0
    missing: int = 0
    examples: tuple[UUID, ...] = ()
    """Of the missing, the first few."""


class Ledger:
    """Times are Unix seconds, given by the caller."""

    def __init__(self, most: int = MOST, remembered: int = REMEMBERED) -> None:
        self._most, self._remembered = most, remembered
        self._waiting: dict[int, deque[Expected]] = {shard: deque() for shard in SHARDS}  # bound: `full` ends reading
        self._found: set[UUID] = set()
        self._seen: dict[UUID, Where] = {}
        self._seen_before: dict[UUID, Where] = {}
        self._turned_at = 0.0

    @property
    def waiting(self) -> int:
        return sum(map(len, self._waiting.values()))

    @property
    def full(self) -> bool:
        return self.waiting >= self._most

    def expect(self, row: Expected) -> None:
        """The log holds this; rows of a shard come in log order."""
        self._waiting[row.shard].append(row)
        if row.event_id in self._seen or row.event_id in self._seen_before:
            self._found.add(row.event_id)

    def saw(self, event_id: UUID, where: Where, now: float) -> bool:
        """Kafka holds this there; whether it is a duplicate: known from another place."""
        self._turn(now)
        known = self._seen.get(event_id) or self._seen_before.get(event_id)
        self._seen.setdefault(event_id, where)
        self._found.add(event_id)
        return known is not None and known != where

    def judge(self, cursors: Mapping[int, Place], now: float) -> Verdicts:
        """Settle what is old enough and behind these cursors, up to which Kafka was read."""
        verdicts = Verdicts()
        for shard, rows in self._waiting.items():
            while rows and now - rows[0].at >= OLD_SECONDS and _order(rows[0].place) <= _order(cursors[shard]):
                row = rows.popleft()
                verdicts.checked += 1
                if row.event_id in self._found:
                    self._found.discard(row.event_id)
                else:
                    verdicts.missing += 1
                    verdicts.examples = (*verdicts.examples, row.event_id)[:5]
        return verdicts

    def forget(self) -> int:
        """Drop everything that waits, unjudged; how many."""
        count = self.waiting
        for rows in self._waiting.values():
            rows.clear()
        return count

    def _turn(self, now: float) -> None:
        """The older generation goes; of what was found only what may still be asked for stays."""
        if len(self._seen) < self._remembered and now - self._turned_at < GENERATION_SECONDS:
            return
        self._seen_before, self._seen, self._turned_at = self._seen, {}, now
        unjudged = {row.event_id for rows in self._waiting.values() for row in rows}
        self._found &= unjudged | self._seen_before.keys()


def _order(place: Place) -> tuple[int, int, int]:
    return (place.epoch, place.xid, place.id)
