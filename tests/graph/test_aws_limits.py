"""What AWS itself would refuse or ignore, and no program between here and an account tells: limits, names, trust."""

import json

import awsgraphs
import pytest
from awsgraphs import ON_EKS, STACKS, of, recorded, recorder

from signalink_stacks.graph.recording import Registration
from signalink_stacks.lib import chartvalues, prices, routes
from signalink_stacks.lib.images import root

MOST_VALUES = 5
"""Condition values of one rule of an application load balancer."""
MOST_ROLE = MOST_SCHEDULE = 64
LONGEST = "s" * 32


def rules(stack: str) -> list[Registration]:
    return [each for each in awsgraphs.stack(stack) if each.type.startswith("aws:lb/") and "priority" in each.inputs]


@pytest.mark.parametrize("stack", ON_EKS)
def test_no_rule_of_a_balancer_has_more_values_than_aws_takes_and_none_is_lost(stack: str) -> None:
    said: dict[str, set[str]] = {}
    for each in rules(stack):
        (condition,) = each.inputs["conditions"]
        values = condition["pathPattern"]["values"]
        assert 0 < len(values) <= MOST_VALUES, each.name
        service = each.name.rpartition("-paths")[0].rpartition("-")[2]
        assert not said.get(service, set()) & set(values), f"{each.name} says a path twice"
        said.setdefault(service, set()).update(values)
    prefixes = routes.prefixes(routes.read(root()))
    pages = {
        service: {pattern for path in paths for pattern in (path, f"{path}/*")}
        for service, paths in prefixes.items()
        if service != routes.HOME
    }
    assert said == pages | {"gateway": {routes.SOCKET}}
    assert max(map(len, pages.values())) > MOST_VALUES, "nothing shows here that a service may need two rules"


@pytest.mark.parametrize("stack", ON_EKS)
def test_each_rule_of_a_balancer_has_a_priority_of_its_own_and_leads_to_its_service(stack: str) -> None:
    found = [(each.name.split("-")[1], each.inputs["priority"]) for each in rules(stack)]
    assert len(set(found)) == len(found) and {balancer for balancer, _ in found} == {"pages", "sockets"}
    for each in rules(stack):
        (action,) = each.inputs["actions"]
        assert each.name.rpartition("-paths")[0] in action["targetGroupArn"], each.name


@pytest.mark.parametrize("stack", STACKS)
def test_every_role_is_called_after_the_stack_and_no_two_are_called_alike(stack: str) -> None:
    """Another stack of the account has its own, and who deploys may make roles with this prefix alone."""
    called = [each.inputs["name"] for each in of(awsgraphs.stack(stack), "Role") if each.type.startswith("aws:iam/")]
    assert called and len(set(called)) == len(called)
    assert [each for each in called if not each.startswith(f"signalink-{STACKS[stack]['target']}-")] == []


@pytest.mark.parametrize("stack", STACKS)
def test_who_tags_its_session_may(stack: str) -> None:
    """EKS Pod Identity always does, and gives no credentials where the trust policy lacks the action."""
    seen = set()
    for each in of(awsgraphs.stack(stack), "Role"):
        if each.type.startswith("aws:iam/"):
            (statement,) = json.loads(each.inputs["assumeRolePolicy"])["Statement"]
            service = statement["Principal"]["Service"]
            seen.add(service)
            wanted = {"sts:AssumeRole"} | (
                {"sts:TagSession"} if service.partition(".")[0] in ("pods", "eks") else set()
            )
            assert set(statement["Action"]) == wanted, each.name
    assert seen >= ({"ec2.amazonaws.com"} if stack == "aws-lite" else {"pods.eks.amazonaws.com", "eks.amazonaws.com"})


@pytest.mark.parametrize("stack", STACKS)
def test_the_longest_name_of_a_stack_leaves_every_name_within_what_aws_takes(stack: str) -> None:
    kinds = {"Role": MOST_ROLE, "InstanceProfile": 128, "Schedule": MOST_SCHEDULE, "LoadBalancer": 32}
    lengths = 0
    for each in recorded(STACKS[stack], LONGEST):
        most = kinds.get(each.type.rpartition(":")[2])
        if most and each.type.startswith("aws:"):
            lengths += 1
            assert len(each.inputs["name"]) <= most, each.inputs["name"]
    assert lengths >= (4 if stack == "aws-lite" else 14)


@pytest.mark.parametrize("stack", STACKS)
def test_no_new_subnet_is_in_a_zone_that_eks_is_not_in(stack: str) -> None:
    """Nor is a machine of aws-lite: in the first of them there is none of t3, t3a and t4g."""
    asked = [args for token, args in recorder(STACKS[stack]).cloud.asked if "getAvailabilityZones" in token]
    assert asked
    for args in asked:
        assert args["excludeZoneIds"] == ["use1-az3", "usw1-az2", "cac1-az3"]


@pytest.mark.parametrize("stack", STACKS)
def test_what_is_in_a_zone_stays_there_when_aws_names_others(stack: str) -> None:
    """A zone that is left out or has a bad day is no longer named: another one would replace Postgres with its disk."""
    zoned = [each for each in awsgraphs.stack(stack) if "availabilityZone" in each.inputs]
    assert {each.type for each in zoned} == {"aws:ec2/subnet:Subnet"}
    assert [each.name for each in zoned if "availabilityZone" not in each.ignored] == []


@pytest.mark.parametrize(
    ("kind", "architecture", "ami"),
    [("t3.medium", "amd64", "AL2023_x86_64_STANDARD"), ("t4g.medium", "arm64", "AL2023_ARM_64_STANDARD")],
)
def test_nodes_have_an_image_of_their_own_architecture(kind: str, architecture: str, ami: str) -> None:
    """Of theirs, whatever the key of aws-lite says."""
    machines = {"nodes": {"type": kind}, "instance": "t4g.micro"}
    raw = chartvalues.merged(STACKS["eks-lite"], {"images": {"architecture": architecture}, "aws": machines})
    (group,) = of(recorded(raw), "NodeGroup")
    assert (group.inputs["instanceTypes"], group.inputs["amiType"]) == ([kind], ami)


def test_disks_of_nodes_are_priced_as_large_as_they_are_made() -> None:
    (template,) = of(awsgraphs.stack("eks-lite"), "LaunchTemplate")
    (group,) = of(awsgraphs.stack("eks-lite"), "NodeGroup")
    (disk,) = template.inputs["blockDeviceMappings"]
    (price,) = [each for each in prices.load().of(group.type) if each.besides]
    assert price.quantity(group.inputs) == group.inputs["scalingConfig"]["desiredSize"] * disk["ebs"]["volumeSize"]
