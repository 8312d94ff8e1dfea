"""L1: only the registry of a stack is made, by targets, with the program told so; nothing where it is there already.

`pulumi` is a program of this test that keeps a state: the real engine does it in `make e2e NAME=pulumi-aws`.
"""

import itertools
import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from house.sources import without_make
from signalink_core.errors import DependencyUnavailable
from signalink_labs.cli import app, delivering, deploy
from signalink_stacks.cloud import graph
from signalink_stacks.cloud.graph import Graph
from signalink_stacks.delivery import repositories
from signalink_stacks.delivery.rollout import Engine
from signalink_stacks.lib import images, registry
from signalink_stacks.lib.prices import Estimate

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
if sys.argv[1:3] == ["stack", "output"]:
    sys.exit("error: current stack does not have output property 'registry'")
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


@pytest.fixture
def cli(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> Engine:
    """The command on this engine; whose doctor, price and secrets are other tests' matter."""
    monkeypatch.setattr(deploy.project, "find", lambda stack, state, root: (replace(engine, stack=stack), None))
    monkeypatch.setattr(deploy, "examine", lambda target: None)
    monkeypatch.setattr(delivering.cost, "require", lambda stack, *more: Estimate("us-east-1", (), (), (), ()))
    monkeypatch.setattr(delivering.words, "complete", lambda *given: delivering.words.Completed())
    monkeypatch.setattr(graph, "record", lambda stack, *more: Graph(stack, targets(stack), "lite", ()))
    return engine


def targets(stack: str) -> str:
    return "eks" if stack == "lab" else stack


def test_the_command_says_the_address_and_what_to_do_with_it(cli: Engine, capsys: pytest.CaptureFixture[str]) -> None:
    assert app.run(["deploy", "-s", "lab", "--only", "registry"]) == 0
    said = capsys.readouterr().out
    assert "doctor" in said and "cost" in said, "the same refusals as before a whole deployment"
    assert f"make publish REGISTRY={HOST}/signalink-lab-images" in said
    assert app.run(["deploy", "-s", "lab", "--only", "registry", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["registry"] == f"{HOST}/signalink-lab-images"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["-s", "lab", "--only", "network"], "No part of a stack is called 'network'"),
        (["-s", "aws-lite", "--only", "registry"], "Stack aws-lite has no registry of its own"),
    ],
)
def test_what_has_no_registry_is_refused_before_anything_is_made(
    cli: Engine, words: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert app.run(["deploy", *words]) == 64
    assert told in capsys.readouterr().err
    assert not (cli.root / "called").exists()


COMMAND = """
import sys
from pathlib import Path
from signalink_labs.cli import app, delivering, deploy
from signalink_stacks.cloud import graph
from signalink_stacks.cloud.graph import Graph
from signalink_stacks.delivery.rollout import Engine
from signalink_stacks.lib.prices import Estimate
here = Path(sys.argv[1])
deploy.project.find = lambda stack, state, root: (Engine(stack, here), None)
deploy.examine = lambda target: None
delivering.cost.require = lambda stack, *more: Estimate("us-east-1", (), (), (), ())
delivering.words.complete = lambda *given, **more: delivering.words.Completed()
graph.record = lambda stack, root, *more, **named: Graph(stack, "eks", "lite", ())
if (here / "silent").exists():
    delivering.registry = lambda *given: ""
sys.exit(app.run(sys.argv[2:]))
"""
"""The program `signalink` with what the fixture `cli` puts in place of doctor, price and secrets."""


def make(engine: Engine) -> subprocess.CompletedProcess[str]:
    """`make registry` in the engine's folder, by the Makefile of this checkout."""
    here = engine.root
    (here / "command.py").write_text(COMMAND)
    for name, words in (("python", ""), ("signalink", f"{here}/command.py {here}")):
        (here / name).write_text(f'#!/bin/sh\nexec {sys.executable} {words} "$@"\n')
        (here / name).chmod(0o755)
    given = ["--no-print-directory", "-C", str(here), "-f", str(images.root() / "Makefile")]
    given += ["-o", ".venv/.dev", "-o", ".venv-stacks/.stacks", "registry", "STACK=lab", f"BIN={here}"]
    env = {key: value for key, value in without_make().items() if not key.startswith("GITHUB")}
    env |= {"GITHUB_OUTPUT": str(here / "outputs"), "PYTHONPATH": os.pathsep.join(sys.path)}
    return subprocess.run(["make", *given], capture_output=True, text=True, timeout=120, check=False, env=env)


def test_make_says_the_address_of_a_registry_that_was_there_and_hands_it_to_the_pipeline(engine: Engine) -> None:
    """The state has no output `registry` where no update ran since this version: what is there is asked, not that."""
    (engine.root / "state").write_text(state(NAMES))
    done = make(engine)
    address = f"{HOST}/signalink-lab-images"
    assert done.returncode == 0, done.stderr
    assert (engine.root / "outputs").read_text() == f"registry={address}\n"
    assert (engine.root / "dist/registry").read_text() == f"{address}\n"
    assert address in done.stdout and "the registry is there" in done.stderr


@pytest.mark.parametrize("how", ["fails", "silent"])
def test_make_fails_and_hands_nothing_on_where_no_address_was_said(engine: Engine, how: str) -> None:
    (engine.root / "dist").mkdir()
    (engine.root / "dist/registry").write_text("of another stack\n")
    (engine.root / "silent").touch() if how == "silent" else (engine.root / "after").write_text("{}")
    done = make(engine)
    assert done.returncode and "Next:" in done.stderr
    assert not (engine.root / "outputs").exists()
    left = engine.root / "dist/registry"
    assert not left.exists() or left.read_text().strip() == ""
