"""`python -m signalink_core.testing.promise NAME`: shows, from outside, that a running service keeps a promise.

What `helm test` runs in a pod; the accounts it makes are its own, and it has a secret only where its chart gives one.
Exit 0 kept, 1 broken with one line that says which and why. Addresses come from SIGNALINK_API_URL, _GATEWAY_URL,
_WS_ORIGINS, _ANALYTICS_URL, _PROMISE_URL, _PROMISE_METRICS_URL and _PROMISE_OTLP_URL.
"""

import argparse
import asyncio
import importlib
import os
import sys
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from functools import partial
from typing import Final

import httpx

from signalink_core.client import ApiClient, ClientError
from signalink_core.errors import SignalinkError
from signalink_core.events import Position
from signalink_core.testing import eventually
from signalink_core.testing.promising import Broken, address, enter, expect, follow, let_in, new_channel, reached

TIMEOUT: Final = httpx.Timeout(5.0)
SERVER_ERRORS: Final = 500
POSTS: Final = 3
COUNTED_SECONDS: Final = 45.0
"""A second apart; analytics reads Kafka all the time."""
LET_IN_SECONDS: Final = 10.0
"""Most that is waited for a network to take a new pod's connections."""
FIRST: Final = Position(epoch=1, seq=0)


async def answers() -> None:
    """The internal port says ready; the public one answers by the name of its Service, whatever it thinks of GET /."""
    async with httpx.AsyncClient(timeout=TIMEOUT, trust_env=False) as http:
        ready = await http.get(f"{address('PROMISE_METRICS_URL')}/readyz")
        expect(ready.status_code == httpx.codes.OK, f"/readyz answers {ready.status_code}: {ready.text[:200]}")
        public = await http.get(f"{address('PROMISE_URL')}/")
        refused = public.status_code == httpx.codes.BAD_REQUEST
        expect(
            public.status_code < SERVER_ERRORS and not refused,
            f"GET / answers {public.status_code}: {public.text[:200]}",
        )


async def repeat() -> None:
    """A post that is repeated with its client_id is one message with one seq."""
    async with ApiClient(address("API_URL")) as client:
        await enter(client)
        channel = await new_channel(client)
        posts = [await client.post_message(channel, "once", client_id="the-same") for _ in range(3)]
        expect(len({(post.id, post.seq) for post in posts}) == 1, f"three posts with one key: {posts}")
        expect([post.replayed for post in posts] == [False, True, True], f"replayed: {posts}")


async def order() -> None:
    """Two sockets get every event from 1 without a hole; one that was cut gets the rest after its position."""
    gateway, origin = address("GATEWAY_URL"), address("WS_ORIGINS").split(",")[0]
    async with ApiClient(address("API_URL")) as client:
        await enter(client)
        channel = await new_channel(client)
        seen: list[list[int]] = [[], []]
        async with AsyncExitStack() as open_sockets:
            sockets = [await follow(open_sockets, gateway, origin, client, {channel: FIRST}, each) for each in seen]
            first = await client.post_message(channel, "to both")
            for socket in sockets:
                await eventually(partial(reached, socket, channel, first.seq), within=20.0)
            stood = sockets[0].position(channel)
        last = await client.post_message(channel, "while nobody listened")
        async with AsyncExitStack() as again:
            socket = await follow(again, gateway, origin, client, {channel: stood}, seen[0])
            await eventually(partial(reached, socket, channel, last.seq), within=20.0)
    expect(seen[0] == list(range(1, last.seq + 1)), f"the socket that was cut saw {seen[0]}, not 1 to {last.seq}")
    expect(seen[1] == list(range(1, first.seq + 1)), f"the other socket saw {seen[1]}, not 1 to {first.seq}")


async def counted() -> None:
    """The whole way round: what is posted is in the log, in Kafka and in the figures, each message once."""
    async with (
        ApiClient(address("API_URL")) as client,
        httpx.AsyncClient(base_url=address("PROMISE_URL"), timeout=TIMEOUT, trust_env=False) as http,
    ):
        await enter(client)
        channel = await new_channel(client)
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


HERE: Final[dict[str, Callable[[], Awaitable[None]]]] = {
    "answers": answers,
    "counted": counted,
    "order": order,
    "repeat": repeat,
}
ELSEWHERE: Final = {
    "alerts": "promise_watching",
    "keeps-kafka": "promise_engines",
    "keeps-postgres": "promise_engines",
    "keeps-redis": "promise_engines",
    "managed": "promise_operator",
    "published": "promise_platform",
    "round-trip": "promise_platform",
    "sources": "promise_watching",
    "spans": "promise_watching",
    "targets": "promise_watching",
    "watched": "promise_platform",
}
"""Imported when asked for: each needs packages that only its own image has."""
PROMISES: Final = sorted((*HERE, *ELSEWHERE))


def promise_of(name: str) -> Callable[[], Awaitable[None]]:
    """The coroutine function that shows it."""
    if name in HERE:
        return HERE[name]
    module = importlib.import_module(f"signalink_core.testing.{ELSEWHERE[name]}")
    found: Callable[[], Awaitable[None]] = getattr(module, name.replace("-", "_"))
    return found


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m signalink_core.testing.promise")
    parser.add_argument("name", choices=PROMISES)
    parser.add_argument("--timeout", type=float, default=58.0, metavar="SECONDS")
    parser.add_argument("--fail", action="store_true", help="break it on purpose")
    chosen = parser.parse_args(arguments)
    try:
        if chosen.fail:
            raise Broken("faults.testFail is on")
        asyncio.run(_within(promise_of(chosen.name), chosen.timeout))
    except (Broken, SignalinkError, AssertionError, ClientError, httpx.HTTPError, OSError, TimeoutError) as error:
        sys.stderr.write(f"promise {chosen.name}: broken: {str(error) or type(error).__name__}\n")
        return 1
    sys.stdout.write(f"promise {chosen.name}: kept\n")
    return 0


async def _within(promise: Callable[[], Awaitable[None]], seconds: float) -> None:
    async with asyncio.timeout(seconds):
        await let_in(os.environ, min(LET_IN_SECONDS, seconds / 4))
        await promise()


if __name__ == "__main__":
    sys.exit(main())
