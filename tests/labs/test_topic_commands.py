"""`signalink get topics` and `signalink apply`: what is shown of real topics, and what a wrong name is answered."""

import pytest

from signalink_core.errors import ConfigurationError, DependencyUnavailable
from signalink_core.settings import KafkaSettings
from signalink_labs.cli import topics as commands
from signalink_operator import settings
from signalink_operator.adapters import kafka
from signalink_operator.plans.topic import CreateTopic, Plan
from signalink_stacks.local.testing import Topics


@pytest.mark.engine("kafka")
def test_topics_are_listed_with_the_settings_that_are_their_own(topics: Topics) -> None:
    client = kafka.KafkaTopics(topics.settings("operator"))
    client.act({"messages": Plan((CreateTopic(3, 1, {"retention.ms": "5"}),)), "a": Plan((CreateTopic(1, 1, {}),))})
    found = commands.observed(client, [])
    assert [commands.as_document(topic) | {"id": ""} for topic in found] == [
        {"name": "a", "id": "", "partitions": 1, "replicas": 1, "config": {}},
        {"name": "messages", "id": "", "partitions": 3, "replicas": 1, "config": {"retention.ms": "5"}},
    ]
    assert commands.table(found).row_count == 2
    assert [topic.name for topic in commands.observed(client, ["messages"])] == ["messages"]
    with pytest.raises(ConfigurationError, match="no topic nowhere"):
        commands.observed(client, ["nowhere"])


def test_kafka_that_is_away_is_said() -> None:
    nowhere = KafkaSettings(bootstrap="127.0.0.1:1", security="plaintext")
    with pytest.raises(DependencyUnavailable, match="KafkaUnavailable"):
        commands.observed(kafka.KafkaTopics(nowhere, settings.Deadlines(call_seconds=0.5)), [])
