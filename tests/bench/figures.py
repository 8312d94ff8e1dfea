"""From runs to figures: medians with ranges, bars and verdicts, the JSON and the Markdown section in docs/.

A full run writes; a small one only prints. The last line a benchmark prints names figure, bar and verdict.
"""

import json
import statistics
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import machine

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "performance.md"
DATA = ROOT / "docs" / "performance"


@dataclass(frozen=True, slots=True)
class Spread:
    """Median and range of one figure over the runs."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> "Spread":
        return cls(statistics.median(values), min(values), max(values))

    def text(self, digits: int = 2) -> str:
        return f"{self.median:,.{digits}f} ({self.low:,.{digits}f} to {self.high:,.{digits}f})"


@dataclass(frozen=True, slots=True)
class Bar:
    """`limit` as `most` or least; a stretch bar is told, and misses without failing the run."""

    what: str
    value: float
    limit: float
    most: bool = True
    unit: str = ""
    stretch: bool = False

    @property
    def ok(self) -> bool:
        return self.value <= self.limit if self.most else self.value >= self.limit

    def text(self) -> str:
        sign = "<=" if self.most else ">="
        kind = "stretch" if self.stretch else "bar"
        told = f"{self.what} {self.value:.3g}{self.unit} ({kind} {sign} {self.limit:g}{self.unit})"
        return f"{told} {'ok' if self.ok else 'missed'}"


@dataclass
class Result:
    """One benchmark's outcome. `faults`: what makes the run worthless, each a sentence."""

    name: str
    columns: Sequence[str]
    rows: list[Sequence[str]] = field(default_factory=list)
    bars: list[Bar] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    runs: list[Mapping[str, Any]] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        return not self.faults and all(bar.ok or bar.stretch for bar in self.bars)

    def table(self) -> str:
        rule = ["---"] * len(self.columns)
        return "\n".join("| " + " | ".join(row) + " |" for row in (self.columns, rule, *self.rows))

    def last_line(self) -> str:
        parts = [bar.text() for bar in self.bars] + [f"FAULT: {fault}" for fault in self.faults]
        return f"{self.name}: {'; '.join(parts)}; {'ok' if self.ok else 'missed'}"


def finish(result: Result, *, write: bool) -> int:
    """Prints table, notes, verdict; writes them when asked. The exit code of the benchmark."""
    say(result.table())
    for note in result.notes:
        say(f"- {note}")
    if write:
        _write(result)
    say(result.last_line())
    return 0 if result.ok else 1


def say(line: str) -> None:
    """Print at once: these programs are watched."""
    print(line, flush=True)  # noqa: T201 - a program's output


def interleaved(sides: Mapping[str, Callable[[], Mapping[str, Any]]], runs: int) -> dict[str, list[Mapping[str, Any]]]:
    """A B C A B C ...; each run's figures by side."""
    found: dict[str, list[Mapping[str, Any]]] = {side: [] for side in sides}
    for number in range(1, runs + 1):
        for side, run in sides.items():
            figures = run()
            found[side].append(figures)
            short = {key: round(value, 2) if isinstance(value, float) else value for key, value in figures.items()}
            say(f"run {number}/{runs} {side}: {short}")
    return found


def spread(runs: Sequence[Mapping[str, Any]], key: str) -> Spread:
    return Spread.of([float(run[key]) for run in runs])


def ratios(above: Sequence[Mapping[str, Any]], below: Sequence[Mapping[str, Any]], key: str) -> Spread:
    """Of neighbours in time, run by run: the machine's mood of the minute cancels out."""
    return Spread.of([float(a[key]) / float(b[key]) for a, b in zip(above, below, strict=True)])


def _write(result: Result) -> None:
    made = {
        "name": result.name,
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": commit(),
        "machine": machine.described(),
        "cpus": str(machine.Cpus.split()),
        "command": command(),
    }
    bars = [
        {"what": b.what, "value": b.value, "limit": b.limit, "most": b.most, "stretch": b.stretch, "ok": b.ok}
        for b in result.bars
    ]
    DATA.mkdir(exist_ok=True)
    whole = {**made, "bars": bars, "faults": result.faults, "notes": result.notes, "runs": result.runs}
    (DATA / f"{result.name}.json").write_text(json.dumps(whole, indent=1) + "\n")
    verdicts = "\n".join(f"- {bar.text()}" for bar in result.bars) + "".join(f"\n- FAULT: {f}" for f in result.faults)
    notes = "".join(f"\n- {note}" for note in result.notes)
    head = (
        f"`{made['command']}` at {made['at']}, commit `{made['commit']}`. {made['machine']}; {made['cpus']}. "
        f"Every run: [performance/{result.name}.json](performance/{result.name}.json)."
    )
    _replace(result.name, f"{head}\n\n{result.table()}\n\nVerdicts:\n\n{verdicts}\n\nNotes:\n{notes}")


def _replace(name: str, section: str) -> None:
    """Puts a section between its two marks of docs/performance.md, or at the end with new marks."""
    begin, end = f"<!-- {name}: written by make bench -->", f"<!-- end of {name} -->"
    page = PAGE.read_text() if PAGE.exists() else "# Performance\n"
    if begin not in page:
        page += f"\n## {name}\n\n{begin}\n{end}\n"
    above, rest = page.split(begin, 1)
    PAGE.write_text(f"{above}{begin}\n{section}\n{end}{rest.split(end, 1)[1]}")


def commit() -> str:
    """Of the checkout; `+` when files differ from it."""
    done = subprocess.run(
        ["git", "describe", "--always", "--dirty=+"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    return done.stdout.strip() or "unknown"


def command() -> str:
    return f"make bench NAME={Path(sys.argv[0]).resolve().parent.name}"
