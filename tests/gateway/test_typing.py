"""Typing on invented time: coalescing, the end after 6 s or with the message, who may, and how many at most."""

from typing import Any
from uuid import UUID

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from signalink_core import ids
from signalink_core.bus import hints
from signalink_gateway import commands, typing_notices
from signalink_gateway.channel import Channel, Subscription
from signalink_gateway.typing_notices import Typing

ANA, BEN = ids.uuid7(), ids.uuid7()


class FakeSession:
    def __init__(self, user: UUID) -> None:
        self.user, self.behind = user, False
        self.subscriptions: dict[UUID, Subscription] = {}
        self.frames: list[tuple[str, str]] = []
        self.errors: list[str] = []

    def put(self, frame: bytes) -> None:
        said = orjson.loads(frame[frame.index(b"{") :])
        self.frames.append((said["user"], said["state"]))

    def say(self, **frame: Any) -> None:
        self.errors.append(frame["code"])


class Rig:
    """ANA and BEN in one channel; `may` is what the members say."""

    def __init__(self) -> None:
        self.now = 100.0
        self.may: dict[UUID, bool | None] = {ANA: True, BEN: True}
        self.channel = Channel(ids.uuid7())
        self.said: list[UUID] = []
        self.ana, self.ben = self.join(ANA), self.join(BEN)
        self.typing = Typing(
            self,  # type: ignore[arg-type]
            channel={self.channel.id: self.channel}.get,
            say=lambda channel, user: self.said.append(user),
            every_seconds=3,
            lasts_seconds=6,
            clock=lambda: self.now,
        )

    def may_type(self, channel_id: UUID, user: UUID) -> bool | None:
        return self.may.get(user, False)

    def join(self, user: UUID) -> Any:
        session: Any = FakeSession(user)
        subscription = Subscription(session, self.channel)
        subscription.begun = True
        session.subscriptions[self.channel.id] = subscription
        self.channel.apart.add(subscription)
        return session

    def type(self, session: Any) -> None:
        self.typing.command(session, commands.Type(channel=self.channel.id))

    def hear(self, user: UUID) -> None:
        self.typing.hear(self.channel.id, hints.encode_typing(user))

    def after(self, seconds: float) -> None:
        self.now += seconds
        self.typing.expire()


@pytest.fixture
def rig() -> Rig:
    return Rig()


def test_many_keys_are_one_notice_in_three_seconds(rig: Rig) -> None:
    for _ in range(29):
        rig.type(rig.ana)
        rig.after(0.1)
    assert rig.said == [ANA]
    assert rig.ben.frames == [(str(ANA), "started")]
    assert rig.ana.frames == []
    rig.after(0.2)
    rig.type(rig.ana)
    assert rig.said == [ANA, ANA]


@given(now=st.floats(min_value=0, max_value=1e8), every=st.floats(min_value=0.1, max_value=10))
def test_the_first_notice_is_shown_whatever_the_clock_says(now: float, every: float) -> None:
    rig = Rig()
    rig.now, rig.typing._every = now, every
    rig.type(rig.ana)
    assert rig.said == [ANA]


def test_the_own_echo_and_a_second_device_elsewhere_are_coalesced(rig: Rig) -> None:
    rig.type(rig.ana)
    rig.hear(ANA)
    rig.after(1)
    rig.hear(ANA)
    assert rig.ben.frames == [(str(ANA), "started")]


def test_it_ends_six_seconds_after_the_last_notice(rig: Rig) -> None:
    rig.hear(ANA)
    rig.after(3)
    rig.hear(ANA)
    rig.after(5.9)
    assert [state for _, state in rig.ben.frames] == ["started", "started"]
    rig.after(0.1)
    assert [state for _, state in rig.ben.frames] == ["started", "started", "stopped"]
    assert len(rig.typing) == 0
    assert not rig.channel.typists


def test_the_message_ends_it_and_the_next_key_begins_anew(rig: Rig) -> None:
    rig.type(rig.ana)
    rig.typing.posted(rig.channel, ANA)
    rig.typing.posted(rig.channel, BEN)
    rig.type(rig.ana)
    assert [state for _, state in rig.ben.frames] == ["started", "stopped", "started"]
    assert rig.said == [ANA, ANA]


@pytest.mark.parametrize(("may", "errors"), [(False, ["forbidden"]), (None, [])], ids=["a reader", "a large channel"])
def test_who_may_not_type_is_refused_and_in_large_channels_nothing_happens(
    rig: Rig, may: bool | None, errors: list[str]
) -> None:
    rig.may[ANA] = may
    rig.type(rig.ana)
    rig.hear(ANA)
    assert (rig.said, rig.ben.frames, rig.ana.errors) == ([], [], errors)


@pytest.mark.parametrize("how", ["not subscribed", "on the way in", "on the way out"])
def test_only_a_full_subscription_lets_type(rig: Rig, how: str) -> None:
    subscription = rig.ana.subscriptions[rig.channel.id]
    if how == "not subscribed":
        rig.ana.subscriptions.clear()
    subscription.begun, subscription.until = how != "on the way in", 3 if how == "on the way out" else None
    rig.type(rig.ana)
    assert (rig.said, rig.ana.errors) == ([], ["forbidden"])


def test_a_session_that_is_behind_misses_it(rig: Rig) -> None:
    rig.ben.behind = True
    rig.type(rig.ana)
    assert rig.ben.frames == []


def test_what_nobody_understands_and_unknown_channels_are_ignored(rig: Rig) -> None:
    for noise in (b"", b"[]", b'{"user": 1}', b'{"user": "x"}'):
        rig.typing.hear(rig.channel.id, noise)
    rig.typing.hear(ids.uuid7(), hints.encode_typing(ANA))
    assert len(rig.typing) == 0


def test_there_is_a_bound_on_how_many_type(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(typing_notices, "MOST_TYPING", 1)
    rig.type(rig.ana)
    rig.type(rig.ben)
    assert rig.said == [ANA]
    assert len(rig.typing) == 1
