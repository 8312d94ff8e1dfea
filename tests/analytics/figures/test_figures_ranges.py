"""Which windows a range covers: aligned, bounded, honest about what is not kept and what is not whole yet."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signalink_analytics import ranges
from signalink_analytics.problems import RangeInFuture, RangeNotKept, RangeReversed, RangeTooLong
from signalink_core.errors import SignalinkError

NOW = datetime(2026, 3, 10, 12, 34, 56, 789_000, UTC)
KEPT = timedelta(days=7)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def planned(interval: Any = "1m", start: str | None = None, end: str | None = None, **more: Any) -> ranges.Span:
    asked = ranges.Asked(interval, start and at(start), end and at(end))  # type: ignore[arg-type]
    return ranges.plan(asked, more.get("now", NOW), dict.fromkeys(ranges.STEPS, more.get("kept", KEPT)))


@pytest.mark.parametrize(
    ("interval", "start", "end", "points"),
    [
        ("1m", "2026-03-10T11:35", "2026-03-10T12:35", 60),
        ("1h", "2026-03-09T13:00", "2026-03-10T13:00", 24),
        ("1d", "2026-02-09T00:00", "2026-03-11T00:00", 30),
    ],
)
def test_without_times_it_is_the_last_stretch_up_to_now(interval: Any, start: str, end: str, points: int) -> None:
    span = planned(interval, kept=timedelta(days=60))
    assert (span.start, span.end, len(span.windows())) == (at(start), at(end), points)


def test_a_range_covers_every_window_that_it_touches() -> None:
    span = planned("1m", "2026-03-10T10:00:59.999", "2026-03-10T10:01:00.001")
    assert span.windows() == [at("2026-03-10T10:00"), at("2026-03-10T10:01")]
    exact = planned("1m", "2026-03-10T10:00", "2026-03-10T10:02")
    assert exact.windows() == [at("2026-03-10T10:00"), at("2026-03-10T10:01")]


def test_windows_that_have_not_begun_are_left_out() -> None:
    span = planned("1h", "2026-03-10T10:00", "2027-01-01T00:00")
    assert span.windows() == [at("2026-03-10T10:00"), at("2026-03-10T11:00"), at("2026-03-10T12:00")]
    assert span.end == at("2026-03-10T13:00")


def test_windows_older_than_the_retention_are_left_out_and_said() -> None:
    span = planned("1h", "2026-03-01T00:00", "2026-03-04T00:00")
    assert span.cut
    assert span.kept_from == span.windows()[0] == at("2026-03-03T13:00")
    assert not planned("1h", "2026-03-03T13:00").cut


@pytest.mark.parametrize(
    ("watermark", "until", "whole"),
    [
        (None, None, 0),
        ("2026-03-10T09:59:59", None, 0),
        ("2026-03-10T11:00", "2026-03-10T11:00", 1),
        ("2026-03-10T11:59:59", "2026-03-10T11:00", 1),
        ("2026-03-10T12:34:00", "2026-03-10T12:00", 2),
        ("2026-03-10T18:00", "2026-03-10T13:00", 3),
    ],
)
def test_a_window_is_whole_when_the_watermark_is_past_its_end(
    watermark: str | None, until: str | None, whole: int
) -> None:
    span = planned("1h", "2026-03-10T10:00")
    mark = None if watermark is None else at(watermark)
    assert span.complete_until(mark) == (None if until is None else at(until))
    assert [span.is_complete(window, mark) for window in span.windows()] == [True] * whole + [False] * (3 - whole)


@pytest.mark.parametrize(
    ("asked", "error"),
    [
        (("1m", "2026-03-10T11:00", "2026-03-10T11:00"), RangeReversed),
        (("1m", "2026-03-10T11:00", "2026-03-10T10:00"), RangeReversed),
        (("1m", "2026-03-10T12:34:56.789", None), RangeInFuture),
        (("1m", "2026-03-11T00:00", "2026-03-12T00:00"), RangeInFuture),
        (("1m", "2026-03-08T00:00", None), RangeTooLong),
        (("1m", "2026-01-01T00:00", "2026-01-01T01:00"), RangeNotKept),
        (("1d", None, "0001-01-01T00:00"), RangeNotKept),
    ],
)
def test_a_range_that_cannot_be_answered_is_refused_with_its_own_code(
    asked: tuple[Any, ...], error: type[SignalinkError]
) -> None:
    with pytest.raises(error) as refused:
        planned(*asked)
    assert refused.value.next_step


def test_a_range_that_is_too_long_is_told_which_interval_fits() -> None:
    with pytest.raises(RangeTooLong) as refused:
        planned("1m", "2026-03-08T00:00")
    assert refused.value.fields == {"points": 3635, "most_points": ranges.MOST_POINTS}
    assert "interval=1h" in str(refused.value.next_step)


moments = st.none() | st.datetimes(timezones=st.just(UTC))


@given(
    interval=st.sampled_from(["1m", "1h", "1d"]),
    start=moments,
    end=moments,
    now=st.datetimes(min_value=datetime(2000, 1, 1), max_value=datetime(2100, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001
    watermark=moments,
    kept=st.timedeltas(min_value=timedelta(hours=1), max_value=timedelta(days=1000)),
)
def test_whatever_is_asked_the_answer_is_bounded_and_in_order(
    interval: Any, start: Any, end: Any, now: datetime, watermark: datetime | None, kept: timedelta
) -> None:
    try:
        span = ranges.plan(ranges.Asked(interval, start, end), now, dict.fromkeys(ranges.STEPS, kept))
    except SignalinkError as refused:
        assert refused.status == 422
        return
    windows = span.windows()
    assert len(windows) <= ranges.MOST_POINTS
    assert windows == sorted(set(windows))
    assert all(span.start <= window <= now and window >= span.kept_from and window < span.end for window in windows)
    assert all(window + span.step <= watermark for window in windows if span.is_complete(window, watermark))
    until = span.complete_until(watermark)
    assert until is None or span.first < until <= span.end
