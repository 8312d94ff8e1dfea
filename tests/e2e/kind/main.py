"""`make e2e NAME=kind`: the charts on a cluster with nodes: install, promises, two people, the same values again.

Takes KUBECONFIG (its current context) and `helm` and `kubectl` from PATH. SIGNALINK_IMAGES: the tag of our images that
the nodes have (`signalink images build`, `kind load docker-image`); SIGNALINK_VALUES: files of chart values, by comma,
as charts/values-kind.yaml on a small machine and stand-ins.yaml beside this file where engines cannot be pulled. Where
one of the first three is missing it says so and ends with 0; SIGNALINK_REQUIRE=kind makes that 1. What it installed it
removes.
"""

import argparse
import asyncio
import contextlib
import json
import os
import secrets
import shutil
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent)]

from rig import say  # noqa: E402

from signalink_core.client import ApiClient, SocketClient  # noqa: E402
from signalink_core.events import Position  # noqa: E402
from signalink_core.testing import eventually  # noqa: E402
from signalink_stacks.clusters import plan, run  # noqa: E402
from signalink_stacks.clusters.plan import Access, Built, Wishes  # noqa: E402
from signalink_stacks.lib import images  # noqa: E402
from signalink_stacks.local.ports import free_port  # noqa: E402

PROGRAMS = ("helm", "kubectl")
ORIGIN = "http://localhost:8000"
PASSWORD = "correct horse battery staple"
SIZES = {"small": 20, "full": 500}
"""Messages that one of the two posts."""
ROUND_TRIP_SECONDS = 60.0


class Missed(Exception):
    """A bar was missed; the text says which."""


def absent() -> str:
    """What is missing for this proof; empty when all is there."""
    if missing := [name for name in PROGRAMS if shutil.which(name) is None]:
        return f"{', '.join(missing)} is not on PATH"
    if not os.environ.get("KUBECONFIG"):
        return "KUBECONFIG names no cluster"
    if not os.environ.get("SIGNALINK_IMAGES"):
        return "SIGNALINK_IMAGES names no tag of images that the nodes have"
    done = subprocess.run(["kubectl", "get", "nodes", "--no-headers"], capture_output=True, text=True, timeout=30)
    return "" if " Ready" in done.stdout else "the cluster has no node that is ready"


def ask(words: list[str], seconds: float = 60.0) -> str:
    done = subprocess.run(words, capture_output=True, text=True, timeout=seconds, check=False)
    if done.returncode:
        raise Missed(f"{' '.join(words[:4])} ...: {(done.stderr or done.stdout).strip()[-1500:]}")
    return done.stdout


def pods(access: Access, namespace: str) -> dict[str, tuple[str, int]]:
    """Name -> phase and restarts, of pods that are to stay."""
    found = json.loads(ask(access.kubectl("get", "pods", f"--namespace={namespace}", "--output=json")))
    return {
        pod["metadata"]["name"]: (
            pod["status"]["phase"],
            sum(each["restartCount"] for each in pod["status"].get("containerStatuses", [])),
        )
        for pod in found["items"]
        if not any(owner["kind"] == "Job" for owner in pod["metadata"].get("ownerReferences", []))
    }


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


async def proof(wishes: Wishes, access: Access, messages: int) -> None:
    built = Built(os.environ["SIGNALINK_IMAGES"])
    began, root = time.monotonic(), images.root()
    run.steps(plan.install(wishes, access, built), root, say)
    say(f"installed, everything ready after {time.monotonic() - began:.0f} s")
    before = pods(access, wishes.namespace)
    if wrong := {name: state for name, state in before.items() if state[0] != "Running"}:
        raise Missed(f"not running: {wrong}")
    ask(access.helm("test", plan.RELEASE, f"--namespace={wishes.namespace}", "--timeout=10m", "--logs"), 900)
    say("helm test: every promise kept")
    async with (
        forwarded(access, wishes.namespace, f"{plan.RELEASE}-api", 8000) as api,
        forwarded(access, wishes.namespace, f"{plan.RELEASE}-gateway", 8001) as gateway,
    ):
        await talk(api, gateway, messages)
    run.steps(plan.install(wishes, access, built), root, say)
    after = {name for name, _ in pods(access, wishes.namespace).items()}
    if set(before) - after:
        raise Missed(f"the same values again replaced {sorted(set(before) - after)}")
    say("the same values again: no pod was replaced")


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--size", choices=SIZES, default="full")
    parser.add_argument("--keep", action="store_true", help="leave the release there")
    options = parser.parse_args()
    if why := absent():
        say(f"kind: not run: {why}")
        return 1 if "kind" in os.environ.get("SIGNALINK_REQUIRE", "").split(",") else 0
    context = ask(["kubectl", "config", "current-context"]).strip()
    values = tuple(filter(None, os.environ.get("SIGNALINK_VALUES", "").split(",")))
    wishes = Wishes("existing", context=context, namespace="signalink-proof", values=values)
    access = plan.check(wishes)
    try:
        asyncio.run(proof(wishes, access, SIZES[options.size]))
    except (Missed, AssertionError, run.DependencyUnavailable) as error:
        say(f"kind: MISSED: {error}")
        return 1
    finally:
        if not options.keep:
            run.steps(plan.remove(wishes, access), images.root(), say)
            ask(access.kubectl("delete", "namespace", wishes.namespace, "--wait=false"))
    say("kind: all bars met")
    return 0


if __name__ == "__main__":
    sys.exit(main())
