"""L1: only the registry of a stack is made, by targets, with the program told so; nothing where it is there already.

`pulumi` is a program of this test that keeps a state: the real engine does it in `make e2e NAME=pulumi-aws`.
"""

import itertools
import json
import os
from pathlib import Path
from typing import Any

import pytest

from signalink_core.errors import DependencyUnavailable
from signalink_stacks.delivery import repositories
from signalink_stacks.delivery.rollout import Engine
from signalink_stacks.lib import images, registry

HOST = "111122223333.dkr.ecr.eu-central-1.amazonaws.com"
URN = "urn:pulumi:lab::signalink::{}::{}"
STEPS = [
    {"op": "create", "urn": URN.format("pulumi:pulumi:Stack", "signalink-lab")},
    {"op": "same", "urn": URN.format("signalink:aws:Registry", "registry")},
    {"op": "create", "urn": URN.format("signalink:aws:Registry$aws:ecr/repository:Repository", "registry-new")},
    {"op": "update", "urn": URN.format("signalink:aws:Registry$aws:ecr/repository:Repository", "registry-old")},
    {"op": "delete", "urn": URN.format("signalink:aws:Eks$aws:eks/cluster:Cluster", "eks-cluster")},
]
"""Of a preview in which the program registers the registry alone: the rest looks as if it were to go."""
NAMES = sorted(registry.repositories(images.load(), registry.prefix("lab")).values())
FAKE = """#!/usr/bin/env python3
import json, os, pathlib, sys
here = pathlib.Path(__file__).parent
with (here / "called").open("a") as called:
    called.write(json.dumps([os.environ.get("SIGNALINK_ONLY"), *sys.argv[1:]]) + chr(10))
if sys.argv[1:3] == ["preview", "--json"]:
    print((here / "steps").read_text())
if sys.argv[1] == "up":
    (here / "state").write_text((here / "after").read_text())
if sys.argv[1:3] == ["stack", "export"]:
    print((here / "state").read_text())
"""


def state(names: list[str]) -> str:
    made = [{"type": repositories.REPOSITORY, "outputs": {"name": each, "repositoryUrl": f"{HOST}/{each}"}}
            for each in names]  # fmt: skip
    return json.dumps({"deployment": {"resources": [{"type": "pulumi:pulumi:Stack"}, *made]}})


@pytest.fixture
def engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Engine:
    (tmp_path / "pulumi").write_text(FAKE)
    (tmp_path / "pulumi").chmod(0o755)
    (tmp_path / "state").write_text(json.dumps({"deployment": {}}))
    (tmp_path / "after").write_text(state(NAMES))
    (tmp_path / "steps").write_text(json.dumps({"steps": STEPS}))
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    return Engine("lab", tmp_path, {"PULUMI_BACKEND_URL": "file://x"})


def called(engine: Engine) -> list[list[Any]]:
    return [json.loads(line) for line in (engine.root / "called").read_text().splitlines()]


def test_the_address_is_what_charts_and_a_push_put_before_a_repository(engine: Engine) -> None:
    assert repositories.make(engine, lambda _: None) == f"{HOST}/signalink-lab-images"


def test_the_program_is_told_to_register_nothing_else_and_the_engine_touches_nothing_else(engine: Engine) -> None:
    repositories.make(engine, lambda _: None)
    looked, *changing = [each for each in called(engine) if each[1] in ("preview", "up")]
    assert looked[:3] == ["registry", "preview", "--json"]
    assert [each[1] for each in changing] == ["preview", "up"]
    for only, *words in changing:
        given = [word for before, word in itertools.pairwise(words) if before == "--target"]
        assert only == "registry"
        assert given == [STEPS[2]["urn"]]
    assert [each[0] for each in called(engine) if each[1] == "stack"] == [None, None]


def test_nothing_is_touched_where_every_repository_is_there(engine: Engine) -> None:
    (engine.root / "state").write_text(state(NAMES))
    said: list[str] = []
    assert repositories.make(engine, said.append) == f"{HOST}/signalink-lab-images"
    assert {each[1] for each in called(engine)} == {"stack"}
    assert said == ["the registry is there"]


def test_one_that_is_missing_is_made(engine: Engine) -> None:
    (engine.root / "state").write_text(state(NAMES[1:]))
    said: list[str] = []
    repositories.make(engine, said.append)
    assert said == ["1 repositories to make"]
    assert [each[1] for each in called(engine)] == ["stack", "preview", "preview", "up", "stack"]


def test_an_engine_that_makes_none_is_told(engine: Engine) -> None:
    (engine.root / "after").write_text(json.dumps({"deployment": {}}))
    with pytest.raises(DependencyUnavailable, match="no repository after its registry was made"):
        repositories.make(engine, lambda _: None)
