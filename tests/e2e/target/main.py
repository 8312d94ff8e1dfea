"""`make e2e NAME=target`: `signalink up --target kind --by helm` from nothing, again, and `down`, which leaves nothing.

Makes a kind cluster of its own beside any other. Takes `docker`, `kind`, `helm` and `kubectl` from PATH; where one is
missing, or Docker does not answer, it says so and ends with 0; SIGNALINK_REQUIRE=kind makes that 1. On a machine that
pulls nothing: SIGNALINK_NODE_IMAGE, SIGNALINK_BASE_IMAGE, SIGNALINK_LOAD (further images, by comma), SIGNALINK_VALUES.
SIGNALINK_IMAGES: images of this tag are built already; without it they are built here, which takes minutes.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from cluster import Missed, ask, shown
from rig import COMMAND, say

from signalink_stacks.clusters import plan

CLUSTER = "signalink-proof"
PROGRAMS = ("docker", "kind", "helm", "kubectl")
UP_SECONDS = 3600.0
REQUIRED = "kind" in os.environ.get("SIGNALINK_REQUIRE", "").split(",")
SETTINGS = {"--node-image": "NODE_IMAGE", "--base-image": "BASE_IMAGE", "--tag": "IMAGES"}
LISTS = {"--load": "LOAD", "--values": "VALUES"}


def absent(size: str) -> str:
    """What is missing; empty when all is there."""
    if missing := [name for name in PROGRAMS if shutil.which(name) is None]:
        return f"{', '.join(missing)} is not on PATH"
    done = subprocess.run(["docker", "info"], capture_output=True, timeout=30, check=False)
    if done.returncode:
        return "Docker does not answer"
    asked = os.environ.get("SIGNALINK_IMAGES") or REQUIRED or size == "full"
    return "" if asked else "at small size no images are built for it; SIGNALINK_IMAGES names those that are"


def options() -> list[str]:
    """Of `signalink up`, from the environment."""
    found = ["--by=helm"]  # the other door's proof is `pulumi`
    found += [f"{option}={value}" for option, key in SETTINGS.items() if (value := os.environ.get(f"SIGNALINK_{key}"))]
    for option, key in LISTS.items():
        found += [f"{option}={value}" for value in filter(None, os.environ.get(f"SIGNALINK_{key}", "").split(","))]
    return found


class Kind:
    """The command under trial, and what is left of it on this machine."""

    def __init__(self, folder: Path) -> None:
        self.kubeconfig = folder / "kubeconfig"
        self.named = [f"--cluster={CLUSTER}", f"--kubeconfig={self.kubeconfig}"]
        taken = {key: value for key, value in os.environ.items() if key != "KUBECONFIG"}
        self._environment = taken | {"SIGNALINK_STATE": str(folder / "state")}

    def signalink(self, *words: str) -> tuple[dict[str, Any], float]:
        """Its JSON answer, and the seconds it took."""
        began = time.monotonic()
        command = [str(COMMAND), *words, "--target=kind", *self.named, "--json"]
        done = subprocess.run(
            command, env=self._environment, capture_output=True, text=True, timeout=UP_SECONDS, check=False
        )
        if done.returncode:
            raise Missed(f"signalink {words[0]} exited {done.returncode}: {(done.stderr + done.stdout)[-2000:]}")
        answer: dict[str, Any] = json.loads(done.stdout)
        return answer, time.monotonic() - began

    def kubectl(self, *words: str) -> str:
        return ask(["kubectl", f"--kubeconfig={self.kubeconfig}", f"--namespace={plan.RELEASE}", *words])

    def pods(self) -> dict[str, bool]:
        """uid -> ready, of pods that no Job owns."""
        items = json.loads(self.kubectl("get", "pods", "--output=json"))["items"]
        return {
            item["metadata"]["uid"]: any(
                each["type"] == "Ready" and each["status"] == "True" for each in item["status"]["conditions"]
            )
            for item in items
            if item["metadata"]["ownerReferences"][0]["kind"] != "Job"
        }

    def promises(self) -> int:
        named = [f"--kubeconfig={self.kubeconfig}", f"--namespace={plan.RELEASE}"]
        return len(shown(lambda *words: ask(["helm", *words, *named], 900), plan.RELEASE))


def left() -> dict[str, set[str]]:
    """What a cluster of this name and its nodes would leave: clusters, containers, volumes."""
    label = f"label=io.x-k8s.kind.cluster={CLUSTER}"
    return {
        "cluster": set(_lines(["kind", "get", "clusters", "--quiet"])) & {CLUSTER},
        "containers": set(_lines(["docker", "ps", "--all", "--quiet", "--filter", label])),
        "volumes": set(_lines(["docker", "volume", "ls", "--quiet"])),
    }


def _lines(words: Sequence[str]) -> list[str]:
    return ask(words).split()


def proof(kind: Kind) -> str:
    before = left()
    if before["cluster"]:
        raise Missed(f"a kind cluster {CLUSTER} is there already. Next: kind delete cluster --name {CLUSTER}")
    try:
        answer, first = kind.signalink("up", *options())
        pods = kind.pods()
        say(f"up from nothing: {first:.0f} s, {len(pods)} pods; {len(answer['reach'])} addresses told")
        if not pods or not all(pods.values()):
            raise Missed(f"{sum(not ready for ready in pods.values())} of {len(pods)} pods are not ready after up")
        promised = kind.promises()
        _, second = kind.signalink("up", *options())
        if gone := set(pods) - set(kind.pods()):
            raise Missed(f"a second up replaced {len(gone)} pods")
        say(f"up again: {second:.0f} s, no pod was replaced")
    except BaseException:
        subprocess.run(["kind", "delete", "cluster", "--name", CLUSTER], capture_output=True, timeout=120, check=False)
        raise
    _, down = kind.signalink("down")
    if more := {name: sorted(found - before[name]) for name, found in left().items() if found - before[name]}:
        raise Missed(f"down left {more}")
    contexts = _lines(["kubectl", f"--kubeconfig={kind.kubeconfig}", "config", "get-contexts", "--output=name"])
    if contexts:
        raise Missed(f"down left the contexts {contexts} in the kubeconfig")
    return (
        f"up {first:.0f} s from nothing, {promised} promises, again {second:.0f} s, down {down:.0f} s, nothing left "
        "(bar: all pods ready, no cluster, container, volume or context left)"
    )


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--size", choices=("small", "full"), default="full", help="small builds no images")
    parser.add_argument("--seed", type=int, help="nothing here is left to chance")
    if why := absent(parser.parse_args().size):
        say(f"target: not run: {why}")
        return 1 if REQUIRED else 0
    folder = Path(tempfile.mkdtemp(prefix="signalink-target-"))
    try:
        say(f"target: {proof(Kind(folder))} ok")
    except Missed as error:
        say(f"target: {error} (bar: all of it) missed")
        return 1
    finally:
        shutil.rmtree(folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
