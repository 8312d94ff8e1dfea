"""A cluster with nodes for an end-to-end program: what it takes from the environment, commands on it, pods, verdicts.

Takes KUBECONFIG (its current context) and `helm` and `kubectl` from PATH. SIGNALINK_IMAGES: the tag of our images that
the nodes have (`signalink images build`, `kind load docker-image`); SIGNALINK_VALUES: files of chart values, by comma,
as charts/values-kind.yaml on a small machine and kind/stand-ins.yaml where engines cannot be pulled. Where one of the
first three is missing a program says so and ends with 0; SIGNALINK_REQUIRE=kind makes that 1.
"""

import asyncio
import json
import os
import re
import shutil
import subprocess
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import yaml
from rig import say

from signalink_core.testing import eventually
from signalink_stacks.clusters import plan, run
from signalink_stacks.clusters.plan import Access, Built, Wishes
from signalink_stacks.lib import images

PROGRAMS = ("helm", "kubectl")
POLL_SECONDS = 0.5
STAYS = ("Deployment", "ReplicaSet", "StatefulSet")
"""Owners of pods that are to stay."""


class Missed(Exception):
    """A bar was missed; the text says which."""


@dataclass(frozen=True)
class Pod:
    """What is asked of a pod. `ready`: all its containers are, and nothing deletes it."""

    name: str
    uid: str
    node: str
    service: str
    restarts: int
    ready: bool
    address: str


def absent(*settings: str) -> str:
    """What is missing for a proof on a cluster; empty when all is there. `settings`: further ones it takes."""
    if missing := [name for name in PROGRAMS if shutil.which(name) is None]:
        return f"{', '.join(missing)} is not on PATH"
    if not os.environ.get("KUBECONFIG"):
        return "KUBECONFIG names no cluster"
    for name in ("SIGNALINK_IMAGES", *settings):
        if not os.environ.get(name):
            return f"{name} names no tag of images that the nodes have"
    done = subprocess.run(["kubectl", "get", "nodes", "--no-headers"], capture_output=True, text=True, timeout=30)
    return "" if " Ready" in done.stdout else "the cluster has no node that is ready"


def ask(words: Sequence[str], seconds: float = 60.0, given: str = "") -> str:
    """Answer what a command prints; Missed with its last lines when it fails."""
    done = subprocess.run(list(words), input=given, capture_output=True, text=True, timeout=seconds, check=False)
    if done.returncode:
        raise Missed(f"{' '.join(words[:6])} ...: {(done.stderr or done.stdout).strip()[-1500:]}")
    return done.stdout


