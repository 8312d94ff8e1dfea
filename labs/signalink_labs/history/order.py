"""V3, V4, V5 and the tail of V1: each view and store walked once, in the order of arrival.

Owns `duplicate`, `reordered`, `skipped` and a view's `lost`. A hole that is filled later is a matter of order; one
that is never filled was skipped; what is missing after the last event shown is lost, once the drain has ended.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from signalink_labs.history.case import Case, Place
from signalink_labs.history.findings import Finding, Verdict, limited
from signalink_labs.history.provenance import entitlement, holds
from signalink_labs.history.tables import LOG, Row


@dataclass(frozen=True)
class _Walk:
    """What one walk needs to know about its place."""

    place: Place
    start: int
    entitled: list[tuple[int, int | None]] | None
    repeats: bool
    """Whether an event may come again (Kafka: the relay may repeat a batch)."""


def check(case: Case) -> None:
    """Walk every place."""
    for (name, ch), rows in case.places():
        if name.startswith("read "):
            continue
        place = (name, ch)
        view = name.removeprefix("view ") if name.startswith("view ") else None
        start = _start(case, view, ch)
        walk = _Walk(place, start, entitlement(case.tables, place), repeats=view is None and name != LOG)
        position = _walk(case, walk, rows)
        if name != LOG and case.tables.drained(view or ""):
            _tail(case, walk, position, rows)
    _unseen_channels(case)


def _start(case: Case, view: str | None, ch: str) -> int:
    if view is None:
        return 0
    start = case.tables.starts.get((view, ch))
    if start is not None:
        return start
    rows = case.tables.views[view, ch]
    return rows[0].seq - 1 if rows else 0


def _walk(case: Case, walk: _Walk, rows: list[Row]) -> Row | None:
    """Answer the row with the highest seq."""
    seen: dict[str, Row] = {}
    highest: Row | None = None
    holes: list[tuple[int, int, Row | None, Row]] = []
    late: set[int] = set()
    for row in rows:
        known = seen.setdefault(row.id, row)
        if row.at in case.flagged:
            continue
        if known is not row:
            if not walk.repeats:
                _duplicate(case, walk, known, row)
            continue
        top = highest.seq if highest else walk.start
        if row.seq > top:
            if row.seq > top + 1:
                holes.append((top + 1, row.seq - 1, highest, row))
            highest = row
        else:
            late.add(row.seq)
            _reordered(case, walk, highest, row)
    for first, last, before, after in holes:
        _skipped(case, walk, list(_owed(case, walk, first, last, late)), before, after)
    return highest


def _owed(case: Case, walk: _Walk, first: int, last: int, late: set[int]) -> Iterator[int]:
    """Yield the seqs of first..last that the place should have shown and that nothing explains."""
    for seq in range(first, last + 1):
        if seq in late or (walk.place, seq) in case.excused or (walk.place[1], seq) in case.disputed:
            continue
        if walk.entitled is None or holds(walk.entitled, seq):
            yield seq


def _duplicate(case: Case, walk: _Walk, known: Row, row: Row) -> None:
    name, ch = walk.place
    says = f"event {row.id} (seq {row.seq}) was shown twice"
    hop = f"gateway {row.node or '?'} or the view's resume" if name.startswith("view ") else f"{name} holds it twice"
    case.findings.add(
        Finding(Verdict.DUPLICATE, ch, row.seq, name, says, hop, limited([known.at, row.at])),
        group=(walk.place, row.id),
    )


def _reordered(case: Case, walk: _Walk, highest: Row | None, row: Row) -> None:
    name, ch = walk.place
    before = f"seq {highest.seq}" if highest else f"its start at {walk.start}"
    says = f"seq {row.seq} came after {before}"
    hop = f"gateway {row.node or '?'}" if name.startswith("view ") else ("the log" if name == LOG else "relay")
    lines = limited([highest.at if highest else None, row.at])
    case.findings.add(Finding(Verdict.REORDERED, ch, row.seq, name, says, hop, lines))


def _skipped(case: Case, walk: _Walk, owed: list[int], before: Row | None, after: Row) -> None:
    if not owed:
        return
    name, ch = walk.place
    says = f"{_span(owed)} never shown: {before.seq if before else walk.start} was followed by {after.seq}"
    lines = limited([before.at if before else None, after.at, *_story(case, ch, owed[0])])
    case.findings.add(
        Finding(Verdict.SKIPPED, ch, owed[0], name, says, case.hop(name, ch, owed[0]), lines),
    )


def _tail(case: Case, walk: _Walk, highest: Row | None, rows: list[Row]) -> None:
    name, ch = walk.place
    top = highest.seq if highest else walk.start
    owed = [seq for seq in _owed(case, walk, top + 1, case.last(ch), set()) if seq in case.at.get(ch, {})]
    if not owed:
        return
    says = f"{_span(owed)} missing at the end: the last shown is {top}"
    lines = limited([highest.at if highest else None, *_story(case, ch, owed[0])])
    case.findings.add(
        Finding(Verdict.LOST, ch, owed[0], name, says, case.hop(name, ch, owed[0]), lines),
    )


def _unseen_channels(case: Case) -> None:
    """A channel of the log of which another store holds nothing at all."""
    stores = case.tables.stores
    for store in stores:
        for ch in stores.get(LOG, {}):
            if ch not in stores[store] and case.tables.drained(""):
                _tail(case, _Walk((store, ch), 0, None, repeats=True), None, [])


def _span(seqs: list[int]) -> str:
    return f"seq {seqs[0]}" if len(seqs) == 1 else f"{len(seqs)} events of seq {seqs[0]}..{seqs[-1]}"


def _story(case: Case, ch: str, seq: int) -> list[int]:
    """Answer the lines that tell what became of one event elsewhere: sent, acknowledged, logged, shown."""
    row = case.at.get(ch, {}).get(seq)
    send = case.tables.sends.get(row.key) if row else None
    lines = [send.at, *(ack.at for ack in send.acks[:1])] if send else []
    return [*lines, *(witness.at for _, witness in case.witnesses(ch, seq)[:4])]
