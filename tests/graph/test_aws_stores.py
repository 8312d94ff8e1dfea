"""The stores of the stacks on AWS, recorded: volumes, names in grants, what AWS refuses to delete, how it is freed."""

from typing import Any

import pytest
from awsgraphs import ON_EKS, STACKS, Graph, of, recorded, stack

from signalink_stacks.lib.policy import rights


@pytest.mark.parametrize(
    ("gib", "most"), [(20, 100), (13_000, 65_000), (16_384, 65_536), (60_000, 60_000), (65_536, 65_536)]
)
def test_a_volume_of_rds_grows_as_far_as_aws_lets_it(gib: int, most: int) -> None:
    graph = recorded(STACKS["eks-lite"] | {"bindings": {"postgres": {"storageGib": gib}}})
    database = next(each for each in of(graph, "Instance") if each.type.startswith("aws:rds"))
    assert (database.inputs["allocatedStorage"], database.inputs["maxAllocatedStorage"]) == (gib, most)


@pytest.mark.parametrize("name", ON_EKS)
def test_a_prefix_of_topics_stands_in_what_a_role_may_at_msk(name: str) -> None:
    """As in the topics that the operator makes and the groups that services join."""
    prefixed = recorded(STACKS[name] | {"values": {"global": {"topicPrefix": "blue."}}})
    before, after = at_kafka(stack(name)), at_kafka(prefixed)
    assert after.keys() == before.keys() and bool(after) == (name != "eks-lite")
    for role, names in after.items():
        assert names == {"blue." + name for name in before[role]}, role


def at_kafka(graph: Graph) -> dict[str, set[str]]:
    """Role -> names of topics and groups that it may use."""
    found: dict[str, set[str]] = {}
    for each in of(graph, "RolePolicy"):
        for statement in rights.statements(each.inputs["policy"]):
            for arn in statement["Resource"]:
                if ":topic/" in str(arn) or ":group/" in str(arn):
                    found.setdefault(each.name, set()).add(str(arn).rpartition("/")[2])
    return found


GUARDS = {"deletionProtection": True, "enableDeletionProtection": True, "forceDelete": False}
"""Inputs by which AWS, or its provider, refuses to delete something."""


@pytest.mark.parametrize("name", ON_EKS)
def test_a_stack_is_guarded_until_it_is_made_deletable_and_nothing_else_changes(name: str) -> None:
    config = STACKS[name]
    freed = recorded(config | {"aws": config["aws"] | {"deletable": True}})
    assert guards(stack(name)) >= {"postgres-instance", "eks-cluster"}
    assert any(name.startswith("registry-") for name in guards(stack(name)))
    assert guards(freed) == set()
    assert not any(each.protect for each in freed)
    assert without_guards(freed) == without_guards(stack(name))


def guards(graph: Graph) -> set[str]:
    return {each.name for each in graph for key, value in GUARDS.items() if each.inputs.get(key) is value}


def without_guards(graph: Graph) -> dict[str, dict[str, Any]]:
    """URN -> all other inputs."""
    return {each.urn: {key: value for key, value in each.inputs.items() if key not in GUARDS} for each in graph}


@pytest.mark.parametrize("name", ON_EKS)
def test_the_last_snapshot_of_a_stack_has_a_name_of_its_own(name: str) -> None:
    """A second stack of that name has another key, so its last snapshot does not meet the first one's."""
    graph = stack(name)
    database = next(each for each in of(graph, "Instance") if each.type.startswith("aws:rds")).inputs
    key = str(database["kmsKeyId"]).rpartition("/")[2]
    assert database["skipFinalSnapshot"] is False
    assert database["finalSnapshotIdentifier"] == f"signalink-eks-postgres-last-{key.rpartition('-')[2]}"
    (key_made,) = of(graph, "Key")
    assert key_made.inputs["deletionWindowInDays"] == 30
