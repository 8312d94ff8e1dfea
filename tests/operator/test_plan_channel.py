"""The pure decision about one channel: a table, and the algebra (apply then plan = nothing) over the twins."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from operatorworld import CRDS, resource

from signalink_operator.model import LABEL_CHANNEL, ChannelSpec, Failure, Key, ObservedChannel, Resource
from signalink_operator.plans import channel_status, status
from signalink_operator.plans import intent as intents
from signalink_operator.plans.channel import DropTopic, EditTopic, MakeTopic, merge_patch, plan_channel
from signalink_operator.testing import Platform

OPENAPI = Path(__file__).resolve().parents[2] / "docs" / "api" / "openapi.json"
OWN = Key("Topic", "default", "general")
READY = {"type": "Ready", "status": "True", "reason": "Reconciled", "message": "fine"}
MADE = {"topicName": "general", "topicId": "id-1", "conditions": [READY]}
SEEN = ObservedChannel("id-1", "general", 2)


def channel(spec: dict[str, Any] | None = None, **more: Any) -> Resource:
    return resource("general", kind="Channel", uid="uid-channel", spec=spec or {}, **more)


def topic(name: str = "general", **more: Any) -> Resource:
    given = {"status": MADE, "owners": ("uid-channel",), "labels": {LABEL_CHANNEL: "general"}}
    return resource(name, **(given | more))


def planned(one: Resource, *topics: Resource, carried: frozenset[str] = frozenset()) -> Any:
    spec = ChannelSpec.model_validate(one.spec)
    return plan_channel(one, spec, {each.key.name: each for each in topics}, carried)


def test_the_document_is_whole_and_in_the_words_of_the_api() -> None:
    spec = {
        "displayName": "General",
        "visibility": "Public",
        "members": [{"user": "ana", "role": "Owner"}, {"user": "ben"}],
        "membersPolicy": "Exact",
        "quota": {"messagesPerSecond": 5},
    }
    assert planned(channel(spec)).document == {
        "managed_by": "default/default/general",
        "adopt": False,
        "display_name": "General",
        "description": None,
        "visibility": "public",
        "members": [{"user": "ana", "role": "owner"}, {"user": "ben", "role": "member"}],
        "members_policy": "exact",
        "quota": {"messages_per_second": 5, "slow_mode_seconds": None, "retention_days": None, "max_members": None},
        "event_topic": None,
    }


def test_c09_adopting_is_asked_for_until_the_channel_is_had() -> None:
    adopting = {"annotations": {"signalink.dev/adopt": "true"}}
    assert planned(channel(**adopting)).document["adopt"] is True
    assert planned(channel(status={"channelId": "id-1"}, **adopting)).document["adopt"] is False


def test_c05_a_topic_of_that_name_is_made_with_the_label_and_only_the_labels_that_are_selected_by() -> None:
    asked = channel({"topic": {"partitions": 3}}, labels={"team": "a", "app": "x"})
    plan = planned(asked, carried=frozenset({"team"}))
    wanted = {"partitions": 3, "deletionPolicy": "Retain", "clusterRef": "default"}
    assert plan.actions == (MakeTopic(OWN, wanted, {"team": "a", LABEL_CHANNEL: "general"}),)
    assert (plan.topic.status, plan.topic.reason, plan.event_topic) == ("Unknown", "Pending", None)


def test_c05_the_topic_in_kafka_has_the_channels_slug() -> None:
    (action,) = planned(channel({"slug": "all-hands", "topic": {}})).actions
    assert (action.key.name, action.spec["topicName"]) == ("general", "all-hands")


def test_c05_the_events_go_to_a_topic_that_kafka_has_and_to_no_other() -> None:
    wanted = {"deletionPolicy": "Retain", "clusterRef": "default"}
    asked = channel({"topic": {}})
    assert planned(asked, topic(spec=wanted)).event_topic == "general"
    assert planned(asked, topic(spec=wanted, status={"topicName": "general"})).event_topic is None
    assert planned(channel({"topicRef": "other"}), topic("other", owners=())).event_topic == "general"


def test_c05_a_topic_that_was_changed_by_hand_is_put_back_and_one_of_somebody_else_is_left_alone() -> None:
    changed = topic(
        spec={"deletionPolicy": "Delete", "clusterRef": "default", "config": {"retention.ms": 1}}, labels={}
    )
    (action,) = planned(channel({"topic": {"partitions": 2}}), changed).actions
    assert action == EditTopic(
        OWN,
        {
            "spec": {"config": None, "partitions": 2, "deletionPolicy": "Retain"},
            "metadata": {"labels": {LABEL_CHANNEL: "general"}},
        },
    )
    theirs = planned(channel({"topic": {}}), topic(owners=()))
    assert (theirs.actions, theirs.topic.reason, theirs.event_topic) == ((), "ResourceConflict", None)


def test_c05_a_topic_that_is_not_asked_for_any_more_goes_unless_it_is_referred_to() -> None:
    assert planned(channel(), topic(uid="u")).actions == (DropTopic(OWN, "u"),)
    assert planned(channel({"topicRef": "general"}), topic()).actions == ()
    assert planned(channel(), topic(owners=())).actions == ()


@pytest.mark.parametrize("name", ["messages", "dlq.messages"])
def test_a_topic_of_the_platform_takes_no_events_of_one_channel(name: str) -> None:
    made = planned(channel({"slug": name, "topic": {}}))
    referred = planned(channel({"topicRef": "other"}), topic("other", status={**MADE, "topicName": name}))
    for plan in (made, referred):
        assert (plan.actions, plan.topic.reason, plan.event_topic) == ((), "PlatformTopic", None)


def test_a_topic_that_nobody_has_is_said_with_its_name() -> None:
    plan = planned(channel({"topicRef": "gone"}))
    assert (plan.topic.reason, "default/gone" in plan.topic.message) == ("TopicNotFound", True)


# -- what the status says ------------------------------------------------------------------------------------------


def said(one: Resource, outcome: ObservedChannel | Failure, *topics: Resource) -> dict[str, tuple[str, str]]:
    found = channel_status.managed(one, planned(one, *topics), outcome)
    return {condition.type: (condition.status, condition.reason) for condition in found}


def test_c06_a_topic_that_is_not_ready_is_said_with_its_reason_and_the_channel_works() -> None:
    broken = topic("other", status={"conditions": [{**READY, "status": "False", "reason": "InvalidReplicas"}]})
    one = channel({"topicRef": "other"})
    assert said(one, SEEN, broken) == {
        "Ready": ("False", "TopicNotReady"),
        "TopicReady": ("False", "InvalidReplicas"),
        "MembersResolved": ("True", "AllKnown"),
    }
    (ready, *_) = channel_status.managed(one, planned(one, broken), SEEN)
    assert "The channel works; its topic does not (InvalidReplicas)" in ready.message


def test_c03_unknown_users_are_named_up_to_ten_and_the_channel_is_ready() -> None:
    outcome = ObservedChannel("id", "general", 1, unresolved=tuple(f"u{n}" for n in range(12)))
    assert said(channel(), outcome)["MembersResolved"] == ("False", "UnknownUsers")
    text = channel_status.managed(channel(), planned(channel()), outcome)[1].message
    assert ("u9 and 2 more" in text, "u10" in text) == (True, False)
    assert said(channel(), outcome)["Ready"] == ("True", "Reconciled")


def test_c02_the_last_owner_that_was_kept_is_a_warning() -> None:
    assert said(channel(), ObservedChannel("id", "general", 1, kept_owner=True))["Warning"] == ("True", "LastOwnerKept")


def test_c10_an_api_that_does_not_answer_is_unknown_and_what_was_known_of_members_stays() -> None:
    known = {"type": "MembersResolved", "status": "False", "reason": "UnknownUsers", "message": "x"}
    one = channel(status={"conditions": [known]})
    assert said(one, Failure("ApiUnavailable", "after 3 ms")) == {
        "Ready": ("Unknown", "ApiUnavailable"),
        "MembersResolved": ("False", "UnknownUsers"),
    }
    assert channel_status.facts("general", Failure("ApiUnavailable", "")) == {}


def test_a_topic_that_was_asked_for_a_moment_ago_is_no_event() -> None:
    one = channel({"topic": {}})
    conditions = channel_status.managed(one, planned(one), SEEN)
    assert conditions[0].reason == "Pending"
    assert status.notes(one, conditions) == []
    told = channel({"topic": {}}, status=status.patch(one, conditions, {}, "2026-01-01T00:00:00Z"))
    wanted = {"deletionPolicy": "Retain", "clusterRef": "default"}
    made = topic(spec=wanted)
    broken = topic(spec=wanted, status={"conditions": [{**READY, "status": "False", "reason": "InvalidReplicas"}]})
    assert status.notes(told, channel_status.managed(told, planned(told, made), SEEN)) == []
    assert len(status.notes(told, channel_status.managed(told, planned(told, broken), SEEN))) == 2


# -- what a Channel may say ----------------------------------------------------------------------------------------

WRONG = [
    {"slug": "A"},
    {"slug": "-a"},
    {"slug": "a" * 81},
    {"visibility": "Secret"},
    {"members": [{"user": "a b"}]},
    {"members": [{"user": "ana"}, {"user": "Ana"}]},
    {"members": [{"user": "ana", "role": "Admin"}]},
    {"membersPolicy": "Exact"},
    {"membersPolicy": "Exact", "members": [{"user": "ana"}]},
    {"members": [{"user": "ana"}, {"user": "ben"}], "quota": {"maxMembers": 1}},
    {"topic": {}, "topicRef": "x"},
    {"topic": {"replicas": 1, "config": {"min.insync.replicas": 2}}},
    {"quota": {"messagesPerSecond": 0}},
    {"deletionPolicy": "Burn"},
    {"colour": "red"},
]


@pytest.mark.parametrize("spec", WRONG, ids=map(json.dumps, WRONG))
def test_what_the_definition_would_refuse_the_operator_refuses_too(spec: dict[str, Any]) -> None:
    decided = intents.decide(channel(spec), None)
    assert (decided.step, decided.conditions[0].reason) == ("hold", "InvalidSpec")


POLICIES = [
    ("Retain", [], "manage", "keep"),
    ("Archive", [], "manage", "place"),
    ("Delete", [], "manage", "place"),
    ("Retain", ["signalink.dev/channel"], "manage", "drop"),
]


@pytest.mark.parametrize(("policy", "placed", "step", "finalizer"), POLICIES)
def test_t09_the_finalizer_follows_the_policy(policy: str, placed: list[str], step: str, finalizer: str) -> None:
    decided = intents.decide(channel({"deletionPolicy": policy}, finalizers=placed), None)
    assert (decided.step, decided.finalizer) == (step, finalizer)


def test_t15_a_channel_and_a_topic_of_one_name_are_no_conflict_and_two_channels_are() -> None:
    other = Key("Channel", "team-a", "older")
    decided = intents.decide(channel({"slug": "general"}), other)
    assert decided.conditions[0].reason == "ResourceConflict"
    assert "Channel general belongs to team-a/older" in decided.conditions[0].message


def test_c11_the_roles_are_those_of_the_api() -> None:
    definition = yaml.safe_load((CRDS / "channels.yaml").read_text(encoding="utf-8"))
    spec = definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]
    ours = {role.lower() for role in spec["members"]["items"]["properties"]["role"]["enum"]}
    schemas = json.loads(OPENAPI.read_text(encoding="utf-8"))["components"]["schemas"]
    assert ours == set(schemas["MemberRequest"]["properties"]["role"]["enum"])


# -- the algebra ---------------------------------------------------------------------------------------------------

USERS = st.sampled_from(["ana", "ben", "cleo", "nobody"])
ROLES = st.sampled_from(["Owner", "Moderator", "Member", "Reader"])
MEMBERS = st.dictionaries(USERS, ROLES).map(lambda found: [{"user": u, "role": r} for u, r in found.items()])
CONFIGS = st.dictionaries(st.sampled_from(["retention.ms", "segment.bytes"]), st.integers(1, 5))
SHAPES = st.fixed_dictionaries(
    {},
    optional={
        "partitions": st.integers(1, 4),
        "config": CONFIGS,
        "deletionPolicy": st.sampled_from(["Retain", "Delete"]),
    },
)


def sensible(spec: dict[str, Any]) -> bool:
    owner = any(one["role"] == "Owner" for one in spec.get("members", []))
    return (spec.get("membersPolicy") != "Exact" or owner) and not ("topic" in spec and "topicRef" in spec)


SPECS = st.fixed_dictionaries(
    {},
    optional={
        "displayName": st.sampled_from(["One", "Two"]),
        "visibility": st.sampled_from(["Private", "Public"]),
        "members": MEMBERS,
        "membersPolicy": st.sampled_from(["Ensure", "Exact"]),
        "quota": st.fixed_dictionaries({"messagesPerSecond": st.integers(1, 9)}),
        "topic": SHAPES,
        "topicRef": st.sampled_from(["general", "other"]),
    },
).filter(sensible)


def carried_out(one: Resource, topics: dict[str, Resource]) -> dict[str, Resource]:
    """The Topic resources after the plan's actions, as the API server would have them."""
    after = dict(topics)
    for action in planned(one, *topics.values()).actions:
        name = action.key.name
        match action:
            case MakeTopic():
                after[name] = topic(name, spec=dict(action.spec), labels=dict(action.labels), status={})
            case EditTopic():
                old = after[name]
                labels = {**old.labels, **action.patch.get("metadata", {}).get("labels", {})}
                spec = merged(old.spec, action.patch.get("spec", {}))
                after[name] = topic(name, spec=spec, labels=labels)
            case DropTopic():
                del after[name]
    return after


