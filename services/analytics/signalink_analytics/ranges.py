"""Stretches of time that figures are asked for: which windows they cover, which of those are kept, which are whole.

Pure. Windows are those of UTC: a day begins at midnight UTC. Nothing is rounded towards less: a range covers every
window that it touches. What is older than the retention of a level, and what has not begun yet, is left out and said.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, Literal, TypeAlias

from signalink_analytics.problems import RangeInFuture, RangeNotKept, RangeReversed, RangeTooLong
from signalink_core.clock import isoformat

IntervalName = Literal["1m", "1h", "1d"]
STEPS: Final[Mapping[IntervalName, int]] = {"1m": 60, "1h": 3_600, "1d": 86_400}
"""Seconds."""
DEFAULT_SPANS: Final[Mapping[IntervalName, timedelta]] = {
    "1m": timedelta(hours=1),
    "1h": timedelta(days=1),
    "1d": timedelta(days=30),
}
MOST_POINTS: Final = 1_500
_EPOCH: Final = datetime.fromtimestamp(0, UTC)


Kept: TypeAlias = Mapping[IntervalName, timedelta]
"""How long windows of each interval are kept."""


@dataclass(frozen=True, slots=True)
class Segment:
    """Windows of one interval from `start` to before `end`."""

    interval: IntervalName
    start: datetime
    end: datetime


@dataclass(frozen=True, slots=True)
class Asked:
    """As it was asked; None: by default `to` is now and `from` one span of the interval before `to`."""

    interval: IntervalName
    start: datetime | None = None
    end: datetime | None = None


@dataclass(frozen=True, slots=True)
class Span:
    """Whole windows from `start` to before `end`, of which those from `first` on are kept and begun."""

    interval: IntervalName
    start: datetime
    end: datetime
    kept_from: datetime
    now: datetime

    @property
    def step(self) -> timedelta:
        return timedelta(seconds=STEPS[self.interval])

    @property
    def first(self) -> datetime:
        """The first window that is kept whole."""
        return max(self.start, self.kept_from)

    @property
    def segment(self) -> Segment:
        """What of it is kept."""
        return Segment(self.interval, self.first, self.end)

    @property
    def cut(self) -> bool:
        """Whether a part of the range is older than what is kept."""
        return self.start < self.kept_from

    def windows(self) -> list[datetime]:
        """The start of each window that is kept and has begun, in order."""
        step, last = STEPS[self.interval], min(_seconds(self.end), _seconds(self.now) + 1)
        return [_moment(at) for at in range(_seconds(self.first), last, step)]

    def is_complete(self, window: datetime, watermark: datetime | None) -> bool:
        """Whether everything that happened in the window is counted, but for late events."""
        return watermark is not None and window + self.step <= watermark

    def complete_until(self, watermark: datetime | None) -> datetime | None:
        """The end of the last whole window of this range; None: there is none yet."""
        if watermark is None:
            return None
        closed = _moment(_floor(_seconds(watermark), STEPS[self.interval]))
        end = min(closed, self.end)
        return end if end > self.first else None


def plan(asked: Asked, now: datetime, kept: Kept) -> Span:
    """The windows of a range.

    Raises RangeReversed, RangeInFuture, RangeNotKept, RangeTooLong.
    """
    step = STEPS[asked.interval]
    present = _seconds(now)
    horizon = _floor(present, step) + step
    end = horizon if asked.end is None else min(_ceil(_exact(asked.end), step), horizon)
    start = end - int(DEFAULT_SPANS[asked.interval].total_seconds())
    if asked.start is not None:
        start = _floor(_seconds(asked.start), step)
    _check_order(asked, now)
    oldest = _oldest(present, asked.interval, kept)
    if end <= oldest:
        raise _not_kept(asked.interval, _moment(oldest))
    _check_length((end - max(start, oldest)) // step, asked.interval)
    return Span(asked.interval, _moment(max(start, 0)), _moment(end), _moment(oldest), now)


def stretch(now: datetime, length: timedelta, kept: Kept) -> tuple[list[Segment], bool]:
    """The windows of the last `length`, up to now: hours of the first day, then days, whose newest are still made of
    hours and minutes. It is longer than asked by less than an hour. Second: whether a part of it is not kept any more.
    """
    present = _seconds(now)
    start = _floor(present - int(length.total_seconds()), STEPS["1h"])
    hours, days = (_oldest(present, interval, kept) for interval in ("1h", "1d"))
    if start < hours:  # without the hours whole days do
        start = _floor(start, STEPS["1d"])
    cut = start < days
    start = max(start, days)
    midnight, end = _ceil(start, STEPS["1d"]), _floor(present, STEPS["1d"]) + STEPS["1d"]
    pieces: tuple[tuple[IntervalName, int, int], ...] = (("1h", start, midnight), ("1d", midnight, end))
    return [
        Segment(interval, _moment(begin), _moment(until)) for interval, begin, until in pieces if begin < until
    ], cut


def _oldest(present: int, interval: IntervalName, kept: Kept) -> int:
    """The first window that is kept whole."""
    step = STEPS[interval]
    return _floor(present - int(kept[interval].total_seconds()), step) + step


def _check_order(asked: Asked, now: datetime) -> None:
    if asked.start is None:
        return
    if asked.start >= now:
        raise RangeInFuture(
            "`from` is not in the past.", next_step="ask for a range that has begun.", now=isoformat(now)
        )
    if asked.end is not None and asked.start >= asked.end:
        raise RangeReversed("`from` is not before `to`.", next_step="exchange them.")


def _not_kept(interval: IntervalName, kept_from: datetime) -> RangeNotKept:
    wider = {"1m": "1h", "1h": "1d"}.get(interval)
    return RangeNotKept(
        f"Windows of {interval} before {isoformat(kept_from)} are not kept.",
        next_step="ask for a younger range" + (f", or with interval={wider}." if wider else "."),
        kept_from=isoformat(kept_from),
    )


def _check_length(points: int, interval: IntervalName) -> None:
    if points <= MOST_POINTS:
        return
    span = points * STEPS[interval]
    wider = next((name for name, step in STEPS.items() if step > STEPS[interval] and span // step < MOST_POINTS), None)
    raise RangeTooLong(
        f"The range holds {points} points of {interval}; one answer has at most {MOST_POINTS}.",
        next_step=f"ask with interval={wider}, or for a shorter range." if wider else "ask for a shorter range.",
        points=points,
        most_points=MOST_POINTS,
    )


def _exact(moment: datetime) -> float:
    return (moment - _EPOCH).total_seconds()


def _seconds(moment: datetime) -> int:
    """Whole seconds since 1970, rounded down."""
    return (moment - _EPOCH) // timedelta(seconds=1)


def _moment(seconds: int) -> datetime:
    return _EPOCH + timedelta(seconds=seconds)


def _floor(seconds: int, step: int) -> int:
    return seconds // step * step


def _ceil(seconds: float, step: int) -> int:
    return int(-(-seconds // step)) * step
