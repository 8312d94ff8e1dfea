"""Prints a judgement for people, and as JSON for programs.

Owns the text; the judgement is the checker's.
"""

from collections import Counter
from collections.abc import Iterator
from typing import Any

from signalink_labs.history.checker import CLEAN, INCONCLUSIVE, Report
from signalink_labs.history.findings import Finding

SHOWN = 8
"""Findings printed in full; the rest is counted."""


def verdict(report: Report) -> str:
    """Answer `clean`, `violated` or `inconclusive`."""
    return {CLEAN: "clean", INCONCLUSIVE: "inconclusive"}.get(report.exit_code, "violated")


def text(report: Report) -> Iterator[str]:
    """Yield the lines of the report; the last one is the verdict."""
    for finding in report.findings[:SHOWN]:
        yield f"{finding.invariant} {finding.verdict}: {finding.place}, channel {finding.ch}: {finding.says}"
        yield f"  hop: {finding.hop}"
        for line in finding.lines:
            yield f"  {report.quotes.get(line, '?')}"
    if len(report.findings) > SHOWN:
        yield f"... and {len(report.findings) - SHOWN} more findings"
    for reason in report.inconclusive:
        yield f"inconclusive: {reason}"
    counts = Counter(finding.verdict.value for finding in report.findings)
    found = ", ".join(f"{count} {name}" for name, count in sorted(counts.items())) or "no finding"
    yield (
        f"history: {report.acknowledged:,} acknowledged, {report.delivered:,} delivered to {report.views} views, "
        f"{report.lines:,} lines: {found}; {verdict(report)}"
    )


def document(report: Report) -> dict[str, Any]:
    """Answer the report as a JSON object."""
    return {
        "verdict": verdict(report),
        "acknowledged": report.acknowledged,
        "delivered": report.delivered,
        "views": report.views,
        "lines": report.lines,
        "inconclusive": report.inconclusive,
        "findings": [_finding(report, finding) for finding in report.findings],
    }


def _finding(report: Report, finding: Finding) -> dict[str, Any]:
    return {
        "invariant": finding.invariant,
        "verdict": finding.verdict.value,
        "channel": finding.ch,
        "seq": finding.seq,
        "place": finding.place,
        "says": finding.says,
        "hop": finding.hop,
        "lines": [report.quotes[line] for line in finding.lines if line in report.quotes],
    }
