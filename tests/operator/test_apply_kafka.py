"""`apply` on a real broker with SASL, as the operator: created, then nothing to do, then drift put right."""

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import pytest

from signalink_core.settings import KafkaSettings
from signalink_core.testing import eventually
from signalink_operator import apply, model, settings
from signalink_operator.adapters import kafka, manifests
from signalink_operator.plans.topic import Plan, SetConfig
from signalink_stacks.local.testing import Topics

pytestmark = pytest.mark.engine("kafka")


def command(topics: Topics, *arguments: str) -> subprocess.CompletedProcess[str]:
    kafka_settings = topics.settings("operator")
    environment = {
        **os.environ,
        "SIGNALINK_KAFKA_BOOTSTRAP": kafka_settings.bootstrap,
        "SIGNALINK_KAFKA_USER": str(kafka_settings.user),
        "SIGNALINK_KAFKA_PASSWORD_FILE": str(kafka_settings.password_file),
        "SIGNALINK_KAFKA_SECURITY": kafka_settings.security,
        "SIGNALINK_TOPIC_PREFIX": topics.prefix,
    }
    return subprocess.run(
        [sys.executable, "-m", "signalink_operator", *arguments],
        env=environment,
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )


class Watched(kafka.KafkaTopics):
    """Remembers what it was asked to do."""

    acted: list[str]

    def act(self, plans: dict[str, Plan]) -> dict[str, kafka.Acted]:  # type: ignore[override]
        self.acted = list(plans)
        return super().act(plans)


def manifest(name: str, **spec: object) -> model.Topic:
    return model.Topic.model_validate(
        {"apiVersion": model.API_VERSION, "kind": "Topic", "metadata": {"name": name}, "spec": spec}
    )


def observed(topics: Topics, name: str) -> model.ObservedTopic:
    seen = kafka.KafkaTopics(topics.settings("operator")).observe([name])[name]
    assert isinstance(seen, model.ObservedTopic)
    return seen


def test_the_command_creates_every_topic_and_its_second_run_writes_nothing(topics: Topics) -> None:
    names = [topic.name for topic in manifests.load([manifests.SHIPPED])]
    first = command(topics, "apply")
    assert (first.returncode, first.stdout.splitlines()) == (0, [f"created {name}" for name in names]), first.stderr
    second = command(topics, "apply")
    assert (second.returncode, second.stdout.splitlines()) == (0, [f"unchanged {name}" for name in names])
    again = Watched(topics.settings("operator"))
    apply.run(manifests.load([manifests.SHIPPED]), again)
    assert again.acted == []


def test_t01_partitions_and_settings_land_as_given_and_the_broker_decides_the_rest(topics: Topics) -> None:
    topic = manifest("messages", partitions=12, config={"retention.ms": 60000, "cleanup.policy": "compact,delete"})
    apply.run([topic, manifest("presence")], kafka.KafkaTopics(topics.settings("operator")))
    seen = observed(topics, "messages")
    assert (seen.partitions, seen.replicas) == (12, 1)
    assert {key: entry.value for key, entry in seen.config.items() if entry.own} == {
        "retention.ms": "60000",
        "cleanup.policy": "compact,delete",
    }
    assert observed(topics, "presence").partitions == 1


def test_t02_t03_t04_an_existing_topic_is_adopted_grown_and_its_settings_put_right(topics: Topics) -> None:
    admin = kafka.KafkaTopics(topics.settings("operator"))
    apply.run([manifest("messages", partitions=1, config={"retention.ms": 1000, "segment.bytes": 1048576})], admin)
    (result,) = apply.run([manifest("messages", partitions=3, config={"retention.ms": 2000})], admin)
    assert str(result) == "configured messages"
    assert observed(topics, "messages").partitions == 3

    def own() -> dict[str, str | None]:
        return {key: entry.value for key, entry in observed(topics, "messages").config.items() if entry.own}

    asyncio.run(eventually(lambda: own() == {"retention.ms": "2000"}))


def test_t05_a_shrink_is_refused_and_ends_the_command_with_1(topics: Topics, tmp_path: Path) -> None:
    head = "apiVersion: signalink.dev/v1\nkind: Topic\nmetadata: {name: messages}\nspec: {partitions: %d}\n"
    path = tmp_path / "topics.yaml"
    path.write_text(head % 3)
    assert command(topics, "apply", "-f", str(path)).returncode == 0
    path.write_text(head % 2)
    refused = command(topics, "apply", "-f", str(path))
    assert (refused.returncode, refused.stdout) == (
        1,
        "refused messages: NotSupported: partitions 3 -> 2: no topic can shrink\n",
    )


def test_t07_a_setting_changed_by_hand_is_put_back(topics: Topics) -> None:
    admin, wanted = kafka.KafkaTopics(topics.settings("operator")), manifest("messages", config={"retention.ms": 1000})
    apply.run([wanted], admin)
    admin.act({"messages": Plan((SetConfig({"retention.ms": "7"}),))})

    def is_set_to(value: str) -> bool:
        return observed(topics, "messages").config["retention.ms"].value == value

    asyncio.run(eventually(lambda: is_set_to("7")))  # a broker shows what its controller took a moment later
    (result,) = apply.run([wanted], admin)
    assert result.outcome == "configured"
    asyncio.run(eventually(lambda: is_set_to("1000")))


def test_t17_what_kafka_refuses_is_reported_with_its_words_and_hides_no_neighbour(topics: Topics) -> None:
    results = apply.run(
        [
            manifest("messages", config={"retention.moons": 3}),
            manifest("presence", replicas=9),
            manifest("analytics"),
        ],
        kafka.KafkaTopics(topics.settings("operator")),
    )
    assert [result.outcome for result in results] == ["refused", "refused", "created"]
    assert "retention.moons" in results[0].why
    assert results[1].why.startswith("InvalidReplicas")


def test_kafka_down_costs_the_deadline_and_says_so() -> None:
    nowhere = KafkaSettings(bootstrap="127.0.0.1:1", security="plaintext")
    (result,) = apply.run([manifest("messages")], kafka.KafkaTopics(nowhere, settings.Deadlines(call_seconds=1)))
    assert result.outcome == "refused"
    assert "KafkaUnavailable" in result.why
