"""What readers see on the live feed: every event once and in order, whatever the bus loses, repeats or reorders."""

import asyncio
import random
from collections.abc import Iterator
from typing import Any

import pytest

from signalink_core import clock, faults, ids
from signalink_core.bus import events_key
from signalink_core.events import Event, encode_live
from signalink_core.log import reads
from signalink_core.telemetry import names
from signalink_core.testing import eventually

pytestmark = pytest.mark.engine("postgres", "valkey")


@pytest.fixture
def faulty() -> Iterator[faults.Faults]:
    faults.here.enabled = True
    yield faults.here
    faults.here.clear()
    faults.here.enabled = False


def healed() -> float:
    return float(names.WS_GAPS_HEALED_TOTAL._value.get())


async def log_of(platform: Any, channel: Any) -> list[Event]:
    return await reads.events_after(platform.sql, channel, 0)


async def test_a_post_reaches_every_member_on_every_node_with_the_bytes_of_the_log(platform: Any) -> None:
    ana, ben = await platform.user(), await platform.user()
    channel = await platform.channel(ana, ben)
    nodes = [await platform.gateway(), await platform.gateway()]
    clients = [await platform.connect(node, user) for node in nodes for user in (ana, ben)]
    for client in clients:
        await client.subscribe(channel, ref="s1")
        (subscribed,) = await client.got("subscribed")
        assert subscribed == {
            "op": "subscribed", "ref": "s1", "channel": str(channel), "recovered": False,
            "position": {"epoch": 1, "seq": 1},
        }  # fmt: skip
    assert await platform.post(channel, ana, 20) == list(range(2, 22))
    expected = [encode_live(event) for event in await log_of(platform, channel)][1:]
    for client in clients:
        assert await client.saw(channel, 21) == list(range(2, 22))
        import orjson

        assert client.of("event") == [orjson.loads(frame) for frame in expected]


async def test_a_dropped_publish_is_healed_from_the_log_within_a_second(platform: Any) -> None:
    ana = await platform.user()
    channel = await platform.channel(ana)
    client = await platform.connect(await platform.gateway(), ana)
    await client.subscribe(channel)
    await client.got("subscribed")
    before = healed()
    first = await platform.change(
        "update_channel", publish=False, channel_id=channel, actor_id=ana, changes={"name": "x"}
    )
    await platform.post(channel, ana, 3)
    assert await client.saw(channel, 4, within=2) == [1, 2, 3, 4]
    assert first.seq == 1
    assert healed() > before


async def test_the_last_event_of_a_quiet_channel_is_found_by_the_head(platform: Any) -> None:
    ana = await platform.user()
    channel = await platform.channel(ana)
    client = await platform.connect(await platform.gateway(), ana)
    await client.subscribe(channel)
    await client.got("subscribed")
    event = await platform.change(
        "update_channel", publish=False, channel_id=channel, actor_id=ana, changes={"name": "x"}
    )
    platform.publisher.publish_heads([])
    relay = platform.redis_settings("relay").client()
    from signalink_core.bus import HEADS
    from signalink_core.bus.keys import encode_heads

    await relay.publish(HEADS, encode_heads([(channel, 1, event.seq)]))
    await relay.aclose()
    assert await client.saw(channel, 1, within=2) == [1]


async def test_repeated_and_reordered_publishes_are_shown_once_and_in_order(platform: Any) -> None:
    ana = await platform.user()
    channel = await platform.channel(ana)
    client = await platform.connect(await platform.gateway(), ana)
    await client.subscribe(channel)
    await client.got("subscribed")
    rng = random.Random(3)
    events = [
        await platform.change(
            "update_channel", publish=False, channel_id=channel, actor_id=ana, changes={"name": str(n)}
        )
        for n in range(40)
    ]
    frames = [encode_live(event) for event in events for _ in range(2)]
    for start in range(0, len(frames), 8):
        part = frames[start : start + 8]
        rng.shuffle(part)
        for frame in part:
            await platform.redis.publish(events_key(channel), frame)
    assert await client.saw(channel, 40) == list(range(1, 41))


