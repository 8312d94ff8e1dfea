"""V2: nothing refused, never sent, sent elsewhere or not entitled is shown.

Owns the verdict `phantom`. Only created messages need a send; every event needs an entitled view.
"""

from signalink_labs.history.case import Case, Place
from signalink_labs.history.findings import Finding, Verdict, limited
from signalink_labs.history.lines import CREATED
from signalink_labs.history.tables import Row, Tables


def check(case: Case) -> None:
    """Report and flag every phantom."""
    for place, rows in case.places():
        entitled = entitlement(case.tables, place)
        for row in rows:
            if row.kind == CREATED:
                send = case.tables.sends.get(row.key)
                if send is None or send.ch != row.ch or send.refused:
                    _phantom(case, place, row)
                    continue
            if entitled is not None and not _admitted(case, entitled, row):
                _not_entitled(case, place, row)


def entitlement(tables: Tables, place: Place) -> list[tuple[int, int | None]] | None:
    """Answer the intervals of seq that a view or reader may show; None for a store, which holds everything."""
    name, ch = place
    kind, _, who = name.partition(" ")
    if kind not in ("view", "read"):
        return None
    user = tables.readers.get(who, "") if kind == "view" else who
    return tables.entitlement.get((user, ch), [])


def holds(intervals: list[tuple[int, int | None]], seq: int) -> bool:
    """Whether one of the intervals contains seq."""
    return any(first <= seq and (last is None or seq <= last) for first, last in intervals)


def _admitted(case: Case, entitled: list[tuple[int, int | None]], row: Row) -> bool:
    """Whether the reader may see the event; one at a wrong seq is a matter of agreement, not of rights."""
    if holds(entitled, row.seq):
        return True
    known = case.of.get(row.id)
    return known is not None and known.ch == row.ch and holds(entitled, known.seq)


def _phantom(case: Case, place: Place, row: Row) -> None:
    send = case.tables.sends.get(row.key)
    if send is None:
        says = f"message {row.id} with key {row.key!r} was never sent"
    elif send.ch != row.ch:
        says = f"message {row.id} was sent to channel {send.ch}"
    else:
        says = f"message {row.id} was refused"
    lines = [send.at, send.refused_at, row.at] if send else [row.at]
    true = case.at.get(row.ch, {}).get(row.seq)
    if true is not None and true.id == row.id:
        case.flag(place, row)
    else:
        case.flagged.add(row.at)
    case.findings.add(
        Finding(Verdict.PHANTOM, row.ch, row.seq, place[0], says, f"first shown by {place[0]}", limited(lines)),
        group=(row.ch, row.id),
    )


def _not_entitled(case: Case, place: Place, row: Row) -> None:
    case.flagged.add(row.at)
    says = f"the user {row.user} is not entitled to seq {row.seq}"
    hop = "api admitted it" if place[0].startswith("read ") else f"gateway {row.node or '?'} admitted it"
    case.findings.add(
        Finding(Verdict.PHANTOM, row.ch, row.seq, place[0], says, hop, (row.at,)), group=(place, "not entitled")
    )
