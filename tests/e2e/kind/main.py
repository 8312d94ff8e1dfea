"""`make e2e NAME=kind`: the charts on a cluster with nodes: install, promises, two people, the same values again.

Also who reaches whom through the network policies (matrix.py), who comes in from outside (doorway.py), and pods that
break Pod Security `restricted` (refused.py). What it takes is said in cluster.py; what it installed it removes.
"""

import argparse
import asyncio
import contextlib
import secrets
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

import doorway
import matrix
import refused
from cluster import Ground, Missed, proved
from rig import say

from signalink_core.client import ApiClient, SocketClient
from signalink_core.events import Position
from signalink_core.testing import eventually
from signalink_stacks.clusters import plan
from signalink_stacks.local.ports import free_port

ORIGIN = "http://localhost:8000"
PASSWORD = "correct horse battery staple"
SIZES = {"small": 20, "full": 500}
"""Messages that one of the two posts."""
ROUND_TRIP_SECONDS = 60.0


@contextlib.asynccontextmanager
async def forwarded(ground: Ground, service: str, port: int) -> AsyncIterator[str]:
    """`localhost:PORT` that reaches a Service."""
    own = free_port()
    named = f"--namespace={ground.namespace}"
    words = ground.access.kubectl("port-forward", named, f"service/{service}", f"{own}:{port}")
    process = await asyncio.create_subprocess_exec(*words, stdout=asyncio.subprocess.PIPE)
    try:
        assert process.stdout is not None
        await asyncio.wait_for(process.stdout.readline(), 30)
        yield f"localhost:{own}"
    finally:
        process.terminate()
        await process.wait()


async def talk(api: str, gateway: str, messages: int) -> None:
    """One posts, the other's socket shows every message once and in order, and resumes after it was away."""
    seen: list[Any] = []
    run_id = secrets.token_hex(4)
    async with ApiClient(f"http://{api}") as ada, ApiClient(f"http://{api}") as bob:
        for client, name in ((ada, f"ada-{run_id}"), (bob, f"bob-{run_id}")):
            await client.register(name, f"{name}@example.org", PASSWORD)
            await client.login(name, PASSWORD)
        channel = str((await ada.create_channel(f"kind-{run_id}", "Kind"))["id"])
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
    seqs = [frame["seq"] for frame in seen]
    if seqs != list(range(1, len(seqs) + 1)):
        raise Missed(f"bob read {seqs[:10]} ... instead of 1, 2, 3, ...")
    say(f"two people: {len(seqs)} events, each once, in order, over one absence")


async def post(client: ApiClient, channel: str, body: str) -> Any:
    """At the rate that the limits allow one user."""
    await asyncio.sleep(0.11)
    return await client.post_message(channel, body)


def proof(ground: Ground, messages: int) -> str:
    began = time.monotonic()
    ground.install()
    before = ground.pods()
    say(f"installed, {len(before)} pods ready after {time.monotonic() - began:.0f} s")
    if wrong := [pod.name for pod in before if not pod.ready]:
        raise Missed(f"not ready: {wrong}")
    promised = ground.promises()
    if silent := {pod.service for pod in before if not any(f"-{pod.service}-test-" in name for name in promised)}:
        raise Missed(f"no promise of {sorted(silent)} was shown")
    say(f"helm test: {len(promised)} promises kept: {', '.join(sorted(name.split('-', 1)[1] for name in promised))}")
    asyncio.run(conversation(ground, messages))
    refused.proof(ground)
    asked = matrix.proof(ground)
    asyncio.run(doorway.proof(ground))
    ground.install()
    there = {pod.uid for pod in ground.pods()}
    if gone := [pod.name for pod in before if pod.uid not in there]:
        raise Missed(f"the same values again replaced {gone}")
    say("the same values again: no pod was replaced")
    return (
        f"{len(before)} pods, {len(promised)} promises kept, {asked} connections as the policies say (bar: all of it)"
    )


async def conversation(ground: Ground, messages: int) -> None:
    async with (
        forwarded(ground, f"{plan.RELEASE}-api", 8000) as api,
        forwarded(ground, f"{plan.RELEASE}-gateway", 8001) as gateway,
    ):
        await talk(api, gateway, messages)


def program(messages: int, keep: bool) -> str:
    ground = Ground("signalink-proof")
    try:
        return proof(ground, messages)
    finally:
        if not keep:
            ground.remove()


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--size", choices=SIZES, default="full")
    parser.add_argument("--seed", type=int, help="nothing here is left to chance")
    parser.add_argument("--keep", action="store_true", help="leave the release there")
    chosen = parser.parse_args()
    return proved("kind", lambda: program(SIZES[chosen.size], chosen.keep))


if __name__ == "__main__":
    sys.exit(main())
