"""A standing subscription to Redis names over reconnects: says when each is confirmed and when everything was lost.

Owns when a subscription counts (Redis confirmed it, and no later one is on its way) and the reconnecting.
What the messages mean belongs to `subscriber` and `wake`.
"""

import asyncio
from collections import Counter
from collections.abc import Callable
from typing import Any

from redis.exceptions import RedisError

from signalink_core import lifecycle
from signalink_core.bus import wire
from signalink_core.settings import RedisSettings
from signalink_core.telemetry import logging

PING_SECONDS = 1.0
SILENCE_SECONDS = 3.0
"""A connection that said nothing for this long, pings included, is dead."""
SUBSCRIBE_CHUNK = 500

log = logging.get_logger(__name__)


class Feed(lifecycle.Lifecycle):
    """`on_message(name, payload)`, `on_confirmed(name)` after every (re)subscription, `on_lost()` once per outage."""

    def __init__(
        self,
        redis: RedisSettings,
        *,
        on_message: Callable[[bytes, bytes], None],
        on_confirmed: Callable[[bytes], None],
        on_lost: Callable[[], None],
    ) -> None:
        super().__init__()
        self._settings = redis
        self._on_message, self._on_confirmed, self._on_lost = on_message, on_confirmed, on_lost
        self._wanted: dict[bytes, None] = {}
        self._waiting: Counter[bytes] = Counter()
        self._confirmed: set[bytes] = set()
        self._changes: dict[bytes, None] = {}
        self._scheduled = False
        self._connection: wire.Connection | None = None
        self._signing: asyncio.Task[bool] | None = None

    @property
    def connected(self) -> bool:
        return self._connection is not None

    def confirmed(self, name: bytes) -> bool:
        return name in self._confirmed

    def add(self, name: bytes) -> None:
        """Asks for the name; `on_confirmed` follows once Redis has it. Asking again is harmless."""
        if name not in self._wanted:
            self._wanted[name] = None
            self._change(name)

    def remove(self, name: bytes) -> None:
        if name in self._wanted:
            del self._wanted[name]
            self._confirmed.discard(name)
            self._change(name)

    def _change(self, name: bytes) -> None:
        self._changes[name] = None
        if self._connection is not None and not self._scheduled:
            self._scheduled = True
            asyncio.get_running_loop().call_soon(self._flush)

    def _flush(self) -> None:
        """One command for all changes of a turn of the loop; a name both dropped and wanted again is subscribed."""
        self._scheduled = False
        if self._connection is None:
            return
        changes, self._changes = list(self._changes), {}
        gone = [name for name in changes if name not in self._wanted]
        if gone:
            self._connection.unsubscribe(gone)
        self._subscribe([name for name in changes if name in self._wanted])

    def _subscribe(self, names: list[bytes]) -> None:
        for start in range(0, len(names), SUBSCRIBE_CHUNK):
            chunk = names[start : start + SUBSCRIBE_CHUNK]
            self._waiting.update(chunk)
            if self._connection is not None:
                self._connection.subscribe(chunk)

    async def _start(self) -> None:
        wire.address(self._settings)
        self.spawn(self._run(), "bus-feed")

    async def _stop(self) -> None:
        self._lose()

    async def _run(self) -> None:
        failures = 0
        while True:
            try:
                self._connection = await wire.Connection.open(self._settings)
                failures = 0
                await self._receive(self._connection)
            except (RedisError, OSError, TimeoutError) as exc:
                if failures == 0:
                    log.warning("bus_lost", reason=str(exc) or type(exc).__name__)
                failures += 1
            finally:
                self._lose()
            await asyncio.sleep(lifecycle.full_jitter(failures, base=0.05, cap=1.0))

    async def _receive(self, connection: wire.Connection) -> None:
        self._changes.clear()
        self._subscribe(list(self._wanted))
        loop = asyncio.get_running_loop()
        heard = loop.time()
        while True:
            if connection.due() and (self._signing is None or self._signing.done()):
                # Beside the reading, which goes on; the answer is no list, or an error that ends the connection.
                self._signing = self.spawn(connection.sign_in_again(), "bus-feed-signin")
            try:
                async with asyncio.timeout(PING_SECONDS):
                    replies = await connection.read()
            except TimeoutError:
                if loop.time() - heard > SILENCE_SECONDS:
                    raise
                connection.send("PING")
                continue
            heard = loop.time()
            for reply in replies:
                self._dispatch(reply)

    def _dispatch(self, reply: Any) -> None:
        if isinstance(reply, Exception):
            raise reply
        kind = reply[0] if isinstance(reply, list) else None
        if kind == b"message":
            self._guarded(self._on_message, reply[1], reply[2])
        elif kind == b"subscribe":
            self._confirm(reply[1])

    def _confirm(self, name: bytes) -> None:
        """Subscribe, unsubscribe, subscribe in a row: only the last confirmation counts."""
        self._waiting[name] -= 1
        if self._waiting[name] <= 0:
            del self._waiting[name]
            if name in self._wanted:
                self._confirmed.add(name)
                self._guarded(self._on_confirmed, name)

    def _guarded(self, callback: Callable[..., None], *args: Any) -> None:
        """A bug in a consumer must not end the feed of all the others."""
        try:
            callback(*args)
        except Exception:
            log.exception("bus_callback_failed")

    def _lose(self) -> None:
        if self._connection is None:
            return
        self._connection.close()
        self._connection = None
        self._waiting.clear()
        self._confirmed.clear()
        self._guarded(self._on_lost)
