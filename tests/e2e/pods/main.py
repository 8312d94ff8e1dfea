"""`make e2e NAME=pods`: a node's pods are killed at random for three minutes while people talk.

50 posts a second and many sockets, the history checker on. Each strike takes a node by chance and some of the release's
pods on it, engines too: deleted with no grace, or, where nodes are containers of this machine (kind), killed by
SIGKILL. The next one comes when all pods are ready again and a while of load has passed. Takes what cluster.py
says; SEED chooses strikes and channels. What it installed it removes.
"""

import argparse
import asyncio
import json
import shutil
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from random import Random

sys.path.insert(0, str(Path(__file__).parents[1]))

from cluster import Ground, Missed, Pod, proved
from clusterload import Run, Size, judged, resumed, under_load
from clusterplace import ClusterPlace
from rig import say

from signalink_core.testing import eventually
from signalink_stacks.clusters import plan

SIZES = {"small": (Size(10, 20, 20, 0, 3.0), 45.0), "full": (Size(40, 60, 200, 4, 5.0), 180.0)}
"""The crowd, and for how many seconds pods are killed."""
REPLICAS = 2
SHARE = 0.4
"""Chance of each pod of the node to be struck beside the one that is its reason."""
BACK_SECONDS = 240.0
AWAY_SECONDS = 120.0
"""A socket has nowhere to go while the engines of both gateways come back."""


@dataclass(frozen=True)
class Strike:
    """What chance chose."""

    how: str
    node: str
    pods: tuple[Pod, ...]

    @property
    def told(self) -> str:
        return f"{self.how} on {self.node}: {', '.join(sorted(pod.service for pod in self.pods))}"


def chosen(random: Random, pods: list[Pod], killing: bool, fallen: Counter[str]) -> Strike:
    """One pod of those services that fell least so far, and some beside it; the same for the same pods and seed."""
    ordered = sorted(pods, key=lambda pod: (pod.service, pod.node, pod.name))
    least = min(fallen[pod.service] for pod in ordered)
    first = random.choice([pod for pod in ordered if fallen[pod.service] == least])
    struck = [pod for pod in ordered if pod is first or (pod.node == first.node and random.random() < SHARE)]
    node = first.node
    how = random.choice(("kill -9", "delete")) if killing else "delete"
    return Strike(how, node, tuple(struck))


def nodes_are_here(ground: Ground) -> bool:
    """Whether the nodes are containers of this machine."""
    names = [node["metadata"]["name"] for node in json.loads(ground.cluster("get", "nodes", "--output=json"))["items"]]
    if shutil.which("docker") is None:
        return False
    words = ["docker", "container", "inspect", *names]
    return subprocess.run(words, capture_output=True, timeout=30, check=False).returncode == 0


def struck(ground: Ground, strike: Strike) -> None:
    """Do it to all its pods at once."""
    names = [pod.name for pod in strike.pods]
    if strike.how == "delete":
        ground.kubectl("delete", "pods", *names, "--grace-period=0", "--force", "--wait=false")
        return
    found = [ground.document("pod", name)["status"]["containerStatuses"] for name in names]
    ids = [each["containerID"].rpartition("/")[2] for statuses in found for each in statuses if each.get("containerID")]
    script = "for id; do ctr --namespace k8s.io task kill --signal SIGKILL $id; done"
    words = ["docker", "exec", strike.node, "sh", "-c", script, "kill", *ids]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)
    if done.returncode:
        raise Missed(f"{strike.told}: {done.stderr.strip()[-500:]}")


async def deeds(run: Run, seed: int, seconds: float, strikes: list[Strike]) -> None:
    """Strike until the time is over, each time at a whole release."""
    ground, random = run.place.ground, Random(seed)
    killing = nodes_are_here(ground)
    count = len(ground.pods())
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        await asyncio.sleep(random.uniform(0, run.calm))
        fallen = Counter(pod.service for strike in strikes for pod in strike.pods)
        strike = chosen(random, await asyncio.to_thread(ground.pods), killing, fallen)
        posted = run.stage.crowd.acknowledged
        in_flight = await run.begin(strike.told)
        run.stage.recorder.record("note", "nemesis", code="kill", node=strike.told, n=in_flight)
        run.stage.recorder.record("ok", "nemesis", code="heal", node=strike.told)
        await asyncio.to_thread(struck, ground, strike)
        await noticed(run, strike)
        took = await ground.made_whole(count, BACK_SECONDS)
        run.stage.recorder.record("ok", "nemesis", code="back", node=strike.told)
        strikes.append(strike)
        say(f"all {count} pods ready after {took:.0f} s, {run.stage.crowd.acknowledged - posted:,} acknowledged since")


async def noticed(run: Run, strike: Strike) -> None:
    """Wait until the cluster shows every struck pod as replaced or restarted: before, all would still look ready."""
    was = {pod.uid: pod.restarts for pod in strike.pods}

    async def fell() -> bool:
        now = {pod.uid: pod for pod in await asyncio.to_thread(run.place.ground.pods)}
        return all(uid not in now or now[uid].restarts > before or not now[uid].ready for uid, before in was.items())

    try:
        await eventually(fell, within=BACK_SECONDS, every=0.3)
    except AssertionError as error:
        raise Missed(f"{strike.told}: no such pod fell") from error


def program(size: Size, seconds: float, seed: int, keep: bool) -> str:
    place, strikes = ClusterPlace("pods", REPLICAS), list[Strike]()
    ground = place.ground
    try:
        ground.cluster("apply", "-f", "-", given=plan.install(ground.wishes, ground.access, ground.built)[0].given)
        place.open_doors()
        ground.install()
        run, outcome = asyncio.run(under_load(place, size, seed, lambda run: deeds(run, seed, seconds, strikes)))
        figures = judged(run, outcome)
        fallen = Counter(pod.service for strike in strikes for pod in strike.pods)
        if fallen["gateway"]:
            resumed(outcome, size.readers, AWAY_SECONDS)
    except BaseException:
        say(f"histories are kept in {place.folder}")
        raise
    finally:
        if not keep:
            ground.remove()
    if not keep:
        shutil.rmtree(place.folder)
    kinds = {how: sum(1 for strike in strikes if strike.how == how) for how in ("kill -9", "delete")}
    return (
        f"{len(strikes)} strikes {kinds} at {fallen.total()} pods of {len(fallen)} services in {seconds:.0f} s "
        f"with {run.in_flight} posts in flight, "
        f"{figures} (bar: nothing lost, doubled, given up)"
    )


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--size", choices=SIZES, default="full")
    parser.add_argument("--seed", type=int, default=1, help="chooses strikes and channels")
    parser.add_argument("--keep", action="store_true", help="leave the release and the histories there")
    options = parser.parse_args()
    size, seconds = SIZES[options.size]
    return proved("pods", lambda: program(size, seconds, options.seed, options.keep))


if __name__ == "__main__":
    sys.exit(main())
