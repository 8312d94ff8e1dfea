"""Copies: a channel's events to its own further topic, beside what the relay does and never in its way (log.md 3).

Its own producer and its own cursors (`topic_cursors`), the relay's leases. A topic that is missing or refuses rests, up
to 30 s at a time, and holds up its own copies alone: they wait in the log. A crash repeats from the cursor.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal

from signalink_core import faults
from signalink_core.database.pool import Pool
from signalink_core.errors import FaultInjected
from signalink_core.kafka.errors import KafkaUnavailable, Problem, RecordRefused, TopicMissing
from signalink_core.kafka.records import Producer, Record
from signalink_core.lifecycle import Lifecycle, full_jitter
from signalink_core.log import outbox, parked, topic_cursors
from signalink_core.log.leases import Leases
from signalink_core.log.relay import record_of, result_of
from signalink_core.log.rest import Rest
from signalink_core.log.topic_cursors import Copied
from signalink_core.telemetry import logging, names

POLL_SECONDS = 0.1
BATCH_ROWS = 1000
LONGEST_REST_SECONDS = 30.0
TOPICS_KNOWN_SECONDS = 30.0
TIDY_SECONDS = 30.0
LETTERS = parked.PREFIX + "messages"
"""Where the pointers to refused copies go: further topics have no dead-letter topic of their own."""
ERRORS = (*outbox.ERRORS, FaultInjected)

Row = Mapping[str, Any]
Cursor = tuple[Any, str]
State = Literal["ok", "degraded", "down"]
Report = Callable[[str, State, str], None]
log = logging.get_logger(__name__)


class Copies(Lifecycle):
    """Follows the channels of the shards that `leases` holds. `report` hears of `topics`: ok or degraded, not down."""

    def __init__(self, pool: Pool, producer: Producer, leases: Leases, *, report: Report | None = None) -> None:
        super().__init__()
        self._pool, self._producer, self._leases = pool, producer, leases
        self._report: Report = report or (lambda *_: None)
        self._rest: Rest[str] = Rest(cap=LONGEST_REST_SECONDS)
        self._known: frozenset[str] = frozenset()
        self._known_at = self._tidied_at = float("-inf")

    async def _start(self) -> None:
        self.spawn(self._run(), "copies")

    async def _run(self) -> None:
        failures = 0
        while True:
            try:
                busy, failures = await self.turn(), 0
            except ERRORS as error:
                failures, busy = failures + 1, False
                log.warning("copies_failed", reason=repr(error))
            if not busy:
                await asyncio.sleep(full_jitter(failures, cap=2.0) if failures else POLL_SECONDS)

    async def turn(self) -> bool:
        """Read, send, move the cursors once; whether there may be more at once."""
        held = self._leases.held()
        if not held:
            return False
        async with self._pool.acquire() as conn:
            page = await topic_cursors.read(conn, held, self._rest.resting(), BATCH_ROWS)
        if not page:
            await self._tidy(held)
            return False
        missing = await self._missing({row["also_topic"] for row in page})
        outcomes = await self._publish([dict(row) for row in page if row["also_topic"] not in missing])
        if copied := reached(outcomes):
            await faults.point("relay.after_copy")
            await self._move(held, copied)
        if any(row["until_seq"] is not None for row in page):
            gone = [topic for topic, why in missing.items() if isinstance(why, TopicMissing)]
            for topic in await self._end(held, gone):
                missing.pop(topic, None)
        return self._settle(outcomes, missing)

    async def _missing(self, wanted: set[str]) -> dict[str, Problem]:
        """Those of `wanted` that Kafka does not have, or all of them when it does not answer."""
        if not wanted <= self._known or time.monotonic() - self._known_at > TOPICS_KNOWN_SECONDS:
            found = await self._producer.topics()
            if isinstance(found, KafkaUnavailable):
                return dict.fromkeys(wanted, found)
            self._known, self._known_at = found, time.monotonic()
        lacking = sorted(wanted - self._known)
        return {name: TopicMissing(f"Kafka has no topic {name}.", next_step="make it.") for name in lacking}

    async def _publish(self, page: Sequence[Row]) -> list[tuple[Row, Problem | None]]:
        """Each row with what became of it. Topics that failed last time go alone, so that they delay no others."""
        together = [row for row in page if not self._rest.failing(row["also_topic"])]
        alone: dict[str, list[Row]] = {}
        for row in page:
            if self._rest.failing(row["also_topic"]):
                alone.setdefault(row["also_topic"], []).append(row)
        outcomes: list[tuple[Row, Problem | None]] = []
        for rows in (together, *alone.values()):
            outcomes += zip(rows, await self._send(rows), strict=True)
        results = Counter((row["also_topic"], result_of(outcome)) for row, outcome in outcomes)
        for (topic, result), count in results.items():
            names.RELAY_PUBLISHED_TOTAL.labels(topic=topic, result=result).inc(count)
        return [(row, await self._parked(row, outcome)) for row, outcome in outcomes]

    async def _send(self, rows: Sequence[Row]) -> list[Problem | None]:
        made = [record_of({**row, "topic": row["also_topic"]}) for row in rows]
        sent = iter(await self._producer.send_batches([one for one in made if isinstance(one, Record)]))
        return [next(sent) if isinstance(one, Record) else one for one in made]

    async def _parked(self, row: Row, outcome: Problem | None) -> Problem | None:
        """A copy that is refused for ever becomes a pointer; the log keeps the event, `messages` has it."""
        if not isinstance(outcome, RecordRefused):
            return outcome
        pointer = replace(parked.pointer({**row, "topic": row["also_topic"]}, outcome), topic=LETTERS)
        (became,) = await self._producer.send_batches([pointer])
        log.error("copy_parked", result=result_of(became), event_id=str(row["event_id"]), reason=outcome.detail)
        return became

    async def _move(self, held: Mapping[int, int], copied: Sequence[Copied]) -> None:
        async with self._pool.acquire() as conn:
            await topic_cursors.move(conn, self._leases.holder, held, copied)

    async def _end(self, held: Mapping[int, int], gone: Sequence[str]) -> set[str]:
        """Let go of what channels have left: done, or without a topic to go to. The topics of those cursors."""
        async with self._pool.acquire() as conn:
            ended = await topic_cursors.end(conn, held.keys(), gone)
        topics = {row["topic"] for row in ended}
        self._rest.succeeded(topics)
        for row in ended:
            write = log.info if row["seq"] >= row["until_seq"] else log.warning
            write("topic_left", channel=str(row["channel_id"]), topic=row["topic"], seq=row["seq"], of=row["until_seq"])
        return topics

    async def _tidy(self, held: Mapping[int, int]) -> None:
        """What was left with nothing more to come shows up in no page."""
        if time.monotonic() - self._tidied_at > TIDY_SECONDS:
            self._tidied_at = time.monotonic()
            await self._end(held, [])

    def _settle(self, outcomes: Sequence[tuple[Row, Problem | None]], missing: Mapping[str, Problem]) -> bool:
        failed = {**missing, **{row["also_topic"]: problem for row, problem in outcomes if problem is not None}}
        succeeded = {row["also_topic"] for row, _ in outcomes} - failed.keys()
        for topic in failed.keys() - self._rest.failed_ones():
            log.warning("topic_rests", topic=topic, reason=failed[topic].detail)
        self._rest.failed(failed)
        self._rest.succeeded(succeeded)
        self._known = self._known - failed.keys()
        resting = sorted(self._rest.failed_ones())
        shown = f"take nothing: {', '.join(resting[:5])}" if resting else ""
        self._report("topics", "degraded" if resting else "ok", shown)
        return bool(succeeded)


def reached(outcomes: Sequence[tuple[Row, Problem | None]]) -> list[Copied]:
    """Each cursor's last row of its unbroken run of handled rows."""
    places: dict[Cursor, Copied] = {}
    broken: set[Cursor] = set()
    for row, outcome in outcomes:
        cursor = (row["channel_id"], row["also_topic"])
        if outcome is not None:
            broken.add(cursor)
        elif cursor not in broken:
            places[cursor] = Copied(*cursor, row["seq"])
    return list(places.values())
