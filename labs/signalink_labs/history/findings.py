"""The verdict names, what a finding says, and where findings gather during a check.

Owns the names of `V1`-`V6`, `V8`, `V10` and the limit of a counter-example. Which lines make a counter-example is
decided where the finding is made.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

MAX_LINES = 10
"""A counter-example has at most this many history lines."""


class Verdict(StrEnum):
    """What was violated; the value is the name that people and tests see."""

    LOST = "lost"
    PHANTOM = "phantom"
    DUPLICATE = "duplicate"
    REORDERED = "reordered"
    SKIPPED = "skipped"
    INCONSISTENT = "inconsistent"
    SLOW = "slow"
    DISHONEST = "dishonest"


INVARIANTS = {
    Verdict.LOST: "V1",
    Verdict.PHANTOM: "V2",
    Verdict.DUPLICATE: "V3",
    Verdict.REORDERED: "V4",
    Verdict.SKIPPED: "V5",
    Verdict.INCONSISTENT: "V6",
    Verdict.SLOW: "V8",
    Verdict.DISHONEST: "V10",
}

ABSENCE = frozenset({Verdict.LOST, Verdict.PHANTOM, Verdict.SKIPPED})
"""Verdicts that rest on a line that is not there: without complete files they prove nothing."""


@dataclass(frozen=True)
class Finding:
    """One violation: what, where it vanished or went wrong, and the lines that show it."""

    verdict: Verdict
    ch: str
    seq: int
    place: str
    """`view r1`, `log`, `kafka`, `acknowledgement`."""
    says: str
    hop: str
    lines: tuple[int, ...]
    """References to at most MAX_LINES lines."""

    @property
    def invariant(self) -> str:
        return INVARIANTS[self.verdict]


class Findings:
    """Gathers findings; those about one cause (same group) become one, with a line of each witness."""

    def __init__(self) -> None:
        self._grouped: dict[tuple[object, ...], Finding] = {}

    def add(self, finding: Finding, *, group: tuple[object, ...] | None = None) -> None:
        """Keep the finding; of a group the first text stays and lines are added up to the limit."""
        key = (finding.verdict, *(group or (len(self._grouped),)))
        known = self._grouped.get(key)
        if known is None:
            self._grouped[key] = finding
        elif len(known.lines) < MAX_LINES:
            self._grouped[key] = Finding(
                known.verdict,
                known.ch,
                known.seq,
                known.place,
                known.says,
                known.hop,
                limited([*known.lines, *finding.lines]),
            )

    def all(self) -> list[Finding]:
        """Answer the findings, those of one channel together."""
        return sorted(self._grouped.values(), key=lambda finding: (finding.ch, finding.seq, finding.verdict))


def limited(lines: Iterable[int | None]) -> tuple[int, ...]:
    """Answer the known references, each once, at most MAX_LINES of them."""
    return tuple(dict.fromkeys(line for line in lines if line is not None))[:MAX_LINES]
