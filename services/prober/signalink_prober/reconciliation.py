"""Compares log, Kafka and sockets for events older than 30 s, without end. `ledger` and `views` decide; this acts."""

import time
from collections.abc import Iterable, Mapping
from typing import Any
from uuid import UUID

import orjson

from signalink_core.kafka.follow import Follower
from signalink_core.kafka.records import StoredRecord
from signalink_core.lifecycle import Lifecycle
from signalink_core.log import parked
from signalink_core.log.outbox import Place
from signalink_core.settings import KafkaSettings
from signalink_core.telemetry import logging, names
from signalink_prober.bots import Bots
from signalink_prober.database import Database
from signalink_prober.ledger import Expected, Ledger
from signalink_prober.logreads import LogReads
from signalink_prober.views import View

TOPIC = "messages"
GROUP = "signalink-prober"
BEFORE_SECONDS = 60.0
"""Kafka is read from this long ago: what the relay has sent and not yet moved its cursor over is among it."""
EVERY_SECONDS = 1.0
REDRIVEN = "dlq_redrive"

log = logging.get_logger(__name__)


class Reconciliation(Lifecycle):
    """`look` is one pass: read on in the log, then judge what can be judged. Without bots only Kafka is judged."""

    def __init__(self, database: Database, kafka: KafkaSettings, bots: Bots | None) -> None:
        super().__init__()
        self._reads, self._bots = LogReads(database), bots
        self.ledger = Ledger()
        topics = (TOPIC, parked.PREFIX + TOPIC)
        self._follower = Follower(kafka, topics, self.saw, group=GROUP, since_seconds=BEFORE_SECONDS)
        self._cursors: dict[int, Place] = {}
        self._cursors_at = float("inf")
        self._skipping = False
        self._duplicates = 0

    async def _start(self) -> None:
        await self.enter(self._follower)

    def saw(self, record: StoredRecord) -> None:
        """One record of Kafka. A row that Kafka refused for ever is accounted for by its pointer."""
        event_id = event_of(record)
        if event_id is None:
            return
        if self.ledger.saw(event_id, (record.topic, record.partition, record.offset), time.time()):
            names.RECONCILE_DUPLICATE_TOTAL.labels(stage="kafka").inc()

    async def look(self) -> None:
        """Raises what Postgres raises."""
        if self._follower.caught_up_at is None:
            return  # nothing can be judged; and what is read before Kafka is would look as if it were missing
        asked = time.monotonic()
        cursors = await self._reads.cursors()
        if not self._reads.places:
            self._reads.start_at(cursors)
        await self._read_on(cursors)
        self._judge_kafka()
        self._judge_sockets()
        if self._read_past():
            self._cursors, self._cursors_at = cursors, asked

    def _read_past(self) -> bool:
        """Whether Kafka was read past the moment of the cursors that are judged by; the next ones may then come."""
        caught_up = self._follower.caught_up_at
        return not self._cursors or (caught_up is not None and caught_up > self._cursors_at)

    async def _read_on(self, cursors: Mapping[int, Place]) -> None:
        if self.ledger.full:
            self._skipping = True
        elif self._skipping:
            self._skipping = False
            self._reads.start_at(cursors)
            log.warning(
                "reconcile_skipped", reason="more events waited than are kept; what came meanwhile is unchecked"
            )
        if not self._skipping:
            self._expect(await self._reads.next())

    def _expect(self, rows: Iterable[Mapping[str, Any]]) -> None:
        now, wall = time.monotonic(), time.time()
        for row in rows:
            at = row["occurred_at"].timestamp()
            if row["topic"] == TOPIC:
                place = Place(row["epoch"], row["xid"], row["id"])
                self.ledger.expect(Expected(row["event_id"], row["shard"], place, at))
            if self._bots is not None and str(row["channel_id"]) == self._bots.channel:
                for view in self._views():
                    view.expect(row["seq"], now - (wall - at))

    def _judge_kafka(self) -> None:
        if self._cursors and self._read_past():
            verdicts = self.ledger.judge(self._cursors, time.time())
            names.RECONCILE_CHECKED_TOTAL.labels(stage="kafka").inc(verdicts.checked)
            names.RECONCILE_MISSING_TOTAL.labels(stage="kafka").inc(verdicts.missing)
            if verdicts.missing:
                log.error(
                    "events_missing", stage="kafka", count=verdicts.missing, examples=list(map(str, verdicts.examples))
                )
        names.RECONCILE_WAITING.labels(stage="kafka").set(self.ledger.waiting)

    def _judge_sockets(self) -> None:
        if self._bots is None:
            return
        self._bots.notice_closed()
        duplicates = 0
        for view in self._views():
            checked, missing = view.judge(time.monotonic())
            names.RECONCILE_CHECKED_TOTAL.labels(stage="socket").inc(checked)
            names.RECONCILE_MISSING_TOTAL.labels(stage="socket").inc(len(missing))
            duplicates += view.duplicates
            if missing:
                log.error("events_missing", stage="socket", count=len(missing), seqs=missing[:5])
        names.RECONCILE_DUPLICATE_TOTAL.labels(stage="socket").inc(duplicates - self._duplicates)
        self._duplicates = duplicates
        names.RECONCILE_WAITING.labels(stage="socket").set(sum(view.waiting for view in self._views()))

    def _views(self) -> list[View]:
        return [] if self._bots is None else [view for views in self._bots.views.values() for view in views.values()]


def event_of(record: StoredRecord) -> UUID | None:
    """The event a record stands for; None for one that says nothing about the relay: redriven, foreign, unreadable."""
    headers = dict(record.headers)
    try:
        if headers.get("dlq_kind") == parked.POINTER.encode():
            return UUID(orjson.loads(record.value or b"")["pointer"]["event_id"])
        if record.topic != TOPIC or REDRIVEN in headers:
            return None
        return UUID(headers["ce_id"].decode())
    except (KeyError, ValueError, TypeError):
        return None
