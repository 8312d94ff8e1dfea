"""Sliding windows counted in Redis: one connection, all calls of one turn of the loop in one write.

The counting is the script of `limits`, called for each hit of a request in order until one does not fit; what does not
fit, and what comes after it, is not counted. Owns the connection and its time limits; what a failure means is
`limits.Limiter`'s business. A round trip per hit through redis-py was 40 % of a post's time in the api.
"""

import asyncio
import hashlib
from collections import deque
from collections.abc import Sequence
from typing import NamedTuple, cast

import hiredis
from limits.aio.storage.redis.bridge import RedisBridge
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError

from signalink_core.bus.wire import address
from signalink_core.lifecycle import Lifecycle
from signalink_core.settings import REDIS_TIMEOUT_SECONDS, RedisSettings
from signalink_core.signin.redis import Renewal
from signalink_core.telemetry import logging

MOST_CALLS = 10_000
"""Calls that wait for an answer; above it a call fails at once."""
log = logging.get_logger(__name__)
SCRIPT = f"""
local function acquire(KEYS, ARGV)
{RedisBridge.SCRIPT_ACQUIRE_SLIDING_WINDOW.decode()}
end
for n = 1, #KEYS / 2 do
    if not acquire({{KEYS[2 * n - 1], KEYS[2 * n]}}, {{ARGV[2 * n - 1], ARGV[2 * n], 1}}) then
        return n
    end
end
return 0
"""
SHA = hashlib.sha1(SCRIPT.encode(), usedforsecurity=False).hexdigest()


class Window(NamedTuple):
    """At most `amount` hits in `seconds`, kept under two keys of one hash slot."""

    previous: str
    current: str
    amount: int
    seconds: int


def _packed(*words: str | int) -> bytes:
    packed: bytes = hiredis.pack_command(words)  # type: ignore[arg-type]
    return packed


class _Call:
    """One script call that waits for its answer: the number of the first window that was full, 0 for none."""

    __slots__ = ("answer", "windows")

    def __init__(self, windows: Sequence[Window], loop: asyncio.AbstractEventLoop) -> None:
        self.windows = windows
        self.answer: asyncio.Future[int] = loop.create_future()

    def command(self, head: tuple[str, str]) -> bytes:
        keys = [key for window in self.windows for key in (window.previous, window.current)]
        bounds = [bound for window in self.windows for bound in (window.amount, window.seconds)]
        return _packed(*head, len(keys), *keys, *bounds)

    def fail(self, error: Exception) -> None:
        if not self.answer.done():
            self.answer.set_exception(error)
            self.answer.exception()  # a caller that is gone is no warning


class Windows(Lifecycle):
    """`take(windows)`: 0, or the number (from 1) of the first one that is full. Connects at the first call."""

    def __init__(self, redis: RedisSettings) -> None:
        super().__init__()
        self._redis = redis
        self._wire: _Wire | None = None
        self._connecting: asyncio.Task[_Wire | Exception] | None = None

    async def take(self, windows: Sequence[Window]) -> int:
        """Within 1 s, and 0.5 s more to connect. Raises RedisError, OSError, TimeoutError."""
        wire = self._wire
        if wire is None or wire.lost:
            wire = await self._connected()
        if wire.renewal is not None and wire.renewal.due():
            wire.renewal.begun()
            self.spawn(self._sign_in_again(wire, wire.renewal), "limits-signin")
        return await wire.call(windows)

    async def _sign_in_again(self, wire: "_Wire", renewal: Renewal) -> None:
        """Calls go on meanwhile; without a token it is due again in a minute."""
        try:
            words = await renewal.login.words()
        except OSError as error:
            log.warning("redis_token_missing", reason=str(error) or type(error).__name__)
            return
        if not wire.lost:
            wire.greet(*words)
            renewal.done()

    async def _connected(self) -> "_Wire":
        """Callers that come while a connection is being made share it, or its failure."""
        if self._connecting is None or self._connecting.done():
            self._connecting = self.spawn(self._connect(), "limits-connect")
        made = await asyncio.shield(self._connecting)
        if isinstance(made, Exception):
            raise made
        return made

    async def _connect(self) -> "_Wire | Exception":
        where = address(self._redis)
        loop = asyncio.get_running_loop()
        try:
            words = await where.words()
            async with asyncio.timeout(REDIS_TIMEOUT_SECONDS):
                _, wire = await loop.create_connection(_Wire, where.host, where.port, ssl=where.ssl)
        except (OSError, TimeoutError) as error:
            return error
        if words:
            wire.greet(*words)
        wire.renewal = Renewal(where.login) if where.login is not None else None
        self._wire = wire
        return wire

    async def _stop(self) -> None:
        if self._wire is not None:
            self._wire.close()


