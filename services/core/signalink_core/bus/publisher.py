"""Publishing to the bus: one task, one connection, pipelined, bounded; the oldest is dropped and counted.

Tasks through a pool came out of order 180 times in 2,000, so one task owns the order. Fire and forget: nothing here
blocks or raises, because the event is already in the log and every loss is healed from there.
"""

import asyncio
import contextlib
from collections import deque
from collections.abc import Sequence

from redis.exceptions import RedisError

from signalink_core import faults, lifecycle
from signalink_core.bus import keys
from signalink_core.bus.wire import Connection
from signalink_core.events import Event, encode_live
from signalink_core.settings import REDIS_TIMEOUT_SECONDS, RedisSettings
from signalink_core.telemetry import logging, names

BATCH = 512
"""Messages per pipeline: about 300 KB of ordinary events, one round trip."""
FLUSH_SECONDS = 1.0
"""How long a stop waits for what is queued."""

log = logging.get_logger(__name__)

Message = tuple[bytes, bytes]
"""(Redis name, payload)"""


class Outbound:
    """The bounded queue of a publisher; the oldest event goes when it is full. Shared by the real one and its twin."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.dropped = 0
        self.filled = asyncio.Event()
        self.idle = asyncio.Event()
        self.idle.set()
        self._events: deque[Event] = deque()
        self._states: dict[bytes, bytes] = {}

    def add(self, events: Sequence[Event]) -> None:
        self._events.extend(event for event in events if event.channel is not None)
        while len(self._events) > self.limit:
            self._events.popleft()
            self.drop(1)
        self._fill()

    def drop(self, count: int) -> None:
        """Events that go no further; sockets get them from the log."""
        self.dropped += count
        if count:
            names.QUEUE_REJECTED_TOTAL.labels(queue="publisher").inc(count)

    def say(self, key: bytes, payload: bytes) -> None:
        """State, not events: a later word replaces an unsent earlier one."""
        self._states[key] = payload
        self._fill()

    def _fill(self) -> None:
        self.filled.set()
        self.idle.clear()

    async def take(self) -> list[Message]:
        """What goes out next, in order, faults applied; a wake for the relay follows the events."""
        events = [self._events.popleft() for _ in range(min(BATCH, len(self._events)))]
        messages: list[Message] = []
        for event in events:
            messages.extend([_message(event)] * await copies(event))
        if messages:
            messages.append((keys.WAKE, b""))
        messages.extend(self._states.items())
        self._states.clear()
        if not self._events:
            self.filled.clear()
        names.QUEUE_DEPTH.labels(queue="publisher").set(len(self._events))
        return messages

    def done(self) -> None:
        """What was taken is out or lost."""
        if not self.filled.is_set():
            self.idle.set()

    async def flushed(self, seconds: float) -> None:
        """Returns when all is out, or after `seconds`."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self.idle.wait()


def _message(event: Event) -> Message:
    if event.channel is None:
        raise ValueError(f"event {event.id} has no channel and cannot be published")
    return keys.events_key(event.channel), encode_live(event)


async def copies(event: Event) -> int:
    """How often fault point `api.publish` lets this event out: 0 dropped, 2 duplicated."""
    try:
        fired = await faults.point("api.publish", channel=str(event.channel), type=event.type)
    except Exception as exc:
        log.warning("publish_failed", reason=str(exc))
        return 0
    if fired is None:
        return 1
    return {"drop": 0, "duplicate": 2}.get(fired.action, 1)


class Publisher(lifecycle.Lifecycle):
    """`publish` is synchronous and always succeeds; what could not be sent is in `dropped`."""

    def __init__(self, redis: RedisSettings, *, limit: int = 10_000) -> None:
        super().__init__()
        self._settings = redis
        self._queue = Outbound(limit)
        self.connected = True

    @property
    def dropped(self) -> int:
        """Events lost to the bound or to Redis since the start; they reach sockets through the log."""
        return self._queue.dropped

    def publish(self, events: Sequence[Event]) -> None:
        """Queues the events of one commit, in order. Events without a channel are facts and are not published."""
        self._queue.add(events)

    def publish_heads(self, heads: Sequence[keys.Head]) -> None:
        """Says the last (channel, epoch, seq) of channels that moved; replaces heads not sent yet."""
        self._queue.say(keys.HEADS, keys.encode_heads(heads))

    def hint_revocations(self) -> None:
        """Tells gateways to read the revocations now. Without the hint they read them within 2 s."""
        self._queue.say(keys.REVOCATIONS, b"")

    async def _start(self) -> None:
        self._connection: Connection | None = None
        self._resources.callback(self._disconnect)
        self.spawn(self._run(), "bus-publisher")

    async def _stop(self) -> None:
        await self._queue.flushed(FLUSH_SECONDS)

    async def _run(self) -> None:
        failures = 0
        while True:
            await self._queue.filled.wait()
            messages = await self._queue.take()
            delivered = await self._delivered(messages)
            self._queue.done()
            if delivered:
                failures, self.connected = 0, True
                continue
            failures, self.connected = failures + 1, False
            self._queue.drop(sum(key.startswith(keys.EVENTS_PREFIX) for key, _ in messages))
            await asyncio.sleep(lifecycle.full_jitter(failures, base=0.05, cap=1.0))

    async def _delivered(self, messages: list[Message]) -> bool:
        """Twice, because the first send after a restart of Redis meets the dead connection. A repeat is harmless."""
        for _ in range(2):
            try:
                await self._send(messages)
            except (RedisError, OSError, TimeoutError) as exc:
                if self.connected:
                    log.warning("publish_failed", reason=str(exc), messages=len(messages))
                self.connected = False
            else:
                return True
        return False

    async def _send(self, messages: list[Message]) -> None:
        if not messages:
            return
        try:
            if self._connection is None:
                self._connection = await Connection.open(self._settings)
            await self._connection.stay()
            async with asyncio.timeout(REDIS_TIMEOUT_SECONDS):
                await self._connection.publish(messages)
        except BaseException:
            self._disconnect()
            raise

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None
