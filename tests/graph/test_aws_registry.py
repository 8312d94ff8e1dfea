"""Where images of a stack on EKS come from: every reference of every chart and Job names a repository that it makes."""

import json
import re
import shutil
from typing import Any

import graphs
import pulumi
import pytest
import yaml
from awsgraphs import ON_EKS, STACKS, Graph, of, recorded

from signalink_stacks.delivery import hooks
from signalink_stacks.graph import recording
from signalink_stacks.graph.__main__ import stand_ins
from signalink_stacks.lib import config, images, registry
from signalink_stacks.lib.prices import Resource
from signalink_stacks.lib.settings import LIMITS_USD
from signalink_stacks.pack import engine

DIGEST = "sha256:" + "a" * 64
IMAGES = {"digests": {image.repository: DIGEST for image in images.load()}}
KINDS = ("Registry", "Vault", "Budget")


def whole(stack: str) -> Graph:
    return recorded(STACKS[stack] | {"images": IMAGES})


def pulled(text: str) -> set[str]:
    """Images of a rendered chart without tag and digest."""
    return {re.sub(r"(:[^/:@]+)?@.*$", "", found) for found in re.findall(r"^ *image: \"?([^\"\s]+)", text, re.M)}


@pytest.mark.parametrize("stack", ON_EKS)
def test_every_image_of_every_chart_and_job_is_in_a_repository_of_the_stack(stack: str) -> None:
    if shutil.which("helm") is None:
        pytest.skip("helm is not on PATH")
    graph = whole(stack)
    made = {f"111122223333.dkr.ecr.us-east-1.amazonaws.com/{each.inputs['name']}" for each in of(graph, "Repository")}
    charts = hooks.charts([Resource(each.type, each.name, each.inputs) for each in graph])
    assert charts
    for chart in charts:
        text = hooks._render(chart, "v1.35.0")
        assert all(yaml.safe_load_all(text))
        found = pulled(text)
        assert found, chart.folder
        assert found <= made, chart.folder
    jobs = [each for each in of(graph, "Job") if each.type.startswith("kubernetes:")]
    assert jobs
    for job in jobs:
        assert {image.rpartition("@")[0].rpartition(":")[0] for image in containers(job.inputs)} <= made, job.urn


def containers(inputs: Any) -> list[str]:
    return [each["image"] for each in inputs["spec"]["template"]["spec"]["containers"]]


def test_what_is_pushed_to_the_address_that_the_stack_says_is_where_its_pods_look() -> None:
    graph = whole("eks-lite")
    urls = {f"111122223333.dkr.ecr.us-east-1.amazonaws.com/{each.inputs['name']}" for each in of(graph, "Repository")}
    (chart,) = (each for each in of(graph, "Chart") if each.name == "api-chart")
    address = chart.inputs["values"]["global"]["imageRegistry"]
    assert address == f"111122223333.dkr.ecr.us-east-1.amazonaws.com/{registry.prefix('eks')}"
    assert {f"{address}/{image.repository}" for image in images.load() if image.runs} == urls


def test_the_registry_alone_is_a_part_of_the_whole_by_the_same_names(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else the targeted update would make a second one, and the next whole one would delete the first."""
    everything = {each.urn: each.inputs for each in whole("eks-lite")}
    monkeypatch.setenv(registry.ONLY, registry.ALONE)
    alone = {each.urn: each.inputs for each in whole("eks-lite")}
    assert {urn for urn in everything if any(f":{kind}" in urn for kind in KINDS)} < set(alone)
    assert {urn: everything.get(urn) for urn in alone} == alone
    kinds = {urn.split("::")[2] for urn in alone}
    assert not any("kubernetes" in kind or "eks" in kind or "vpc" in kind for kind in kinds)


def test_the_registry_is_made_for_a_stack_that_still_names_another_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """As earlier versions had it; all else is refused until it runs images of its own one."""
    plain = STACKS["eks-lite"]
    older = plain | {"images": {**IMAGES, "registry": "registry.example.org/acme"}}
    older["secrets"] = stand_ins(config.parse("eks", plain))
    with pytest.raises(pulumi.RunError, match=r"images\.registry"):
        recording.record("eks", older)
    monkeypatch.setenv(registry.ONLY, registry.ALONE)
    assert of(recording.record("eks", older).found, "Repository")


def test_policies_know_the_limit_of_a_stack_that_still_names_another_registry(monkeypatch: pytest.MonkeyPatch) -> None:
    """They hold the strictest where a configuration is wrong: no repository was allowed then, for its price."""
    older = STACKS["eks-lite"] | {"images": {"registry": "registry.example.org/acme"}}
    told = {f"signalink:{key}": value if isinstance(value, str) else json.dumps(value) for key, value in older.items()}
    monkeypatch.setattr(engine, "_TOLD", [("eks", told)])
    assert engine.facts().max_usd == 0
    monkeypatch.setenv(registry.ONLY, registry.ALONE)
    assert engine.facts().max_usd == LIMITS_USD["lite"]


def test_only_signatures_can_be_written_again() -> None:
    """cosign adds to `sha256-DIGEST.sig` each time it signs; a tag that never moves ended a repeated release."""
    for each in of(whole("eks-lite"), "Repository"):
        assert each.inputs["imageTagMutability"] == "IMMUTABLE_WITH_EXCLUSION"
        assert each.inputs["imageTagMutabilityExclusionFilters"] == [{"filter": "sha256-*", "filterType": "WILDCARD"}]


def test_the_stack_says_where_to_push(monkeypatch: pytest.MonkeyPatch) -> None:
    address = "111122223333.dkr.ecr.us-east-1.amazonaws.com/signalink-eks-images"
    assert graphs.of("eks", STACKS["eks-lite"]).outputs["registry"] == address
    monkeypatch.setenv(registry.ONLY, registry.ALONE)
    assert graphs.of("eks", STACKS["eks-lite"]).outputs == {"registry": address}
