"""Looking on from outside: lag of every group under the prefix, and following topics without a share in any group."""

import pytest
from aiokafka import AIOKafkaConsumer

from signalink_core.kafka import groups
from signalink_core.kafka.errors import KafkaUnavailable
from signalink_core.kafka.follow import Follower
from signalink_core.kafka.producer import KafkaProducer
from signalink_core.kafka.records import Record, StoredRecord, partition_of
from signalink_core.settings import KafkaSettings
from signalink_core.testing import eventually
from signalink_operator import apply
from signalink_operator.adapters import manifests
from signalink_operator.adapters.kafka import KafkaTopics
from signalink_stacks.local.ports import free_port
from signalink_stacks.local.testing import Topics

pytestmark = pytest.mark.engine("kafka")
KEYS = [f"k{number}".encode() for number in range(20)]


@pytest.fixture
def made(topics: Topics) -> Topics:
    apply.run(manifests.load([manifests.SHIPPED]), KafkaTopics(topics.settings("operator")))
    return topics


async def send(made: Topics, *values: bytes) -> None:
    async with KafkaProducer(made.settings("relay")) as producer:
        records = [Record("messages", key, value) for value in values for key in KEYS]
        assert set(await producer.send_batches(records)) == {None}


async def read_some(kafka: KafkaSettings, group: str, count: int) -> None:
    """As a consumer of that group that read `count` records and committed."""
    consumer = AIOKafkaConsumer(
        kafka.topic("messages"),
        **kafka.client_kwargs(),
        group_id=kafka.topic(group),
        enable_auto_commit=False,
        auto_offset_reset="earliest",
    )
    await consumer.start()
    try:
        for _ in range(count):
            await consumer.getone()
        await consumer.commit()
    finally:
        await consumer.stop()


async def test_lag_and_offset_of_a_group_are_what_it_committed_and_what_is_left(made: Topics) -> None:
    await send(made, b"a", b"b")
    await read_some(made.settings("analytics"), "signalink-analytics", 15)
    found = await groups.progress(made.settings("prober"))
    assert {(each.group, each.topic) for each in found} == {("signalink-analytics", "messages")}
    assert sum(each.offset for each in found) == 15
    assert sum(each.lag for each in found) == 2 * len(KEYS) - 15


async def test_groups_of_another_deployment_are_not_shown(made: Topics) -> None:
    await send(made, b"a")
    await read_some(made.settings("analytics"), "signalink-analytics", 1)
    elsewhere = made.brokers.settings("admin", "nobody.")
    assert await groups.progress(elsewhere) == []


async def test_a_broker_that_is_away_is_a_problem_within_the_time_given() -> None:
    nobody = KafkaSettings(bootstrap=f"127.0.0.1:{free_port()}", security="plaintext")
    with pytest.raises(KafkaUnavailable, match="within 1 s"):
        await groups.progress(nobody, within=1.0)


async def test_a_follower_sees_what_was_sent_shortly_before_and_everything_after_in_order(made: Topics) -> None:
    await send(made, b"before")
    seen: list[StoredRecord] = []
    follower = Follower(
        made.settings("prober"), ["messages", "dlq.messages"], seen.append, group="signalink-prober", since_seconds=60
    )
    async with follower:
        await eventually(lambda: follower.caught_up_at is not None and len(seen) == len(KEYS), within=20)
        then = follower.caught_up_at
        await send(made, b"after")
        await eventually(lambda: len(seen) == 2 * len(KEYS), within=20)
        await eventually(lambda: follower.caught_up_at is not None and follower.caught_up_at > (then or 0))
    assert {record.topic for record in seen} == {"messages"}
    for partition in {record.partition for record in seen}:
        offsets = [record.offset for record in seen if record.partition == partition]
        assert offsets == list(range(len(offsets)))
    found = await groups.progress(made.settings("prober"))
    assert {each.group for each in found} == {"signalink-prober"}


async def test_a_follower_from_now_on_sees_nothing_of_before(made: Topics) -> None:
    await send(made, b"before")
    seen: list[StoredRecord] = []
    async with Follower(made.settings("prober"), ["messages"], seen.append, group="signalink-prober") as follower:
        await eventually(lambda: follower.caught_up_at is not None, within=20)
        await send(made, b"after")
        await eventually(lambda: len(seen) == len(KEYS), within=20)
    assert {record.value for record in seen} == {b"after"}


def test_a_key_keeps_its_partition_when_it_is_remembered() -> None:
    """The figures are those of Kafka's own Utils.murmur2, on which the Java client's partitions rest."""
    known = {b"21": -973932308, b"foobar": -790332482, b"a-little-bit-long-string": -985981536}
    for _ in range(2):
        for key, hashed in known.items():
            assert partition_of(key, 12) == (hashed & 0x7FFFFFFF) % 12
