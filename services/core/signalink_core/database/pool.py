"""Connections to Postgres with every timeout set; owns codecs and socket options, leaves statements to callers."""

import asyncio
import socket
from typing import Any
from uuid import UUID, SafeUUID

import asyncpg
import orjson

from signalink_core import faults
from signalink_core.errors import FaultInjected
from signalink_core.settings import PostgresSettings

CONNECT_SECONDS = 2.0
ACQUIRE_SECONDS = 1.0
CLOSE_SECONDS = 5.0
COMMAND_SECONDS = 10.0
"""A backstop for a dead network; the server's own statement_timeout of 5 s comes first."""
UNACKNOWLEDGED_MS = 10_000
_new, _set = object.__new__, object.__setattr__  # a UUID is immutable by its own __setattr__


class Pool(asyncpg.Pool):
    """asyncpg's pool whose waits are bounded: 1 s for a free connection (TimeoutError), 5 s for a clean close."""

    def acquire(self, *, timeout: float | None = None) -> Any:
        """Async context manager giving one connection."""
        return super().acquire(timeout=ACQUIRE_SECONDS if timeout is None else timeout)  # type: ignore[no-untyped-call]

    async def close(self) -> None:
        """Wait for the borrowed connections, then close all; after 5 s they are cut."""
        try:
            await asyncio.wait_for(super().close(), CLOSE_SECONDS)  # type: ignore[no-untyped-call]
        except TimeoutError:
            self.terminate()  # type: ignore[no-untyped-call]


async def open_pool(settings: PostgresSettings, *, min_size: int = 1, max_size: int = 10) -> Pool:
    """A pool with `min_size` live connections; OSError, TimeoutError or PostgresError when the server is not there."""
    pool = Pool(  # type: ignore[no-untyped-call]
        min_size=min_size,
        max_size=max_size,
        max_queries=50_000,
        max_inactive_connection_lifetime=300.0,
        connect=_dial,
        setup=None,
        init=prepare,
        reset=None,
        loop=None,
        connection_class=asyncpg.Connection,
        record_class=asyncpg.Record,
        timeout=CONNECT_SECONDS,
        command_timeout=COMMAND_SECONDS,
        **settings.connect_kwargs(),
    )
    await pool
    return pool


async def connect(settings: PostgresSettings, *, command_timeout: float | None = COMMAND_SECONDS) -> asyncpg.Connection:
    """One connection of one's own. `command_timeout=None` is for statements that must never be cancelled (log.md 1)."""
    connection = await _dial(**settings.connect_kwargs(), timeout=CONNECT_SECONDS, command_timeout=command_timeout)
    await prepare(connection)
    return connection


async def _dial(**options: Any) -> asyncpg.Connection:
    """asyncpg's connect; a fault here looks like a server that refuses, is slow, or never answers."""
    try:
        async with asyncio.timeout(CONNECT_SECONDS):
            await faults.point("db.connect")
    except FaultInjected as error:
        raise ConnectionRefusedError("The fault at db.connect refused this connection.") from error
    return await asyncpg.connect(**options)  # type: ignore[no-any-return]


async def prepare(connection: asyncpg.Connection) -> None:
    """jsonb through orjson, uuid as uuid.UUID; a peer that stops acknowledging is given up by the kernel after 10 s."""
    await connection.set_type_codec(
        "jsonb", schema="pg_catalog", encoder=_encode_json, decoder=orjson.loads, format="text"
    )
    # asyncpg's own UUID is a subclass that orjson refuses.
    await connection.set_type_codec(
        "uuid", schema="pg_catalog", encoder=_encode_uuid, decoder=_decode_uuid, format="binary"
    )
    # asyncpg shows no socket; its transport does, and without this a vanished host holds a connection for 15 minutes.
    endpoint: socket.socket | None = connection._transport.get_extra_info("socket")
    if endpoint is None or endpoint.family == socket.AF_UNIX:
        return
    endpoint.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in (("TCP_KEEPIDLE", 5), ("TCP_KEEPINTVL", 2), ("TCP_KEEPCNT", 3)):
        if hasattr(socket, option):
            endpoint.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), value)
    if hasattr(socket, "TCP_USER_TIMEOUT"):
        endpoint.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, UNACKNOWLEDGED_MS)


def _encode_uuid(value: UUID | str) -> bytes:
    return (value if isinstance(value, UUID) else UUID(value)).bytes


def _decode_uuid(raw: bytes) -> UUID:
    """As UUID(bytes=raw) makes it, at less than half the cost: there are several in every row."""
    made = _new(UUID)
    _set(made, "int", int.from_bytes(raw))
    _set(made, "is_safe", SafeUUID.unknown)
    return made


def _encode_json(value: Any) -> str:
    return orjson.dumps(value).decode()
