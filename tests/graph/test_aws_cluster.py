"""What an EKS cluster must be given before pods run: volumes, doors of its nodes by how they are run, policies."""

import json
from typing import Any

import awsgraphs
import pytest
import yaml
from awsgraphs import ON_EKS, STACKS, Graph, of, recorded
from test_aws_graph import needs

from signalink_stacks.graph.recording import Registration
from signalink_stacks.lib import chartvalues, doors, tags
from signalink_stacks.lib.images import root

OWN = "sg-cluster"
"""The group that EKS makes, in a recorded graph."""
PROVISIONER = {"eks-lite": "ebs.csi.aws.com", "eks-full": "ebs.csi.aws.com", "eks-auto": "ebs.csi.eks.amazonaws.com"}


def one(graph: Graph, kind: str) -> Registration:
    (found,) = of(graph, kind)
    return found


def claims() -> set[str]:
    """Charts whose pods have a claim unless somebody says otherwise."""
    found = set()
    for path in root().glob("charts/*/values.yaml"):
        said = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
        if (said.get("persistence") or {}).get("enabled"):
            found.add(path.parent.name)
    return found


@pytest.mark.parametrize("stack", ON_EKS)
def test_every_chart_with_a_claim_names_the_class_that_the_stack_makes(stack: str) -> None:
    """EKS brings no default class, and Auto Mode none at all: a claim without one waits for ever."""
    graph = awsgraphs.stack(stack)
    kept = one(graph, "StorageClass")
    charts = {each.name.removesuffix("-chart"): each for each in of(graph, "Chart") if each.name.endswith("-chart")}
    with_claims = claims() & set(charts)
    assert with_claims >= {"prometheus", "alertmanager"} | ({"kafka"} if stack == "eks-lite" else set())
    for name in with_claims:
        assert charts[name].inputs["values"]["persistence"]["storageClass"] == kept.inputs["metadata"]["name"], name
        assert kept.urn in needs(graph, charts[name]) | below(graph, charts[name]), f"{name} comes before it"


def below(graph: Graph, start: Registration) -> set[str]:
    """What is inside of the components that `start` needs."""
    wanted = needs(graph, start)
    return {each.urn for each in graph if each.parent in wanted}


@pytest.mark.parametrize("stack", ON_EKS)
def test_volumes_are_encrypted_and_say_whose_they_are(stack: str) -> None:
    """Claims are not deleted before the cluster: by the tag the sweep finds what they leave."""
    graph = awsgraphs.stack(stack)
    made = one(graph, "StorageClass").inputs
    assert made["provisioner"] == PROVISIONER[stack]
    assert (made["parameters"]["type"], made["parameters"]["encrypted"]) == ("gp3", "true")
    assert (made["volumeBindingMode"], made["reclaimPolicy"]) == ("WaitForFirstConsumer", "Delete")
    said = [text for key, text in sorted(made["parameters"].items()) if key.startswith("tagSpecification_")]
    assert dict(text.split("=", 1) for text in said) == {
        tags.STACK: "eks",
        tags.OWNER: "ada",
        tags.EXPIRES: "2027-01-31",
    }
    assert {f"tagSpecification_{place}" for place in range(1, len(said) + 1)} <= set(made["parameters"])


def test_the_role_of_auto_mode_may_tag_volumes_and_the_other_needs_not() -> None:
    for stack in ON_EKS:
        found = {each.name: each for each in of(awsgraphs.stack(stack), "RolePolicy")}
        assert ("eks-role-tags" in found) is (stack == "eks-auto")
    graph = awsgraphs.stack("eks-auto")
    (policy,) = [each for each in of(graph, "RolePolicy") if each.name == "eks-role-tags"]
    (statement,) = json.loads(policy.inputs["policy"])["Statement"]
    assert statement["Action"] == ["ec2:CreateVolume"]
    own = {"aws:RequestTag/eks:eks-cluster-name": "${aws:PrincipalTag/eks:eks-cluster-name}"}
    assert statement["Condition"] == {"StringEquals": own}, "volumes of this cluster alone"
    cluster = next(each for each in graph if each.type == "aws:eks/cluster:Cluster")
    assert policy.urn in needs(graph, cluster)


