"""The hub alone, without engines: whatever is lost, repeated or early, each event is shown once and in order."""

import asyncio
import itertools
import random
import re
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from signalink_core import clock, ids
from signalink_core.events import Event, Position, encode_live
from signalink_core.log.reads import SeqRange
from signalink_core.testing import eventually
from signalink_gateway import fanout
from signalink_gateway.channel import Channel, Subscription
from signalink_gateway.hub import Hub
from signalink_gateway.plan import Refused, Start, plan
from signalink_gateway.reads import Standing, entry
from signalink_gateway.ring import MAX_EVENTS, Entry, Ring
from signalink_gateway.wheel import Wheel


def event(channel: UUID, seq: int, kind: str = "message.created", **data: Any) -> Event:
    return Event(
        id=ids.uuid7(), type=f"dev.signalink.{kind}", time=clock.utc_now(), epoch=1, data=data, channel=channel, seq=seq
    )


class FakeSession:
    """Takes bytes like a session with an endless socket."""

    def __init__(self, hub: Hub, user: UUID | None = None) -> None:
        self.id, self.user, self.hub = ids.uuid7(), user or ids.uuid7(), hub
        self.out: list[bytes] | None = None
        self.written = b""
        self.dirty = self.behind = False
        self.subscriptions: dict[UUID, Subscription] = {}

    def put(self, frame: bytes) -> None:
        self.queue(frame)
        self.hub.fanout.touch(self)  # type: ignore[arg-type]

    def queue(self, frame: bytes) -> None:
        self.out = [*(self.out or ()), frame]

    def write_out(self) -> None:
        self.written += b"".join(self.out or ())
        self.out, self.dirty = None, False

    def seqs(self) -> list[int]:
        return [int(seq) for seq in re.findall(rb'"seq":(\d+)', self.written)]


def begun(hub: Hub, channel: Channel, session: FakeSession) -> Subscription:
    subscription = Subscription(session, channel)  # type: ignore[arg-type]
    session.subscriptions[channel.id] = subscription
    hub.add(subscription)
    subscription.position = subscription.joined = channel.seq or 0
    channel.go_live(subscription)
    return subscription


async def settle() -> None:
    for _ in range(50):
        await asyncio.sleep(0)


@pytest.mark.parametrize("seed", range(30))
async def test_every_subscriber_sees_each_event_once_and_in_order(seed: int) -> None:
    rng = random.Random(seed)
    channel_id = ids.uuid7()
    log = {seq: event(channel_id, seq, body="x") for seq in range(1, 201)}
    healing: list[Channel] = []
    hub = Hub(heal=healing.append, lagging=lambda subscription: None)
    channel = hub.channel(channel_id)
    hub.learn(channel, 1, 0)
    arrivals = [seq for seq in log for _ in range(rng.choice((0, 1, 1, 1, 2)))]
    for start in range(0, len(arrivals), 6):
        part = arrivals[start : start + 6]
        rng.shuffle(part)
        arrivals[start : start + 6] = part
    joined: list[tuple[int, FakeSession]] = []
    for count, seq in enumerate(arrivals):
        if count % 20 == 0:
            session = FakeSession(hub)
            begun(hub, channel, session)
            joined.append((channel.seq or 0, session))
        hub.on_event(channel_id, encode_live(log[seq]))
        if rng.random() < 0.3:
            await asyncio.sleep(0)
        if rng.random() < 0.1:
            hub.take(channel, [entry(log[n]) for n in range((channel.seq or 0) + 1, seq)])
    hub.take(channel, [entry(log[n]) for n in range((channel.seq or 0) + 1, 201)])
    await settle()
    for since, session in joined:
        assert session.seqs() == list(range(since + 1, 201))


async def test_a_channel_of_thousands_is_sliced_and_stays_in_order() -> None:
    hub = Hub(heal=lambda channel: None, lagging=lambda subscription: None)
    channel_id = ids.uuid7()
    channel = hub.channel(channel_id)
    hub.learn(channel, 1, 0)
    sessions = [FakeSession(hub) for _ in range(3_000)]
    for session in sessions:
        begun(hub, channel, session)
    for seq in range(1, 21):
        hub.on_event(channel_id, encode_live(event(channel_id, seq)))
        if seq % 3 == 0:
            await asyncio.sleep(0)
    left = sessions.pop()
    hub.drop(left.subscriptions[channel_id])
    late = FakeSession(hub)
    begun(hub, channel, late)
    hub.on_event(channel_id, encode_live(event(channel_id, 21)))
    turns = 0
    while hub.fanout._round is not None:
        await asyncio.sleep(0)
        turns += 1
    assert turns > 3_000 / fanout.WRITES_PER_SLICE
    assert all(session.seqs() == list(range(1, 22)) for session in sessions)
    assert late.seqs() == [21]


async def test_who_falls_behind_leaves_the_feed_at_an_exact_position() -> None:
    lagging: list[Subscription] = []
    hub = Hub(heal=lambda channel: None, lagging=lagging.append)
    channel_id = ids.uuid7()
    channel = hub.channel(channel_id)
    hub.learn(channel, 1, 0)
    slow, fast = FakeSession(hub), FakeSession(hub)
    subscription = begun(hub, channel, slow)
    begun(hub, channel, fast)
    for seq in range(1, 11):
        if seq == 6:
            await settle()
            slow.behind = subscription.odd = True
        hub.on_event(channel_id, encode_live(event(channel_id, seq)))
    await settle()
    assert lagging == [subscription]
    assert (subscription.position, slow.seqs()) == (5, [1, 2, 3, 4, 5])
    assert fast.seqs() == list(range(1, 11))