async def test_ten_percent_of_publishes_dropped_by_fault_points_lose_nothing(
    platform: Any, faulty: faults.Faults
) -> None:
    ana = await platform.user()
    channels = [await platform.channel(ana) for _ in range(5)]
    client = await platform.connect(await platform.gateway(), ana)
    await client.subscribe(*channels)
    await client.got("subscribed", 5)
    before = healed()
    faulty.put({"point": "gateway.drop_publish", "action": "drop", "rate": 0.1, "seed": 4})
    for _ in range(10):
        await asyncio.gather(*(platform.post(channel, ana, 10) for channel in channels))
    faulty.clear()
    await asyncio.gather(*(platform.post(channel, ana, 1) for channel in channels))
    for channel in channels:
        assert await client.saw(channel, 101) == list(range(1, 102))
    assert healed() > before


async def test_racing_publishers_give_every_node_contiguous_unique_seqs(platform: Any) -> None:
    people = [await platform.user() for _ in range(4)]
    channels = [await platform.channel(people[0], *people[1:]) for _ in range(3)]
    nodes = [await platform.gateway(), await platform.gateway()]
    clients = [await platform.connect(node, user) for node in nodes for user in people]
    for client in clients:
        await client.subscribe(*channels)
    for client in clients:
        await client.got("subscribed", 3)
    from signalink_api.writer import MessageWriter
    from signalink_core.bus import Publisher

    second = await platform.stack.enter_async_context(Publisher(platform.redis_settings("api")))
    writer = await platform.stack.enter_async_context(
        MessageWriter(platform.database.settings("api"), on_committed=second.publish)
    )
    first = platform.writer
    for _ in range(5):
        rounds = []
        for used in (first, writer):
            platform.writer = used
            rounds += [platform.post(channel, user, 5) for channel in channels for user in people]
        await asyncio.gather(*rounds)
    last = 3 + 5 * 2 * 4 * 5
    for client in clients:
        for channel in channels:
            assert await client.saw(channel, last) == list(range(4, last + 1))


async def test_events_of_an_older_epoch_and_garbage_on_the_bus_are_ignored(platform: Any) -> None:
    ana = await platform.user()
    channel = await platform.channel(ana)
    client = await platform.connect(await platform.gateway(), ana)
    await client.subscribe(channel)
    await client.got("subscribed")
    old = Event(
        id=ids.uuid7(),
        type="dev.signalink.message.created",
        time=clock.utc_now(),
        epoch=0,
        data={},
        channel=channel,
        seq=1,
    )
    for payload in (encode_live(old), b"{}", b"\xff", b"[]"):
        await platform.redis.publish(events_key(channel), payload)
    await platform.post(channel, ana, 2)
    assert await client.saw(channel, 2) == [1, 2]


async def test_a_new_epoch_tells_every_subscriber_to_load_anew_and_goes_on(platform: Any) -> None:
    ana = await platform.user()
    channel = await platform.channel(ana)
    client = await platform.connect(await platform.gateway(), ana)
    await client.subscribe(channel)
    await client.got("subscribed")
    await platform.post(channel, ana, 3)
    await client.saw(channel, 3)
    owner = await platform.database.connect("admin")
    await owner.execute("SELECT messaging.new_epoch()")
    await owner.close()
    await platform.post(channel, ana, 2)
    await eventually(lambda: client.of("gap"))
    (gap,) = client.of("gap")
    assert gap["position"]["epoch"] == 2
    await platform.post(channel, ana, 2)
    await client.saw(channel, 7)
    later = [frame for frame in client.of("event") if frame["epoch"] == 2]
    assert [frame["seq"] for frame in later] == list(range(gap["position"]["seq"] + 1, 8))
