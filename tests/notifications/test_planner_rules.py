"""The planner's rules, as a table and as laws: who is told, through what, when, and why not."""

from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signalink_core.ids import uuid7
from signalink_notifications.planner import rules
from signalink_notifications.planner.quiet import Quiet
from signalink_notifications.planner.rules import CHANNELS, KINDS, Mails, Occasion, Person, Policy, Wanted

NOW = datetime(2026, 5, 4, 12, tzinfo=UTC)
ANN, BOB = uuid7(), uuid7()
POLICY = Policy(away=timedelta(minutes=10), digest_minutes=15, digest_after=3, oldest=timedelta(hours=24))
MENTION = Occasion(uuid7(), uuid7(), 7, ANN, NOW, frozenset({"mention"}))
PERSON = Person(BOB)


def ago(**units: float) -> datetime:
    return NOW - timedelta(**units)


@pytest.mark.parametrize(
    ("occasion", "person", "reason"),
    [
        ({"deleted": True}, {}, "deleted"),
        ({"sender_id": BOB}, {}, "own"),
        ({"told_at": ago(hours=24, seconds=1)}, {}, "stale"),
        ({}, {"disabled": True}, "disabled"),
        ({}, {"entitled": False}, "outside"),
        ({}, {"blocked_sender": True}, "blocked"),
        ({}, {"muted": True}, "muted"),
        ({}, {"last_read_seq": 7}, "read"),
        ({}, {"state": "online", "state_since": ago(days=3)}, "online"),
        ({}, {"state": "away", "state_since": ago(minutes=10)}, "online"),
        ({}, {"state": "dnd", "state_since": ago(days=3)}, "dnd"),
        ({}, {"reachable": frozenset()}, "off"),
        ({}, {"off": frozenset(("mention", channel) for channel in CHANNELS)}, "off"),
        ({"deleted": True}, {"disabled": True, "muted": True, "state": "online"}, "deleted"),
        ({}, {"muted": True, "state": "online"}, "muted"),
    ],
)
def test_one_reason_is_enough_to_tell_nobody(occasion: dict[str, Any], person: dict[str, Any], reason: str) -> None:
    assert rules.decide(replace(MENTION, **occasion), replace(PERSON, **person), NOW, POLICY) == reason


@pytest.mark.parametrize(
    ("occasion", "person"),
    [
        ({}, {}),
        ({}, {"state": "offline", "state_since": NOW}),
        ({}, {"state": "away", "state_since": ago(minutes=10, seconds=1)}),
        ({}, {"last_read_seq": 6}),
        ({"edited": True}, {"last_read_seq": 7}),  # they read what it said before
        ({"told_at": ago(hours=24)}, {}),
        ({"told_at": NOW + timedelta(hours=1)}, {}),  # a clock that is ahead
        ({}, {"off": frozenset({("direct", channel) for channel in CHANNELS})}),
    ],
)
def test_who_is_away_is_told_at_once_by_every_channel(occasion: dict[str, Any], person: dict[str, Any]) -> None:
    decision = rules.decide(replace(MENTION, **occasion), replace(PERSON, **person), NOW, POLICY)
    assert decision == Wanted("mention", CHANNELS)


@pytest.mark.parametrize(
    ("kinds", "off", "wanted"),
    [
        ({"mention", "direct"}, set(), ("mention", CHANNELS)),
        ({"keyword", "reply"}, set(), ("reply", CHANNELS)),
        ({"mention", "direct"}, {("mention", c) for c in CHANNELS}, ("direct", CHANNELS)),
        ({"mention", "direct"}, {("mention", "push"), ("direct", "email")}, ("mention", CHANNELS)),
        ({"mention"}, {("mention", "push")}, ("mention", ("email", "webhook"))),
        ({"reply"}, {("reply", "email"), ("reply", "webhook")}, ("reply", ("push",))),
    ],
)
def test_a_channel_is_used_if_any_kind_of_the_message_may_use_it(kinds: Any, off: Any, wanted: Any) -> None:
    occasion, person = replace(MENTION, kinds=frozenset(kinds)), replace(PERSON, off=frozenset(off))
    assert rules.decide(occasion, person, NOW, POLICY) == Wanted(*wanted)


@pytest.mark.parametrize(
    ("minutes", "mails", "digest_at"),
    [
        (None, Mails(2), None),
        (None, Mails(3), NOW + timedelta(minutes=15)),
        (60, Mails(3), NOW + timedelta(minutes=60)),
        (0, Mails(30), None),
        (None, Mails(0, ago(minutes=5)), NOW + timedelta(minutes=10)),  # one gathers already
        (None, Mails(9, ago(minutes=5)), NOW + timedelta(minutes=10)),
        (None, Mails(0, ago(minutes=15)), None),  # it went
    ],
)
def test_after_some_mails_further_ones_gather(minutes: int | None, mails: Mails, digest_at: datetime | None) -> None:
    person = replace(PERSON, digest_minutes=minutes, mails=mails)
    decision = rules.decide(MENTION, person, NOW, POLICY)
    assert decision == Wanted("mention", CHANNELS, digest_at=digest_at)


