"""The bus's twin in memory: the same faces, order and losses, without Redis. Ships for tests of whoever uses the bus.

`lose()` and `restore()` play an outage: nothing arrives in between, and everything is attached anew afterwards.
"""

import asyncio
from collections.abc import Callable, Sequence
from uuid import UUID

from signalink_core import lifecycle
from signalink_core.bus import keys
from signalink_core.bus.publisher import Outbound
from signalink_core.bus.subscriber import Canary, Router, ignore
from signalink_core.events import Event


class MemoryBus:
    """One bus; make its publishers and subscribers with the methods of the same names."""

    def __init__(self) -> None:
        self.up = True
        self._subscribers: list[MemorySubscriber] = []

    def publisher(self, *, limit: int = 10_000) -> "MemoryPublisher":
        return MemoryPublisher(self, limit)

    def subscriber(
        self,
        *,
        on_event: Callable[[UUID, bytes], None],
        on_heads: Callable[[Sequence[keys.Head]], None] = ignore,
        on_attached: Callable[[UUID], None] = ignore,
        on_lost: Callable[[], None] = ignore,
        on_revocations: Callable[[], None] = ignore,
        on_presence: Callable[[bytes], None] = ignore,
        on_following: Callable[[], None] = ignore,
        on_typing: Callable[[UUID, bytes], None] = ignore,
        canary: Canary | None = None,
    ) -> "MemorySubscriber":
        router = Router(on_event, on_heads, on_revocations, on_presence, on_typing, canary)
        return MemorySubscriber(self, router, on_attached, on_lost, on_following)

    def lose(self) -> None:
        """Redis goes away: subscribers learn it, publishers drop."""
        self.up = False
        for subscriber in self._subscribers:
            subscriber.lost()

    def restore(self) -> None:
        self.up = True
        for subscriber in self._subscribers:
            subscriber.restored()

    def deliver(self, name: bytes, payload: bytes) -> None:
        for subscriber in self._subscribers:
            subscriber.receive(name, payload)

    def join(self, subscriber: "MemorySubscriber") -> None:
        self._subscribers.append(subscriber)

    def leave(self, subscriber: "MemorySubscriber") -> None:
        self._subscribers.remove(subscriber)


class MemoryPublisher(lifecycle.Lifecycle):
    """Same face as `Publisher`."""

    def __init__(self, bus: MemoryBus, limit: int) -> None:
        super().__init__()
        self._bus = bus
        self._queue = Outbound(limit)

    @property
    def dropped(self) -> int:
        return self._queue.dropped

    @property
    def connected(self) -> bool:
        return self._bus.up

    def publish(self, events: Sequence[Event]) -> None:
        self._queue.add(events)

    def publish_heads(self, heads: Sequence[keys.Head]) -> None:
        self._queue.say(keys.HEADS, keys.encode_heads(heads))

    def hint_revocations(self) -> None:
        self._queue.say(keys.REVOCATIONS, b"")

    async def _start(self) -> None:
        self.spawn(self._run(), "memory-publisher")

    async def _stop(self) -> None:
        await self._queue.flushed(1.0)

    async def _run(self) -> None:
        while True:
            await self._queue.filled.wait()
            self._send(await self._queue.take())
            self._queue.done()
            await asyncio.sleep(0)

    def _send(self, messages: list[tuple[bytes, bytes]]) -> None:
        for name, payload in messages:
            if self._bus.up:
                self._bus.deliver(name, payload)
            elif name.startswith(keys.EVENTS_PREFIX):
                self._queue.drop(1)


class MemorySubscriber(lifecycle.Lifecycle):
    """Same face as `Subscriber`; confirmations come in a later turn of the loop, as Redis's do."""

    def __init__(
        self,
        bus: MemoryBus,
        router: Router,
        on_attached: Callable[[UUID], None],
        on_lost: Callable[[], None],
        on_following: Callable[[], None],
    ) -> None:
        super().__init__()
        self._bus, self._router, self._on_attached, self._on_lost = bus, router, on_attached, on_lost
        self._on_following = on_following
        self._wanted: dict[UUID, None] = {}
        self._attached: set[UUID] = set()
        self._running = False

    @property
    def connected(self) -> bool:
        return self._running and self._bus.up

    def attach(self, channel_id: UUID) -> None:
        if channel_id not in self._wanted:
            self._wanted[channel_id] = None
            self._confirm_soon(channel_id)

    def detach(self, channel_id: UUID) -> None:
        self._wanted.pop(channel_id, None)
        self._attached.discard(channel_id)

    def attached(self, channel_id: UUID) -> bool:
        return channel_id in self._attached

    def lost(self) -> None:
        self._attached.clear()
        self._on_lost()

    def restored(self) -> None:
        for channel_id in self._wanted:
            self._confirm_soon(channel_id)
        if self.connected:
            asyncio.get_running_loop().call_soon(self._on_following)

    def receive(self, name: bytes, payload: bytes) -> None:
        channel = keys.events_channel(name) or keys.typing_channel(name)
        if channel is None or channel in self._attached:
            self._router.route(name, payload)

    def _confirm_soon(self, channel_id: UUID) -> None:
        if self.connected:
            asyncio.get_running_loop().call_soon(self._confirm, channel_id)

    def _confirm(self, channel_id: UUID) -> None:
        if self.connected and channel_id in self._wanted and channel_id not in self._attached:
            self._attached.add(channel_id)
            self._on_attached(channel_id)

    async def _start(self) -> None:
        self._running = True
        self._bus.join(self)
        self.restored()

    async def _stop(self) -> None:
        self._running = False
        self._bus.leave(self)
