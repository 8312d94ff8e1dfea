"""Finding one record in the partition of its key, bounded; and saying so when Kafka is not there."""

import os
import signal
import time

import pytest

from signalink_core.ids import uuid7
from signalink_core.kafka.errors import KafkaUnavailable, TopicMissing
from signalink_core.kafka.producer import KafkaProducer
from signalink_core.kafka.records import Record, partition_of
from signalink_core.kafka.search import find_record
from signalink_operator import apply
from signalink_operator.adapters import manifests
from signalink_operator.adapters.kafka import KafkaTopics
from signalink_stacks.local.testing import Brokers, Topics

pytestmark = pytest.mark.engine("kafka")
HOUR_MS = 3_600_000


@pytest.fixture
def made(topics: Topics) -> Topics:
    apply.run(manifests.load([manifests.SHIPPED]), KafkaTopics(topics.settings("operator")))
    return topics


async def test_the_record_of_an_event_is_found_among_others_of_its_key(made: Topics) -> None:
    key, events = str(uuid7()).encode(), [uuid7() for _ in range(50)]
    began = int(time.time() * 1000)
    async with KafkaProducer(made.settings("relay")) as producer:
        records = [Record("messages", key, b"{}", [("ce_id", str(event).encode())]) for event in events]
        assert set(await producer.send_batches(records)) == {None}
    settings = made.settings("prober")
    found = await find_record(settings, "messages", key, events[30], since_ms=began - 1000)
    assert (found.topic, found.partition) == (made.name("messages"), partition_of(key, 12))
    assert (found.offset, found.read, found.complete) == (30, 31, True)
    assert found.timestamp_ms is not None
    assert abs(found.timestamp_ms - began) < 60_000

    absent = await find_record(settings, "messages", key, uuid7(), since_ms=began - 1000)
    assert (absent.offset, absent.read, absent.end, absent.complete) == (None, 50, 50, True)
    bounded = await find_record(settings, "messages", key, uuid7(), since_ms=began - 1000, most=10)
    assert (bounded.offset, bounded.complete) == (None, False)
    later = await find_record(settings, "messages", key, events[0], since_ms=began + HOUR_MS)
    assert (later.offset, later.read) == (None, 0)


async def test_a_topic_that_is_not_there_is_named(topics: Topics) -> None:
    with pytest.raises((TopicMissing, KafkaUnavailable)):
        await find_record(topics.settings("prober"), "messages", b"k", uuid7(), since_ms=0, within=3)


async def test_a_broker_that_stands_still_is_given_up_in_time(made: Topics, kafka: Brokers) -> None:
    os.kill(kafka.engine.pid, signal.SIGSTOP)
    began = time.monotonic()
    try:
        with pytest.raises(KafkaUnavailable, match="did not answer within 2 s"):
            await find_record(made.settings("prober"), "messages", b"k", uuid7(), since_ms=0, within=2)
        assert time.monotonic() - began < 6
    finally:
        os.kill(kafka.engine.pid, signal.SIGCONT)
