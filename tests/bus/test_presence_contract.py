"""What both presence stores promise, run on the memory twin and on real Valkey with the rights of a gateway."""

import itertools
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from signalink_core import ids
from signalink_core.bus import Subscriber, hints, keys
from signalink_core.bus.memory import MemoryBus, MemorySubscriber
from signalink_core.bus.memory_presence import MemoryKeys, MemoryPresenceStore
from signalink_core.bus.presence import Here, Mark, PresenceStore, Reading
from signalink_core.errors import DependencyUnavailable
from signalink_core.testing import eventually
from signalink_stacks.local.engines import ValkeyEngine
from signalink_stacks.local.testing.valkeys import ValkeyServer

ANA, BEN, CEM = ids.uuid7(), ids.uuid7(), ids.uuid7()
Store = PresenceStore | MemoryPresenceStore


class MemoryPort:
    def __init__(self) -> None:
        self.bus = MemoryBus()
        self.keys = MemoryKeys(self.bus)
        self.forget, self.lose, self.restore = self.keys.forget, self.bus.lose, self.bus.restore

    def store(self, node: str) -> Store:
        return MemoryPresenceStore(self.keys, node)

    def subscriber(self, **callbacks: Any) -> MemorySubscriber:
        return self.bus.subscriber(on_event=lambda *_: None, **callbacks)


class ValkeyPort:
    def __init__(self, server: ValkeyServer) -> None:
        self.server = server
        self.forget, self.lose, self.restore = server.flush, server.engine.stop, server.engine.start

    def store(self, node: str) -> Store:
        return PresenceStore(self.server.settings("gateway"), node)

    def subscriber(self, **callbacks: Any) -> Subscriber:
        return Subscriber(self.server.settings("gateway"), on_event=lambda *_: None, **callbacks)


