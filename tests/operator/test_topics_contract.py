"""What the operator may rely on about Kafka's topics: one suite on the twin in memory and on a real broker."""

import asyncio
from pathlib import Path

import pytest

from signalink_core.testing import eventually
from signalink_operator.adapters import kafka as adapter
from signalink_operator.kinds.topics import Topics as TopicsPort
from signalink_operator.model import Failure, ObservedTopic
from signalink_operator.plans.topic import CreateTopic, DeleteConfig, DeleteTopic, GrowPartitions, Plan, SetConfig
from signalink_operator.testing import MemoryTopics
from signalink_stacks.local.engines import KafkaEngine
from signalink_stacks.local.testing import Topics
from signalink_stacks.local.testing.brokers import Brokers

ABSENT = "presence"


@pytest.fixture(params=["memory", pytest.param("kafka", marks=pytest.mark.engine("kafka"))])
def port(request: pytest.FixtureRequest) -> TopicsPort:
    if request.param == "memory":
        return MemoryTopics()
    topics: Topics = request.getfixturevalue("topics")
    return adapter.KafkaTopics(topics.settings("operator"))


def seen(port: TopicsPort, name: str = "messages") -> ObservedTopic:
    found = port.observe([name])[name]
    assert isinstance(found, ObservedTopic)
    return found


def own(topic: ObservedTopic) -> dict[str, str | None]:
    return {key: entry.value for key, entry in topic.config.items() if entry.own}


def comes_to_own(port: TopicsPort, config: dict[str, str]) -> None:
    """A broker shows what its controller took a moment later."""
    asyncio.run(eventually(lambda: own(seen(port)) == config))


def test_what_is_not_there_is_none_beside_what_is(port: TopicsPort) -> None:
    port.act({"messages": Plan((CreateTopic(2, None, {}),))})
    found = port.observe(["messages", ABSENT])
    assert isinstance(found["messages"], ObservedTopic)
    assert found[ABSENT] is None


def test_a_topic_that_was_made_is_described_at_once_with_its_id(port: TopicsPort) -> None:
    acted = port.act({"messages": Plan((CreateTopic(3, 1, {"retention.ms": "1000"}),))})
    made = acted["messages"]
    assert isinstance(made, ObservedTopic)
    assert (made.partitions, made.replicas, made.topic_id) == (3, 1, seen(port).topic_id)
    assert own(seen(port)) == {"retention.ms": "1000"}


def test_settings_are_put_and_taken_off_one_by_one_and_partitions_grow(port: TopicsPort) -> None:
    port.act({"messages": Plan((CreateTopic(1, 1, {"retention.ms": "1000", "segment.bytes": "1048576"}),))})
    plan = Plan((GrowPartitions(2), SetConfig({"cleanup.policy": "compact"}), DeleteConfig(("retention.ms",))))
    grown = port.act({"messages": plan})["messages"]
    assert isinstance(grown, ObservedTopic)
    assert grown.partitions == 2
    comes_to_own(port, {"segment.bytes": "1048576", "cleanup.policy": "compact"})


def test_a_deleted_topic_is_gone_and_deleting_it_again_is_no_failure(port: TopicsPort) -> None:
    port.act({"messages": Plan((CreateTopic(1, 1, {}),))})
    first = seen(port).topic_id
    for _ in range(2):
        assert port.act({"messages": Plan((DeleteTopic(),))}) == {}
    asyncio.run(eventually(lambda: port.observe(["messages"])["messages"] is None))
    port.act({"messages": Plan((CreateTopic(1, 1, {}),))})
    assert seen(port).topic_id != first


def test_one_that_fails_hides_no_neighbour_and_carries_kafkas_words(port: TopicsPort) -> None:
    plans = {
        "messages": Plan((CreateTopic(1, 9, {}),)),
        "presence": Plan((CreateTopic(1, 1, {"no.such.key": "1"}),)),
        "analytics": Plan((CreateTopic(1, 1, {}),)),
    }
    acted = port.act(plans)
    assert isinstance(acted["analytics"], ObservedTopic)
    reasons = {name: outcome.reason for name, outcome in acted.items() if isinstance(outcome, Failure)}
    assert reasons == {"messages": "InvalidReplicas", "presence": "InvalidConfig"}
    assert "no.such.key" in str(acted["presence"])


def test_making_what_is_there_and_changing_what_is_not_are_failures_that_pass(port: TopicsPort) -> None:
    port.act({"messages": Plan((CreateTopic(1, 1, {}),))})
    again = port.act({"messages": Plan((CreateTopic(1, 1, {}),)), ABSENT: Plan((GrowPartitions(3),))})
    assert {name: outcome.reason for name, outcome in again.items() if isinstance(outcome, Failure)} == {
        "messages": "AlreadyExists",
        ABSENT: "NotFound",
    }


def test_t24_a_broker_that_waits_for_topics_to_be_made_says_so(port: TopicsPort) -> None:
    assert port.makes_topics_by_itself() is False


@pytest.mark.engine("kafka")
def test_t24_a_broker_that_makes_topics_by_itself_is_known(kafka: Brokers, tmp_path: Path) -> None:
    with KafkaEngine(tmp_path, properties={"auto.create.topics.enable": "true"}) as engine:
        brokers = Brokers(engine)
        assert adapter.KafkaTopics(brokers.settings()).makes_topics_by_itself() is True


@pytest.mark.parametrize(
    "config",
    [
        {"preallocate": "True"},
        {"min.cleanable.dirty.ratio": "0.50"},
        {"retention.ms": "01000"},
        {"cleanup.policy": "compact,delete"},
        {"max.message.bytes": "2000"},
        {"compression.type": "zstd"},
    ],
    ids=["bool", "double", "long", "list", "int", "string"],
)
@pytest.mark.engine("kafka")
def test_t03_each_type_of_setting_lands_and_is_no_drift_afterwards(topics: Topics, config: dict[str, str]) -> None:
    from signalink_operator.model import TopicSpec
    from signalink_operator.plans.topic import plan_topic

    port = adapter.KafkaTopics(topics.settings("operator"))
    spec = TopicSpec(config=config)
    port.act({"messages": plan_topic(spec, None)})
    assert plan_topic(spec, seen(port)) == Plan()
    port.act({"messages": plan_topic(TopicSpec(), seen(port))})
    comes_to_own(port, {})