def merged(target: Any, patch: Any) -> Any:
    if not isinstance(patch, dict):
        return patch
    result = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = merged(result.get(key), value)
    return result


@given(SPECS, SPECS)
def test_t19_a_plan_that_was_carried_out_leaves_nothing_to_do(before: dict[str, Any], after: dict[str, Any]) -> None:
    platform, topics = Platform(), {}
    for spec in (before, after):
        one = channel(spec)
        topics = carried_out(one, topics)
        plan = planned(one, *topics.values())
        assert plan.actions == ()
        platform.put("general", plan.document)
        again = platform.put("general", planned(one, *topics.values()).document)
        assert again["changed"] is False


@given(SPECS, SPECS)
def test_c02_nobody_is_removed_by_ensure_and_an_owner_is_always_left(
    before: dict[str, Any], after: dict[str, Any]
) -> None:
    platform = Platform()
    platform.put("general", planned(channel(before)).document)
    had = dict(platform.channels["general"].members)
    platform.put("general", planned(channel(after)).document)
    has = platform.channels["general"].members
    if after.get("membersPolicy") != "Exact":
        assert set(had) <= set(has)
    assert "owner" not in had.values() or "owner" in has.values()


DOCUMENTS = st.recursive(
    st.integers() | st.text("ab", max_size=2), lambda inner: st.dictionaries(st.text("ab", max_size=2), inner)
)


@given(st.dictionaries(st.text("ab"), DOCUMENTS), st.dictionaries(st.text("ab"), DOCUMENTS))
def test_a_merge_patch_leads_from_one_document_to_the_other(before: dict[str, Any], after: dict[str, Any]) -> None:
    assert merged(before, merge_patch(before, after)) == after
    assert (merge_patch(before, after) == {}) == (before == after)
