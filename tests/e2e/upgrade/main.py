"""`make e2e NAME=upgrade`: the release goes from the version before to this one and back while people talk.

50 posts a second over 40 channels and 200 sockets, the history checker on: upgrade N-1 to N, a changed value, the same
values again, rollback to N-1. Takes what cluster.py says, and SIGNALINK_IMAGES_BEFORE: the tag of images of the version
before, in the nodes too; SIGNALINK_BEFORE (versions.py) names that version. What it installed it removes.
"""

import argparse
import asyncio
import shutil
import sys
import time
from collections import Counter
from collections.abc import Callable
from os import environ
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import versions
from cluster import Ground, Missed, ask, proved
from clusterload import Run, Size, judged, resumed, under_load
from clusterplace import ClusterPlace
from rig import say

from signalink_stacks.clusters import plan
from signalink_stacks.clusters.plan import Built
from signalink_stacks.lib import images

SIZES = {"small": Size(10, 20, 20, 0, 5.0), "full": Size(40, 60, 200, 4, 15.0)}
REPLICAS = 2
WHOLE_SECONDS = 300.0
CHANGED = [
    f"--set={name}.logLevel=debug" for name in ("api", "gateway", "relay", "analytics", "notifications", "prober")
]


class Versions:
    """Both versions of the release, as commands."""

    def __init__(self, ground: Ground, folder: Path) -> None:
        self.ground = ground
        commit = versions.revision()
        self._before = versions.charts(commit, folder / "before")
        say(f"before: {commit[:12]} with images {environ['SIGNALINK_IMAGES_BEFORE']}; now: {ground.built.tag}")

    def install_before(self) -> None:
        """The version before, ready."""
        definitions = self._before.parents[1] / plan.DEFINITIONS
        self.ground.cluster("apply", "--server-side", "--field-manager=signalink", "-f", str(definitions))
        built = Built(environ["SIGNALINK_IMAGES_BEFORE"])
        ask(self.ground.access.helm(*plan.upgrade(self.ground.wishes, built, str(self._before))), 1200)

    def upgrade(self) -> None:
        self.ground.install()

    def change(self) -> None:
        words = plan.upgrade(self.ground.wishes, self.ground.built, str(images.root() / plan.CHART))
        ask([*self.ground.access.helm(*words), *CHANGED], 1200)

    def again(self) -> None:
        self.change()

    def back(self) -> None:
        self.ground.helm("rollback", plan.RELEASE, "1", "--wait", "--timeout=15m")


async def moved(run: Run, what: str, deed: Callable[[], None]) -> tuple[set[str], int]:
    """Do it; answers the services whose pods were replaced, and how many pods."""
    ground = run.place.ground
    count = len(before := await asyncio.to_thread(ground.pods))
    await run.begin(what)
    began, posted, failed = time.monotonic(), run.stage.crowd.acknowledged, Counter(run.stage.crowd.failed)
    await asyncio.to_thread(deed)
    await ground.made_whole(count, WHOLE_SECONDS)
    after = await asyncio.to_thread(ground.pods)
    kept = {pod.uid for pod in after}
    gone = [pod for pod in before if pod.uid not in kept]
    restarts = {pod.name: pod.restarts for pod in after if pod.restarts > old_restarts(before, pod.uid)}
    posted = run.stage.crowd.acknowledged - posted
    failed = Counter(run.stage.crowd.failed) - failed
    say(
        f"{what}: {time.monotonic() - began:.0f} s, {len(gone)} of {count} pods new, restarts {restarts or 'none'}, "
        f"{posted:,} posts acknowledged meanwhile, {run.stage.crowd.in_flight} in flight then; "
        f"attempts to repeat: {dict(failed) or 'none'}"
    )
    return {pod.service for pod in gone}, len(gone) + len(restarts)


def old_restarts(pods: list, uid: str) -> int:
    return next((pod.restarts for pod in pods if pod.uid == uid), 0)


async def deeds(run: Run, both: Versions) -> None:
    up, _ = await moved(run, "upgrade N-1 -> N", both.upgrade)
    if missing := {"api", "gateway", "relay"} - up:
        raise Missed(f"the upgrade replaced no pod of {sorted(missing)}: it shows nothing")
    changed, _ = await moved(run, "a changed value", both.change)
    if missing := {"api", "gateway", "relay"} - changed:
        raise Missed(f"the changed value replaced no pod of {sorted(missing)}")
    same, touched = await moved(run, "equal values", both.again)
    if touched:
        raise Missed(f"equal values replaced or restarted pods of {sorted(same)}")
    back, _ = await moved(run, "rollback N -> N-1", both.back)
    if missing := {"api", "gateway", "relay"} - back:
        raise Missed(f"the rollback replaced no pod of {sorted(missing)}")


def program(size: Size, seed: int, keep: bool) -> str:
    place = ClusterPlace("upgrade", REPLICAS)
    ground = place.ground
    try:
        both = Versions(ground, place.folder)
        ground.cluster("apply", "-f", "-", given=plan.install(ground.wishes, ground.access, ground.built)[0].given)
        place.open_doors()
        began = time.monotonic()
        both.install_before()
        say(f"version before installed and ready after {time.monotonic() - began:.0f} s, {len(ground.pods())} pods")
        run, outcome = asyncio.run(under_load(place, size, seed, lambda run: deeds(run, both)))
        figures = judged(run, outcome)
        resumed(outcome, size.readers)
    except BaseException:
        say(f"histories are kept in {place.folder}")
        raise
    finally:
        if not keep:
            ground.remove()
    if not keep:
        shutil.rmtree(place.folder)
    return f"4 moves with {run.in_flight} posts in flight, {figures} (bar: nothing lost, doubled, given up)"


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--size", choices=SIZES, default="full")
    parser.add_argument("--seed", type=int, default=1, help="chooses the channels")
    parser.add_argument("--keep", action="store_true", help="leave the release and the histories there")
    chosen = parser.parse_args()
    return proved("upgrade", lambda: program(SIZES[chosen.size], chosen.seed, chosen.keep), "SIGNALINK_IMAGES_BEFORE")


if __name__ == "__main__":
    sys.exit(main())
