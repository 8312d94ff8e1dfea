"""Watermarks as numbers: what is over, what is closed, what came too late (log.md 4). Pure; milliseconds since 1970.

A window is a number: minutes since 1970. A partition's watermark is its newest event time less the delay, and never
goes back. What counts is the smallest of all partitions: only before it is everything believed to have come.
"""

from dataclasses import dataclass
from typing import Final

WINDOW_MS: Final = 60_000


@dataclass(frozen=True, slots=True)
class Rules:
    """`delay_ms`: a watermark stays so far behind; `lateness_ms`: so long a closed window is still corrected."""

    delay_ms: int = 5_000
    lateness_ms: int = 30_000


@dataclass(frozen=True, slots=True)
class Marks:
    """What a batch finds in the store.

    `now`: Postgres's clock. `own`: its partition's watermark. `others`: the smallest of all other partitions, None
    while one of them has told nothing. `final`: windows that end at or before it are rolled up.
    """

    now: int
    own: int | None = None
    others: int | None = None
    final: int | None = None

    @property
    def watermark(self) -> int | None:
        """Of the group."""
        return None if self.own is None or self.others is None else min(self.own, self.others)


def first_open(watermark: int | None, final: int | None, lateness_ms: int) -> int:
    """The first window that still takes an event."""
    by_time = 0 if watermark is None else (watermark - lateness_ms) // WINDOW_MS
    return max(by_time, 0 if final is None else final // WINDOW_MS)


def first_unclosed(watermark: int | None) -> int:
    """The first window that the watermark has not passed."""
    return 0 if watermark is None else watermark // WINDOW_MS


def idle(marks: Marks, rules: Rules) -> int:
    """The watermark of a partition that was read to its end: it goes with the clock."""
    reached = marks.now - rules.delay_ms
    return reached if marks.own is None else max(marks.own, reached)
