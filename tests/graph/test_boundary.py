"""A permissions boundary: on every role that a stack makes, and asked for by the policies of the role that deploys."""

import json
from dataclasses import replace
from typing import Any

import pytest
from awsgraphs import STACKS, Graph, of, recorded
from parliament import analyze_policy_string
from test_permissions import HERE

from signalink_core.errors import ConfigurationError
from signalink_stacks.delivery import permissions, trust
from signalink_stacks.lib import chartvalues

BOUNDARY = "arn:aws:iam::123456789012:policy/teams/signalink"
BOUND = replace(HERE, boundary=BOUNDARY)
GIVING = {"iam:CreateRole", "iam:PutRolePolicy", "iam:AttachRolePolicy", "iam:PutRolePermissionsBoundary"}
"""What makes a role able to do something."""


def roles(graph: Graph) -> dict[str, Any]:
    return {each.name: each.inputs.get("permissionsBoundary") for each in of(graph, "Role") if each.type[:4] == "aws:"}


@pytest.mark.parametrize("stack", STACKS)
def test_every_role_of_a_stack_has_the_boundary_that_is_named(stack: str) -> None:
    more = {"aws": {"permissionsBoundary": BOUNDARY}}
    found = roles(recorded(chartvalues.merged(STACKS[stack], more)))
    assert len(found) >= (2 if stack == "aws-lite" else 10)
    assert set(found.values()) == {BOUNDARY}


def test_without_one_no_role_has_any() -> None:
    assert set(roles(recorded(STACKS["aws-lite"])).values()) == {None}


def statements(place: permissions.Place) -> list[dict[str, Any]]:
    return [each for policy in permissions.policies("deploy", place).values() for each in policy["Statement"]]


def test_who_deploys_gives_rights_to_roles_with_the_boundary_alone() -> None:
    giving = [each for each in statements(BOUND) if GIVING & set(each["Action"])]
    assert {action for each in giving for action in each["Action"]} == GIVING
    for each in giving:
        assert each["Condition"]["StringEquals"]["iam:PermissionsBoundary"] == BOUNDARY, each["Sid"]
        assert all(arn.startswith("arn:aws:iam::123456789012:role/signalink-eks") for arn in each["Resource"])
    everything = {action for each in statements(BOUND) for action in each["Action"]}
    assert "iam:DeleteRolePermissionsBoundary" not in everything
    assert not {"iam:CreatePolicyVersion", "iam:CreatePolicy", "iam:SetDefaultPolicyVersion"} & everything


def test_the_boundary_takes_away_nothing_else() -> None:
    def said(place: permissions.Place) -> set[tuple[str, str]]:
        return {(action, arn) for each in statements(place) for action in each["Action"] for arn in each["Resource"]}

    more = {action for action, _ in said(BOUND) - said(HERE)}
    assert more == {"iam:PutRolePermissionsBoundary"}
    less = said(HERE) - said(BOUND)
    assert all(action in GIVING and ":instance-profile/" in arn for action, arn in less), "it is for roles alone"
    made = next(each for each in statements(BOUND) if "iam:CreateRole" in each["Action"])
    assert made["Condition"]["StringEquals"]["aws:RequestTag/signalink.dev/stack"] == "eks"


def test_the_linter_knows_the_bounded_statements_and_each_policy_is_short_enough() -> None:
    found = permissions.policies("deploy", BOUND)
    assert len(found) <= 10
    for policy in found.values():
        assert len(json.dumps(policy, separators=(",", ":"))) <= permissions.MOST_CHARACTERS
    giving = [each for each in statements(BOUND) if GIVING & set(each["Action"])]
    document = json.dumps({"Version": "2012-10-17", "Statement": giving})
    # Of the key iam:PermissionsBoundary the linter's reference says ARN in one place, and String in another.
    issues = {each.issue for each in analyze_policy_string(document).findings} - {"MISMATCHED_TYPE_BUT_USABLE"}
    assert issues == set()
    sids = [each["Sid"] for each in statements(BOUND)]
    assert len(sids) == len(set(sids))


@pytest.mark.parametrize("role", [each for each in trust.SUBJECTS if each != "deploy"])
def test_roles_that_make_none_are_as_they_were(role: trust.Role) -> None:
    assert permissions.policies(role, BOUND) == permissions.policies(role, HERE)


@pytest.mark.parametrize("boundary", ["admin", "arn:aws:iam::123456789012:role/admin", "arn:aws:iam::1:policy/x"])
def test_what_is_no_policy_is_refused(boundary: str) -> None:
    with pytest.raises(ConfigurationError, match="is no boundary"):
        replace(HERE, boundary=boundary)
