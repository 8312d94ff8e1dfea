"""The circuit breaker on a clock of its own: opens after some failures, lets one call try, never blocks for ever."""

from hypothesis import given
from hypothesis import strategies as st

from signalink_core.telemetry import metrics, names
from signalink_notifications.delivery.breaker import (
    PROBE_SECONDS,
    Breaker,
    Breakers,
    Rules,
    admit,
    failed,
    state,
    succeeded,
)

RULES = Rules(failures=3, open_seconds=10.0, cap_seconds=40.0)


def after(*failures_at: float) -> Breaker:
    breaker = Breaker()
    for now in failures_at:
        breaker = failed(breaker, now, RULES)
    return breaker


def test_breaker_opens_at_the_third_failure_in_a_row_and_closes_with_one_success() -> None:
    assert [state(after(*range(n)), float(n)) for n in (0, 1, 2, 3)] == ["closed", "closed", "closed", "open"]
    opened = after(0, 1, 2)
    assert admit(opened, 5.0) == (opened, 7.0)
    assert succeeded(opened) == Breaker()


def test_breaker_lets_one_call_try_when_its_time_is_over() -> None:
    probing, wait = admit(after(0, 1, 2), 12.0)
    assert (wait, state(probing, 12.0)) == (0.0, "half_open")
    _, others = admit(probing, 12.5)
    assert 0 < others <= 1.0
    again, wait = admit(probing, 12.0 + PROBE_SECONDS)
    assert (wait, again.probe_until) == (0.0, 12.0 + 2 * PROBE_SECONDS)


def test_breaker_stays_open_twice_as_long_each_time_its_probe_fails_up_to_the_cap() -> None:
    breaker, now, pauses = after(0, 0, 0), 0.0, []
    for _ in range(5):
        assert breaker.until is not None
        pauses.append(breaker.until - now)
        now = breaker.until
        breaker, wait = admit(breaker, now)
        assert wait == 0.0
        breaker = failed(breaker, now, RULES)
    assert pauses == [10.0, 20.0, 40.0, 40.0, 40.0]


def test_breaker_does_not_count_late_failures_of_calls_that_began_before_it_opened() -> None:
    opened = after(0, 1, 2)
    late = failed(opened, 3.0, RULES)
    assert (late.until, late.opened, late.failures) == (opened.until, opened.opened, 4)


steps = st.lists(st.tuples(st.floats(0, 30), st.sampled_from(["ok", "failed", "lost"])), max_size=60)


@given(steps)
def test_breaker_always_lets_a_call_through_in_bounded_time_and_only_after_failures_in_a_row(
    calls: list[tuple[float, str]],
) -> None:
    breaker, now, in_a_row = Breaker(), 0.0, 0
    for pause, outcome in calls:
        now += pause
        breaker, wait = admit(breaker, now)
        assert wait <= RULES.cap_seconds + 1e-6  # now + cap - now, in floats
        if in_a_row < RULES.failures:
            assert wait == 0.0
        if wait:
            continue
        if outcome == "ok":
            breaker, in_a_row = succeeded(breaker), 0
        elif outcome == "failed":
            breaker, in_a_row = failed(breaker, now, RULES), in_a_row + 1
    _, wait = admit(breaker, now + RULES.cap_seconds + PROBE_SECONDS)
    assert wait == 0.0


def test_breaker_of_one_provider_leaves_others_alone_and_the_metric_counts_the_open_ones() -> None:
    now, told = [0.0], []
    breakers = Breakers("webhook", RULES, lambda: now[0], told.append)
    for _ in range(3):
        assert breakers.admit("slow.example") == 0.0
        breakers.note("slow.example", False)
    assert (breakers.admit("slow.example"), breakers.admit("fine.example")) == (10.0, 0.0)
    assert metrics.value(names.NOTIFICATION_BREAKERS_OPEN, channel="webhook") == 1
    now[0] = 10.0
    assert breakers.admit("slow.example") == 0.0
    breakers.note("slow.example", True)
    assert metrics.value(names.NOTIFICATION_BREAKERS_OPEN, channel="webhook") == 0
    assert told == [False, False, True, False]
