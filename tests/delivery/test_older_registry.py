"""A stack of an earlier version names another registry: nothing of it refuses the steps that lead to its own one.

The graph, its price, the secrets and the configuration are the real ones; `pulumi` is a program of this test that keeps
a stack's file and a state.
"""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from signalink_labs.cli import app, deploy
from signalink_stacks.cloud import graph
from signalink_stacks.delivery import repositories, rollout
from signalink_stacks.delivery.rollout import Engine
from signalink_stacks.lib import images, registry

HOST = "111122223333.dkr.ecr.eu-central-1.amazonaws.com"
OWN = f"{HOST}/signalink-lab-images"
DIGEST = "sha256:" + "a" * 64
NEW = {"registry": OWN, "digests": {image.repository: DIGEST for image in images.load()}}
OLD = {"registry": f"{HOST}/acme", "digests": {"signalink/gone": DIGEST}, "architecture": "arm64"}
CONFIG: dict[str, Any] = {
    "target": "eks",
    "owner": "ada",
    "expires": "never",
    "images": OLD,
    "aws": {"region": "eu-central-1", "endpointCidrs": ["203.0.113.7/32"], "nodes": {"type": "t4g.medium"}},
}
STATE = [
    {"type": repositories.REPOSITORY, "outputs": {"name": name, "repositoryUrl": f"{HOST}/{name}"}}
    for name in registry.repositories(images.load(), registry.prefix("lab")).values()
]
FAKE = """#!/usr/bin/env python3
import json, pathlib, sys
here = pathlib.Path(__file__).parent
file = here / "Pulumi.lab.yaml"
document = json.loads(file.read_text())
words = [word for word in sys.argv[1:] if word not in ("--non-interactive", "--show-secrets", "-s", "--stack", "lab")]
with (here / "called").open("a") as called:
    called.write(" ".join(words[:3]) + chr(10))
if words == ["config", "--json"]:
    texts = {key: value if isinstance(value, str) else json.dumps(value) for key, value in document["config"].items()}
    print(json.dumps({key: {"value": text, "secret": "secrets" in key} for key, text in texts.items()}))
elif words[:2] == ["config", "set"]:
    key, value = ("signalink:secrets", sys.stdin.read()) if "--secret" in words else words[2:4]
    document["config"][key] = json.loads(value)
    file.write_text(json.dumps(document))
elif words[:2] == ["stack", "export"]:
    print((here / "state").read_text())
elif words[:2] == ["stack", "output"]:
    print(json.dumps({"urls": {}}))
"""


@pytest.fixture
def stack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Folder of the stack `lab`, in which the engine runs; the doctor, who asks AWS, is another test's matter."""
    if not (images.root() / graph.ENVIRONMENT).exists():
        assert "pulumi" not in os.environ.get("SIGNALINK_REQUIRE", "").split(","), "make stacks"
        pytest.skip(f"{graph.ENVIRONMENT} is not there: make stacks")
    (tmp_path / "pulumi").write_text(FAKE)
    (tmp_path / "pulumi").chmod(0o755)
    (tmp_path / "state").write_text(json.dumps({"deployment": {"resources": STATE}}))
    file = tmp_path / "Pulumi.lab.yaml"
    file.write_text(json.dumps({"config": {f"signalink:{key}": value for key, value in CONFIG.items()}}))
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setattr(deploy.project, "find", lambda name, state, root: (Engine(name, tmp_path), file))
    monkeypatch.setattr(deploy, "examine", lambda target: None)
    return tmp_path


def kept(stack: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((stack / "Pulumi.lab.yaml").read_text())["config"][rollout.IMAGES]
    return found


@pytest.mark.timeout(400)  # three graphs are recorded
def test_its_own_registry_is_made(stack: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert app.run(["deploy", "-s", "lab", "--only", "registry", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["registry"] == OWN
    assert kept(stack) == OLD


@pytest.mark.timeout(400)  # three graphs are recorded
def test_images_of_its_own_registry_are_deployed(stack: Path) -> None:
    """And what the file of images says nothing of, such as the architecture, stays as the stack says."""
    (stack / "images.json").write_text(json.dumps(NEW))
    assert app.run(["deploy", "-s", "lab", "--images", str(stack / "images.json")]) == 0
    assert kept(stack) == NEW | {"architecture": "arm64"}
    calls = (stack / "called").read_text().splitlines()
    assert calls.index(f"config set {rollout.IMAGES}") < calls.index("preview") < calls.index("up --yes --skip-preview")


@pytest.mark.timeout(400)  # one graph is recorded
@pytest.mark.parametrize("given", [None, NEW | {"registry": "registry.example.org/acme"}], ids=["none", "others"])
def test_other_deployments_are_refused_before_anything_is_made(
    stack: Path, given: dict[str, Any] | None, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["deploy", "-s", "lab"]
    if given:
        (stack / "images.json").write_text(json.dumps(given))
        words += ["--images", str(stack / "images.json")]
    assert app.run(words) == 64
    said = capsys.readouterr().err
    assert "images.registry" in said and "make registry STACK=lab" in said
    assert not (stack / "called").exists()
