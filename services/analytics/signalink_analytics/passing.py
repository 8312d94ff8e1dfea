"""Where an event stands in time: its window, whether that is still open, what it does to the watermark. Pure.

Events are taken in their order, one by one, so what becomes of them does not depend on where batches begin and end.
"""

from datetime import UTC, datetime
from typing import Final, NamedTuple

from signalink_analytics.marks import WINDOW_MS, Marks, Rules, first_open, first_unclosed
from signalink_core.kafka.delivery import Delivered

_EPOCH: Final = datetime.fromtimestamp(0, UTC)


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


def moment(time: datetime) -> int:
    """Milliseconds since 1970, rounded down."""
    since = time - _EPOCH
    return since.days * 86_400_000 + since.seconds * 1_000 + since.microseconds // 1_000


class Passing:
    """The time of one partition while a batch passes. `corrected`: events counted in a window that was closed.

    `open_from`: the first window that still takes events; it moves on within the batch as its own watermark does.
    """

    def __init__(self, marks: Marks, rules: Rules) -> None:
        self._marks, self._rules = marks, rules
        self._now = marks.now
        self.watermark = marks.own
        self.late: list[Late] = []
        self.clamped: list[Clamped] = []
        self.corrected = 0
        self._newest = -1 if marks.own is None else marks.own + rules.delay_ms
        self._look_again()

    def take(self, delivered: Delivered, at: int, user: str | None) -> int | None:
        """The next event: when it counts, which is its time or, ahead of the clock, now. None: it is late, and kept."""
        if at > self._now:
            self.clamped.append(Clamped(delivered, at, self._now))
            at = self._now
        window = at // WINDOW_MS
        counts = window >= self.open_from
        if not counts:
            self.late.append(Late(delivered, at, window, self._over(), user))
        elif window < self._closed_before:
            self.corrected += 1
        if at > self._newest:
            self._newest = at
            self.watermark = at - self._rules.delay_ms
            if self.watermark >= self._changes_at:
                self._look_again()
        return at if counts else None

    def _known(self) -> int | None:
        """The watermark of all."""
        own, others = self.watermark, self._marks.others
        return None if own is None or others is None else min(own, others)

    def _over(self) -> int:
        return max(self._known() or 0, self._marks.final or 0)

    def _look_again(self) -> None:
        """Which windows are open and closed; exact up to `_changes_at`, the next watermark that changes one of both."""
        known, lateness = self._known(), self._rules.lateness_ms
        self.open_from = first_open(known, self._marks.final, lateness)
        self._closed_before = first_unclosed(known)
        own = self.watermark or 0
        self._changes_at = min(
            (own // WINDOW_MS + 1) * WINDOW_MS, ((own - lateness) // WINDOW_MS + 1) * WINDOW_MS + lateness
        )
