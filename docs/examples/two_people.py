"""Two people in one channel: ada posts over REST, bob reads on a WebSocket, goes away, and misses nothing.

Shows the client library (`signalink_core.client`) on a running platform. SIGNALINK_API_URL and SIGNALINK_GATEWAY_URL
say where it is; without them it is the one that `make up` starts.
"""

import asyncio
import os
import secrets
from functools import partial
from typing import Any

from signalink_core.client import ApiClient, ApiProblem, SocketClient
from signalink_core.events import Position
from signalink_core.testing import eventually

API = os.environ.get("SIGNALINK_API_URL", "http://127.0.0.1:8000")
GATEWAY = os.environ.get("SIGNALINK_GATEWAY_URL", "ws://127.0.0.1:8001/v1/socket")
PASSWORD = "correct horse battery staple"  # noqa: S105 - an account on this machine, made by this example


async def enter(client: ApiClient, name: str) -> None:
    """Log in; the first time, register."""
    try:
        await client.login(name, PASSWORD)
    except ApiProblem:
        await client.register(name, f"{name}@example.org", PASSWORD)
        await client.login(name, PASSWORD)


def show(frame: Any) -> None:
    print(f"bob reads seq {frame['seq']}: {frame['data'].get('body', frame['type'])}")


async def main() -> None:
    """The gateway takes sockets from known origins only: here the one that serves the api."""
    async with ApiClient(API) as ada, ApiClient(API) as bob:
        await enter(ada, "ada")
        await enter(bob, "bob")
        channel = str((await ada.create_channel(f"hello-{secrets.token_hex(3)}", "Hello"))["id"])
        await bob.join(channel)
        ticket = partial(bob.ticket, API)

        async with SocketClient(GATEWAY, ticket, on_event=show, origin=API) as socket:
            await socket.subscribe({channel: Position(epoch=1, seq=0)})
            first = await ada.post_message(channel, "hello")
            await eventually(lambda: (at := socket.position(channel)) and at.seq >= first.seq)
            stood = socket.position(channel)

        print("bob is away")
        await ada.post_message(channel, "are you there?")
        last = await ada.post_message(channel, "never mind")

        async with SocketClient(GATEWAY, ticket, on_event=show, origin=API) as socket:
            await socket.subscribe({channel: stood})
            await eventually(lambda: (at := socket.position(channel)) and at.seq >= last.seq)


if __name__ == "__main__":
    asyncio.run(main())
