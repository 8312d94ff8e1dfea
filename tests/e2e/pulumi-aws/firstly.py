"""The registry of a stack on EKS before anything else of it, by the real engine, and beside what is there already."""

import json
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from signalink_stacks.delivery import repositories
from signalink_stacks.delivery.rollout import Engine
from signalink_stacks.lib import images, registry

ROOT: Final = Path(__file__).resolve().parents[3]
STACK: Final = "eks-first"
OPEN: Final = {"endpointCidrs": ["203.0.113.7/32"]}
REPOSITORY: Final = repositories.REPOSITORY
NEIGHBOUR: Final = "aws:ec2/vpc:Vpc"
ALLOWED: Final = ("pulumi:", "signalink:", "aws:budgets/", "aws:kms/", "aws:ecr/")
SECONDS: Final = 120


def proven(folder: Path, environment: Mapping[str, str]) -> str:
    """AssertionError with what was not so."""
    for name in ("stacks", ".venv-stacks"):  # where the engine finds the policy pack
        (folder / name).symlink_to(ROOT / name)
    engine = Engine(STACK, folder, {key: value for key, value in environment.items() if key.startswith("PULUMI_")})
    os.environ["PYTHONPATH"] = environment["PYTHONPATH"]
    address = repositories.make(engine, lambda _: None)
    made = resources(engine)
    wanted = {f"{address}/{image.repository}" for image in images.load() if image.runs}
    there = {each["outputs"]["repositoryUrl"] for each in made if each["type"] == REPOSITORY}
    assert there == wanted, f"repositories: {sorted(there ^ wanted)}"
    assert address.endswith(f"/{registry.prefix(STACK)}"), address
    others = {each["type"] for each in made if not each["type"].startswith(ALLOWED)}
    assert not others, f"made besides: {sorted(others)}"
    assert json.loads(engine("stack", "output", "--json")) == {"registry": address}
    before = {each["urn"]: each.get("id") for each in made}
    neighbour = beside(engine, folder)
    assert repositories.make(engine, lambda _: None) == address
    after = {each["urn"]: each.get("id") for each in resources(engine)}
    assert neighbour in after, "what the stack had besides was deleted"
    assert {urn: after.get(urn) for urn in before} == before, "what was there was made again"
    forget(engine, neighbour)
    return f"{len(there)} repositories alone, pushed to {address.partition('.')[0]}...; one made again beside a network"


def beside(engine: Engine, folder: Path) -> str:
    """A network in the state as if a whole update had made it, and one repository less; the network's URN."""
    document = json.loads(engine("stack", "export"))
    found: list[dict[str, Any]] = document["deployment"]["resources"]
    lost = next(each for each in found if each["type"] == REPOSITORY)
    urn = f"urn:pulumi:{STACK}::signalink::{NEIGHBOUR}::neighbour"
    network = {key: value for key, value in lost.items() if key in ("custom", "provider", "created", "modified")}
    network |= {"urn": urn, "type": NEIGHBOUR, "id": "vpc-neighbour", "parent": found[0]["urn"]}
    network["dependencies"] = [each["urn"] for each in found if each["type"] == "aws:kms/key:Key"]
    network |= {"inputs": {"cidrBlock": "10.9.0.0/16"}, "outputs": {"cidrBlock": "10.9.0.0/16", "id": "vpc-neighbour"}}
    kept = [each for each in found if each is not lost and lost["urn"] not in each.get("dependencies", [])]
    document["deployment"]["resources"] = [*kept, network]
    path = folder / "changed.json"
    path.write_text(json.dumps(document), encoding="utf-8")
    engine("stack", "import", "--file", str(path))
    return urn


def forget(engine: Engine, urn: str) -> None:
    words = ["pulumi", "state", "delete", urn, "--yes", "--stack", engine.stack, "--non-interactive"]
    done = subprocess.run(words, cwd=engine.root, env=os.environ | dict(engine.env), capture_output=True,
                          text=True, timeout=SECONDS)  # fmt: skip
    assert done.returncode == 0, done.stderr


def resources(engine: Engine) -> list[dict[str, Any]]:
    document = json.loads(engine("stack", "export"))
    return list(document["deployment"].get("resources") or [])