async def test_a_removal_ends_only_the_removed_users_subscriptions_at_its_seq() -> None:
    hub = Hub(heal=lambda channel: None, lagging=lambda subscription: None)
    channel_id, user = ids.uuid7(), ids.uuid7()
    channel = hub.channel(channel_id)
    hub.learn(channel, 1, 0)
    gone, stays = FakeSession(hub, user), FakeSession(hub)
    begun(hub, channel, gone)
    begun(hub, channel, stays)
    for seq in range(1, 8):
        kind = "member.removed" if seq == 4 else "message.created"
        hub.on_event(channel_id, encode_live(event(channel_id, seq, kind, user_id=str(user))))
    await settle()
    assert gone.seqs() == [1, 2, 3, 4]
    assert not gone.subscriptions
    assert stays.seqs() == list(range(1, 8))


async def test_a_hole_is_asked_for_once_after_the_time_for_reordering() -> None:
    asked: list[Channel] = []
    hub = Hub(heal=asked.append, lagging=lambda subscription: None)
    channel_id = ids.uuid7()
    channel = hub.channel(channel_id)
    hub.learn(channel, 1, 0)
    for seq in (2, 3, 5):
        hub.on_event(channel_id, encode_live(event(channel_id, seq)))
    hub.on_heads([(channel_id, 1, 9)])
    assert asked == []
    await eventually(lambda: asked, within=1)
    assert asked == [channel]
    assert channel.target == 9


def entries(*seqs: int) -> list[Entry]:
    return [Entry(seq, b"f%d" % seq) for seq in seqs]


@given(st.integers(1, 50), st.integers(0, 2_500), st.integers(0, 2_600))
@settings(max_examples=60)
def test_the_ring_gives_an_unbroken_run_or_says_that_it_cannot(first: int, count: int, after: int) -> None:
    ring = Ring()
    for item in entries(*range(first, first + count)):
        ring.append(item)
    given_back = ring.after(after, 1 << 30)
    last = first + count - 1
    if not count or after + 1 < max(first, last - MAX_EVENTS + 1):
        assert given_back is None
    else:
        assert given_back is not None
        assert [item.seq for item in given_back] == list(range(after + 1, last + 1))


def test_the_ring_takes_what_was_read_only_where_it_joins() -> None:
    ring = Ring()
    ring.backfill(entries(1, 2, 3), head=5)
    assert ring.first is None, "does not reach the head"
    ring.backfill(entries(3, 4, 5), head=5)
    ring.backfill(entries(1, 2, 3, 4), head=5)
    assert [item.seq for item in ring.after(0, 1 << 20) or []] == [1, 2, 3, 4, 5]
    ring.append(Entry(6, b"deleted", wipes=True))
    assert len(ring) == 0
    ring.backfill(entries(4, 5), head=6)
    assert len(ring) == 0, "a read from before the deletion cannot bring the body back"
    ring.append(Entry(9, b"f9"))
    assert ring.after(6, 1 << 20) is None


def member(*ranges: tuple[int, int], last: int = 20, floor: int = 0, now: bool = True) -> Standing:
    return Standing(2, last, floor, now, tuple(SeqRange(*held) for held in ranges))


PLANS: dict[str, tuple[Standing | None, Position | None, Refused | Start]] = {
    "no channel": (None, None, Refused()),
    "never a member": (member(now=False), Position(2, 3), Refused()),
    "from now on": (member((1, 20)), None, Start(2, 20, recovered=False)),
    "at the end": (member((1, 20)), Position(2, 20), Start(2, 20, recovered=True)),
    "from the beginning": (member((1, 20)), Position(2, 0), Start(2, 0, recovered=True)),
    "above the end": (member((1, 20)), Position(2, 21), Start(2, 20, recovered=False, gap=(1, 20))),
    "another epoch": (member((1, 20)), Position(1, 5), Start(2, 20, recovered=False, gap=(1, 20))),
    "at the floor": (member((1, 20), floor=7), Position(2, 7), Start(2, 7, recovered=True)),
    "below the floor": (member((1, 20), floor=7), Position(2, 6), Start(2, 7, recovered=False, gap=(7, 7))),
    "joined twice": (
        member((3, 8), (12, 20)), Position(2, 0), Start(2, 0, recovered=True, skips=((1, 2), (9, 11))),
    ),
    "removed": (member((3, 8), now=False), Position(2, 5), Start(2, 5, recovered=True, until=8)),
    "removed and told": (member((3, 8), now=False), Position(2, 8), Refused()),
    "removed, no position": (member((3, 8), now=False), None, Refused()),
    "removed, another epoch": (member((3, 8), now=False), Position(1, 5), Refused()),
}  # fmt: skip


@pytest.mark.parametrize("name", PLANS)
def test_where_a_subscription_begins(name: str) -> None:
    standing, after, expected = PLANS[name]
    assert plan(standing, after) == expected


def test_the_wheel_calls_each_entry_once_not_early_and_at_most_a_tick_late() -> None:
    now = [100.0]
    called: list[tuple[int, float]] = []
    wheel = Wheel(lambda number, kind: called.append((number, now[0])), lambda: None, clock=lambda: now[0])
    for number in range(40):
        wheel.after(number * 0.1, number, "ping")
    for _ in itertools.repeat(None, 60):
        now[0] += 0.1
        wheel.turn()
    assert sorted(number for number, _ in called) == list(range(40))
    for number, at in called:
        assert number * 0.1 - 1e-6 <= at - 100.0 <= number * 0.1 + 0.36
    now[0] += 1000
    wheel.turn()
    assert len(called) == 40
