"""What the promises share: how one is broken, where addresses come from, an account, a channel and a socket."""

import asyncio
import os
import secrets
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import AsyncExitStack, suppress
from functools import partial
from typing import Any, Final
from urllib.parse import urlsplit

from signalink_core.client import ApiClient, SocketClient
from signalink_core.events import Position
from signalink_core.testing import eventually

ADDRESSES: Final = (
    "API_URL",
    "GATEWAY_URL",
    "ANALYTICS_URL",
    "PROMISE_URL",
    "PROMISE_METRICS_URL",
    "PROMISE_OTLP_URL",
    "POSTGRES_DSN",
    "REDIS_URL",
    "KAFKA_BOOTSTRAP",
)
"""What a promise may be told of, without SIGNALINK_; a bootstrap list holds several."""
PORTS: Final = {"https": 443, "wss": 443, "postgresql": 5432, "redis": 6379, "rediss": 6379}
DIAL_SECONDS: Final = 1.0


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


def places(environment: Mapping[str, str]) -> Iterator[tuple[str, int]]:
    """Host and port of every address there; what is no address is left to the promise."""
    told = [environment.get(f"SIGNALINK_{key}", "") for key in ADDRESSES]
    for each in filter(None, ",".join(told).split(",")):
        parts = urlsplit(each if "//" in each else f"//{each}")
        with suppress(ValueError):
            if parts.hostname:
                yield parts.hostname, parts.port or PORTS.get(parts.scheme, 80)


async def let_in(environment: Mapping[str, str], within: float) -> None:
    """Wait until all that the environment names takes connections, `within` seconds at most; the promise says the rest.

    Where network policies are enforced, nobody lets a new pod in before its address has got round.
    """

    async def open_to(place: tuple[str, int]) -> bool:
        with suppress(OSError):
            async with asyncio.timeout(DIAL_SECONDS):
                _, writer = await asyncio.open_connection(*place)
            writer.close()
            return True
        return False

    waits = [until(partial(open_to, place), within) for place in dict.fromkeys(places(environment))]
    await asyncio.gather(*waits, return_exceptions=True)


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
