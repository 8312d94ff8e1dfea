"""Where an event stands in time: its window, whether that is still open, what it does to the watermark. Pure.

Events are taken in their order, one by one, so what becomes of them does not depend on where batches begin and end.
"""

from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple

from signalink_analytics.marks import WINDOW_MS, Marks, Rules, first_open, first_unclosed
from signalink_core.kafka.delivery import Delivered

_EPOCH: Final = datetime.fromtimestamp(0, UTC)
_MS: Final = timedelta(milliseconds=1)


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
    return (time - _EPOCH) // _MS


class Passing:
    """The time of one partition while a batch passes. `corrected`: events counted in a window that was closed.

    `open_from`: the first window that still takes events; it moves on within the batch as its own watermark does.
    """

    def __init__(self, marks: Marks, rules: Rules) -> None:
        self._marks, self._rules = marks, rules
        self.watermark = marks.own
        self.late: list[Late] = []
        self.clamped: list[Clamped] = []
        self.corrected = 0
        self._newest = -1 if marks.own is None else marks.own + rules.delay_ms
        self._look_again()

    def counted_at(self, delivered: Delivered, at: int) -> int:
        """The event's time, or now when that is ahead of the clock."""
        if at <= self._marks.now:
            return at
        self.clamped.append(Clamped(delivered, at, self._marks.now))
        return self._marks.now

    def passed(self, delivered: Delivered, counted: int, user: str | None) -> bool:
        """The event was taken: whether it counts. Late ones do not, and are kept."""
        window = counted // WINDOW_MS
        in_time = window >= self.open_from
        if not in_time:
            self.late.append(Late(delivered, counted, window, self._over, user))
        elif window < self._closed_before:
            self.corrected += 1
        if counted > self._newest:
            self._newest = counted
            self.watermark = counted - self._rules.delay_ms
            self._look_again()
        return in_time

    def _look_again(self) -> None:
        own, others, final = self.watermark, self._marks.others, self._marks.final
        known = None if own is None or others is None else min(own, others)
        self.open_from = first_open(known, final, self._rules.lateness_ms)
        self._closed_before = first_unclosed(known)
        self._over = max(0 if known is None else known, 0 if final is None else final)
