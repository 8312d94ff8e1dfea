"""What the promises share: how one is broken, where addresses come from, an account, a channel and a socket."""

import os
import secrets
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from functools import partial
from typing import Any

from signalink_core.client import ApiClient, SocketClient
from signalink_core.events import Position
from signalink_core.testing import eventually


class Broken(Exception):
    """The promise was not kept; the text says what was seen."""


def expect(kept: bool, seen: str) -> None:
    """Raise Broken with what was seen, unless kept."""
    if not kept:
        raise Broken(seen)


async def until(check: Callable[[], Awaitable[Any]], within: float, every: float = 0.2) -> None:
    """Wait until `check` raises no AssertionError any more; the last one is raised when `within` seconds are over."""
    _: Any = await eventually(check, within=within, every=every)


def address(key: str) -> str:
    """The address in SIGNALINK_<key>. Raises Broken where it is not set."""
    found = os.environ.get(f"SIGNALINK_{key}", "").rstrip("/")
    if not found:
        raise Broken(f"SIGNALINK_{key} is not set")
    return found


async def enter(client: ApiClient) -> None:
    """A new account, signed in."""
    name, word = f"promise_{secrets.token_hex(6)}", secrets.token_urlsafe(24)
    await client.register(name, f"{name}@example.org", word)
    await client.login(name, word)


async def new_channel(client: ApiClient) -> str:
    """Id of a new channel."""
    return str((await client.create_channel(f"promise-{secrets.token_hex(6)}", "Promise"))["id"])


async def follow(
    stack: AsyncExitStack,
    gateway: str,
    origin: str,
    client: ApiClient,
    channels: dict[str, Position | None],
    seen: list[int],
) -> SocketClient:
    """A socket that is open as long as `stack`; the seq of every event goes into `seen`."""
    socket = SocketClient(
        gateway,
        partial(client.ticket, origin),
        on_event=lambda frame: seen.append(frame["seq"]),
        origin=origin,
        proxy=False,
    )
    await stack.enter_async_context(socket)
    await socket.subscribe(channels)
    return socket


def reached(socket: SocketClient, channel: str, seq: int) -> bool:
    """Whether the socket has everything up to `seq`."""
    position = socket.position(channel)
    return position is not None and position.seq >= seq