def test_a_class_that_the_stack_names_is_taken_and_none_is_made() -> None:
    raw: dict[str, Any] = chartvalues.merged(STACKS["eks-lite"], {"cluster": {"storageClass": "theirs"}})
    graph = recorded(raw)
    assert of(graph, "StorageClass") == []
    charts = {each.name: each.inputs for each in of(graph, "Chart") if "values" in each.inputs}
    for name in ("kafka-chart", "prometheus-chart"):
        assert charts[name]["values"]["persistence"]["storageClass"] == "theirs"


Opening = tuple[str, str, int, int]


def openings(graph: Graph, nodes: str) -> tuple[set[Opening], set[Opening]]:
    """Rules in and out that name `nodes`, as (group, other group, ports), `nodes` itself called `nodes`."""
    in_and_out = []
    for kind in ("SecurityGroupIngressRule", "SecurityGroupEgressRule"):
        found = set()
        for each in of(graph, kind):
            said = each.inputs
            ends = (said["securityGroupId"], said.get("referencedSecurityGroupId", ""))
            if nodes in ends and ends[0] != ends[1] and ends[1]:
                here, there = ("nodes" if end == nodes else end for end in ends)
                found.add((here, there, said["fromPort"], said["toPort"]))
        in_and_out.append(found)
    return in_and_out[0], in_and_out[1]


def test_nodes_of_auto_mode_have_the_doors_of_a_node_group() -> None:
    """They are in the group that EKS makes, and in no other."""
    managed, auto = awsgraphs.stack("eks-full"), awsgraphs.stack("eks-auto")
    wanted = openings(managed, "network-nodes-id")
    assert openings(auto, OWN) == wanted
    assert openings(managed, OWN) == (set(), set()), "nodes of a group have ours"
    into = {(group, first) for group, other, first, _ in wanted[0] if other == "nodes"}
    assert into == {(f"network-{group}-id", port) for group, port in
                    (("postgres", 5432), ("redis", 6379), ("kafka", 9098), ("endpoints", 443))}  # fmt: skip
    assert {(there, first) for here, there, first, _ in wanted[0] if here == "nodes"} == {
        (f"network-{balancer}-id", first) for balancer in ("alb", "internal") for first in (8000, 9100)
    }
    assert len(wanted[1]) == 4, "and the load balancers may call"


def test_the_group_of_eks_is_the_stacks_before_it_gets_a_rule_and_its_doors_are_there_before_pods() -> None:
    graph = awsgraphs.stack("eks-auto")
    tag = one(graph, "Tag")
    assert (tag.inputs["resourceId"], tag.inputs["key"], tag.inputs["value"]) == (OWN, tags.STACK, "eks")
    made = [
        each
        for each in graph
        if OWN in (each.inputs.get("securityGroupId"), each.inputs.get("referencedSecurityGroupId"))
    ]
    assert len(made) == 2 * 4 + len(doors.of_cluster()) - 4
    provider = one(graph, "kubernetes")
    for rule in made:
        assert tag.urn in needs(graph, rule), rule.name
        assert rule.urn in needs(graph, provider) | below(graph, provider), rule.name


@pytest.mark.parametrize("stack", ON_EKS)
def test_network_policies_are_enforced_however_nodes_are_run(stack: str) -> None:
    graph = awsgraphs.stack(stack)
    maps = [each.inputs for each in of(graph, "ConfigMap") if each.inputs["metadata"]["namespace"] == "kube-system"]
    if stack == "eks-auto":
        (said,) = maps
        assert said["metadata"]["name"] == "amazon-vpc-cni"
        assert said["data"] == {"enable-network-policy-controller": "true"}
    else:
        (cni,) = [each.inputs for each in of(graph, "Addon") if each.inputs["addonName"] == "vpc-cni"]
        assert json.loads(cni["configurationValues"])["enableNetworkPolicy"] == "true" and not maps
