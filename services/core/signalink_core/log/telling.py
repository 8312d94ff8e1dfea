"""What a relay logs of a batch: one line for what went to Kafka, one for what did not, with the traces that are in it.

Owns the lines' fields and their number. Counting is `relay`'s.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from signalink_core.kafka.errors import Problem
from signalink_core.telemetry import logging
from signalink_core.telemetry.trace import trace_id_of
from signalink_core.telemetry.traced import Lines

MOST_TRACES: Final = 50
"""In one line; at level debug all."""
log = logging.get_logger(__name__)
sent_lines = Lines()


def sent(page: Sequence[Mapping[str, Any]], outcomes: Sequence[Problem | None]) -> None:
    """One page of the log with what became of each row. Costs 0.1 us when no line is due."""
    if not sent_lines.due():
        return
    done = [row for row, outcome in zip(page, outcomes, strict=True) if outcome is None]
    failed = [(row, outcome) for row, outcome in zip(page, outcomes, strict=True) if outcome is not None]
    if done:
        log.info("events_published", **_fields(done), **sent_lines.left_out())
    if failed:
        rows, reasons = [row for row, _ in failed], {problem.detail for _, problem in failed}
        log.warning("events_not_published", **_fields(rows), reasons=sorted(reasons)[:3])


def _fields(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    traces = list(dict.fromkeys(trace for row in rows if (trace := trace_id_of(row["traceparent"])) is not None))
    shown = traces if Lines.everything else traces[:MOST_TRACES]
    return {"count": len(rows), "topics": sorted({row["topic"] for row in rows}), "trace_ids": shown}
