"""A relay process on the real broker, killed while it copies channels to topics of their own, one of them missing."""

import signal
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from signalink_core.kafka import reader
from signalink_core.testing import eventually
from signalink_operator import apply
from signalink_operator.adapters import manifests
from signalink_operator.adapters.kafka import KafkaTopics
from signalink_stacks.local.testing import Topics

pytestmark = [pytest.mark.engine("postgres", "kafka", "valkey"), pytest.mark.timeout(180)]
TOPIC = """apiVersion: signalink.dev/v1
kind: Topic
metadata: {{name: {name}}}
spec: {{partitions: {partitions}, replicas: 1}}
"""


@pytest.fixture
def make_topic(made_topics: Topics, tmp_path: Path) -> Callable[[str, int], None]:
    """Makes a topic on the real broker as the operator does."""

    def make(name: str, partitions: int) -> None:
        path = tmp_path / f"{name}.yaml"
        path.write_text(TOPIC.format(name=name, partitions=partitions))
        (result,) = apply.run(manifests.load([path]), KafkaTopics(made_topics.settings("operator")))
        assert result.outcome == "created"

    return make


async def _copied(log: Any) -> bool:
    """Whether every cursor of a topic that exists is at the end of its channel."""
    rows = await log.admin.fetch(
        "SELECT t.seq, c.last_seq FROM messaging.topic_cursors t JOIN messaging.channels c ON c.id = t.channel_id "
        "WHERE t.topic <> 'not.there'"
    )
    return all(row["seq"] == row["last_seq"] for row in rows)


@pytest.mark.parametrize("point", ["relay.after_copy", "kafka.produce"])
async def test_a_channels_own_topic_gets_its_events_through_kills_and_beside_a_missing_one(
    point: str,
    log: Any,
    start: Callable[..., Any],
    made_topics: Topics,
    make_topic: Callable[[str, int], None],
    read_kafka: Callable[[], Awaitable[Any]],
) -> None:
    make_topic("team", 3)
    channels = await log.channels(6)
    for channel, topic in zip(channels, ["team", "team", "not.there", "not.there"], strict=False):
        await log.api.execute("UPDATE messaging.channels SET also_topic = $2 WHERE id = $1", channel, topic)
    first = start()
    await eventually(first.ready, within=30)
    await posts(log, channels, 3)
    await eventually(lambda: all_out(log), within=10)
    await eventually(lambda: _copied(log), within=10)
    await first.crash_at(point)
    await posts(log, channels, 3)
    assert await first.ended() == -signal.SIGKILL
    await posts(log, channels, 2)
    second = start()
    await eventually(lambda: all_out(log), within=30)
    await eventually(lambda: _copied(log), within=30)
    everything = await read_kafka()
    found = type(everything)(await reader.read_topic(made_topics.settings(), "team"))
    for read, chosen in ((found, channels[:2]), (everything, channels)):
        assert Counter((e.channel, e.seq) for e in read.events).keys() == {(c, n) for c in chosen for n in range(1, 9)}
        read.assert_order()
    repeats = max(Counter(found.ids).values())
    assert repeats == 2 if point == "relay.after_copy" else repeats <= 2
    ready = (await second.get("/readyz")).json()
    assert (ready["ready"], ready["dependencies"]["topics"]["state"]) == (True, "degraded")
    make_topic("not.there", 1)
    await eventually(lambda: _nothing_waits(log), within=40)
    late = type(everything)(await reader.read_topic(made_topics.settings(), "not.there"))
    assert [e.seq for e in late.events if e.channel == channels[2]] == list(range(1, 9))


async def _nothing_waits(log: Any) -> bool:
    waiting: int = await log.admin.fetchval(
        "SELECT count(*) FROM messaging.topic_cursors t JOIN messaging.channels c ON c.id = t.channel_id "
        "WHERE t.seq < c.last_seq"
    )
    return waiting == 0


async def posts(log: Any, channels: list[Any], rounds: int) -> None:
    for _ in range(rounds):
        await log.post(*channels)


async def all_out(log: Any) -> bool:
    return bool(await log.pending() == 0)
