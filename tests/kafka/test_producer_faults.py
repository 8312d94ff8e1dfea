"""The real producer against a real broker that shrinks, stops, refuses and never answers."""

import asyncio
import contextlib
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from signalink_core import faults
from signalink_core.kafka import access, reader
from signalink_core.kafka.errors import KafkaUnavailable, TopicMissing
from signalink_core.kafka.producer import KafkaProducer
from signalink_core.kafka.records import Record
from signalink_core.settings import KafkaSettings
from signalink_core.testing import eventually
from signalink_operator import apply
from signalink_operator.adapters import manifests
from signalink_operator.adapters.kafka import KafkaTopics
from signalink_stacks.local.engines import KafkaEngine
from signalink_stacks.local.testing import Brokers, Topics

pytestmark = pytest.mark.engine("kafka")


def make_topics(settings: KafkaSettings) -> None:
    apply.run(manifests.load([manifests.SHIPPED]), KafkaTopics(settings))


@pytest.fixture
def own_broker(tmp_path: Path) -> Iterator[Brokers]:
    """A broker of this test alone, to be stopped and started."""
    with KafkaEngine(tmp_path / "kafka") as engine:
        yield Brokers(engine)


def records(count: int, size: int = 10) -> list[Record]:
    return [Record("messages", b"key", str(n).encode().ljust(size, b".")) for n in range(count)]


async def test_batches_shrink_until_a_topic_with_a_small_limit_takes_them(topics: Topics) -> None:
    make_topics(topics.settings("operator"))
    small = manifests.load([manifests.SHIPPED])[0].model_copy(deep=True)
    document = small.model_dump(by_alias=True)
    document["spec"]["config"] = {**document["spec"]["config"], "max.message.bytes": 20_000}
    apply.run([type(small).model_validate(document)], KafkaTopics(topics.settings("operator")))
    sent = records(200, size=1000)
    async with KafkaProducer(topics.settings("relay")) as producer:
        rounds = 0

        async def shrunk() -> bool:  # a broker learns of a topic's new limit a moment after the change was accepted
            nonlocal rounds
            assert await producer.send_batches(sent) == [None] * len(sent)
            rounds += 1
            return producer.dropped > 0

        await eventually(shrunk)
        needed = producer.dropped
        assert await producer.send_batches(sent) == [None] * len(sent)
        assert producer.dropped == needed
    stored = [record.value for record in await reader.read_topic(topics.settings("prober"), "messages")]
    assert stored == [record.value for record in sent] * (rounds + 1)


async def test_a_broker_that_stops_fails_the_call_in_time_and_serves_the_next_after_its_return(
    own_broker: Brokers,
) -> None:
    await access.apply(own_broker.settings())
    await asyncio.to_thread(make_topics, own_broker.settings("operator"))
    async with KafkaProducer(own_broker.settings("relay"), deadline_seconds=3) as producer:
        assert await producer.send_batches(records(5)) == [None] * 5
        await asyncio.to_thread(own_broker.engine.stop)
        began = asyncio.get_running_loop().time()
        outcomes = await producer.send_batches(records(5))
        assert asyncio.get_running_loop().time() - began < 3 + 5
        assert all(isinstance(outcome, KafkaUnavailable) for outcome in outcomes)
        assert isinstance(await producer.probe(), KafkaUnavailable)
        await asyncio.to_thread(own_broker.engine.start)
        async with asyncio.timeout(60):
            while any(await producer.send_batches(records(5))):
                pass
    stored = [record.value for record in await reader.read_topic(own_broker.settings(), "messages")]
    assert len(stored) >= 10
    assert list(dict.fromkeys(stored)) == [record.value for record in records(5)]


async def test_a_black_hole_costs_the_deadline_and_leaves_no_task_behind() -> None:
    async def swallow(inbound: asyncio.StreamReader, outbound: asyncio.StreamWriter) -> None:
        await inbound.read()
        outbound.close()

    async with await asyncio.start_server(swallow, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        settings = KafkaSettings(bootstrap=f"127.0.0.1:{port}", security="plaintext")
        before = asyncio.all_tasks()
        async with KafkaProducer(settings, deadline_seconds=0.5) as producer:
            began = asyncio.get_running_loop().time()
            (outcome,) = await producer.send_batches(records(1))
            assert asyncio.get_running_loop().time() - began < 0.5 + 0.5
            assert isinstance(outcome, KafkaUnavailable)
        # A cancelled task of the client may take one more turn of the loop to end.
        await eventually(lambda: not {task for task in asyncio.all_tasks() - before if "swallow" not in repr(task)})


async def test_a_principal_without_the_right_to_write_is_told_so(topics: Topics) -> None:
    make_topics(topics.settings("operator"))
    async with KafkaProducer(topics.settings("gateway"), deadline_seconds=5) as producer:
        (outcome,) = await producer.send_batches(records(1))
        assert isinstance(outcome, KafkaUnavailable | TopicMissing)
    assert await reader.read_topic(topics.settings("prober"), "messages") == []


async def test_the_fault_point_fails_the_call_and_the_next_one_uses_a_new_client(topics: Topics) -> None:
    make_topics(topics.settings("operator"))
    async with KafkaProducer(topics.settings("relay")) as producer:
        assert await producer.send_batches(records(1)) == [None]
        with faults_on() as faults_here:
            faults_here.put({"point": "kafka.produce", "action": "error", "count": 1})
            (outcome,) = await producer.send_batches(records(1))
            assert isinstance(outcome, KafkaUnavailable)
            assert producer.dropped == 1
            assert await producer.send_batches(records(1)) == [None]


@contextlib.contextmanager
def faults_on() -> Iterator[faults.Faults]:
    faults.here.enabled = True
    try:
        yield faults.here
    finally:
        faults.here.clear()
        faults.here.enabled = False


async def test_reading_a_topic_that_is_not_there_says_so(topics: Topics) -> None:
    with pytest.raises(TopicMissing, match="no topic"):
        await reader.read_topic(topics.settings(), "nowhere")


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    yield
    logging.getLogger("aiokafka").setLevel(logging.NOTSET)
