"""What the pipeline's roles may do at AWS: every resource of every graph is covered, and nothing is given to all."""

import json
from collections.abc import Mapping
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import Any

import parliament
import pytest
from awsgraphs import STACKS, recorded
from parliament import analyze_policy_string, is_arn_match

from signalink_stacks.delivery import permissions, trust
from signalink_stacks.delivery.permissions import Place
from signalink_stacks.graph.recording import Registration
from signalink_stacks.lib import images

pytestmark = pytest.mark.timeout(900)
HERE = Place("123456789012", "us-east-1", "eks", state="acme-state", key="0a1b2c3d")
GOLDEN = Path(__file__).parent / "golden"
Policies = Mapping[str, Mapping[str, Any]]
NEWER = {"freetier:GetAccountPlanState": "Read"}
"""Calls that the linter's copy of AWS's reference does not know yet."""
NO_CALL = ("aws:index/", "aws:ssm/")


def statements(role: trust.Role) -> list[dict[str, Any]]:
    return [each for policy in permissions.policies(role, HERE).values() for each in policy["Statement"]]


def allowed(role: trust.Role) -> set[str]:
    return {action for statement in statements(role) for action in statement["Action"]}


@cache
def graph(stack: str) -> list[Registration]:
    """Recorded once: a graph takes ten seconds, on a busy machine a minute."""
    return recorded(STACKS[stack])


def types_of_graphs() -> set[str]:
    """AWS types of the golden lists, and of graphs with a zone, an address for alarms, and Auto Mode."""
    lines = {line.split()[0] for path in GOLDEN.glob("*.txt") for line in path.read_text().splitlines() if line}
    more = {each.type for stack in STACKS for each in graph(stack) if each.custom}
    return {name for name in lines | more if name.startswith("aws:") and not name.startswith(NO_CALL)}


@pytest.fixture(scope="module")
def every_type() -> set[str]:
    return types_of_graphs()


def test_every_type_of_every_graph_can_be_made_read_and_deleted_by_the_role_deploy(every_type: set[str]) -> None:
    table = permissions.actions()
    assert len(every_type) > 50
    assert sorted(every_type - table.keys()) == [], "add it to delivery/actions.toml"
    mine = allowed("deploy")
    for name in sorted(every_type):
        calls = table[name]
        assert calls["read"], name
        if name not in ("aws:acm/certificateValidation:CertificateValidation",):
            assert calls["create"], name
            assert calls.get("delete") or name == "aws:ec2/defaultSecurityGroup:DefaultSecurityGroup", name
        assert {call for kind in calls.values() for call in kind} <= mine, name


def test_the_table_knows_no_type_that_no_graph_has(every_type: set[str]) -> None:
    spare = {"aws:eks/accessEntry:AccessEntry", "aws:eks/accessPolicyAssociation:AccessPolicyAssociation"}  # aws.admins
    assert sorted(permissions.actions().keys() - every_type - spare) == []


@pytest.mark.parametrize("role", list(trust.SUBJECTS))
def test_the_linter_finds_nothing(role: trust.Role) -> None:
    """A call on several things, each with its own condition, is spread over statements: the linter looks at one."""
    found = []
    for name, policy in permissions.policies(role, HERE).items():
        for each in analyze_policy_string(json.dumps(policy)).findings:
            if each.issue == "UNKNOWN_ACTION" and any(new in str(each.detail) for new in NEWER):
                continue
            if each.issue == "RESOURCE_MISMATCH" and all(elsewhere(role, one) for one in each.detail):
                continue
            found.append(f"{name}: {each.issue} {each.detail}")
    assert found == []


def elsewhere(role: trust.Role, wanted: Mapping[str, str]) -> bool:
    """Whether another statement allows that action on things of that form."""
    form = wanted["required_format"]
    return any(
        wanted["action"] in statement["Action"] and any(is_arn_match("", form, arn) for arn in statement["Resource"])
        for statement in statements(role)
    )


@pytest.mark.parametrize("role", list(trust.SUBJECTS))
def test_no_action_is_a_pattern_and_no_write_is_on_everything_without_a_condition(role: trust.Role) -> None:
    for statement in statements(role):
        assert not [action for action in statement["Action"] if "*" in action]
        if "*" in statement["Resource"] and not statement.get("Condition"):
            assert {level(action) for action in statement["Action"]} <= {"List", "Read"}, statement["Sid"]


