"""The resource definitions: structural, bounded, with readable columns; and the same rules as the model has.

That the rules compile and refuse is shown on a real API server; without one, those tests are skipped.
"""

from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
import yaml
from operatorworld import CRDS, Api, real_api, resource

from signalink_operator import model
from signalink_operator.plans import intent

DEFINITIONS = {path.stem: yaml.safe_load(path.read_text(encoding="utf-8")) for path in sorted(CRDS.glob("*.yaml"))}


def nodes(schema: dict[str, Any], where: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    yield where, schema
    for name, inner in schema.get("properties", {}).items():
        yield from nodes(inner, f"{where}.{name}")
    for key in ("items", "additionalProperties"):
        if isinstance(schema.get(key), dict):
            yield from nodes(schema[key], f"{where}[]")


def schema(name: str) -> dict[str, Any]:
    return dict(DEFINITIONS[name]["spec"]["versions"][0]["schema"]["openAPIV3Schema"])


@pytest.mark.parametrize("name", DEFINITIONS)
def test_every_node_has_a_type_and_what_people_write_is_bounded(name: str) -> None:
    for where, node in nodes(schema(name)):
        assert "type" in node or node.get("x-kubernetes-int-or-string"), where
        assert not ("properties" in node and "additionalProperties" in node), where
        if not where.startswith(".spec"):
            continue
        if node.get("type") == "string":
            assert "maxLength" in node or "enum" in node, where
        if node.get("type") == "array":
            assert "maxItems" in node, where
        if "additionalProperties" in node:
            assert "maxProperties" in node, where


@pytest.mark.parametrize("name", DEFINITIONS)
def test_every_rule_has_a_message_for_a_person(name: str) -> None:
    rules = [rule for _, node in nodes(schema(name)) for rule in node.get("x-kubernetes-validations", [])]
    assert rules
    assert all(rule.get("message") for rule in rules)


@pytest.mark.parametrize("name", DEFINITIONS)
def test_kubectl_get_shows_whether_it_is_ready_and_why_not(name: str) -> None:
    columns = [column["name"] for column in DEFINITIONS[name]["spec"]["versions"][0]["additionalPrinterColumns"]]
    assert {"Ready", "Reason", "Age", "Message"} <= set(columns)


def test_the_definition_and_the_model_have_the_same_fields_and_defaults() -> None:
    fields = schema("topics")["properties"]["spec"]["properties"]
    assert set(fields) == {field.alias for field in model.TopicSpec.model_fields.values()}
    spec = model.TopicSpec()
    assert (fields["clusterRef"]["default"], fields["deletionPolicy"]["default"]) == (
        spec.cluster_ref,
        spec.deletion_policy,
    )


@pytest.fixture
async def server() -> AsyncIterator[Api]:
    async with real_api() as api:
        yield api


def test_the_definition_of_channels_and_the_model_have_the_same_fields_defaults_and_bounds() -> None:
    fields = schema("channels")["properties"]["spec"]["properties"]
    assert set(fields) == {field.alias for field in model.ChannelSpec.model_fields.values()}
    spec = model.ChannelSpec().model_dump(by_alias=True)
    for name in ("clusterRef", "visibility", "membersPolicy", "deletionPolicy"):
        assert fields[name]["default"] == spec[name], name
    member = fields["members"]["items"]["properties"]
    assert set(member) == {field.alias for field in model.Member.model_fields.values()}
    assert member["role"]["default"] == model.Member(user="ana").role
    assert set(fields["topic"]["properties"]) == {field.alias for field in model.TopicShape.model_fields.values()}
    quota = model.Quota.model_json_schema(by_alias=True)["properties"]
    for name, found in fields["quota"]["properties"].items():
        (bounds,) = (each for each in quota[name]["anyOf"] if each["type"] == "integer")
        assert (found["minimum"], found["maximum"]) == (bounds["minimum"], bounds["maximum"]), name


def test_the_topic_of_a_channel_has_the_rules_of_a_topic() -> None:
    topic, own = (
        schema("topics")["properties"]["spec"],
        schema("channels")["properties"]["spec"]["properties"]["topic"],
    )
    for name, node in own["properties"].items():
        theirs = topic["properties"][name]
        assert {**node, "description": ""} == {**theirs, "description": ""}, name
    rules = {rule["rule"] for rule in topic["x-kubernetes-validations"]}
    assert {rule["rule"] for rule in own["x-kubernetes-validations"]} <= rules


REFUSED = [
    ({"topicName": "a b"}, "spec.topicName"),
    ({"topicName": "__offsets"}, "belong to Kafka"),
    ({"topicName": ".."}, "belong to Kafka"),
    ({"partitions": 0}, "spec.partitions"),
    ({"partitions": 10001}, "spec.partitions"),
    ({"partitions": "3"}, "spec.partitions"),
    ({"replicas": 101}, "spec.replicas"),
    ({"config": {"Retention": "1"}}, "config keys have lower case letters"),
    ({"config": {"retention.ms": True}}, "spec.config"),
    ({"config": {f"k{n}": 1 for n in range(65)}}, "spec.config"),
    ({"replicas": 1, "config": {"min.insync.replicas": 2}}, "min.insync.replicas is above replicas"),
    ({"replicas": 1, "config": {"min.insync.replicas": "2"}}, "min.insync.replicas is above replicas"),
    ({"deletionPolicy": "Maybe"}, "spec.deletionPolicy"),
]
EDITS = [
    ({"partitions": 3}, {"partitions": 2}, "partitions cannot shrink"),
    ({"partitions": 3}, {"partitions": None}, "partitions cannot shrink"),
    ({"topicName": "a"}, {"topicName": "b"}, "topicName cannot change"),
    ({"topicName": "a"}, {"topicName": None}, "topicName cannot be added or taken away"),
    ({}, {"topicName": "b"}, "topicName cannot be added or taken away"),
    ({}, {"clusterRef": "other"}, "clusterRef cannot change"),
]


async def test_the_api_server_refuses_what_the_rules_refuse_and_says_why(server: Api) -> None:
    for number, (spec, says) in enumerate(REFUSED):
        answer = await server.apply(f"t-{number}", spec)
        assert (answer.status_code, says in answer.text) == (422, True), (spec, answer.text)
    for number, (before, edit, says) in enumerate(EDITS):
        (await server.apply(f"e-{number}", before)).raise_for_status()
        answer = await server.edit(f"e-{number}", {"spec": edit})
        assert (answer.status_code, says in answer.text) == (422, True), (edit, answer.text)
    for number, spec in enumerate(({}, {"partitions": 10000, "replicas": 3, "config": {"min.insync.replicas": 2}})):
        assert (await server.apply(f"good-{number}", spec)).status_code == 201
    long = await server.apply("n" * 250)
    assert (long.status_code, "249 characters" in long.text) == (422, True)


@pytest.mark.parametrize(("spec", "says"), [case for case in REFUSED if "Maybe" not in str(case[0])])
def test_what_the_server_would_refuse_the_operator_refuses_too(spec: dict[str, Any], says: str) -> None:
    decided = intent.decide(resource(spec=spec), None)
    assert decided.conditions[0].reason == "InvalidSpec", says


CHANNELS_REFUSED = [
    ({"slug": "Big"}, "spec.slug"),
    ({"slug": "-a"}, "spec.slug"),
    ({"slug": "a" * 81}, "spec.slug"),
    ({"visibility": "Secret"}, "spec.visibility"),
    ({"members": [{"user": "a b"}]}, "spec.members[0].user"),
    ({"members": [{"user": "ana"}, {"user": "ana"}]}, "Duplicate value"),
    ({"members": [{"user": "ana", "role": "Admin"}]}, "role"),
    ({"members": [{"user": f"u{n}"} for n in range(501)]}, "spec.members"),
    ({"membersPolicy": "Exact"}, "needs a member with role Owner"),
    ({"membersPolicy": "Exact", "members": [{"user": "ana"}]}, "needs a member with role Owner"),
    ({"members": [{"user": "ana"}, {"user": "ben"}], "quota": {"maxMembers": 1}}, "more members than quota.maxMembers"),
    ({"quota": {"messagesPerSecond": 0}}, "messagesPerSecond"),
    ({"quota": {"messagesPerSecond": 1001}}, "messagesPerSecond"),
    ({"topic": {}, "topicRef": "x"}, "exclude each other"),
    ({"topic": {"replicas": 1, "config": {"min.insync.replicas": 2}}}, "min.insync.replicas is above replicas"),
    ({"deletionPolicy": "Burn"}, "spec.deletionPolicy"),
]
CHANNEL_EDITS = [
    ({"slug": "a"}, {"slug": "b"}, "slug cannot change"),
    ({"slug": "a"}, {"slug": None}, "slug cannot be added or taken away"),
    ({}, {"slug": "b"}, "slug cannot be added or taken away"),
    ({}, {"clusterRef": "other"}, "clusterRef cannot change"),
    ({"topic": {"partitions": 3}}, {"topic": {"partitions": 2}}, "partitions cannot shrink"),
]
FULL = {
    "displayName": "n" * 200,
    "description": "d" * 2000,
    "visibility": "Public",
    "members": [{"user": f"user-{n}", "role": "Owner"} for n in range(500)],
    "membersPolicy": "Exact",
    "quota": {"messagesPerSecond": 1000, "slowModeSeconds": 86400, "retentionDays": 36500, "maxMembers": 500},
    "topic": {"partitions": 3, "replicas": 1, "config": {"min.insync.replicas": "1"}, "deletionPolicy": "Delete"},
    "deletionPolicy": "Archive",
}


async def test_the_api_server_refuses_of_channels_what_the_rules_refuse_and_says_why(server: Api) -> None:
    many = server.of("Channel")
    for number, (spec, says) in enumerate(CHANNELS_REFUSED):
        answer = await many.apply(f"c-{number}", spec)
        assert (answer.status_code, says in answer.text) == (422, True), (spec, answer.text)
    for number, (before, edit, says) in enumerate(CHANNEL_EDITS):
        (await many.apply(f"e-{number}", before)).raise_for_status()
        answer = await many.edit(f"e-{number}", {"spec": edit})
        assert (answer.status_code, says in answer.text) == (422, True), (edit, answer.text)
    for number, spec in enumerate(({}, FULL, {"topicRef": "orders"})):
        answer = await many.apply(f"good-{number}", spec)
        assert answer.status_code == 201, answer.text
    long = await many.apply("n" * 81)
    assert (long.status_code, "80 characters" in long.text) == (422, True)
    assert (await many.apply("n" * 81, {"slug": "short"})).status_code == 201
