"""What every producer promises; run on the real broker and on the memory twin."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass

import pytest

from signalink_core.kafka import reader
from signalink_core.kafka.errors import RecordRefused, TopicMissing
from signalink_core.kafka.memory import MemoryKafka, MemoryProducer
from signalink_core.kafka.producer import KafkaProducer
from signalink_core.kafka.records import Record, StoredRecord, partition_of
from signalink_operator import apply, model
from signalink_operator.adapters.kafka import KafkaTopics
from signalink_stacks.local.testing import Topics

PARTITIONS = 12


@dataclass
class Rig:
    producer: KafkaProducer | MemoryProducer
    read: Callable[[str], Awaitable[list[StoredRecord]]]


def create(topics: Topics, name: str, **config: int | str) -> None:
    manifest = model.Topic.model_validate(
        {
            "apiVersion": model.API_VERSION,
            "kind": "Topic",
            "metadata": {"name": name},
            "spec": {"partitions": PARTITIONS, "config": config},
        }
    )
    (result,) = apply.run([manifest], KafkaTopics(topics.settings("operator")))
    assert result.outcome == "created", result


def memory_rig() -> Rig:
    kafka = MemoryKafka({"messages": PARTITIONS, "analytics": PARTITIONS})

    async def read(topic: str) -> list[StoredRecord]:
        return kafka.read(topic)

    return Rig(MemoryProducer(kafka), read)


def real_rig(topics: Topics) -> Rig:
    create(topics, "messages")
    create(topics, "analytics")

    async def read(topic: str) -> list[StoredRecord]:
        return await reader.read_topic(topics.settings("prober"), topic)

    return Rig(KafkaProducer(topics.settings("relay")), read)


@pytest.fixture(params=["memory", pytest.param("kafka", marks=pytest.mark.engine("kafka"))])
async def rig(request: pytest.FixtureRequest) -> AsyncIterator[Rig]:
    made = memory_rig() if request.param == "memory" else real_rig(request.getfixturevalue("topics"))
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(made.producer)
        yield made


def numbered(count: int, *, keys: int = 7, topic: str = "messages") -> list[Record]:
    return [Record(topic, f"key-{n % keys}".encode(), str(n).encode()) for n in range(count)]


async def test_every_record_is_there_once_and_in_order_per_key(rig: Rig) -> None:
    records = numbered(1000)
    assert await rig.producer.send_batches(records) == [None] * len(records)
    stored = await rig.read("messages")
    assert len(stored) == len(records)
    for key in {record.key for record in records}:
        assert [r.value for r in stored if r.key == key] == [r.value for r in records if r.key == key]


async def test_order_per_key_holds_across_calls(rig: Rig) -> None:
    for start in range(0, 50, 10):
        await rig.producer.send_batches([Record("messages", b"one", str(n).encode()) for n in range(start, start + 10)])
    assert [r.value for r in await rig.read("messages")] == [str(n).encode() for n in range(50)]


async def test_a_key_decides_the_partition_as_kafkas_own_clients_do(rig: Rig) -> None:
    await rig.producer.send_batches(numbered(40, keys=40))
    for record in await rig.read("messages"):
        assert record.key is not None
        assert record.partition == partition_of(record.key, PARTITIONS)


async def test_headers_come_out_as_they_went_in(rig: Rig) -> None:
    headers = [("ce_id", b"1"), ("traceparent", b"00-aa-bb-01")]
    await rig.producer.send_batches([Record("messages", b"k", b"v", headers)])
    (stored,) = await rig.read("messages")
    assert list(stored.headers) == headers


async def test_records_of_two_topics_go_each_to_its_own(rig: Rig) -> None:
    await rig.producer.send_batches([*numbered(3), *numbered(2, topic="analytics")])
    assert [len(await rig.read("messages")), len(await rig.read("analytics"))] == [3, 2]


async def test_a_record_too_large_is_refused_and_its_neighbours_arrive(rig: Rig) -> None:
    records = [Record("messages", b"k", value) for value in (b"before", b"x" * 1_200_000, b"after", b"last")]
    outcomes = await rig.producer.send_batches(records)
    assert isinstance(outcomes[1], RecordRefused)
    assert [outcomes[0], *outcomes[2:]] == [None, None, None]
    assert [r.value for r in await rig.read("messages")] == [b"before", b"after", b"last"]


async def test_an_unknown_topic_fails_its_own_records_alone(rig: Rig) -> None:
    outcomes = await rig.producer.send_batches([Record("presence", b"k", b"v"), Record("messages", b"k", b"v")])
    assert isinstance(outcomes[0], TopicMissing)
    assert outcomes[1] is None


async def test_nothing_to_send_is_no_error(rig: Rig) -> None:
    assert await rig.producer.send_batches([]) == []


async def test_probe_says_that_kafka_answers(rig: Rig) -> None:
    assert await rig.producer.probe() is None


async def test_stopping_twice_and_before_the_first_call_is_safe(rig: Rig) -> None:
    await rig.producer.stop()
    await rig.producer.stop()
    await rig.producer.start()
    assert await rig.producer.send_batches(numbered(1)) == [None]
