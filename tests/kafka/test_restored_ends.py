"""After a restore: the ends of all topics as who may describe them is told them, and offsets that stand there then."""

import pytest
from consuming import SCHEMA, RealRig, message

from signalink_core.errors import DependencyUnavailable
from signalink_core.ids import uuid7
from signalink_core.kafka import restored
from signalink_core.settings import KafkaSettings

CHANNEL = uuid7()
pytestmark = [pytest.mark.engine("postgres", "kafka"), pytest.mark.timeout(120)]


@pytest.mark.parametrize("principal", ["relay", "operator"])
async def test_ends_are_told_with_the_records_that_are_there(real: RealRig, principal: str) -> None:
    await real.send(*(message(CHANNEL, number) for number in range(1, 8)))
    written = {(one.topic, one.partition): one.offset + 1 for one in await real.read("messages")}
    found = await restored.ends(real.topics.settings(principal))
    assert {place: end for place, end in found.items() if end} == written
    assert sum(written.values()) == 7
    assert sum(1 for topic, _ in found if topic == "presence") == 12
    assert {topic for topic, _ in found} >= {"messages", "notifications", "analytics", "presence", "dlq.messages"}


async def test_a_consumer_of_a_restored_database_does_not_read_what_was_there(real: RealRig) -> None:
    await real.send(*(message(CHANNEL, number) for number in range(1, 8)))
    [partition] = {one.partition for one in await real.read("messages")}
    statement = f"INSERT INTO {SCHEMA}.offsets (consumer_group, topic, partition, next_offset) VALUES ('x', $1, $2, 3)"
    await real.admin.execute(statement, "messages", partition)
    await restored.to_the_end(real.admin, await restored.ends(real.topics.settings("relay")))
    select = f"SELECT next_offset FROM {SCHEMA}.offsets WHERE topic = 'messages' AND partition = $1"
    assert await real.admin.fetchval(select, partition) == 7


async def test_a_broker_that_is_away_is_told() -> None:
    with pytest.raises(DependencyUnavailable, match="Kafka did not tell the ends of its topics within 2 s"):
        await restored.ends(KafkaSettings(bootstrap="127.0.0.1:9", security="plaintext"), within=2.0)
