"""A stack takes over the RDS instance that was restored under the old one's name: what changes in its state."""

import json
from pathlib import Path
from typing import Any

import pytest

from signalink_core.errors import ConfigurationError
from signalink_stacks.delivery import adoption
from signalink_stacks.delivery.adoption import Known

OLD, NEW = "db-OLD", "db-NEW"
INSTANCE: dict[str, Any] = {
    "urn": "urn:pulumi:eks::signalink::aws:rds/instance:Instance::postgres-instance",
    "type": adoption.KIND,
    "id": OLD,
    "inputs": {"identifier": "signalink-eks-postgres"},
    "outputs": {
        "id": OLD,
        "resourceId": OLD,
        "identifier": "signalink-eks-postgres",
        "arn": "arn:aws:rds:eu-central-1:123456789012:db:signalink-eks-postgres",
    },
}
POLICY: dict[str, Any] = {"type": "aws:iam/rolePolicy:RolePolicy", "id": "p", "inputs": {"policy": f"dbuser:{OLD}/api"}}


def state(*resources: dict[str, Any]) -> dict[str, Any]:
    return {"version": 3, "deployment": {"resources": list(resources), "secrets_providers": {"type": "cloud"}}}


def test_the_instance_is_known_by_name_and_region() -> None:
    assert adoption.of(state(POLICY, INSTANCE), "eks") == Known("signalink-eks-postgres", OLD, "eu-central-1")
    replaced = INSTANCE | {"id": "db-GONE", "delete": True}
    assert adoption.of(state(replaced, INSTANCE), "eks").id == OLD


def test_a_stack_that_was_refreshed_too_early_still_finds_the_restored_one() -> None:
    """A refresh writes the lost instance's new name into the state."""
    lost = {"identifier": "signalink-eks-postgres-lost"}
    refreshed = INSTANCE | {"inputs": lost, "outputs": INSTANCE["outputs"] | lost}
    assert adoption.of(state(refreshed), "eks").name == "signalink-eks-postgres"


@pytest.mark.parametrize("resources", [(), (POLICY,), (INSTANCE, INSTANCE)])
def test_a_state_without_one_instance_is_refused(resources: tuple[dict[str, Any], ...]) -> None:
    with pytest.raises(ConfigurationError, match=r"The state of eks has \d instances of RDS, not one"):
        adoption.of(state(*resources), "eks")
    with pytest.raises(ConfigurationError, match="has 0 instances"):
        adoption.of({"version": 3}, "eks")


def test_only_the_instance_is_another_one_and_what_names_it_is_left_to_up() -> None:
    before = state(POLICY, INSTANCE)
    after = adoption.given(before, NEW)
    policy, instance = after["deployment"].pop("resources")
    assert policy == POLICY
    assert instance["id"] == instance["outputs"]["id"] == instance["outputs"]["resourceId"] == NEW
    assert {**instance, "id": 0, "outputs": 0} == {**INSTANCE, "id": 0, "outputs": 0}
    assert instance["outputs"]["arn"] == INSTANCE["outputs"]["arn"]
    assert after["deployment"] == {"secrets_providers": {"type": "cloud"}}
    assert before == state(POLICY, INSTANCE)


class Backend:
    """A stack's state and what was done with it."""

    stack = "eks"

    def __init__(self) -> None:
        self.state, self.done = state(POLICY, INSTANCE), [""]

    def __call__(self, *words: str) -> str:
        self.done.append(words[1])
        if words[1] == "import":
            self.state = json.loads(Path(words[3]).read_text())
        return json.dumps(self.state)


def test_a_second_time_changes_nothing() -> None:
    backend = Backend()
    said = [adoption.adopt(backend, lambda _: NEW) for _ in range(2)]  # type: ignore[arg-type]
    assert said[0].startswith(
        "signalink-eks-postgres: the stack eks has db-NEW in place of db-OLD. Next: pulumi refresh"
    )
    assert "already; nothing was changed" in said[1]
    assert backend.done == ["", "export", "import", "export"]
