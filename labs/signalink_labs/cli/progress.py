"""Owns how a start is shown: one bar against the time of earlier starts on a terminal, plain lines elsewhere.

Where there was no earlier start like this one, nothing is promised: the bar only moves, the lines say their own times.
"""

import time
from types import TracebackType
from typing import Protocol, Self

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from signalink_labs.cli import output
from signalink_stacks.local.starts import Estimate
from signalink_stacks.local.state import RunState, Step

ALMOST = 0.99


class Display(Protocol):
    """A context while the start goes on; called with each new state."""

    def __enter__(self) -> Self: ...
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None: ...
    def __call__(self, state: RunState) -> None: ...


def heading(estimate: Estimate) -> str:
    """What to expect, from earlier starts of this folder."""
    if estimate.total is None and estimate.first is not None:
        return f"Starting Signalink; the first start took {estimate.first:.0f} s, this one has less to do."
    if estimate.total is None:
        return "Starting Signalink; it is the first start here, so nothing tells how long it takes."
    starts = "the last start" if estimate.count == 1 else f"the median of {estimate.count} earlier starts"
    return f"Starting Signalink; about {estimate.total:.0f} s, {starts}."


def step_line(step: Step, estimate: Estimate) -> str:
    """One finished step with its time, and what it took earlier."""
    earlier = estimate.steps.get(step.name)
    before = "" if earlier is None else f"  (earlier {earlier:.1f} s)"
    return f"  {step.name:<16} {step.seconds or 0.0:5.1f} s{before}"


class Lines:
    """Prints each step once, when it is done."""

    def __init__(self, estimate: Estimate, silent: bool = False) -> None:
        self._estimate = estimate
        self._silent = silent
        self._printed: set[str] = set()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        return

    def __call__(self, state: RunState) -> None:
        for step in state.steps:
            if step.seconds is not None and step.name not in self._printed:
                self._printed.add(step.name)
                self.show(step_line(step, self._estimate))

    def show(self, line: str) -> None:
        if not self._silent:
            output.text(line)


class Bar(Lines):
    """The same lines above a bar that stands for time; it never reaches its end before the platform is up."""

    def __init__(self, estimate: Estimate, console: Console) -> None:
        super().__init__(estimate)
        self._began = time.monotonic()
        columns = (SpinnerColumn(), BarColumn(30), TimeElapsedColumn(), TextColumn("{task.description}"))
        self._progress = Progress(*columns, console=console, transient=True)
        self._task = self._progress.add_task("", total=estimate.total)

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._progress.stop()

    def show(self, line: str) -> None:
        self._progress.console.print(line, highlight=False, markup=False)

    def __call__(self, state: RunState) -> None:
        super().__call__(state)
        elapsed = time.monotonic() - self._began
        words = under_way(state, self._estimate, elapsed)
        self._progress.update(self._task, description=words, completed=shown(self._estimate.total, elapsed))


def shown(total: float | None, elapsed: float) -> float | None:
    """How far the bar goes: with time, but not to its end. None without an estimate."""
    return None if total is None else min(elapsed, ALMOST * total)


def under_way(state: RunState, estimate: Estimate, elapsed: float) -> str:
    names = ", ".join(step.name for step in state.steps if step.seconds is None)
    late = estimate.total is not None and elapsed > estimate.total
    return f"{names} (longer than the usual {estimate.total:.0f} s)" if late else names


def display(estimate: Estimate, console: Console, *, silent: bool) -> Display:
    return Bar(estimate, console) if console.is_terminal and not silent else Lines(estimate, silent)
