"""Decides whether a run holds enough to be judged at all.

Owns the reasons for `inconclusive`. A run never passes for lack of evidence, and a finding that rests on a missing
line is void when lines are known to be missing.
"""

from bisect import bisect_right
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from signalink_labs.history.reader import FILE_SHIFT, Completeness
from signalink_labs.history.tables import LOG, Tables


@dataclass(frozen=True)
class Demands:
    """What the caller asks of the evidence."""

    acknowledged: int = 1
    """Fewest acknowledged sends."""
    stores: tuple[str, ...] = (LOG,)
    """Stores whose dump must be there and whole."""
    views: int = 1
    """Fewest views that began to read a channel, counted as (view, channel)."""
    client_seconds: float | None = None
    """The client's time-out of one attempt; None: honesty (V10) is not judged."""
    serving: str = "api-"
    """Nodes with this prefix answer the posts: only a fault of one of them excuses an attempt without an answer."""
    bounds: Callable[[str, str], tuple[float, float]] | None = None
    """(code, node) of a fault -> (B1, B2) in seconds; None: recovery (V8) is measured, not judged."""


def files(tables: Tables) -> Iterator[str]:
    """Yield why the files are not complete."""
    killed = {fault.node for fault in tables.faults if fault.code == "kill"}
    for file in tables.files:
        yield from _file(file, excused=bool(file.procs) and file.procs <= killed)
    for key, first, second in tables.reused:
        places = f"{_where(tables, first)} and {_where(tables, second)}"
        yield f"key {key!r} was used for two different sends ({places}): nothing about it is decidable"


def _where(tables: Tables, reference: int) -> str:
    line = (reference & ((1 << FILE_SHIFT) - 1)) + 1
    return f"{tables.files[reference >> FILE_SHIFT].name} line {line}"


def _file(file: Completeness, *, excused: bool) -> Iterator[str]:
    if file.torn and not excused:
        yield f"{file.name}: the last line is torn, and no nemesis line says that its process was killed"
    elif not file.ended and not excused:
        yield f"{file.name}: has no end line, and no nemesis line says that its process was killed"
    for broken in file.broken[:3]:
        yield f"{file.name}: {broken}"


def amounts(tables: Tables, demands: Demands) -> Iterator[str]:
    """Yield what there is too little of, and which parts of the run never finished."""
    if tables.acknowledged < demands.acknowledged:
        yield f"{tables.acknowledged} acknowledged sends where {demands.acknowledged} are demanded"
    if len(tables.views) < demands.views:
        yield f"{len(tables.views)} subscriptions of views where {demands.views} are demanded"
    for store in demands.stores:
        rows, said = tables.dumped.get(store, (0, None))
        if said is None:
            yield f"the dump of {store} is missing or has no end"
        elif said != rows:
            yield f"the dump of {store} says {said} rows and has {rows}"
    if not tables.drains:
        yield "there was no drain: the end of the views proves nothing"
    for view, done in tables.drains.items():
        if not done:
            yield f"the drain{f' of view {view}' if view else ''} did not finish"
    yield from _idle_faults(tables)


def _idle_faults(tables: Tables) -> Iterator[str]:
    """A fault counts only with at least one send in flight at that moment."""
    if not tables.faults:
        return
    spans = [span for send in tables.sends.values() for span in send.intervals]
    starts = sorted(start for start, _ in spans)
    ends = sorted(end for _, end in spans if end >= 0)
    for fault in tables.faults:
        if bisect_right(starts, fault.mono_ns) - bisect_right(ends, fault.mono_ns) < 1:
            yield f"the fault {fault.code} of {fault.node} overlapped no operation"