def test_the_role_preview_only_reads() -> None:
    levels = {action: level(action) for action in allowed("preview") if action != "kms:Decrypt"}
    assert {action for action, found in levels.items() if found not in ("List", "Read")} == set()
    assert not {"secretsmanager:GetSecretValue", "ssm:GetParametersByPath", "sts:AssumeRole"} & allowed("preview")


def test_the_role_push_reaches_the_stacks_repositories_alone_and_all_of_them() -> None:
    by_name = {statement["Sid"]: statement for statement in statements("push")}
    assert set(by_name) == {"SignIn", "Push"}
    assert by_name["SignIn"]["Action"] == ["ecr:GetAuthorizationToken"]
    arns = by_name["Push"]["Resource"]
    names = {arn.partition(":repository/signalink-eks-images/")[2] for arn in arns}
    assert names == {image.repository for image in images.load() if image.runs}


def test_everything_but_reading_is_bound_to_the_stack_or_the_region() -> None:
    """By the stack's tag, its names, the region, a list of services or of policies."""
    free = []
    for statement in statements("deploy"):
        bound = json.dumps(statement.get("Condition", {}))
        writes = [action for action in statement["Action"] if level(action) not in ("List", "Read")]
        named = all(
            "signalink-eks" in arn or "secret:rds!" in arn or "acme-state" in arn for arn in statement["Resource"]
        )
        if writes and not bound.strip("{}") and not named:
            free.append(statement["Sid"])
    assert sorted(free) == [
        "NamedApigateway", "NamedKms", "NamedRoute53", "ResolveEndpoints", "Secrets", "StartFromAnyImage",
        "UsualParameters",
    ]  # fmt: skip


def test_a_role_of_another_stack_can_be_neither_handed_on_nor_changed() -> None:
    for statement in statements("deploy"):
        if [
            action
            for action in statement["Action"]
            if action.startswith("iam:") and level(action) not in ("List", "Read")
        ]:
            assert not [
                arn for arn in statement["Resource"] if fnmatchcase("arn:aws:iam::123456789012:role/admin", arn)
            ]


def test_what_the_program_attaches_may_be_attached_and_nothing_else() -> None:
    attached = {
        each.inputs["policyArn"].rpartition(":policy/")[2]
        for stack in STACKS
        for each in graph(stack)
        if each.type.endswith(":RolePolicyAttachment")
    }
    assert attached <= set(permissions.ATTACHABLE)
    assert "AdministratorAccess" not in permissions.ATTACHABLE


def test_kafka_may_make_the_endpoint_that_only_it_tags() -> None:
    """As AmazonMSKFullAccess has it: the call comes with MSK's tags and not with the stack's."""
    arn = "arn:aws:ec2:us-east-1:123456789012:vpc-endpoint/*"
    made = [each for each in statements("deploy") if "ec2:CreateVpcEndpoint" in each["Action"]]
    asked = [each["Condition"] for each in made if arn in each["Resource"]]
    assert {"aws:RequestTag/AWSMSKManaged": "true"} in [each.get("StringEquals") for each in asked]
    tagged = [each for each in statements("deploy") if each["Sid"] == "TagEndpointOfKafka"]
    assert [each["Action"] for each in tagged] == [["ec2:CreateTags"]]
    assert tagged[0]["Condition"]["StringEquals"]["ec2:CreateAction"] == "CreateVpcEndpoint"
    network = "arn:aws:ec2:us-east-1:123456789012:vpc/*"
    (ours,) = (each["Condition"] for each in made if network in each["Resource"] and each["Sid"].startswith("Ours"))
    assert ours == {"StringEquals": {"aws:ResourceTag/signalink.dev/stack": "eks"}}, "only in the stack's own network"


@pytest.mark.parametrize("role", list(trust.SUBJECTS))
def test_each_policy_is_short_enough_for_aws_and_ten_are_enough(role: trust.Role) -> None:
    found = permissions.policies(role, HERE)
    assert len(found) <= 10
    for policy in found.values():
        assert len(json.dumps(policy, separators=(",", ":"))) <= permissions.MOST_CHARACTERS


def level(action: str) -> str:
    """`List`, `Read`, `Write`, ... as AWS's own reference says."""
    if action in NEWER:
        return NEWER[action]
    service, _, name = action.partition(":")
    for each in parliament.iam_definition:
        if each["prefix"] == service:
            for privilege in each["privileges"]:
                if privilege["privilege"] == name:
                    return str(privilege["access_level"])
    raise AssertionError(f"{action} is no action")