class Ground:
    """One release in one namespace of the cluster."""

    def __init__(self, namespace: str, values: Sequence[str] = ()) -> None:
        context = ask(["kubectl", "config", "current-context"]).strip()
        asked = tuple(filter(None, os.environ.get("SIGNALINK_VALUES", "").split(",")))
        self.wishes = Wishes("existing", context=context, namespace=namespace, values=(*asked, *values), yes=True)
        self.access: Access = plan.check(self.wishes)
        self.built = Built(os.environ["SIGNALINK_IMAGES"])
        self.namespace = namespace

    def install(self) -> None:
        """What `signalink up --target existing` does."""
        run.steps(plan.install(self.wishes, self.access, self.built), images.root(), say)

    def remove(self) -> None:
        """What `signalink down` does, and the namespace with the claims that the charts keep."""
        run.steps(plan.remove(self.wishes, self.access), images.root(), say)
        self.cluster("delete", "namespace", self.namespace, "--ignore-not-found", "--wait=false")

    def cluster(self, *words: str, given: str = "", seconds: float = 60.0) -> str:
        return ask(self.access.kubectl(*words), seconds, given)

    def kubectl(self, *words: str, given: str = "", seconds: float = 60.0) -> str:
        return self.cluster(*words, f"--namespace={self.namespace}", given=given, seconds=seconds)

    def execute(self, pod: str, *words: str, given: str = "", seconds: float = 60.0) -> str:
        """What a command in a pod's first container prints."""
        return self.cluster(
            "exec", "-i", f"--namespace={self.namespace}", pod, "--", *words, given=given, seconds=seconds
        )

    def helm(self, *words: str, seconds: float = 1200.0) -> str:
        return ask(self.access.helm(*words, f"--namespace={self.namespace}"), seconds)

    def promises(self, release: str = plan.RELEASE) -> set[str]:
        return shown(self.helm, release)

    def document(self, *words: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.kubectl("get", *words, "--output=json"))
        return found

    def apply(self, document: Mapping[str, Any]) -> None:
        self.kubectl("apply", "--server-side", "--field-manager=signalink-proof", "-f", "-", given=json.dumps(document))

    def pods(self) -> list[Pod]:
        """Pods of the release that are to stay: none of a Job, none that is made by hand."""
        items = self.document("pods", f"--selector=app.kubernetes.io/instance={plan.RELEASE}")["items"]
        return [
            _pod(item) for item in items if any(o["kind"] in STAYS for o in item["metadata"].get("ownerReferences", []))
        ]

    def whole(self, count: int) -> bool:
        """Whether so many pods are there, each ready, none on its way out."""
        found = self.pods()
        return len(found) == count and all(pod.ready for pod in found)

    async def made_whole(self, count: int, within: float) -> float:
        """Wait for that; answers the seconds it took. Missed names what is not ready."""
        began = time.monotonic()
        try:
            await eventually(partial(asyncio.to_thread, self.whole, count), within=within, every=POLL_SECONDS)
        except AssertionError as error:
            wrong = [f"{pod.name} on {pod.node}" for pod in self.pods() if not pod.ready]
            says = f"not {count} ready pods after {within:.0f} s; not ready: {', '.join(wrong) or 'none'}"
            raise Missed(says) from error
        return time.monotonic() - began


def shown(helm: Callable[..., str], release: str) -> set[str]:
    """Have a release show its promises; the names of those that were kept. Missed when one was not, or there is none.

    `helm` runs its words in the release's namespace.
    """
    hooks = yaml.safe_load_all(helm("get", "hooks", release))
    wanted = {each["metadata"]["name"] for each in hooks if each and each["kind"] == "Job"}
    printed = helm("test", release, "--timeout=5m")
    if missing := wanted - kept(printed):
        raise Missed(f"helm test does not say that these were kept: {sorted(missing)}\n{printed[-1500:]}")
    if not wanted:
        raise Missed(f"the release {release} shows no promise")
    return wanted


def kept(printed: str) -> set[str]:
    """The names of which `helm test` says that all went well; what they need is told of as they are."""
    found = re.findall(r"^TEST SUITE:\s+(\S+)$.*?^Phase:\s+(\S+)$", printed, re.MULTILINE | re.DOTALL)
    return {name for name, _ in found} - {name for name, phase in found if phase != "Succeeded"}


def _pod(item: Mapping[str, Any]) -> Pod:
    statuses = item["status"].get("containerStatuses", [])
    conditions = {each["type"]: each["status"] for each in item["status"].get("conditions", [])}
    metadata = item["metadata"]
    return Pod(
        metadata["name"],
        metadata["uid"],
        item["spec"].get("nodeName", ""),
        metadata["labels"]["app.kubernetes.io/name"],
        sum(each["restartCount"] for each in statuses),
        conditions.get("Ready") == "True" and "deletionTimestamp" not in metadata,
        item["status"].get("podIP", ""),
    )


def proved(name: str, program: Callable[[], str], *settings: str) -> int:
    """Exit code of a program on a cluster, whose last line is its figure and the verdict."""
    if why := absent(*settings):
        say(f"{name}: not run: {why}")
        return 1 if "kind" in os.environ.get("SIGNALINK_REQUIRE", "").split(",") else 0
    try:
        figure = program()
    except (Missed, AssertionError, run.DependencyUnavailable) as error:
        say(f"{name}: {error} (bar: all of it) missed")
        return 1
    except Exception as error:
        traceback.print_exc()
        say(f"{name}: broke off: {error!r} (bar: it finishes) missed")
        return 1
    say(f"{name}: {figure} ok")
    return 0
