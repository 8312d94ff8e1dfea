"""`python -m signalink_core.testing.promise NAME`: shows, from outside, that a running service keeps a promise.

What `helm test` runs in a pod without any secret; the accounts it makes are its own. Exit 0 kept, 1 broken with one
line that says which and why. Addresses come from SIGNALINK_API_URL, SIGNALINK_GATEWAY_URL, SIGNALINK_WS_ORIGINS, for
`answers` from SIGNALINK_PROMISE_URL and SIGNALINK_PROMISE_METRICS_URL.
"""

import argparse
import asyncio
import os
import secrets
import sys
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from functools import partial
from typing import Final

import httpx

from signalink_core.client import ApiClient, ClientError, SocketClient
from signalink_core.events import Position
from signalink_core.testing import eventually

TIMEOUT: Final = httpx.Timeout(5.0)
SERVER_ERRORS: Final = 500
POSTS: Final = 3
COUNTED_SECONDS: Final = 45.0
"""A second apart; analytics reads Kafka all the time."""
FIRST: Final = Position(epoch=1, seq=0)


class Broken(Exception):
    """The promise was not kept; the text says what was seen."""


def expect(kept: bool, seen: str) -> None:
    if not kept:
        raise Broken(seen)


async def answers() -> None:
    """The internal port says ready; the public one answers by the name of its Service, whatever it thinks of GET /."""
    async with httpx.AsyncClient(timeout=TIMEOUT, trust_env=False) as http:
        ready = await http.get(f"{_address('PROMISE_METRICS_URL')}/readyz")
        expect(ready.status_code == httpx.codes.OK, f"/readyz answers {ready.status_code}: {ready.text[:200]}")
        public = await http.get(f"{_address('PROMISE_URL')}/")
        refused = public.status_code == httpx.codes.BAD_REQUEST
        expect(
            public.status_code < SERVER_ERRORS and not refused,
            f"GET / answers {public.status_code}: {public.text[:200]}",
        )


async def repeat() -> None:
    """A post that is repeated with its client_id is one message with one seq."""
    async with ApiClient(_address("API_URL")) as client:
        await _enter(client)
        channel = await _channel(client)
        posts = [await client.post_message(channel, "once", client_id="the-same") for _ in range(3)]
        expect(len({(post.id, post.seq) for post in posts}) == 1, f"three posts with one key: {posts}")
        expect([post.replayed for post in posts] == [False, True, True], f"replayed: {posts}")


async def order() -> None:
    """Two sockets get every event from 1 without a hole; one that was cut gets the rest after its position."""
    gateway, origin = _address("GATEWAY_URL"), _address("WS_ORIGINS").split(",")[0]
    async with ApiClient(_address("API_URL")) as client:
        await _enter(client)
        channel = await _channel(client)
        seen: list[list[int]] = [[], []]
        async with AsyncExitStack() as open_sockets:
            sockets = [await _follow(open_sockets, gateway, origin, client, {channel: FIRST}, each) for each in seen]
            first = await client.post_message(channel, "to both")
            for socket in sockets:
                await eventually(partial(_reached, socket, channel, first.seq), within=20.0)
            stood = sockets[0].position(channel)
        last = await client.post_message(channel, "while nobody listened")
        async with AsyncExitStack() as again:
            socket = await _follow(again, gateway, origin, client, {channel: stood}, seen[0])
            await eventually(partial(_reached, socket, channel, last.seq), within=20.0)
    expect(seen[0] == list(range(1, last.seq + 1)), f"the socket that was cut saw {seen[0]}, not 1 to {last.seq}")
    expect(seen[1] == list(range(1, first.seq + 1)), f"the other socket saw {seen[1]}, not 1 to {first.seq}")


async def counted() -> None:
    """The whole way round: what is posted is in the log, in Kafka and in the figures, each message once."""
    async with (
        ApiClient(_address("API_URL")) as client,
        httpx.AsyncClient(base_url=_address("PROMISE_URL"), timeout=TIMEOUT, trust_env=False) as http,
    ):
        await _enter(client)
        channel = await _channel(client)
        for number in range(POSTS):
            await client.post_message(channel, f"number {number}", client_id=f"number-{number}")

        async def enough() -> int:
            headers = {"Authorization": f"Bearer {client.access_token}"}
            answer = await http.get("/v1/analytics/summary", params={"interval": "1m"}, headers=headers)
            answer.raise_for_status()
            counted = int(answer.json()["totals"]["messages"])
            if counted < POSTS:
                raise AssertionError(f"{counted} messages are counted, {POSTS} were posted")
            return counted

        seen: int = await eventually(enough, within=COUNTED_SECONDS, every=1.0)
    expect(seen == POSTS, f"{seen} messages are counted, {POSTS} were posted")


PROMISES: Final[dict[str, Callable[[], Awaitable[None]]]] = {
    "answers": answers,
    "counted": counted,
    "order": order,
    "repeat": repeat,
}


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m signalink_core.testing.promise")
    parser.add_argument("name", choices=sorted(PROMISES))
    parser.add_argument("--timeout", type=float, default=58.0, metavar="SECONDS")
    parser.add_argument("--fail", action="store_true", help="break it on purpose")
    chosen = parser.parse_args(arguments)
    try:
        if chosen.fail:
            raise Broken("faults.testFail is on")
        asyncio.run(_within(PROMISES[chosen.name], chosen.timeout))
    except (Broken, AssertionError, ClientError, httpx.HTTPError, OSError, TimeoutError) as error:
        sys.stderr.write(f"promise {chosen.name}: broken: {str(error) or type(error).__name__}\n")
        return 1
    sys.stdout.write(f"promise {chosen.name}: kept\n")
    return 0


async def _within(promise: Callable[[], Awaitable[None]], seconds: float) -> None:
    async with asyncio.timeout(seconds):
        await promise()


def _address(key: str) -> str:
    found = os.environ.get(f"SIGNALINK_{key}", "").rstrip("/")
    if not found:
        raise Broken(f"SIGNALINK_{key} is not set")
    return found


async def _enter(client: ApiClient) -> None:
    """A new account, signed in."""
    name, word = f"promise_{secrets.token_hex(6)}", secrets.token_urlsafe(24)
    await client.register(name, f"{name}@example.org", word)
    await client.login(name, word)


async def _channel(client: ApiClient) -> str:
    return str((await client.create_channel(f"promise-{secrets.token_hex(6)}", "Promise"))["id"])


async def _follow(
    stack: AsyncExitStack,
    gateway: str,
    origin: str,
    client: ApiClient,
    channels: dict[str, Position | None],
    seen: list[int],
) -> SocketClient:
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


def _reached(socket: SocketClient, channel: str, seq: int) -> bool:
    position = socket.position(channel)
    return position is not None and position.seq >= seq


if __name__ == "__main__":
    sys.exit(main())
