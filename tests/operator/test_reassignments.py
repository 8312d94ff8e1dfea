"""T06 on a real reassignment that runs: two brokers, of which the second one is down, so that it cannot end."""

import asyncio
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from kafka import KafkaAdminClient, TopicPartition
from signalink_core.kafka import access
from signalink_core.settings import KafkaSettings
from signalink_core.testing import eventually
from signalink_operator import settings
from signalink_operator.adapters import kafka as adapter
from signalink_operator.adapters import reassignments
from signalink_operator.model import ObservedTopic, TopicSpec
from signalink_operator.plans.topic import CreateTopic, Plan, plan_topic
from signalink_stacks.local.engines import KafkaEngine
from signalink_stacks.local.ports import LOOPBACK, free_port
from signalink_stacks.local.testing.brokers import Brokers

pytestmark = pytest.mark.engine("kafka")
DEADLINES = settings.Deadlines(call_seconds=10)


def second_broker(first: KafkaEngine, directory: Path) -> KafkaEngine:
    """A broker without a controller, in the cluster of the first."""
    port = free_port()
    meta = (first.data / "meta.properties").read_text(encoding="utf-8")
    identity = next(line for line in meta.splitlines() if line.startswith("cluster.id="))
    engine = KafkaEngine(
        directory,
        port,
        credentials=first.credentials,
        properties={
            "process.roles": "broker",
            "node.id": "2",
            **dict.fromkeys(("listeners", "advertised.listeners"), f"CLIENT://{LOOPBACK}:{port}"),
            "controller.quorum.voters": f"1@{LOOPBACK}:{first.controller_port}",
        },
    )
    engine.data.mkdir(parents=True)
    name = str(uuid.uuid4())
    lines = ["version=1", identity, "node.id=2", f"directory.id={name[:22].replace('-', 'A')}"]
    (engine.data / "meta.properties").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return engine


@pytest.fixture(scope="module")
def moving(kafka: Brokers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaSettings]:
    """Topic `moves` goes from broker 1 to broker 2, which is known and down; `stays` has one replica and stays."""
    folder = tmp_path_factory.mktemp("two-brokers")
    with KafkaEngine(folder / "one") as first:
        brokers = Brokers(first)
        asyncio.run(access.apply(brokers.settings()))
        operator = brokers.settings("operator")
        made = adapter.KafkaTopics(operator).act(dict.fromkeys(("moves", "stays"), Plan((CreateTopic(1, 1, {}),))))
        assert all(isinstance(one, ObservedTopic) for one in made.values()), made
        with second_broker(first, folder / "two"):
            pass
        admin = KafkaAdminClient(**settings.python_config(brokers.settings()))
        answer = admin.alter_partition_reassignments({TopicPartition("moves", 0): [2]})
        admin.close()
        assert set(answer.values()) == {None}, answer
        yield operator


def test_t06_the_number_that_a_running_reassignment_leads_to_is_accepted_and_another_is_not(
    moving: KafkaSettings,
) -> None:
    port = adapter.KafkaTopics(moving, DEADLINES)

    def both_replicas() -> bool:
        seen = port.observe(["moves"])["moves"]
        return isinstance(seen, ObservedTopic) and seen.replicas == 2

    asyncio.run(eventually(both_replicas))
    for wanted, refused in ((1, False), (2, False), (3, True)):
        seen = port.observe(["moves"], {"moves": wanted})["moves"]
        assert isinstance(seen, ObservedTopic)
        assert bool(plan_topic(TopicSpec(replicas=wanted), seen).refusals) is refused, (wanted, seen)


def test_t06_a_topic_that_does_not_move_has_no_target(moving: KafkaSettings) -> None:
    seen = adapter.KafkaTopics(moving, DEADLINES).observe(["stays", "moves"], {"stays": 3})
    assert [one.target_replicas for one in seen.values() if isinstance(one, ObservedTopic)] == [None, None]


def test_t06_it_is_asked_only_where_the_numbers_differ(moving: KafkaSettings, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[object] = []
    monkeypatch.setattr(reassignments, "targets", lambda *given: asked.append(given) or {})
    adapter.KafkaTopics(moving, DEADLINES).observe(["stays", "gone"], {"stays": 1, "gone": 2})
    assert asked == []


def test_t06_a_broker_that_does_not_let_us_ask_counts_as_none(moving: KafkaSettings) -> None:
    password = moving.password_file.with_name("kafka-analytics") if moving.password_file else None
    stranger = moving.model_copy(update={"user": "analytics", "password_file": password})
    assert reassignments.targets(moving, ["moves"], DEADLINES) == {"moves": 1}
    assert reassignments.targets(stranger, ["moves"], DEADLINES) == {}


def test_t06_a_kafka_that_does_not_answer_counts_as_none_in_time() -> None:
    """In a process of its own: kafka-python leaves a socket behind when it could not connect."""
    code = (
        "from signalink_core.settings import KafkaSettings\nfrom signalink_operator import settings\n"
        "from signalink_operator.adapters import reassignments\n"
        f"nowhere = KafkaSettings(bootstrap='{LOOPBACK}:{free_port()}', security='plaintext')\n"
        "print(reassignments.targets(nowhere, ['t'], settings.Deadlines(call_seconds=0.5)))"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=False)
    assert ran.stdout.splitlines()[-1] == "{}", ran.stderr
