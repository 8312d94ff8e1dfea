"""What both buses promise, run on the memory twin and on real Valkey with the principals of the services."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, Protocol
from uuid import UUID

import pytest

from signalink_core import clock, faults, ids
from signalink_core.bus import Publisher, Subscriber
from signalink_core.bus.memory import MemoryBus, MemoryPublisher, MemorySubscriber
from signalink_core.events import Event, decode_live
from signalink_core.testing import eventually
from signalink_stacks.local.engines import ValkeyEngine
from signalink_stacks.local.testing.valkeys import ValkeyServer


def event(channel: UUID | None, seq: int | None) -> Event:
    return Event(
        id=ids.uuid7(), type="dev.signalink.message.created", time=clock.utc_now(), epoch=1, data={"body": f"b{seq}"},
        channel=channel, seq=seq,
    )  # fmt: skip


class Port(Protocol):
    def publisher(self, principal: str = "api", **kwargs: Any) -> Publisher | MemoryPublisher: ...
    def subscriber(self, **callbacks: Callable[..., None]) -> Subscriber | MemorySubscriber: ...
    def lose(self) -> None: ...
    def restore(self) -> None: ...


class MemoryPort:
    def __init__(self) -> None:
        self.bus = MemoryBus()
        self.lose, self.restore = self.bus.lose, self.bus.restore

    def publisher(self, principal: str = "api", **kwargs: Any) -> MemoryPublisher:
        return self.bus.publisher(**kwargs)

    def subscriber(self, **callbacks: Callable[..., None]) -> MemorySubscriber:
        return self.bus.subscriber(**callbacks)  # type: ignore[arg-type]


class ValkeyPort:
    """A server of its own, so that it can be lost."""

    def __init__(self, folder: Path) -> None:
        self.engine = ValkeyEngine(folder)
        self.engine.start()
        self.server = ValkeyServer(self.engine)
        self.lose, self.restore = self.engine.stop, self.engine.start

    def publisher(self, principal: str = "api", **kwargs: Any) -> Publisher:
        return Publisher(self.server.settings(principal), **kwargs)

    def subscriber(self, **callbacks: Callable[..., None]) -> Subscriber:
        return Subscriber(self.server.settings("gateway"), **callbacks)  # type: ignore[arg-type]


@pytest.fixture(params=["memory", pytest.param("valkey", marks=pytest.mark.engine("valkey"))])
def port(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    if request.param == "memory":
        yield MemoryPort()
        return
    valkey = ValkeyPort(tmp_path / "valkey")
    yield valkey
    valkey.engine.stop()


class Reader:
    """Keeps everything a subscriber is told."""

    def __init__(self, port: Port) -> None:
        self.events: list[tuple[UUID, int]] = []
        self.heads: list[tuple[UUID, int, int]] = []
        self.attached: list[UUID] = []
        self.lost = self.hints = 0
        self.subscriber = port.subscriber(
            on_event=lambda channel, payload: self.events.append((channel, decode_live(payload).seq or 0)),
            on_heads=self.heads.extend,
            on_attached=self.attached.append,
            on_lost=self._lost,
            on_revocations=self._hint,
        )

    def _lost(self) -> None:
        self.lost += 1

    def _hint(self) -> None:
        self.hints += 1


@pytest.fixture
async def stack() -> AsyncIterator[AsyncExitStack]:
    async with AsyncExitStack() as stack:
        yield stack


async def reading(stack: AsyncExitStack, port: Port, *channels: UUID) -> Reader:
    reader = Reader(port)
    await stack.enter_async_context(reader.subscriber)
    for channel in channels:
        reader.subscriber.attach(channel)
    await eventually(lambda: set(reader.attached) == set(channels) and reader.subscriber.connected)
    return reader


async def test_events_of_attached_channels_arrive_in_order_and_no_others(port: Port, stack: AsyncExitStack) -> None:
    mine, other = ids.uuid7(), ids.uuid7()
    reader = await reading(stack, port, mine)
    publisher = await stack.enter_async_context(port.publisher())
    for seq in range(1, 1501):
        publisher.publish([event(mine, seq), event(other, seq)])
    await eventually(lambda: len(reader.events) == 1500)
    assert reader.events == [(mine, seq) for seq in range(1, 1501)]


async def test_attached_means_every_later_publish_arrives(port: Port, stack: AsyncExitStack) -> None:
    reader = await reading(stack, port)
    publisher = await stack.enter_async_context(port.publisher())
    for _ in range(20):
        channel = ids.uuid7()
        reader.subscriber.attach(channel)
        await eventually(lambda channel=channel: reader.subscriber.attached(channel), every=0.001)
        publisher.publish([event(channel, 1)])
        await eventually(lambda channel=channel: (channel, 1) in reader.events)


async def test_a_detached_channel_is_silent_and_can_be_attached_again(port: Port, stack: AsyncExitStack) -> None:
    channel, marker = ids.uuid7(), ids.uuid7()
    reader = await reading(stack, port, channel, marker)
    publisher = await stack.enter_async_context(port.publisher())
    reader.subscriber.detach(channel)
    assert not reader.subscriber.attached(channel)
    await asyncio.sleep(0)
    reader.subscriber.attach(channel)
    reader.subscriber.detach(channel)
    reader.subscriber.attach(channel)
    await eventually(lambda: reader.subscriber.attached(channel))
    publisher.publish([event(channel, 1), event(marker, 1)])
    await eventually(lambda: (marker, 1) in reader.events)
    assert reader.events == [(channel, 1), (marker, 1)]


async def test_an_outage_is_told_once_and_everything_is_attached_anew(port: Port, stack: AsyncExitStack) -> None:
    channels = [ids.uuid7() for _ in range(3)]
    reader = await reading(stack, port, *channels)
    publisher = await stack.enter_async_context(port.publisher())
    reader.attached.clear()
    port.lose()
    await eventually(lambda: reader.lost == 1)
    assert not any(reader.subscriber.attached(channel) for channel in channels)
    publisher.publish([event(channels[0], 1)])
    await eventually(lambda: publisher.dropped == 1)
    late = ids.uuid7()
    reader.subscriber.attach(late)
    port.restore()
    await eventually(lambda: set(reader.attached) == {*channels, late})
    publisher.publish([event(late, 2)])
    await eventually(lambda: reader.events == [(late, 2)])
    assert reader.lost == 1


async def test_a_full_queue_drops_the_oldest_and_counts(port: Port, stack: AsyncExitStack) -> None:
    channel = ids.uuid7()
    reader = await reading(stack, port, channel)
    publisher = await stack.enter_async_context(port.publisher(limit=10))
    publisher.publish([event(channel, seq) for seq in range(1, 31)])
    await eventually(lambda: len(reader.events) == 10)
    assert reader.events == [(channel, seq) for seq in range(21, 31)]
    assert publisher.dropped == 20


async def test_facts_without_a_channel_are_not_published(port: Port, stack: AsyncExitStack) -> None:
    channel = ids.uuid7()
    reader = await reading(stack, port, channel)
    publisher = await stack.enter_async_context(port.publisher())
    publisher.publish([event(None, None), event(channel, 1)])
    await eventually(lambda: reader.events == [(channel, 1)])
    assert publisher.dropped == 0


async def test_heads_and_hints_arrive_whole(port: Port, stack: AsyncExitStack) -> None:
    reader = await reading(stack, port)
    await eventually(lambda: reader.subscriber.connected)
    relay = await stack.enter_async_context(port.publisher("relay"))
    api = await stack.enter_async_context(port.publisher("api"))
    heads = [(ids.uuid7(), 1, 7), (ids.uuid7(), 2, 2**40)]

    async def told() -> bool:
        relay.publish_heads(heads)
        api.hint_revocations()
        return bool(reader.heads and reader.hints)

    await eventually(told)
    assert reader.heads[:2] == heads


async def test_stopping_a_publisher_flushes_what_is_queued(port: Port, stack: AsyncExitStack) -> None:
    channel = ids.uuid7()
    reader = await reading(stack, port, channel)
    async with port.publisher() as publisher:
        publisher.publish([event(channel, seq) for seq in range(1, 1201)])
    await eventually(lambda: len(reader.events) == 1200)


async def test_fault_points_drop_and_repeat_publishes(port: Port, stack: AsyncExitStack) -> None:
    channel = ids.uuid7()
    reader = await reading(stack, port, channel)
    publisher = await stack.enter_async_context(port.publisher())
    faults.here.enabled = True
    try:
        faults.here.put({"point": "api.publish", "action": "drop", "count": 2})
        publisher.publish([event(channel, seq) for seq in (1, 2, 3)])
        await eventually(lambda: reader.events == [(channel, 3)])
        faults.here.put({"point": "api.publish", "action": "duplicate", "count": 1})
        publisher.publish([event(channel, 4)])
        await eventually(lambda: reader.events == [(channel, 3), (channel, 4), (channel, 4)])
    finally:
        faults.here.clear()
        faults.here.enabled = False


async def test_starting_and_stopping_twice_is_safe(port: Port) -> None:
    reader, publisher = Reader(port), port.publisher()
    for part in (reader.subscriber, publisher):
        await part.stop()
        await part.start()
        await part.start()
        await part.stop()
        await part.stop()
