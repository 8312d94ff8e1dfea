"""`make e2e NAME=kind`: the charts on a cluster with nodes: install, promises, two people, the same values again.

Also who reaches whom through the network policies (matrix.py), who comes in from outside (doorway.py), and pods that
break Pod Security `restricted` (refused.py). What it takes is said in cluster.py; what it installed it removes.
"""

import argparse
import asyncio
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import conversation
import doorway
import matrix
import refused
from cluster import Ground, Missed, proved
from rig import say

SIZES = {"small": 20, "full": 500}
"""Messages that one of the two posts."""


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
    two_people(ground, messages)
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


def two_people(ground: Ground, messages: int) -> None:
    seqs = asyncio.run(conversation.held(ground.access, ground.namespace, messages))
    if len(seqs) < messages or seqs != list(range(1, len(seqs) + 1)):
        raise Missed(f"bob read {len(seqs)} events, {seqs[:10]} ..., instead of 1, 2, 3, ... for {messages} messages")
    say(f"two people: {len(seqs)} events, each once, in order, over one absence")


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
