"""What the dispatcher decides without touching anything: when to try again, whether to send, what calls come to."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import combinations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signalink_core.ids import uuid7
from signalink_notifications.channels.port import Again, Never, Notice, Outcome, Sent, Target
from signalink_notifications.delivery import retries
from signalink_notifications.delivery.retries import LONGEST_RETRY_AFTER, Policy
from signalink_notifications.delivery.rows import Held, together
from signalink_notifications.delivery.verdicts import Now, Send, Skip, Wait, judge
from signalink_notifications.delivery.work import concluded

NOW = datetime(2026, 11, 27, 12, tzinfo=UTC)
NOTICE = Notice(uuid7(), "mention", uuid7(), 7, uuid7(), "general", "public", uuid7(), "Ann", "hello", NOW)
FINE = Now(NOW, NOTICE, targets=(Target("", "bob@example.org"),))
policies = st.builds(Policy, st.integers(1, 20), st.floats(0.01, 60), st.floats(60, 3600))
chances = st.floats(0, 1, exclude_max=True)


@given(policies, chances, st.none() | st.floats(0, 1e6))
def test_dispatch_retries_end_after_the_attempts_of_the_policy_and_keep_its_bounds(
    policy: Policy, chance: float, after: float | None
) -> None:
    waits = [retries.wait(made, policy, chance, after) for made in range(1, policy.attempts + 1)]
    assert waits[-1] is None and None not in waits[:-1]
    for made, wait in enumerate(waits[:-1], start=1):
        assert wait is not None
        most = min(policy.cap_seconds, policy.base_seconds * 2 ** (made - 1))
        asked = min(after or 0.0, LONGEST_RETRY_AFTER)
        assert asked <= wait <= max(most, asked)


@given(policies.filter(lambda policy: policy.attempts > 1))
def test_dispatch_retries_use_the_whole_range_of_full_jitter(policy: Policy) -> None:
    assert retries.wait(1, policy, 0.0) == 0.0
    assert retries.wait(1, policy, 0.5) == pytest.approx(policy.base_seconds / 2)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, None), ("", None), ("120", 120.0), (" 7 ", 7.0), ("soon", None), ("-5", None), ("1.5", None),
        ("Fri, 27 Nov 2026 12:01:00 GMT", 60.0), ("Fri, 27 Nov 2026 11:00:00 GMT", 0.0), ("9" * 400, 999999999.0),
    ],
)  # fmt: skip
def test_dispatch_reads_both_forms_of_retry_after(header: str | None, seconds: float | None) -> None:
    assert retries.retry_after(header, NOW) == seconds


REASONS: list[tuple[str, dict[str, Any]]] = [
    ("deleted", {"notice": None}),
    ("expired", {"at": NOW + timedelta(hours=73)}),
    ("user_gone", {"user_here": False}),
    ("outside", {"entitled": False}),
    ("blocked", {"blocked": True}),
    ("read", {"read": True}),
    ("muted", {"muted": True}),
    ("switched_off", {"enabled": False}),
    ("unsubscribed", {"mail_off": True}),
    ("no_target", {"targets": ()}),
]


def verdict(now: Now, **more: Any) -> Any:
    return judge(now, channel=more.pop("channel", "email"), asked_at=NOW, expire=timedelta(hours=72), **more)


@pytest.mark.parametrize(("reason", "change"), REASONS, ids=[reason for reason, _ in REASONS])
def test_dispatch_skips_what_need_not_be_sent_any_more(reason: str, change: dict[str, Any]) -> None:
    assert verdict(replace(FINE, **change)) == Skip(reason)


def test_dispatch_says_the_first_reason_of_several() -> None:
    for (first, one), (_, other) in combinations(REASONS, 2):
        assert verdict(replace(FINE, **other | one)) == Skip(first)


def test_dispatch_skips_on_a_channel_without_credentials_and_says_so() -> None:
    assert verdict(FINE, disabled=True) == Skip("channel_disabled")


def test_dispatch_waits_for_the_end_of_quiet_hours_and_sends_else() -> None:
    end = NOW + timedelta(hours=3)
    assert verdict(replace(FINE, quiet_until=end)) == Wait(end)
    assert verdict(replace(FINE, quiet_until=NOW)) == Send(NOTICE, FINE.targets)
    assert verdict(replace(FINE, mail_off=True), channel="push") == Send(NOTICE, FINE.targets)
    assert verdict(replace(FINE, enabled=True)) == Send(NOTICE, FINE.targets)


GONE, REFUSED = Never("unregistered", gone=True), Never("fcm_400")


@pytest.mark.parametrize(
    ("outcomes", "wanted"),
    [
        ([Sent("a")], Sent("a")),
        ([Sent("a"), GONE], Sent("a")),
        ([GONE, REFUSED], REFUSED),
        ([GONE, GONE], GONE),
        ([Sent("a"), Again("timeout", 3.0), Again("fcm_429", 9.0)], Again("timeout", 9.0)),
        ([Again("timeout")], Again("timeout")),
    ],
)
def test_dispatch_sums_up_what_several_calls_came_to(outcomes: list[Outcome], wanted: Outcome) -> None:
    assert concluded(outcomes) == wanted


def held(**fields: Any) -> Held:
    made = uuid7()
    defaults: dict[str, Any] = {
        "id": made, "event_id": uuid7(), "user_id": uuid7(), "attempts": 0, "round_from": 0, "digest": False,
        "asked_at": NOW, "key": made, "receipts": {}, "fence": 1,
    }  # fmt: skip
    return Held(**defaults | fields)


def test_dispatch_joins_the_waiting_mails_of_one_user_and_those_that_were_joined_before() -> None:
    user, key = uuid7(), uuid7()
    new = [held(user_id=user, digest=True) for _ in range(3)]
    before = [held(user_id=user, digest=True, attempts=2, key=key) for _ in range(2)]
    redriven = held(user_id=user, digest=True, attempts=8, round_from=8)
    single = held(user_id=user)
    groups = together([new[0], before[0], new[1], redriven, single, before[1], new[2]])
    assert sorted(len(group) for group in groups) == [1, 1, 2, 3]
    assert {one.id for one in groups[0]} == {one.id for one in new}