class _Wire(asyncio.Protocol):
    """The connection: calls are written once per turn of the loop, answers come in their order."""

    def __init__(self) -> None:
        self.lost = False
        self.renewal: Renewal | None = None
        self._transport = cast(asyncio.Transport, None)
        self._replies = hiredis.Reader()
        self._unsent: list[bytes] = []
        self._waiting: deque[_Call | None] = deque()  # bound: MOST_CALLS; None: the greeting
        self._loop = asyncio.get_running_loop()
        self._deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def greet(self, user: str, password: str) -> None:
        """Goes before every call; a refusal ends the connection."""
        self._put(_packed("AUTH", user, password), None)

    def call(self, windows: Sequence[Window]) -> asyncio.Future[int]:
        call = _Call(windows, self._loop)
        if self.lost or len(self._waiting) >= MOST_CALLS:
            call.fail(RedisConnectionError("the connection for limits is lost or overloaded"))
        else:
            self._put(call.command(("EVALSHA", SHA)), call)
        return call.answer

    def close(self) -> None:
        self._end(RedisConnectionError("the limiter stopped"))

    def _put(self, command: bytes, call: _Call | None) -> None:
        if not self._unsent:
            self._loop.call_soon(self._flush)
        self._unsent.append(command)
        self._waiting.append(call)
        if self._deadline is None:
            self._watch()

    def _flush(self) -> None:
        unsent, self._unsent = self._unsent, []
        if not self.lost:
            self._transport.write(b"".join(unsent))

    def _watch(self) -> None:
        """What waits at the head now must be answered in time; looked at once per 0.5 s, not per call."""
        head = self._waiting[0]
        self._deadline = self._loop.call_later(REDIS_TIMEOUT_SECONDS, self._late, head)

    def _late(self, head: _Call | None) -> None:
        self._deadline = None
        if not self._waiting:
            return
        if self._waiting[0] is head:
            self._end(TimeoutError(f"Redis did not answer within {REDIS_TIMEOUT_SECONDS} s"))
        else:
            self._watch()

    def data_received(self, data: bytes) -> None:
        self._replies.feed(data)
        while (reply := self._replies.gets()) is not False:
            call = self._waiting.popleft()
            if isinstance(reply, Exception):
                self._refused(call, reply)
            elif call is not None and not call.answer.done():
                call.answer.set_result(int(reply))

    def _refused(self, call: _Call | None, reply: Exception) -> None:
        if call is None:
            self._end(RedisConnectionError(f"AUTH refused: {reply}"))
        elif str(reply).startswith("NOSCRIPT"):
            self._put(call.command(("EVAL", SCRIPT)), call)
        else:
            call.fail(RedisError(str(reply)))

    def connection_lost(self, exc: Exception | None) -> None:
        self._end(exc or RedisConnectionError("Redis closed the connection"))

    def _end(self, error: Exception) -> None:
        if self.lost:
            return
        self.lost = True
        if self._deadline is not None:
            self._deadline.cancel()
        self._transport.abort()
        while self._waiting:
            if (call := self._waiting.popleft()) is not None:
                call.fail(error)
