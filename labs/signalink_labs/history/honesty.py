"""V10: what a failed post says, and that it says so in time.

Owns the verdict `dishonest`: an attempt longer than the client's time-out, an error without its code, a 429 or a 5xx
without Retry-After, and no answer at all although nothing was done to the process that answers.
"""

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator

from signalink_labs.history.case import Case
from signalink_labs.history.evidence import Demands
from signalink_labs.history.findings import Finding, Verdict
from signalink_labs.history.tables import Tables, Trouble

LATE_SECONDS = 1.0
"""Above the client's time-out: the generator's own lateness."""
Span = tuple[int, int]


def check(case: Case, demands: Demands) -> None:
    """Report every dishonest attempt; findings of one kind are one."""
    if demands.client_seconds is None:
        return
    limit = int((demands.client_seconds + LATE_SECONDS) * 1e9)
    excused = outages(case.tables, demands.serving)
    for trouble in case.tables.troubles:
        for kind, says in _reasons(trouble, limit, excused):
            _report(case, trouble.ch, trouble.at, kind, says)
    for send in case.tables.sends.values():
        for ack in send.acks:
            if ack.mono_ns - ack.began > limit:
                _report(case, ack.ch, ack.at, "late", f"acknowledged after {(ack.mono_ns - ack.began) / 1e9:.1f} s")


def _reasons(trouble: Trouble, limit: int, excused: list[Span]) -> Iterator[tuple[str, str]]:
    took = trouble.mono_ns - trouble.began
    name = f"{trouble.status or 'no status'} {trouble.code or 'no code'}"
    if took > limit:
        yield "late", f"an attempt ended with {name} after {took / 1e9:.1f} s"
    if trouble.status is None:
        if not _overlaps(excused, trouble.began, trouble.mono_ns):
            yield "silent", f"no answer ({trouble.code}) in {took / 1e9:.1f} s while the serving process was untouched"
        return
    if trouble.code in ("", "unreadable"):
        yield "nameless", f"status {trouble.status} came without a code"
    if (trouble.status == 429 or trouble.status >= 500) and trouble.wait is None:
        yield f"{trouble.status} {trouble.code}", f"{name} came without Retry-After"


def _report(case: Case, ch: str, at: int, kind: str, says: str) -> None:
    finding = Finding(Verdict.DISHONEST, ch, 0, "answer", says, "api", (at,))
    case.findings.add(finding, group=("answer", kind))


def outages(tables: Tables, serving: str) -> list[Span]:
    """From each fault of a serving node to its `back`, sorted; without one: for ever."""
    spans = []
    for fault in tables.faults:
        if fault.node.startswith(serving):
            backs = [e.mono_ns for e in tables.ends if (e.node, e.code) == (fault.node, "back")]
            spans.append((fault.mono_ns, min((back for back in backs if back >= fault.mono_ns), default=1 << 62)))
    return sorted(spans)


def _overlaps(spans: list[Span], began: int, ended: int) -> bool:
    """Whether the attempt touches one of the spans."""
    return any(last >= began for _, last in spans[: bisect_right(spans, (ended, 1 << 63))])


def counted(tables: Tables) -> dict[str, int]:
    """Answer how many attempts ended how, the most frequent first."""
    counts = Counter(f"{t.status} {t.code}" if t.status else t.code or "unanswered" for t in tables.troubles)
    return dict(counts.most_common())
