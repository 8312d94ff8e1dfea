"""Quiet hours: zones, midnight, the hours that clocks skip and repeat."""

from datetime import UTC, datetime, time, timedelta
from zoneinfo import available_timezones

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from signalink_notifications.planner.quiet import Quiet, zone_of

BERLIN = "Europe/Berlin"
NIGHT = Quiet(BERLIN, time(22), time(7))


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("quiet", "now", "ends"),
    [
        (NIGHT, "2026-01-10T20:59:59", None),  # 21:59:59 in Berlin
        (NIGHT, "2026-01-10T21:00:00", "2026-01-11T06:00:00"),
        (NIGHT, "2026-01-10T23:30:00", "2026-01-11T06:00:00"),
        (NIGHT, "2026-01-11T05:59:59", "2026-01-11T06:00:00"),
        (NIGHT, "2026-01-11T06:00:00", None),
        (NIGHT, "2026-07-10T20:00:00", "2026-07-11T05:00:00"),  # summer: an hour earlier in UTC
        (NIGHT, "2026-03-28T22:00:00", "2026-03-29T05:00:00"),  # the night that loses an hour
        (NIGHT, "2026-10-24T22:00:00", "2026-10-25T06:00:00"),  # the night that has one twice
        (Quiet(BERLIN, time(12), time(14)), "2026-01-10T11:30:00", "2026-01-10T13:00:00"),
        (Quiet(BERLIN, time(12), time(14)), "2026-01-10T10:30:00", None),
        (Quiet("Asia/Kathmandu", time(22), time(7)), "2026-01-10T17:00:00", "2026-01-11T01:15:00"),
        (Quiet("UTC", time(0), time(23, 59)), "2026-01-10T12:00:00", "2026-01-10T23:59:00"),
        # 02:30 does not exist on that day in Berlin; the clock shows 03:30 when it would be
        (Quiet(BERLIN, time(22), time(2, 30)), "2026-03-29T00:30:00", "2026-03-29T01:30:00"),
        # 02:30 comes twice; the hour before the second one is quiet again
        (Quiet(BERLIN, time(22), time(2, 30)), "2026-10-25T00:10:00", "2026-10-25T00:30:00"),
        (Quiet(BERLIN, time(22), time(2, 30)), "2026-10-25T00:40:00", None),
        (Quiet(BERLIN, time(22), time(2, 30)), "2026-10-25T01:10:00", "2026-10-25T01:30:00"),
        (Quiet("Mars/Olympus", time(22), time(7)), "2026-01-10T23:00:00", "2026-01-11T07:00:00"),  # UTC for it
    ],
)
def test_quiet_hours_end_when_the_clock_on_the_wall_says_so(quiet: Quiet, now: str, ends: str | None) -> None:
    assert quiet.ends(utc(now)) == (None if ends is None else utc(ends))


@settings(deadline=None)
@given(
    zone=st.sampled_from(sorted(available_timezones())),
    begin=st.times(),
    end=st.times(),
    now=st.datetimes(datetime(2020, 1, 1), datetime(2035, 1, 1)),  # noqa: DTZ001 - a zone is put on below
)
def test_quiet_hours_always_end_within_two_days_and_are_over_then(
    zone: str, begin: time, end: time, now: datetime
) -> None:
    moment = now.replace(tzinfo=UTC)
    quiet = Quiet(zone, begin.replace(microsecond=0), end.replace(microsecond=0))
    ends = quiet.ends(moment) if quiet.begin != quiet.end else None
    if ends is None:
        assert quiet.begin == quiet.end or not quiet.holds(moment)
    else:
        assert moment < ends <= moment + timedelta(hours=49)
        assert not quiet.holds(ends)


def test_an_unknown_zone_is_utc() -> None:
    assert zone_of("../etc/passwd") == zone_of("UTC")
