"""Who is told: one frame per session and tick, latest state only, nothing while behind, nothing kept for who left."""

from typing import Any
from uuid import UUID

import orjson
import pytest

from signalink_core import ids
from signalink_core.events.types import PresenceState
from signalink_gateway import watching as watchings
from signalink_gateway.channel import Channel, Subscription
from signalink_gateway.view import View
from signalink_gateway.watching import Watching

ANA, BEN, CEM = ids.uuid7(), ids.uuid7(), ids.uuid7()


class FakeSession:
    def __init__(self, user: UUID) -> None:
        self.user, self.behind, self.closed = user, False, None
        self.frames: list[Any] = []
        self.raw: list[bytes] = []

    def put(self, frame: bytes) -> None:
        self.raw.append(frame)
        self.frames.append({u["user"]: u["state"] for u in orjson.loads(frame[frame.index(b"{") :])["users"]})


class Rig:
    def __init__(self) -> None:
        self.channels: dict[UUID, Channel] = {}
        self.here: set[UUID] = set()
        self.view = View("me", lambda user: "offline")
        self.watching = Watching(self.view, channel=self.channels.get, here=self.here.__contains__)

    def session(self, user: UUID, *watched: UUID) -> Any:
        session: Any = FakeSession(user)
        self.watching.watch(session, frozenset(watched))
        return session

    def deliver(self, *edges: tuple[UUID, PresenceState]) -> None:
        self.watching.deliver(edges)
        list(self.watching.flush())


@pytest.fixture
def rig() -> Rig:
    return Rig()


def test_a_tick_is_one_frame_per_session_with_the_latest_states(rig: Rig) -> None:
    session = rig.session(CEM, ANA, BEN)
    rig.watching.deliver([(ANA, "online"), (BEN, "dnd")])
    rig.deliver((ANA, "away"))
    assert session.frames == [{str(ANA): "away", str(BEN): "dnd"}]


def test_sessions_that_are_told_the_same_get_the_same_bytes(rig: Rig) -> None:
    one, two = rig.session(CEM, ANA), rig.session(BEN, ANA)
    rig.deliver((ANA, "online"))
    assert one.raw[0] is two.raw[0]


def test_a_session_that_is_behind_gets_the_latest_state_once_it_drained(rig: Rig) -> None:
    session = rig.session(CEM, ANA)
    session.behind = True
    for _ in range(100):
        rig.deliver((ANA, "online"))
        rig.deliver((ANA, "away"))
    assert session.frames == []
    assert rig.watching.waiting == 1
    session.behind = False
    rig.deliver()
    assert session.frames == [{str(ANA): "away"}]
    assert rig.watching.waiting == 0


def test_a_watch_replaces_the_one_before_and_the_view_lets_go(rig: Rig) -> None:
    session = rig.session(CEM, ANA)
    rig.watching.watch(session, frozenset([BEN]))
    rig.deliver((ANA, "online"), (BEN, "online"))
    assert session.frames == [{str(BEN): "online"}]
    assert rig.view.users == [BEN]
    rig.watching.leave(session)
    assert rig.view.users == []


def test_the_view_keeps_users_with_sessions_here(rig: Rig) -> None:
    rig.here.add(ANA)
    session = rig.session(CEM, ANA)
    rig.watching.leave(session)
    assert rig.view.users == [ANA]


def subscribe(channel: Channel, session: Any, *, begun: bool = True, until: int | None = None) -> None:
    subscription = Subscription(session, channel)
    subscription.begun, subscription.until = begun, until
    channel.apart.add(subscription)


def test_a_channel_tells_who_has_it_open_but_not_the_user_nor_who_is_on_the_way_in_or_out(rig: Rig) -> None:
    channel = Channel(ids.uuid7())
    rig.channels[channel.id] = channel
    ben, ana, entering, leaving = (rig.session(user) for user in (BEN, ANA, CEM, CEM))
    subscribe(channel, ben)
    subscribe(channel, ana)
    subscribe(channel, entering, begun=False)
    subscribe(channel, leaving, until=7)
    rig.watching.members(channel.id, frozenset([ANA, BEN, CEM]))
    rig.deliver((ANA, "online"))
    assert [len(s.frames) for s in (ben, ana, entering, leaving)] == [1, 0, 0, 0]
    rig.watching.members(channel.id, frozenset())
    assert len(rig.view) == 0
    rig.deliver((ANA, "offline"))
    assert len(ben.frames) == 1


def test_more_users_than_a_frame_takes_go_with_later_ticks(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watchings, "FRAME_USERS", 2)
    users = [ids.uuid7() for _ in range(5)]
    session = rig.session(CEM, *users)
    rig.deliver(*((user, "online") for user in users))
    assert [len(frame) for frame in session.frames] == [2]
    rig.deliver()
    rig.deliver()
    rig.deliver()
    assert [len(frame) for frame in session.frames] == [2, 2, 1]


def test_there_is_a_bound_on_whom_a_node_knows(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watchings, "MOST_WANTED", 2)
    rig.session(CEM, ANA)
    assert rig.watching.space_for([ANA, BEN])
    assert not rig.watching.space_for([BEN, CEM])


def test_a_session_that_closed_keeps_nothing(rig: Rig) -> None:
    session = rig.session(CEM, ANA)
    rig.watching.deliver([(ANA, "online")])
    session.closed = object()
    rig.deliver()
    assert rig.watching.waiting == 0
    assert session.frames == []
