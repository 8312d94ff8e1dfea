"""The node's own message: each second through Redis, the fan-out and a real socket of this process back to here.

Closes the class of failure where sockets are open, publishes succeed and nothing is delivered. Three that do not come
back while Redis answers make the node unready. The socket is opened with a word that only this process knows; it is no
session, so no limit, figure or presence counts it, and nothing it says is obeyed.
"""

import asyncio
import contextlib
import hmac
import secrets
from collections.abc import Callable
from typing import NamedTuple
from urllib.parse import urlsplit, urlunsplit

from redis.exceptions import RedisError
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake
from websockets.typing import Origin, Subprotocol

from signalink_core import ids, lifecycle
from signalink_core.readiness import Readiness
from signalink_core.settings import RedisSettings
from signalink_core.telemetry import logging
from signalink_gateway import frames, handshake
from signalink_gateway.channel import Channel, Subscription
from signalink_gateway.gateway import Gateway
from signalink_gateway.protocol import SocketProtocol
from signalink_gateway.ring import Entry
from signalink_gateway.session import Session

EVERY_SECONDS = 1.0
BACK_SECONDS = 1.0
"""How long one may take; three in a row and the second before them are below 5 s."""
MISSES = 3
WILDCARDS = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - told apart, not bound

log = logging.get_logger(__name__)


class Place(NamedTuple):
    """Where this node accepts sockets, and what a client must say there."""

    host: str
    port: int
    url: str
    """As clients know the gateway: its host name is served."""
    origin: str


class Canary(lifecycle.Lifecycle):
    """`hear` is called with what the bus says under `key`. The place is asked for when the server is there."""

    def __init__(
        self, gateway: Gateway, redis: RedisSettings, readiness: Readiness, *, key: bytes, place: Callable[[], Place]
    ) -> None:
        super().__init__()
        self._gateway, self._redis, self._readiness, self._key, self._place = gateway, redis, readiness, key, place
        self._ticket = secrets.token_urlsafe(24)
        self._channel = Channel(ids.uuid7())
        self._number = 0
        self._back: asyncio.Future[None] | None = None
        gateway.canary = self

    # the node's side

    def owns(self, ticket: str) -> bool:
        return hmac.compare_digest(ticket.encode(), self._ticket.encode())

    def adopt(self, protocol: SocketProtocol, upgrade: handshake.Upgrade) -> None:
        """The newest connection is the one that counts."""
        session = Session(self._gateway, 0, protocol.transport, upgrade.origin, "")
        protocol.accept(upgrade.answer, session)
        self._channel.live.clear()
        self._channel.go_live(Subscription(session, self._channel))
        protocol.release()

    def hear(self, payload: bytes) -> None:
        """What the bus brought goes to the socket as an event would."""
        self._channel.fresh.append(Entry(int(payload), frames.text_frame(payload)))
        self._gateway.fanout.add(self._channel)

    # the client's side

    async def _start(self) -> None:
        self._client = self._redis.client(max_connections=1)
        await self.enter(contextlib.aclosing(self._client))
        self.spawn(self._keep_open(), "canary-socket")
        self.spawn(self._run(), "canary")

    async def _keep_open(self) -> None:
        attempt = 0
        while True:
            attempt += 1
            with contextlib.suppress(OSError, TimeoutError, InvalidHandshake, ConnectionClosed):
                async with self._open() as connection:
                    attempt = 1
                    await self._read(connection)
            await asyncio.sleep(lifecycle.full_jitter(attempt, cap=EVERY_SECONDS))

    def _open(self) -> connect:
        place = self._place()
        known = urlsplit(place.url)
        return connect(
            urlunsplit(("ws", f"{known.hostname}:{place.port}", handshake.PATH, "", "")),
            host=WILDCARDS.get(place.host, place.host),
            port=place.port,
            subprotocols=[handshake.SUBPROTOCOL, Subprotocol(handshake.TICKET + self._ticket)],
            origin=Origin(place.origin),
            compression=None,
            proxy=None,
            open_timeout=BACK_SECONDS,
            close_timeout=BACK_SECONDS,
            ping_interval=None,
            max_queue=4,
        )

    async def _read(self, connection: ClientConnection) -> None:
        async for message in connection:
            if self._back is not None and int(message) == self._number and not self._back.done():
                self._back.set_result(None)

    async def _run(self) -> None:
        misses = 0
        loop = asyncio.get_running_loop()
        while True:
            began = loop.time()
            if await self._came_back():
                misses = 0
                self._readiness.set("canary", "ok")
            elif not await self._redis_answers():
                misses = 0
                self._readiness.set("canary", "degraded", "Redis does not answer")
            else:
                misses += 1
                if misses >= MISSES:
                    why = f"the last {misses} messages of this node to itself went to Redis and reached no socket"
                    self._readiness.set("canary", "down", why)
            await asyncio.sleep(max(0.0, began + EVERY_SECONDS - loop.time()))

    async def _came_back(self) -> bool:
        self._number += 1
        self._back = asyncio.get_running_loop().create_future()
        try:
            async with asyncio.timeout(BACK_SECONDS):
                await self._client.publish(self._key, b"%d" % self._number)
                await self._back
        except (RedisError, OSError, TimeoutError):
            return False
        return True

    async def _redis_answers(self) -> bool:
        try:
            await self._client.ping()
        except (RedisError, OSError, TimeoutError):
            return False
        return True
