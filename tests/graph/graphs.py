"""The stacks that the graph tests look at, recorded once each, and what follows from a recorded graph: order, closure.

`python tests/graph/graphs.py` writes the golden lists again.
"""

import sys
from collections.abc import Iterable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from signalink_stacks.graph.__main__ import stand_ins
from signalink_stacks.graph.recording import Recorder, Registration, record
from signalink_stacks.lib import chartvalues, config

CANARY: Final = "canary-4c7d1e"
GOLDEN: Final = Path(__file__).with_name("golden")
EXISTING: Final = {"target": "existing", "cluster": {"context": "lab"}}
OPEN: Final = {"region": "us-east-1", "endpointCidrs": ["203.0.113.7/32"]}
EKS: Final = {"target": "eks", "owner": "ada", "expires": "2027-01-31", "aws": OPEN}
OPERATED: Final = {"postgres": {"provider": "operator"}, "kafka": {"provider": "operator", "replicas": 3}}
EXTERNAL: Final = {
    "postgres": {"provider": "external", "host": "db.example.org", "secret": {"name": "theirs"}},
    "redis": {"provider": "external", "host": "cache.example.org", "tls": True, "secret": {"name": "theirs"}},
    "kafka": {
        "provider": "external",
        "brokers": ["k1.example.org:9093"],
        "security": "sasl_ssl",
        "secret": {"name": "theirs"},
    },
}
CASES: Final[Mapping[str, Mapping[str, Any]]] = {
    "kind-small": {"target": "kind", "profile": "small"},
    "kind-standard": {"target": "kind", "profile": "standard"},
    "existing-small": EXISTING | {"profile": "small"},
    "existing-standard": EXISTING | {"profile": "standard"},
    "existing-operators": EXISTING | {"profile": "small", "bindings": OPERATED},
    "existing-external": EXISTING | {"profile": "small", "bindings": EXTERNAL},
    "eks-lite": EKS | {"profile": "lite"},
    "eks-full": EKS | {"profile": "full", "aws": OPEN | {"domain": "chat.example.org"}},
    "aws-lite": EKS | {"target": "aws-lite", "aws": {"region": "us-east-1", "source": "https://example.org/x.git"}},
}
IN_CLUSTER: Final = tuple(name for name in CASES if name != "aws-lite")
ON_AWS: Final = ("eks-lite", "eks-full", "aws-lite")


@lru_cache
def recorded(name: str) -> Recorder:
    """The graph of one case; every secret in it is a canary."""
    return of(name.partition("-")[0], CASES[name])


def of(stack: str, raw: Mapping[str, Any]) -> Recorder:
    """The graph of a configuration, with canaries for secrets."""
    settings = config.parse(stack, raw)
    secrets = {key: f"{CANARY}-{key}" for key in stand_ins(settings)}
    return record(stack, chartvalues.merged(raw, {"secrets": secrets}))


def found(name: str) -> list[Registration]:
    return [each for each in recorded(name).found if each.type != "pulumi:pulumi:Stack"]


def one(everything: Iterable[Registration], kind: str, name: str) -> Registration:
    """The one resource of that type's last part and that name."""
    hits = [each for each in everything if each.type.rpartition(":")[2] == kind and each.name == name]
    assert len(hits) == 1, f"{kind} {name}: {len(hits)} of them"
    return hits[0]


def after(everything: Iterable[Registration], start: Registration) -> set[str]:
    """URNs of everything that must be there before `start`, and so goes after it.

    As the engine sees it: its dependencies, its parent's, and whatever is below a component that is depended on.
    """
    known = {each.urn: each for each in everything}
    below: dict[str, list[str]] = {}
    for each in known.values():
        below.setdefault(each.parent, []).append(each.urn)
    seen: set[str] = set()
    todo = _before(known, start)
    while todo:
        urn = todo.pop()
        if urn in seen or urn not in known:
            continue
        seen.add(urn)
        todo += [*_before(known, known[urn]), *below.get(urn, ())]
    return seen


def _before(known: Mapping[str, Registration], each: Registration) -> list[str]:
    """What one resource is told to come after, itself or by its parents."""
    direct = [*each.dependencies]
    direct += [each.provider.rpartition("::")[0]] if each.provider else []
    parent = known.get(each.parent)
    return direct + (_before(known, parent) if parent else [])


def lines(name: str) -> str:
    """The golden list: type and name of every resource, a line each, in order of the alphabet."""
    return "".join(sorted(f"{each.type} {each.name}\n" for each in found(name)))


if __name__ == "__main__":
    for case in CASES:
        (GOLDEN / f"{case}.txt").write_text(lines(case), encoding="utf-8")
        sys.stdout.write(f"{case}: {len(found(case))} resources\n")
