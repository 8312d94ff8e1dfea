"""From rows to answers: series without holes, totals, histograms, shares of presence. Pure.

Which rows there are is `repository`'s, who may see them `service`'s.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final, Literal

from signalink_analytics.answers import (
    Bucket,
    Counters,
    Histogram,
    Point,
    PresenceChange,
    PresencePoint,
    PresenceState,
    Range,
)
from signalink_analytics.kinds import SHARED
from signalink_analytics.ranges import Span

Rows = Iterable[Mapping[str, Any]]
PRESENT: Final = ("online", "away", "dnd")


def range_of(span: Span, watermark: datetime | None) -> Range:
    return Range(
        interval=span.interval,
        start=span.start,
        end=span.end,
        kept_from=span.kept_from,
        cut=span.cut,
        complete_until=span.complete_until(watermark),
    )


def counters(row: Mapping[str, Any] | None) -> Counters:
    """Of sums over no row at all too, which are null."""
    return Counters(**counts(row))


def counts(row: Mapping[str, Any] | None) -> dict[str, int]:
    return {name: int((row[name] if row is not None else None) or 0) for name in SHARED}


def points(span: Span, watermark: datetime | None, rows: Rows) -> list[Point]:
    """Every window of the range, zero where there is no row."""
    found = {row["window_start"]: row for row in rows}
    return [Point(at=at, complete=span.is_complete(at, watermark), **counts(found.get(at))) for at in span.windows()]


def add_up(rows: Rows, names: Sequence[str]) -> dict[str, int]:
    """Sums of some columns."""
    result = dict.fromkeys(names, 0)
    for row in rows:
        for name in names:
            result[name] += int(row[name])
    return result


def histogram(
    unit: Literal["characters", "seconds"], bounds: Sequence[int], stored: Sequence[int], total: float
) -> Histogram:
    """`stored` may be shorter than the bounds: what is missing is zero. `total`: the sum of all values."""
    padded = [*stored, *[0] * (len(bounds) + 1 - len(stored))]
    limits: list[int | None] = [*bounds, None]
    count = sum(padded)
    return Histogram(
        unit=unit,
        buckets=[Bucket(up_to=limit, count=number) for limit, number in zip(limits, padded, strict=True)],
        count=count,
        mean=round(total / count, 3) if count else None,
        p50_up_to=_bound_of(limits, padded, 0.5),
        p95_up_to=_bound_of(limits, padded, 0.95),
    )


def _bound_of(limits: Sequence[int | None], numbers: Sequence[int], share: float) -> int | None:
    """The bound below which at least this share lies; None: above all bounds, or nothing was counted."""
    needed, seen = share * sum(numbers), 0
    if needed == 0:
        return None
    for limit, number in zip(limits, numbers, strict=True):
        seen += number
        if seen >= needed:
            return limit
    return None


def levels(span: Span, now: datetime, rows: Rows) -> list[PresencePoint]:
    """Presence of everybody; a window in which nobody looked is unknown, not zero."""
    found = {row["window_start"]: row for row in rows}
    return [_level(at, span.step, now, found.get(at)) for at in span.windows()]


def _level(at: datetime, step: timedelta, now: datetime, row: Mapping[str, Any] | None) -> PresencePoint:
    complete = at + step <= now
    if row is None:
        return PresencePoint(at=at, complete=complete, online=None, away=None, dnd=None, most=None)
    shown = {name: round(float(row[name]), 3) for name in PRESENT}
    return PresencePoint(at=at, complete=complete, most=int(row["most"]), **shown)


def shares(
    span: Span, watermark: datetime | None, before: PresenceState | None, changes: Sequence[PresenceChange]
) -> list[PresencePoint]:
    """Presence of one user: the share of each window spent in each state. `before`: the state that the range begins
    with; None: unknown. The window that is not over is shared out up to now."""
    edges = [PresenceChange(at=span.first, state=before)] if before is not None else []
    edges += changes
    result, place = [], 0
    for at in span.windows():
        end = min(at + span.step, span.now)
        while place + 1 < len(edges) and edges[place + 1].at <= at:
            place += 1
        result.append(_share(span, watermark, at, _spent(edges[place:], at, end), (end - at).total_seconds()))
    return result


def _spent(edges: Sequence[PresenceChange], start: datetime, end: datetime) -> dict[str, float] | None:
    """Seconds in each state between two moments; None: the state is not known in any of it."""
    spent: dict[str, float] = {}
    for number, edge in enumerate(edges):
        if edge.at >= end:
            break
        until = min(edges[number + 1].at, end) if number + 1 < len(edges) else end
        spent[edge.state] = spent.get(edge.state, 0.0) + max(0.0, (until - max(edge.at, start)).total_seconds())
    return spent or None


def _share(
    span: Span, watermark: datetime | None, at: datetime, spent: dict[str, float] | None, seconds: float
) -> PresencePoint:
    complete = span.is_complete(at, watermark)
    if spent is None or seconds <= 0:
        return PresencePoint(at=at, complete=complete, online=None, away=None, dnd=None, most=None)
    shown = {state: round(spent.get(state, 0.0) / seconds, 4) for state in PRESENT}
    return PresencePoint(at=at, complete=complete, most=int(any(shown.values())), **shown)
