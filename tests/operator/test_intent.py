"""What a pass does with a resource before it looks at Kafka: a table, and who of several owns a topic."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from operatorworld import resource

from signalink_operator.model import Key
from signalink_operator.plans import intent
from signalink_operator.plans.intent import RULES, decide

OTHER = Key("Topic", "team-a", "older")
PLACED = {"finalizers": [RULES["Topic"].finalizer]}
DELETE = {"spec": {"deletionPolicy": "Delete"}}
GONE = {"deleted": "2026-01-01T00:00:00Z"}
UNMANAGED = {"annotations": {"signalink.dev/managed": "false"}}
PAUSED = {"annotations": {"signalink.dev/paused": "true"}}
FORCED = {"annotations": {"signalink.dev/force-release": "true"}}
CASES = [
    ("as usual", {}, "manage", "keep"),
    ("T09 Delete: the finalizer comes first", DELETE, "manage", "place"),
    ("T09 Delete, placed", DELETE | PLACED, "manage", "keep"),
    ("T09 turned Retain", PLACED, "manage", "drop"),
    ("T10 Retain, deleted", GONE, "hold", "keep"),
    ("T10 Delete, deleted", DELETE | PLACED | GONE, "delete", "drop"),
    ("T10 turned Retain, then deleted", PLACED | GONE, "release", "drop"),
    ("T11 released by hand", DELETE | PLACED | GONE | FORCED, "release", "drop"),
    ("T12 unmanaged", UNMANAGED, "hold", "keep"),
    ("T12 unmanaged with a finalizer", UNMANAGED | PLACED, "hold", "drop"),
    ("T12 unmanaged, deleted", DELETE | PLACED | GONE | UNMANAGED, "release", "drop"),
    ("T13 paused", PAUSED, "hold", "keep"),
    ("T13 paused, deleted", DELETE | PLACED | GONE | PAUSED, "delete", "drop"),
    ("T16 renamed", {"spec": {"topicName": "new"}, "status": {"topicName": "old"}}, "hold", "keep"),
    ("T17 illegal name", {"spec": {"topicName": "a b"}}, "hold", "keep"),
    ("T17 no such field", {"spec": {"partition": 1}}, "hold", "keep"),
]


@pytest.mark.parametrize(("document", "step", "finalizer"), [case[1:] for case in CASES], ids=[c[0] for c in CASES])
def test_the_step_follows_from_the_resource_alone(document: dict[str, object], step: str, finalizer: str) -> None:
    decided = decide(resource(**document), None)
    assert (decided.step, decided.finalizer) == (step, finalizer)


def test_t15_the_younger_of_two_is_told_who_has_the_topic_and_deletes_nothing() -> None:
    decided = decide(resource(**DELETE), OTHER)
    assert decided.step == "hold"
    assert (decided.conditions[0].reason, "team-a/older" in decided.conditions[0].message) == ("ResourceConflict", True)
    assert decide(resource(**DELETE | PLACED | GONE), OTHER).step == "release"


def test_t09_the_switch_takes_finalizers_off_and_deletes_nothing_anywhere() -> None:
    assert decide(resource(**DELETE), None, finalizers=False).finalizer == "keep"
    assert decide(resource(**DELETE | PLACED), None, finalizers=False).finalizer == "drop"
    assert decide(resource(**DELETE | PLACED | GONE), None, finalizers=False).step == "release"


def test_t16_a_renamed_resource_keeps_its_claim_on_the_old_topic() -> None:
    renamed = resource(spec={"topicName": "new"}, status={"topicName": "old"})
    assert intent.claim(renamed) == "old"
    assert "old -> new" in decide(renamed, renamed.key).conditions[0].message


def test_t12_an_unmanaged_resource_claims_nothing_and_forgets_its_topic() -> None:
    unmanaged = resource(**UNMANAGED)
    assert intent.claim(unmanaged) is None
    assert decide(unmanaged, None).forgets


RANKS = st.tuples(st.sampled_from(["2026-01-01", "2026-01-02"]), st.sampled_from("ab"), st.sampled_from("xyz"))


@given(st.lists(RANKS))
def test_t15_the_owner_is_the_oldest_then_by_namespace_then_by_name(ranks: list[tuple[str, str, str]]) -> None:
    found = [resource(name=name, namespace=space, created=when) for when, space, name in ranks]
    random.Random(1).shuffle(found)
    owner = intent.owner(found)
    assert (owner.age_rank if owner else None) == min(ranks, default=None)


@given(
    st.sampled_from([DELETE, {}, {"spec": {"deletionPolicy": "Maybe"}}]),
    st.sampled_from([PLACED, {}]),
    st.sampled_from([UNMANAGED, PAUSED, FORCED, {}]),
    st.sampled_from([GONE, {}]),
    st.booleans(),
    st.booleans(),
)
def test_a_topic_goes_only_with_its_managed_owner_that_said_delete(
    policy: dict[str, object],
    placed: dict[str, object],
    annotated: dict[str, object],
    gone: dict[str, object],
    mine: bool,
    on: bool,
) -> None:
    decided = decide(resource(**policy | placed | annotated | gone), None if mine else OTHER, on)
    may = policy == DELETE and placed and gone and mine and on and annotated not in (UNMANAGED, FORCED)
    assert (decided.step == "delete") == bool(may)