def test_who_gets_no_mail_has_no_digest() -> None:
    person = replace(PERSON, reachable=frozenset({"push"}), mails=Mails(30))
    assert rules.decide(MENTION, person, NOW, POLICY) == Wanted("mention", ("push",))


def test_quiet_hours_delay_and_their_mails_gather() -> None:
    person = replace(PERSON, quiet=Quiet("UTC", time(11), time(13)))
    end = NOW + timedelta(hours=1)
    assert rules.decide(MENTION, person, NOW, POLICY) == Wanted("mention", CHANNELS, end, end)
    none = replace(person, digest_minutes=0)
    assert rules.decide(MENTION, none, NOW, POLICY) == Wanted("mention", CHANNELS, end, None)


PEOPLE = st.builds(
    Person,
    user_id=st.sampled_from([ANN, BOB]),
    reachable=st.frozensets(st.sampled_from(CHANNELS)),
    disabled=st.booleans(),
    entitled=st.booleans(),
    last_read_seq=st.integers(0, 20),
    blocked_sender=st.booleans(),
    muted=st.booleans(),
    state=st.sampled_from([None, "online", "away", "dnd", "offline"]),
    state_since=st.integers(-60, 3600).map(lambda s: ago(seconds=s)),
    off=st.frozensets(st.tuples(st.sampled_from(KINDS), st.sampled_from(CHANNELS))),
    quiet=st.none() | st.builds(Quiet, st.just("Europe/Berlin"), st.just(time(13)), st.just(time(15))),
    digest_minutes=st.none() | st.integers(0, 60),
    mails=st.builds(Mails, st.integers(0, 9), st.none() | st.integers(0, 59).map(lambda m: ago(minutes=m))),
)
OCCASIONS = st.builds(
    Occasion,
    channel_id=st.just(uuid7()),
    message_id=st.just(uuid7()),
    seq=st.integers(1, 20),
    sender_id=st.sampled_from([ANN, BOB]),
    told_at=st.integers(-10, 30).map(lambda h: ago(hours=h)),
    kinds=st.frozensets(st.sampled_from(KINDS), min_size=1),
    edited=st.booleans(),
    deleted=st.booleans(),
)


@given(OCCASIONS, PEOPLE)
def test_whatever_is_decided_keeps_the_promises(occasion: Occasion, person: Person) -> None:
    decision = rules.decide(occasion, person, NOW, POLICY)
    if not isinstance(decision, Wanted):
        assert decision in get_args(rules.Reason)
        return
    assert not (occasion.deleted or person.disabled or person.blocked_sender or person.muted)
    assert person.entitled
    assert occasion.sender_id != person.user_id
    assert person.state not in {"online", "dnd"}
    assert decision.kind in occasion.kinds
    assert decision.channels
    assert list(decision.channels) == [channel for channel in CHANNELS if channel in decision.channels]
    for channel in decision.channels:
        assert channel in person.reachable
        assert any((kind, channel) not in person.off for kind in occasion.kinds)
    for moment in (decision.not_before, decision.digest_at):
        assert moment is None or moment > NOW
    assert not decision.digest or "email" in decision.channels
    if decision.not_before is not None and decision.digest_at is not None:
        assert decision.digest_at >= decision.not_before


@given(OCCASIONS, PEOPLE, st.sampled_from(KINDS), st.sampled_from(CHANNELS))
def test_switching_something_off_never_tells_more(occasion: Occasion, person: Person, kind: Any, channel: Any) -> None:
    before = rules.decide(occasion, person, NOW, POLICY)
    after = rules.decide(occasion, replace(person, off=person.off | {(kind, channel)}), NOW, POLICY)
    had = set(before.channels) if isinstance(before, Wanted) else set()
    has = set(after.channels) if isinstance(after, Wanted) else set()
    assert has <= had


@given(st.lists(st.sampled_from([True, False]), max_size=30))
def test_mails_of_one_burst_go_three_at_once_and_the_rest_together(by_mail: list[bool]) -> None:
    mails, ends = Mails(), set[datetime]()
    for wanted in by_mail:
        person = replace(PERSON, reachable=frozenset({"email"} if wanted else {"push"}), mails=mails)
        decision = rules.decide(MENTION, person, NOW, POLICY)
        assert isinstance(decision, Wanted)
        mails = mails.after(decision, NOW)
        ends |= {decision.digest_at} - {None}  # type: ignore[arg-type]
    assert mails.at_once == min(sum(by_mail), POLICY.digest_after)
    assert len(ends) == (1 if sum(by_mail) > POLICY.digest_after else 0)


def test_the_strongest_kind_is_told() -> None:
    assert rules.strongest({"keyword", "direct", "reply"}) == "direct"
