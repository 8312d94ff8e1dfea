"""V8: how long a fault is felt after its cause ended.

Owns B1 (heal until a post that was sent afterwards is acknowledged), B2 (heal until nothing acknowledged is unseen by
a view and nothing committed waits for the relay) and the verdict `slow`. While posts go on, something is always under
way: an event counts as unseen or pending once it has waited for a second. For a kill, heal is the kill itself.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from signalink_labs.history.case import Case
from signalink_labs.history.evidence import Demands
from signalink_labs.history.findings import Finding, Verdict, limited
from signalink_labs.history.tables import Fault, Sample, Tables

GRACE_NS = 1_000_000_000
NEVER = 1 << 62
"""Later than every moment of a history."""
Span = tuple[int, int]


@dataclass(frozen=True)
class Recovery:
    """One fault. Seconds since heal; None: it never happened. `back`: the node was ready again."""

    at: int
    node: str
    code: str
    in_flight: int | None
    lasted: float
    back: float | None
    b1: float | None
    b2: float | None


def check(case: Case, demands: Demands) -> list[Recovery]:
    """Measure every fault whose heal is recorded, and report those beyond their bounds."""
    found = measured(case.tables)
    for recovery in found if demands.bounds else ():
        _judge(case, recovery, demands)
    return found


def _judge(case: Case, recovery: Recovery, demands: Demands) -> None:
    if demands.bounds is None:
        return
    bounds = demands.bounds(recovery.code, recovery.node)
    for name, value, bound in zip(("B1", "B2"), (recovery.b1, recovery.b2), bounds, strict=True):
        if value is None or value > bound:
            took = "never ended" if value is None else f"{value:.1f} s"
            says = f"{name} after {recovery.code} of {recovery.node}: {took} (bound {bound:g} s)"
            finding = Finding(Verdict.SLOW, "", recovery.at, recovery.node, says, recovery.node, limited([recovery.at]))
            case.findings.add(finding)


def measured(tables: Tables) -> list[Recovery]:
    """Answer the recovery of each fault, in the order of the faults."""
    faults = sorted(tables.faults, key=lambda fault: fault.mono_ns)
    if not faults:
        return []
    sent = _answers(tables)
    unseen = joined(_unseen(tables))
    pending = {code: joined(_pending(samples)) for code, samples in tables.samples.items()}
    found = []
    for index, fault in enumerate(faults):
        until = faults[index + 1].mono_ns if index + 1 < len(faults) else NEVER
        heal = _end(tables, fault, "heal", until)
        if heal is not None:
            back = _end(tables, fault, "back", until)
            b2 = max(_last(spans, heal, until) for spans in (unseen, *pending.values()))
            found.append(
                Recovery(
                    fault.at,
                    fault.node,
                    fault.code,
                    fault.in_flight,
                    lasted=(heal - fault.mono_ns) / 1e9,
                    back=None if back is None else max(0, back - heal) / 1e9,
                    b1=_first(sent, heal),
                    b2=None if b2 == NEVER else b2 / 1e9,
                )
            )
    return found


def _end(tables: Tables, fault: Fault, code: str, until: int) -> int | None:
    times = [end.mono_ns for end in tables.ends if (end.node, end.code) == (fault.node, code)]
    return min((time for time in times if fault.mono_ns <= time < until), default=None)


def _answers(tables: Tables) -> tuple[list[int], list[int]]:
    """When each acknowledged attempt was sent, sorted, and the earliest answer to any sent then or later."""
    acks = sorted((ack.began, ack.mono_ns) for send in tables.sends.values() for ack in send.acks)
    earliest: list[int] = []
    best = NEVER
    for _, answered in reversed(acks):
        best = min(best, answered)
        earliest.append(best)
    return [began for began, _ in acks], earliest[::-1]


def _first(sent: tuple[list[int], list[int]], heal: int) -> float | None:
    began, earliest = sent
    index = bisect_left(began, heal)
    return (earliest[index] - heal) / 1e9 if index < len(earliest) else None


def _unseen(tables: Tables) -> Iterable[Span]:
    """From a second after the first acknowledgement of an event until each view showed it, if that was later."""
    acked = {
        ack.id: ack.mono_ns + GRACE_NS for send in tables.sends.values() for ack in reversed(send.acks)
    }  # the first acknowledgement stays
    for rows in tables.views.values():
        for row in rows:
            due = acked.get(row.id)
            if due is not None and row.mono_ns > due:
                yield due, row.mono_ns


def _pending(samples: Sequence[Sample]) -> Iterable[Span]:
    """From each sample that found something waiting, or could not be made, to the next one."""
    for sample, following in zip(samples, [*samples[1:], None], strict=True):
        if sample.waited is None or sample.waited * 1_000_000 > GRACE_NS:
            yield sample.mono_ns, following.mono_ns if following else NEVER


def joined(spans: Iterable[Span]) -> list[Span]:
    """Answer the union as spans that do not touch, sorted."""
    union: list[list[int]] = []
    for first, last in sorted(spans):
        if union and first <= union[-1][1]:
            union[-1][1] = max(union[-1][1], last)
        else:
            union.append([first, last])
    return [(first, last) for first, last in union]


def _last(spans: list[Span], heal: int, until: int) -> int:
    """Answer the end of the last span that begins before `until`, after heal; 0 when nothing waited after heal."""
    index = bisect_right(spans, (until, 0)) - 1
    if index < 0:
        return 0
    ended = spans[index][1]
    return NEVER if ended == NEVER else max(0, ended - heal)
