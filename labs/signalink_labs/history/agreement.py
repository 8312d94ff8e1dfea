"""V6, the acknowledgements of V1, and one seq per key of V3.

Owns comparing what acknowledgements, stores and views say about one position or one key; it flags every row that
disagrees, so that order is judged on the rest.
"""

from signalink_labs.history.case import Case, Place
from signalink_labs.history.findings import Finding, Verdict, limited
from signalink_labs.history.lines import CREATED
from signalink_labs.history.tables import LOG, Row, Send


def check(case: Case) -> None:
    """Report `inconsistent` rows, `lost` acknowledged posts and `duplicate` keys."""
    phantoms = frozenset(case.flagged)
    for place, rows in case.places():
        for row in rows:
            if row.at not in phantoms:
                _row(case, place, row)
    if case.has_log:
        _keys(case)
    for key, send in case.tables.sends.items():
        if send.acks:
            _acknowledged(case, key, send)


def _row(case: Case, place: Place, row: Row) -> None:
    there = case.at.get(row.ch, {}).get(row.seq)
    if there is not None and there.id == row.id:
        if not case.same_body(there, row):
            _disagree(case, place, row, there, "has two bodies")
        return
    elsewhere = case.of.get(row.id)
    if elsewhere is not None and elsewhere.seq != row.seq:
        case.excused.add(((LOG, row.ch), row.seq))
        case.dispute(elsewhere)
        _disagree(case, place, row, elsewhere, f"is at seq {row.seq} and at seq {elsewhere.seq}")
    elif there is not None:
        _disagree(case, place, row, there, f"shares its position with {there.id}")
    else:
        case.flag(place, row)
        send = case.tables.sends.get(row.key)
        if send is None or not send.acks:  # acknowledged ones are reported as lost
            says = f"event {row.id} is shown but not in the log"
            hop = "shown before it was committed, or gone from the log since"
            case.findings.add(
                Finding(Verdict.INCONSISTENT, row.ch, row.seq, place[0], says, hop, limited([row.at])),
                group=(row.ch, row.id),
            )


def _disagree(case: Case, place: Place, row: Row, other: Row, what: str) -> None:
    case.flag(place, row)
    says, hop = f"event {row.id} {what}", f"{place[0]} differs from the log"
    case.findings.add(
        Finding(Verdict.INCONSISTENT, row.ch, row.seq, place[0], says, hop, limited([other.at, row.at])),
        group=(row.ch, row.id),
    )


def _keys(case: Case) -> None:
    first: dict[str, Row] = {}
    for rows in case.tables.stores[LOG].values():
        for row in rows:
            if row.kind != CREATED:
                continue
            known = first.setdefault(row.key, row)
            if known.id != row.id:
                says = f"key {row.key!r} has two messages: seq {known.seq} and seq {row.seq}"
                lines = limited([known.at, row.at])
                case.findings.add(
                    Finding(Verdict.DUPLICATE, row.ch, row.seq, "log", says, "api: a replay was written again", lines)
                )


def _acknowledged(case: Case, key: str, send: Send) -> None:
    first = send.acks[0]
    lines = [send.at, *(ack.at for ack in send.acks)]
    if any((ack.id, ack.seq) != (first.id, first.seq) for ack in send.acks):
        says = f"key {key!r} was acknowledged as {sorted({(ack.seq, ack.id) for ack in send.acks})}"
        _answer(case, Verdict.DUPLICATE, send, first.seq, says, "api: a replay got another answer", lines)
        return
    if not case.has_log:
        return
    row = case.of.get(first.id)
    if row is None:
        case.excused.add(((LOG, send.ch), first.seq))
        says = f"acknowledged message {first.id} is not in the log"
        shown = [witness.at for _, witness in case.witnesses(send.ch, first.seq)]
        _answer(case, Verdict.LOST, send, first.seq, says, case.hop(LOG, send.ch, first.seq), [*lines, *shown])
    elif row.at not in case.flagged and (row.ch, row.seq) != (send.ch, first.seq):
        says = f"message {first.id} was acknowledged at seq {first.seq} and is in the log at seq {row.seq}"
        _answer(case, Verdict.INCONSISTENT, send, first.seq, says, "between log and api's answer", [*lines, row.at])
    elif row.hash != send.hash and row.id not in case.tables.deleted:
        says = f"message {first.id} was sent with another body than the log holds"
        _answer(case, Verdict.INCONSISTENT, send, first.seq, says, "between client and log", [*lines, row.at])


def _answer(case: Case, verdict: Verdict, send: Send, seq: int, says: str, hop: str, lines: list[int]) -> None:
    group = (send.ch, send.acks[0].id) if verdict is Verdict.INCONSISTENT else None
    case.findings.add(
        Finding(verdict, send.ch, seq, "acknowledgement", says, hop, limited(lines)),
        group=group,
    )