@pytest.fixture(params=["memory", pytest.param("valkey", marks=pytest.mark.engine("valkey"))])
def port(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[MemoryPort | ValkeyPort]:
    if request.param == "memory":
        yield MemoryPort()
        return
    with ValkeyEngine(tmp_path / "valkey") as engine:
        yield ValkeyPort(ValkeyServer(engine))


@pytest.fixture
async def open_(port: Any) -> AsyncIterator[Any]:
    async with AsyncExitStack() as stack:

        async def opened(node: str) -> Store:
            return await stack.enter_async_context(port.store(node))

        yield opened


class Heard:
    """Everything a subscriber is told of presence and typing."""

    def __init__(self) -> None:
        self.hints: list[hints.Batch | hints.Gone] = []
        self.typing: list[tuple[UUID, UUID]] = []
        self.followed = 0

    def follow(self) -> None:
        self.followed += 1

    def callbacks(self) -> dict[str, Any]:
        return {
            "on_presence": lambda payload: self.hints.append(hints.decode_presence(payload)),
            "on_typing": lambda channel, payload: self.typing.append((channel, hints.decode_typing(payload))),
            "on_following": self.follow,
        }


async def test_a_beat_tells_whether_the_node_was_forgotten(port: Any, open_: Any) -> None:
    a = await open_("a")
    assert not await a.beat(60_000)
    await a.put_all(1, {})
    assert await a.beat(60_000)
    port.forget()
    assert not await a.beat(60_000)


async def test_a_heartbeat_ends_and_the_registry_shows_it(open_: Any) -> None:
    a, b = await open_("a"), await open_("b")
    await a.beat(60_000)
    await a.put_all(3, {ANA: ("online", 1)})
    await b.beat(50)

    async def dead() -> bool:
        return (await a.census())["b"] == Mark(False, None)

    await eventually(dead)
    assert await a.census() == {"a": Mark(True, 3), "b": Mark(False, None)}


async def test_users_are_read_with_the_batch_that_said_so(open_: Any) -> None:
    a, b = await open_("a"), await open_("b")
    await a.put_all(2, {ANA: ("online", 1), BEN: ("away", 2)})
    await a.write(3, {BEN: ("dnd", 1), ANA: ("offline", 0), CEM: ("online", 1)}, [])
    assert await b.read(["a", "nobody"], [ANA, BEN]) == {"a": Reading(3, {BEN: Here("dnd", 1, 3)})}
    assert await b.users_of("a") == {BEN: Here("dnd", 1, 3), CEM: Here("online", 1, 3)}
    assert await b.users_of("nobody") == {}


async def test_writing_everything_anew_forgets_what_was_there(open_: Any) -> None:
    a = await open_("a")
    await a.put_all(1, {ANA: ("online", 1)})
    await a.put_all(3, dict.fromkeys([BEN, *(ids.uuid7() for _ in range(2500))], ("away", 1)))
    assert len(await a.users_of("a")) == 2_501
    assert ANA not in await a.users_of("a")


async def test_only_one_clears_a_dead_node_away_and_nobody_a_live_one(open_: Any) -> None:
    a, b, c = await open_("a"), await open_("b"), await open_("c")
    await c.beat(60_000)
    assert not await a.lease("c")
    await b.beat(60_000)
    assert [await a.lease("d"), await b.lease("d"), await a.lease("d")] == [True, False, False]


async def test_what_is_written_is_heard_in_order_and_a_burial_too(port: Any, open_: Any) -> None:
    heard, channel = Heard(), ids.uuid7()
    a = await open_("a")
    async with port.subscriber(**heard.callbacks()) as subscriber:
        subscriber.attach(channel)
        await eventually(lambda: heard.followed == 1 and subscriber.attached(channel))
        await a.beat(60_000)
        await a.put_all(2, {ANA: ("online", 1)})
        await a.write(3, {ANA: ("away", 2), BEN: ("online", 1)}, [(ANA, "away")])

        async def typed() -> bool:
            await a.say_typing([(channel, ANA), (ids.uuid7(), BEN)])
            return bool(heard.typing)

        await eventually(typed)
        await a.bury("a")
        await eventually(lambda: len(heard.hints) == 3)
    assert heard.hints == [hints.Batch("a", 2, []), hints.Batch("a", 3, [(ANA, "away")]), hints.Gone("a")]
    assert set(heard.typing) == {(channel, ANA)}
    assert await a.census() == {}
    assert await a.users_of("a") == {}


async def test_every_failure_is_one_kind_and_it_works_again_afterwards(port: Any, open_: Any) -> None:
    heard = Heard()
    a = await open_("a")
    async with port.subscriber(**heard.callbacks()):
        await eventually(lambda: heard.followed == 1)
        port.lose()
        for ask in (a.beat(1), a.put_all(1, {}), a.write(1, {}, []), a.census(), a.lease("b"), a.bury("b")):
            with pytest.raises(DependencyUnavailable):
                await ask
        port.restore()
        await eventually(lambda: heard.followed == 2)

        async def back() -> bool:
            try:
                await a.beat(60_000)
            except DependencyUnavailable:
                return False
            return True

        await eventually(back)


@pytest.mark.parametrize(
    "noise", [b"", b"[]", b"{}", b'{"node": 1, "n": 1}', b'{"node": "a", "n": 1, "users": [["x", "online"]]}',
              b'{"node": "a", "n": 1, "users": [["01900000-0000-7000-8000-000000000001", "asleep"]]}', b"\xff"],
)  # fmt: skip
def test_bytes_that_are_no_hint_are_a_value_error(noise: bytes) -> None:
    for decode in (hints.decode_presence, hints.decode_typing):
        with pytest.raises(ValueError, match=r".*"):
            decode(noise)


def test_a_full_batch_is_small_enough_for_a_pub_sub_buffer() -> None:
    users = [(ids.uuid7(), state) for _, state in zip(range(hints.BATCH_USERS), itertools.cycle(hints.STATES))]
    batch = hints.Batch("gateway-0.x", 1, users)
    assert hints.decode_presence(hints.encode_presence(batch)) == batch
    assert len(hints.encode_presence(batch)) < 64_000
    assert keys.typing_channel(keys.typing_key(ANA)) == ANA
    assert keys.typing_channel(keys.events_key(ANA)) is None
