"""Two people talk through a platform on a cluster: reached by `kubectl port-forward`, as somebody at a desk would."""

import asyncio
import contextlib
import secrets
from collections.abc import AsyncIterator
from typing import Any

from signalink_core.client import ApiClient, SocketClient
from signalink_core.events import Position
from signalink_core.testing import eventually
from signalink_stacks.clusters import plan
from signalink_stacks.clusters.plan import Access
from signalink_stacks.local.ports import free_port

ORIGIN = "http://localhost:8000"
PASSWORD = "correct horse battery staple"
ROUND_TRIP_SECONDS = 60.0


@contextlib.asynccontextmanager
async def forwarded(access: Access, namespace: str, service: str, port: int) -> AsyncIterator[str]:
    """`localhost:PORT` that reaches a Service."""
    own = free_port()
    words = access.kubectl("port-forward", f"--namespace={namespace}", f"service/{service}", f"{own}:{port}")
    process = await asyncio.create_subprocess_exec(*words, stdout=asyncio.subprocess.PIPE)
    try:
        assert process.stdout is not None
        await asyncio.wait_for(process.stdout.readline(), 30)
        yield f"localhost:{own}"
    finally:
        process.terminate()
        await process.wait()


async def held(access: Access, namespace: str, messages: int) -> list[int]:
    """The seqs that the second one's socket showed: 1, 2, 3, ... when all is well."""
    async with (
        forwarded(access, namespace, f"{plan.RELEASE}-api", 8000) as api,
        forwarded(access, namespace, f"{plan.RELEASE}-gateway", 8001) as gateway,
    ):
        return await talk(api, gateway, messages)


async def talk(api: str, gateway: str, messages: int) -> list[int]:
    """One posts, the other's socket shows every message once and in order, and resumes after it was away."""
    seen: list[Any] = []
    run_id = secrets.token_hex(4)
    async with ApiClient(f"http://{api}") as ada, ApiClient(f"http://{api}") as bob:
        for client, name in ((ada, f"ada-{run_id}"), (bob, f"bob-{run_id}")):
            await client.register(name, f"{name}@example.org", PASSWORD)
            await client.login(name, PASSWORD)
        channel = str((await ada.create_channel(f"talk-{run_id}", "Talk"))["id"])
        await bob.join(channel)
        position: Position | None = Position(epoch=1, seq=0)
        for half in range(2):
            socket = SocketClient(
                f"ws://{gateway}/v1/socket", lambda: bob.ticket(ORIGIN), on_event=seen.append, origin=ORIGIN
            )
            last = 0
            if half:  # what is posted while bob is away must come when he is back
                last = (await ada.post_message(channel, "are you there?")).seq
            async with socket:
                await socket.subscribe({channel: position})
                for number in range(messages // 2):
                    last = (await post(ada, channel, f"{half}.{number}")).seq
                await eventually(lambda: (at := socket.position(channel)) and at.seq >= last, ROUND_TRIP_SECONDS)  # noqa: B023
                position = socket.position(channel)
    return [frame["seq"] for frame in seen]


async def post(client: ApiClient, channel: str, body: str) -> Any:
    """At the rate that the limits allow one user."""
    await asyncio.sleep(0.11)
    return await client.post_message(channel, body)
