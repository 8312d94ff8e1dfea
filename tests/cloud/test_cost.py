"""L1: `signalink cost`: a stack's graph priced, refused over its limit, compared with an earlier one; bad documents."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from signalink_core.errors import ConfigurationError
from signalink_labs.cli import app, clusters, stacking
from signalink_labs.cli import cost as command
from signalink_stacks.cloud import graph
from signalink_stacks.cloud.graph import Graph
from signalink_stacks.clusters import run
from signalink_stacks.lib import images, prices
from signalink_stacks.lib.prices import Resource

Captured = pytest.CaptureFixture[str]
BROKER = Resource("aws:msk/serverlessCluster:ServerlessCluster", "kafka", {})
NAT = Resource("aws:ec2/natGateway:NatGateway", "nat", {})
PREVIEW = {
    "steps": [
        {"op": "create", "urn": "x", "newState": {"urn": "urn:pulumi:eks::s::aws:x::nat", "type": NAT.type}},
        {"op": "same", "oldState": {"urn": "urn:pulumi:eks::s::aws:x::kafka", "type": BROKER.type, "inputs": {}}},
        {"op": "delete", "oldState": {"urn": "urn:pulumi:eks::s::aws:x::old", "type": NAT.type, "inputs": {}}},
        {"op": "delete", "oldState": {"urn": "urn:pulumi:eks::s::aws:x::older", "type": NAT.type, "inputs": {}}},
    ]
}


@pytest.fixture
def stack(monkeypatch: pytest.MonkeyPatch) -> list[Resource]:
    """The recorded graph of every stack; tests put resources in."""
    resources = [NAT]
    monkeypatch.setattr(
        graph,
        "record",
        lambda name, root, settings=(), config=None: Graph(name, "eks", "lite", tuple(resources), max_usd=350.0),
    )
    return resources


def test_a_stack_within_its_limit_ends_with_the_sum(stack: list[Resource], capsys: Captured) -> None:
    assert app.run(["cost", "-s", "eks"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "      32.85  nat: NAT gateway, without traffic"
    assert lines[-1] == "eks: 32.85 USD a month, within the limit of 350"
    assert any(line.startswith("unconfirmed: https://aws.amazon.com/vpc/") for line in lines)
    assert any("not in it: traffic" in line for line in lines)


def test_over_the_limit_ends_with_1_and_the_dearest(stack: list[Resource], capsys: Captured) -> None:
    stack.append(BROKER)
    assert app.run(["cost", "-s", "eks"]) == 1
    assert "refused: 637.29 USD a month is over the limit of 350. The dearest: kafka: " in capsys.readouterr().out
    assert app.run(["cost", "-s", "eks", "--max-usd", "700"]) == 0


def test_the_refusal_before_a_start_says_that_nothing_was_created(stack: list[Resource]) -> None:
    assert command.require("eks", None).monthly == pytest.approx(32.85)
    with pytest.raises(command.OverBudget, match=r"Nothing was created: .* over the limit of 10") as caught:
        command.require("eks", 10)
    assert "--max-usd 34" in str(caught.value.next_step)


@pytest.mark.parametrize("door", ["pulumi", "helm"])
def test_up_refuses_before_anything_is_made(
    stack: list[Resource], capsys: Captured, monkeypatch: pytest.MonkeyPatch, door: str
) -> None:
    made: list[object] = []
    monkeypatch.setattr(clusters, "examine", lambda *_: None)
    monkeypatch.setattr(stacking, "require_environment", lambda _: None)
    monkeypatch.setattr(stacking, "configure", lambda _: None)
    monkeypatch.setattr(run, "steps", lambda *given: made.append(given))
    assert app.run(["up", "--target", "kind", "--by", door, "--max-usd", "10"]) == 1
    assert "Nothing was created: 32.85 USD a month is over the limit of 10" in capsys.readouterr().err
    assert made == []


def test_what_has_no_price_is_refused_by_name(stack: list[Resource], capsys: Captured) -> None:
    stack.append(Resource("aws:redshift/cluster:Cluster", "warehouse", {}))
    assert app.run(["cost", "-s", "eks", "--max-usd", "100000"]) == 1
    assert "   no price  warehouse (aws:redshift/cluster:Cluster)" in capsys.readouterr().out


def test_a_document_can_be_compared_with_a_later_one(stack: list[Resource], capsys: Captured, tmp_path: Path) -> None:
    assert app.run(["cost", "-s", "eks", "--json"]) == 0
    (tmp_path / "before.json").write_text(capsys.readouterr().out)
    stack.append(NAT)
    assert app.run(["cost", "-s", "eks", "--against", str(tmp_path / "before.json"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["difference_usd"] == 32.85
    assert app.run(["cost", "-s", "eks", "--against", str(tmp_path / "before.json")]) == 0
    assert "+32.85 USD a month against 32.85 before" in capsys.readouterr().out


def test_a_preview_is_priced_by_what_is_there_after_it(stack: list[Resource], capsys: Captured, tmp_path: Path) -> None:
    (tmp_path / "preview.json").write_text(json.dumps(PREVIEW))
    assert app.run(["cost", "-s", "eks", "--from", str(tmp_path / "preview.json"), "--json"]) == 1
    document = json.loads(capsys.readouterr().out)
    assert {line["resource"] for line in document["lines"]} == {"nat", "kafka"}
    assert document["monthly_usd"] == 637.29
    assert document["difference_usd"] == -32.85


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"steps": [{"op": "create", "newState": {"urn": "x"}}]}'])
def test_a_file_that_is_no_preview_is_refused(stack: list[Resource], tmp_path: Path, text: str) -> None:
    (tmp_path / "preview.json").write_text(text)
    assert app.run(["cost", "-s", "eks", "--from", str(tmp_path / "preview.json")]) == 64


def test_a_file_without_a_sum_is_no_earlier_document(stack: list[Resource], tmp_path: Path) -> None:
    (tmp_path / "before.json").write_text("{}")
    assert app.run(["cost", "-s", "eks", "--against", str(tmp_path / "before.json")]) == 64


def test_without_the_stacks_environment_it_says_how_to_make_it(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="environment") as caught:
        graph.record("eks", tmp_path)
    assert "make stacks" in str(caught.value.next_step)


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        ("echo 'region: found 7, expected a name' >&2; exit 1", "region: found 7, expected a name"),
        ("exit 3", "exit 3"),
    ],
)
def test_the_programs_own_words_come_through(tmp_path: Path, script: str, expected: str) -> None:
    python = fake_python(tmp_path, script)
    assert python.exists()
    with pytest.raises(ConfigurationError, match=expected):
        graph.record("eks", tmp_path)


def test_the_programs_document_becomes_the_graph(tmp_path: Path) -> None:
    document: dict[str, Any] = {"stack": "eks", "target": "eks", "profile": "lite", "max_usd": 350}
    document["resources"] = [{"type": NAT.type, "name": "nat", "inputs": {"a": None}}]
    fake_python(tmp_path, f"echo '{json.dumps(document)}'")
    found = graph.record("eks", tmp_path)
    assert (found.target, found.profile, found.max_usd) == ("eks", "lite", 350.0)
    assert found.resources == (Resource(NAT.type, "nat", {"a": None}),)


def fake_python(root: Path, script: str) -> Path:
    python = root / graph.ENVIRONMENT
    python.parent.mkdir(parents=True)
    python.write_text(f"#!/bin/sh\n{script}\n")
    python.chmod(0o755)
    return python


WHO = ["owner=ada", "expires=never", "aws.endpointCidrs=[203.0.113.7/32]"]
EDGE = ["aws.domain=chat.example.org", "aws.zone=Z123456"]
LITE = 73 + 91.104 + 90 * 0.08 + 32.85 + 3.65 + 23.36 + 29.20 + 23.36 + 2.30 + 1.00 + 1.06 + 0.40
FULL = LITE + 36.50 + 547.50 + 52 * 0.0015 * 730 + 1.20
EDGE_USD = 2 * 16.425 + 2 * 0.005 * 730 + 1.00 + 0.53 + 1.90
PROGRAM: dict[str, tuple[str, list[str], float]] = {
    # machine, address, 20 GB
    "aws-lite": ("aws-lite", ["aws.source=https://example.org/x"], 7.592 + 3.65 + 1.60),
    # control plane, nodes and their 90 GB, NAT and address, caches, endpoints, databases and 20 GB, key, logs, alarms
    "lite": ("eks", [], LITE),
    # a NAT with its address in the second zone as well; MSK with 52 partitions and 12 alarms
    "full": ("eks", ["profile=full"], FULL),
    # two balancers, addresses of the public one, the HTTP API with its logs, 19 alarms; lite has no MSK to watch
    "lite with the edge": ("eks", EDGE, LITE + EDGE_USD),
    "full with the edge": ("eks", ["profile=full", *EDGE], FULL + EDGE_USD),
}


@pytest.mark.parametrize("profile", PROGRAM)
def test_the_programs_own_graph_costs_what_a_hand_calculation_gives(profile: str) -> None:
    """Beside the repositories, 0.10 each: the sums above know no number of images."""
    root = images.root()
    if not (root / graph.ENVIRONMENT).exists():
        assert "pulumi" not in os.environ.get("SIGNALINK_REQUIRE", "").split(","), "make stacks"
        pytest.skip(f"{graph.ENVIRONMENT} is not there: make stacks")
    stack, settings, by_hand = PROGRAM[profile]
    found = graph.record(stack, root, [*WHO, *settings])
    estimate = prices.price(found.resources, prices.load(), prices.load().sources["ec2"].date)
    repositories = sum(each.type == "aws:ecr/repository:Repository" for each in found.resources)
    assert estimate.monthly - 0.10 * repositories == pytest.approx(by_hand, abs=0.05)
    assert prices.refusal(estimate, found.max_usd) == ""
