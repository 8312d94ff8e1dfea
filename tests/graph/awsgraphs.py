"""The stacks on AWS that the graph tests look at, and how one is recorded."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from signalink_stacks.graph import recording
from signalink_stacks.graph.__main__ import stand_ins
from signalink_stacks.graph.recording import Recorder, Registration
from signalink_stacks.lib import config

OPEN_TO = ["203.0.113.7/32"]
EDGE = {"region": "us-east-1", "domain": "chat.example.org", "zone": "Z123456", "endpointCidrs": OPEN_TO}
BASE = {"owner": "ada", "expires": "2027-01-31"}
EKS = BASE | {"target": "eks", "aws": EDGE | {"alarmEmail": "ada@example.org"}}
STACKS: dict[str, dict[str, Any]] = {
    "eks-lite": EKS | {"profile": "lite"},
    "eks-full": EKS | {"profile": "full"},
    "eks-auto": EKS | {"profile": "full", "aws": EDGE | {"nodes": {"mode": "auto"}}},
    "aws-lite": BASE | {"target": "aws-lite", "aws": EDGE | {"source": "https://git.example/signalink.git"}},
}
ON_EKS = [name for name in STACKS if name.startswith("eks")]
Graph = list[Registration]


@lru_cache
def stack(name: str) -> Graph:
    """The graph of one of them, recorded once."""
    return recorded(STACKS[name])


def recorded(raw: Mapping[str, Any], called: str = "") -> Graph:
    """One graph; the words it needs are stand-ins. `called`: the stack's name, where it is not its target's."""
    return recorder(raw, called).found


def recorder(raw: Mapping[str, Any], called: str = "") -> Recorder:
    """The same with what was asked of the cloud besides."""
    name = called or str(raw["target"])
    words = stand_ins(config.parse(name, raw))
    return recording.record(name, {**raw, "secrets": words})


def of(graph: Graph, kind: str) -> Graph:
    return [each for each in graph if each.type.endswith(f":{kind}")]
