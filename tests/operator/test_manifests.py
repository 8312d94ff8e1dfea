"""Manifests: what is accepted, and that each refusal names the place and what is allowed there."""

from pathlib import Path

import pytest

from signalink_core import manifest
from signalink_core.errors import ConfigurationError
from signalink_operator.adapters import manifests

SERVICES = Path(__file__).resolve().parents[2] / "services"
HEAD = "apiVersion: signalink.dev/v1\nkind: Topic\nmetadata: {name: %s}\n"


def write(folder: Path, text: str) -> Path:
    path = folder / "topics.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_the_shipped_manifests_name_every_topic_that_services_write_or_read_and_its_dead_letters() -> None:
    names = [topic.name for topic in manifests.load([manifests.SHIPPED])]
    services = [manifest.load(path) for path in sorted(SERVICES.glob("*/service.toml"))]
    known = {topic for service in services for topic in (*service.produces, *service.consumes)}
    assert len(known) == 4
    assert known == {name for name in names if not name.startswith("dlq.")}
    assert {f"dlq.{name}" for name in known} == {name for name in names if name.startswith("dlq.")}


def test_an_empty_spec_is_a_topic_with_the_brokers_defaults(tmp_path: Path) -> None:
    (topic,) = manifests.load([write(tmp_path, HEAD % "plain" + "spec: {}\n")])
    assert (topic.name, topic.spec.partitions, topic.spec.config) == ("plain", None, {})


def test_the_spec_may_name_the_topic_otherwise_than_the_resource(tmp_path: Path) -> None:
    (topic,) = manifests.load([write(tmp_path, HEAD % "resource" + "spec: {topicName: My.Topic}\n")])
    assert topic.name == "My.Topic"


def test_a_folder_gives_all_its_manifests(tmp_path: Path) -> None:
    for name in ("b", "a"):
        (tmp_path / f"{name}.yaml").write_text(HEAD % name + "spec: {}\n", encoding="utf-8")
    assert [topic.name for topic in manifests.load([tmp_path])] == ["a", "b"]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (HEAD % "t" + "spec: {partition: 3}\n", "spec.partition"),
        (HEAD % "t" + "spec: {partitions: 0}\n", "spec.partitions"),
        (HEAD % "t" + "spec: {partitions: '3'}\n", "spec.partitions"),
        (HEAD % "t" + "spec: {config: {preallocate: true}}\n", "quote booleans"),
        (HEAD % "t" + "spec: {config: {Retention: '1'}}\n", "lower case letters"),
        (HEAD % "t" + "spec: {replicas: 1, config: {min.insync.replicas: 2}}\n", "min.insync.replicas = 2 is above"),
        (HEAD % "t" + "spec: {deletionPolicy: Maybe}\n", "spec.deletionPolicy"),
        (HEAD % "__offsets" + "spec: {}\n", "belong to Kafka"),
        (HEAD % "t" + "spec: {topicName: 'a b'}\n", "1 to 249 characters"),
        (HEAD.replace("Topic", "Tropic") % "t" + "spec: {}\n", "kind"),
        (HEAD.replace("v1", "v2") % "t" + "spec: {}\n", "apiVersion"),
        ("- 1\n", "the document"),
        ("a: [\n", "no YAML"),
        (HEAD % "t" + "spec: {}\n---\n" + HEAD % "t" + "spec: {}\n", "again in"),
        ("", "No Topic document"),
    ],
)
def test_a_wrong_manifest_is_refused_with_the_place_and_the_rule(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(ConfigurationError, match=says) as refusal:
        manifests.load([write(tmp_path, text)])
    assert refusal.value.next_step


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"gone\.yaml cannot be read"):
        manifests.load([tmp_path / "gone.yaml"])
