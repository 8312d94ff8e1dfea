"""What a consumer tells of its work: metrics, and log lines with topic, partition, offset and event id, never a body.

The text of an effect's error may quote a body, so a line has its class and the place in the code.
"""

import traceback
from collections.abc import Sequence
from typing import Any, Final

from signalink_core import clock
from signalink_core.kafka import dead_letters
from signalink_core.kafka.delivery import Delivered
from signalink_core.kafka.lanes import Lane
from signalink_core.kafka.records import StoredRecord
from signalink_core.kafka.store import Parked, Settled
from signalink_core.telemetry import logging, names
from signalink_core.telemetry.traced import Lines

MOST_TRACES: Final = 20
"""In the line of a batch; 50 of a large one cost the busiest consumer 4 % of its time."""
log = logging.get_logger(__name__)


class Account:
    """Of one group in this process."""

    def __init__(self, group: str) -> None:
        self._group = group
        self._lines = Lines()

    def applied(self, lane: Lane, events: Sequence[Delivered], settled: Settled, seconds: float) -> None:
        """One batch in the store. The delay is that of its oldest event."""
        topic, group = lane.place[0], self._group
        delay = (clock.utc_now() - events[0].event.time).total_seconds()
        names.MESSAGING_PROCESS_DURATION_SECONDS.labels(topic=topic, group=group).observe(seconds)
        names.CONSUMER_DELAY_SECONDS.labels(topic=topic, group=group).observe(max(0.0, delay))
        if settled.repeated:
            names.CONSUMER_SKIPPED_TOTAL.labels(topic=topic, group=group, reason="repeated").inc(settled.repeated)
        if not self._lines.due():
            return
        traces = [trace[3:35] for delivered in events[:MOST_TRACES] if (trace := delivered.event.traceparent)]
        counts = {"applied": settled.applied, "repeated": settled.repeated, **self._lines.left_out()}
        log.info("batch_applied", group=self._group, **lane.fields, **_first(events), **counts, trace_ids=traces)

    def ignored(self, topic: str) -> None:
        """A record of a type nobody here knows, or one that was redriven for another group."""
        names.CONSUMER_SKIPPED_TOTAL.labels(topic=topic, group=self._group, reason="not_ours").inc()

    def failed(self, lane: Lane, events: Sequence[Delivered], error: BaseException, attempt: int) -> None:
        """One attempt of an effect."""
        frames = traceback.extract_tb(error.__traceback__)
        at = f"{frames[-1].filename.rsplit('/', 1)[-1]}:{frames[-1].lineno}" if frames else ""
        fields = {"events": len(events), "attempt": attempt, "error": dead_letters.error_of(error), "at": at}
        log.warning("effect_failed", group=self._group, **lane.fields, **_first(events), **fields)

    def parked(self, record: StoredRecord, row: Parked, error: BaseException) -> None:
        """A poison record in its dead-letter topic."""
        names.DLQ_RECORDS_TOTAL.labels(topic=record.topic, error_type=dead_letters.error_type_of(error)).inc()
        log.error(
            "record_parked",
            group=self._group,
            topic=record.topic,
            partition=record.partition,
            offset=record.offset,
            event_id=None if row.event_id is None else str(row.event_id),
            error=row.error,
            attempts=row.attempts,
        )


def _first(events: Sequence[Delivered]) -> dict[str, Any]:
    return {"offset": events[0].offset, "event_id": str(events[0].id)} if events else {}
