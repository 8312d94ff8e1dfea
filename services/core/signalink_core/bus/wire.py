"""One Redis connection: connect, authenticate, then subscribe and hand over what arrives, or publish. Nothing else.

redis-py's `PubSub` reconnects and resubscribes inside, which hides that messages were lost in between; here a lost
connection ends `read` with an error, so `feed` can tell. Replies are parsed by hiredis, many per read.
"""

import asyncio
import contextlib
import ssl
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import hiredis
from redis.exceptions import ConnectionError as RedisConnectionError

from signalink_core.settings import RedisSettings
from signalink_core.signin.redis import Login, Renewal
from signalink_core.telemetry import logging

CONNECT_SECONDS = 0.5
READ_BYTES = 65_536
"""Bytes taken per turn of the loop: bounds what one turn can fan out."""
log = logging.get_logger(__name__)


class Connection:
    """Not reconnecting: after any error it is closed and a new one is made."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, renewal: Renewal | None = None
    ) -> None:
        self._reader, self._writer, self._renewal = reader, writer, renewal
        self._replies = hiredis.Reader(replyError=RedisConnectionError)

    @classmethod
    async def open(cls, settings: RedisSettings) -> "Connection":
        """An authenticated connection within 0.5 s (and what a new token takes).

        Raises OSError, TimeoutError, redis ConnectionError.
        """
        where = address(settings)
        words = await where.words()
        async with asyncio.timeout(CONNECT_SECONDS):
            reader, writer = await asyncio.open_connection(where.host, where.port, ssl=where.ssl)
            connection = cls(reader, writer, Renewal(where.login) if where.login is not None else None)
            try:
                await connection._greet(words)
            except BaseException:
                connection.close()
                raise
        return connection

    async def _greet(self, words: tuple[str, str] | None) -> None:
        """RESP3, where a subscribed connection may sign in again."""
        self.send("HELLO", "3", *(("AUTH", *words) if words else ()))
        await self._ok("HELLO")
        self.send("PING")
        await self._ok("PING")

    def due(self) -> bool:
        """It is time to sign in again."""
        return self._renewal is not None and self._renewal.due()

    async def sign_in_again(self) -> bool:
        """Sends AUTH with a fresh token; its answer is the next reply that is no message.

        False: there was no token, nothing was sent, and it is due again in a minute.
        """
        if self._renewal is None:
            return False
        self._renewal.begun()
        try:
            words = await self._renewal.login.words()
        except OSError as error:
            log.warning("redis_token_missing", reason=str(error) or type(error).__name__)
            return False
        self.send("AUTH", *words)
        self._renewal.done()
        return True

    async def stay(self) -> None:
        """For a connection whose replies nobody else reads: sign in again when due. Raises like `publish`."""
        if self.due() and await self.sign_in_again():
            async with asyncio.timeout(CONNECT_SECONDS):
                await self._ok("AUTH")

    async def _ok(self, command: str) -> None:
        for reply in await self.read():
            if isinstance(reply, Exception):
                raise RedisConnectionError(f"{command} refused: {reply}")
            return
        await self._ok(command)

    def send(self, *words: str | bytes) -> None:
        """Queues one command; the transport's buffer is bounded by the number of channels of this node."""
        self._writer.write(hiredis.pack_command(words))  # type: ignore[arg-type]

    def subscribe(self, keys: Iterable[bytes]) -> None:
        self.send("SUBSCRIBE", *keys)

    def unsubscribe(self, keys: Iterable[bytes]) -> None:
        self.send("UNSUBSCRIBE", *keys)

    async def publish(self, messages: Sequence[tuple[bytes, bytes]]) -> None:
        """All in one write; returns when each was answered. Raises OSError, redis ConnectionError (a refusal too)."""
        commands = [hiredis.pack_command((b"PUBLISH", key, payload)) for key, payload in messages]  # type: ignore[arg-type]
        self._writer.write(b"".join(commands))
        answers = 0
        while answers < len(messages):
            replies = await self.read()
            answers += len(replies)
            for reply in replies:
                if isinstance(reply, Exception):
                    raise reply

    async def read(self) -> list[Any]:
        """At least zero replies as (kind, name, payload) lists. Raises redis ConnectionError when the peer closed."""
        data = await self._reader.read(READ_BYTES)
        if not data:
            raise RedisConnectionError("Redis closed the connection")
        self._replies.feed(data)
        replies = []
        while (reply := self._replies.gets()) is not False:
            replies.append(reply)
        return replies

    def close(self) -> None:
        with contextlib.suppress(OSError, RuntimeError):
            self._writer.close()


@dataclass(frozen=True, slots=True)
class Address:
    """Where Redis is and how one signs in there: by `login`'s tokens, else by the password, else not at all."""

    host: str
    port: int
    ssl: ssl.SSLContext | None
    user: str
    password: str | None
    login: Login | None

    async def words(self) -> tuple[str, str] | None:
        """What AUTH takes. Raises SignInFailed, TimeoutError."""
        if self.login is not None:
            return await self.login.words()
        return (self.user, self.password) if self.password else None


def address(settings: RedisSettings) -> Address:
    """As redis-py reads it from URL and password file. Raises ConfigurationError."""
    client = settings.client()
    kwargs = client.connection_pool.connection_kwargs
    connection = client.connection_pool.make_connection()  # type: ignore[no-untyped-call]
    ssl_context = getattr(connection, "ssl_context", None)
    return Address(
        host=kwargs.get("host", "127.0.0.1"),
        port=int(kwargs.get("port", 6379)),
        ssl=ssl_context.get() if ssl_context is not None else None,
        user=kwargs.get("username") or "default",
        password=kwargs.get("password"),
        login=settings.login(),
    )
