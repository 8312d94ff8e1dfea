"""One Redis connection: connect, authenticate, then subscribe and hand over what arrives, or publish. Nothing else.

redis-py's `PubSub` reconnects and resubscribes inside, which hides that messages were lost in between; here a lost
connection ends `read` with an error, so `feed` can tell. Replies are parsed by hiredis, many per read.
"""

import asyncio
import contextlib
from collections.abc import Iterable, Sequence
from typing import Any

import hiredis
from redis.exceptions import ConnectionError as RedisConnectionError

from signalink_core.settings import RedisSettings

CONNECT_SECONDS = 0.5
READ_BYTES = 65_536
"""Bytes taken per turn of the loop: bounds what one turn can fan out."""


class Connection:
    """Not reconnecting: after any error it is closed and a new one is made."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer
        self._replies = hiredis.Reader(replyError=RedisConnectionError)

    @classmethod
    async def open(cls, settings: RedisSettings) -> "Connection":
        """An authenticated connection within 0.5 s. Raises OSError, TimeoutError, redis ConnectionError."""
        where = address(settings)
        async with asyncio.timeout(CONNECT_SECONDS):
            reader, writer = await asyncio.open_connection(where["host"], where["port"], ssl=where["ssl"])
            connection = cls(reader, writer)
            try:
                await connection._greet(where)
            except BaseException:
                connection.close()
                raise
        return connection

    async def _greet(self, where: dict[str, Any]) -> None:
        if where["password"]:
            credentials = (where["username"] or "default", where["password"])
            self.send("AUTH", *credentials)
            await self._ok("AUTH")
        self.send("PING")
        await self._ok("PING")

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


def address(settings: RedisSettings) -> dict[str, Any]:
    """Host, port, credentials and TLS as redis-py reads them from URL and password file. Raises ConfigurationError."""
    client = settings.client()
    kwargs = client.connection_pool.connection_kwargs
    connection = client.connection_pool.make_connection()  # type: ignore[no-untyped-call]
    ssl_context = getattr(connection, "ssl_context", None)
    return {
        "host": kwargs.get("host", "127.0.0.1"),
        "port": int(kwargs.get("port", 6379)),
        "username": kwargs.get("username"),
        "password": kwargs.get("password"),
        "ssl": ssl_context.get() if ssl_context is not None else None,
    }
