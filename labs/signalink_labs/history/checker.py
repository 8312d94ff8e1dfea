"""Judges a run: all checks, the evidence, one report.

Owns the order of the checks (each flags what the next shall not report again) and the exit code. Sorting dominates:
O(n log n); a million operations take seconds (`tests/bench/history`). Server seqs give the order of versions, so
nothing is searched.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from signalink_labs.history import agreement, evidence, honesty, order, provenance, recovery
from signalink_labs.history.case import Case
from signalink_labs.history.evidence import Demands
from signalink_labs.history.findings import ABSENCE, Finding
from signalink_labs.history.reader import FileSource, Source, quote
from signalink_labs.history.recovery import Recovery
from signalink_labs.history.tables import collect

CLEAN, VIOLATED, INCONCLUSIVE = 0, 1, 2
"""Exit codes."""


@dataclass(frozen=True)
class Report:
    """The judgement of one run; `quotes` has the raw line of every reference in the findings shown."""

    findings: list[Finding]
    inconclusive: list[str]
    acknowledged: int
    delivered: int
    views: int
    lines: int
    quotes: dict[int, str]
    recoveries: list[Recovery] = field(default_factory=list)
    duplicated: int = 0
    """Records that a store other than the log holds again (the relay may repeat a batch); views: see `findings`."""
    troubles: dict[str, int] = field(default_factory=dict)
    """Attempts that were not acknowledged, by `status code`, or by the code alone where nobody answered."""

    @property
    def exit_code(self) -> int:
        """1 violated, 2 inconclusive, 0 clean; a proven violation outweighs missing evidence."""
        if self.findings:
            return VIOLATED
        return INCONCLUSIVE if self.inconclusive else CLEAN

    @property
    def verdicts(self) -> set[str]:
        """Answer the names of what was violated."""
        return {finding.verdict.value for finding in self.findings}


def check(sources: Sequence[Source], demands: Demands | None = None, *, quoted: int = 20) -> Report:
    """Judge the files of one run; the lines of the first `quoted` findings are quoted."""
    tables = collect(sources)
    demanded = demands or Demands()
    incomplete = list(evidence.files(tables))
    case = Case(tables)
    provenance.check(case)
    agreement.check(case)
    order.check(case)
    honesty.check(case, demanded)
    recoveries = recovery.check(case, demanded)
    findings = case.findings.all()
    if incomplete:
        findings = [finding for finding in findings if finding.verdict not in ABSENCE]
    return Report(
        findings=findings,
        inconclusive=[*incomplete, *evidence.amounts(tables, demanded)],
        acknowledged=tables.acknowledged,
        delivered=tables.delivered,
        views=len({view for view, _ in tables.views}),
        lines=tables.lines,
        quotes=quote(sources, [line for finding in findings[:quoted] for line in finding.lines]),
        recoveries=recoveries,
        duplicated=tables.repeated,
        troubles=honesty.counted(tables),
    )


def check_files(paths: Sequence[Path], demands: Demands | None = None) -> Report:
    """Judge the history files of one run."""
    return check([FileSource(path) for path in paths], demands)
