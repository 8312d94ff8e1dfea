"""Where an event stands in time: its window, whether that is still open, what it does to the watermark. Pure.

Events are taken in their order, one by one, so what becomes of them does not depend on where batches begin and end.
"""

from typing import NamedTuple

from signalink_analytics.marks import WINDOW_MS, Marks, Rules, first_open, first_unclosed
from signalink_core.kafka.delivery import Delivered


class Late(NamedTuple):
    """An event that missed its window. `watermark`: what counted when it came. `user`: whose doing it is, if any's."""

    delivered: Delivered
    at: int
    window: int
    watermark: int
    user: str | None


class Clamped(NamedTuple):
    """An event from the future, counted at `counted_at`."""

    delivered: Delivered
    at: int
    counted_at: int


class Passing:
    """The time of one partition while a batch passes. `corrected`: events counted in a window that was closed.

    `open_from`: the first window that still takes events; it moves on within the batch as its own watermark does.
    An event with `plain_from <= at < plain_until` comes in time: raising `newest` to it is all that `take` would do.
    """

    def __init__(self, marks: Marks, rules: Rules) -> None:
        self._marks, self._rules = marks, rules
        self._now = marks.now
        self.late: list[Late] = []
        self.clamped: list[Clamped] = []
        self.corrected = 0
        self.newest = -1 if marks.own is None else marks.own + rules.delay_ms
        self._look_again()

    @property
    def watermark(self) -> int | None:
        """Of the partition."""
        return None if self.newest < 0 else self.newest - self._rules.delay_ms

    def take(self, delivered: Delivered, user: str | None) -> int | None:
        """The next event: when it counts, which is its time or, ahead of the clock, now. None: it is late, and kept."""
        at = delivered.at_ms
        if at > self._now:
            self.clamped.append(Clamped(delivered, at, self._now))
            at = self._now
        window = at // WINDOW_MS
        counts = window >= self.open_from
        if not counts:
            self.late.append(Late(delivered, at, window, self._over(), user))
        elif window < self._closed_before:
            self.corrected += 1
        if at > self.newest:
            self.newest = at
            if at >= self._changes_at:
                self._look_again()
        return at if counts else None

    def _known(self) -> int | None:
        """The watermark of all."""
        own, others = self.watermark, self._marks.others
        return None if own is None or others is None else min(own, others)

    def _over(self) -> int:
        return max(self._known() or 0, self._marks.final or 0)

    def _look_again(self) -> None:
        """Which windows are open and closed; exact up to `_changes_at`, the next event time that changes one."""
        known, lateness = self._known(), self._rules.lateness_ms
        self.open_from = first_open(known, self._marks.final, lateness)
        self._closed_before = first_unclosed(known)
        own = self.watermark or 0
        closes, ends = own // WINDOW_MS + 1, (own - lateness) // WINDOW_MS + 1
        self._changes_at = min(closes * WINDOW_MS, ends * WINDOW_MS + lateness) + self._rules.delay_ms
        self.plain_from = max(self.open_from, self._closed_before) * WINDOW_MS
        self.plain_until = min(self._now + 1, self._changes_at)
