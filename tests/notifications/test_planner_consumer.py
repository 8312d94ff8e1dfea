"""The planner as a consumer of real Kafka: a fixed story, kills at every fault point, rights, several processes."""

import asyncio
import json
import signal
import sys
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

import planning
import pytest
from talking import Talk, as_record, presence

from signalink_core.database.pool import Pool
from signalink_core.events import from_record
from signalink_core.events.types import NotificationRequested
from signalink_core.kafka import reader
from signalink_core.kafka.producer import KafkaProducer
from signalink_core.testing import eventually
from signalink_operator import apply
from signalink_operator.adapters import manifests
from signalink_operator.adapters.kafka import KafkaTopics
from signalink_stacks.local.testing import Topics

pytestmark = pytest.mark.engine("postgres", "kafka")
WITHIN = 40.0


class Stage:
    """Topics, people, and processes that plan."""

    def __init__(self, talk: Talk, topics: Topics, producer: KafkaProducer) -> None:
        self.talk, self.topics, self.producer = talk, topics, producer

    async def publish(self) -> None:
        """As the relay would."""
        await self._send([as_record(event) for event in await self.talk.events()])

    async def be(self, user: UUID, state: str) -> None:
        await self._send([as_record(presence(user, state), "presence")])

    async def _send(self, records: list[Any]) -> None:
        assert await self.producer.send_batches(records) == [None] * len(records)

    async def requested(self) -> list[NotificationRequested]:
        """What topic `notifications` holds."""
        records = await reader.read_topic(self.topics.settings(), "notifications")
        events = [from_record(record.headers, record.value or b"") for record in records]
        return [NotificationRequested.model_validate(event.data) for event in events]

    async def state_of(self, user: UUID) -> str | None:
        found: str | None = await self.talk.admin.fetchval(
            "SELECT state FROM notifications.presence WHERE user_id = $1", user
        )
        return found

    @asynccontextmanager
    async def process(self, *faults: dict[str, Any], batch: int = 10) -> AsyncIterator[asyncio.subprocess.Process]:
        """A planner and an outbox relay in a process of their own; killed at the end."""
        orders = {
            "kafka": self.topics.settings("notifications").model_dump(mode="json"),
            "postgres": self.talk.database.settings("notifications").model_dump(mode="json"),
            "faults": faults,
            "batch": batch,
        }
        pipe = asyncio.subprocess.PIPE
        started = await asyncio.create_subprocess_exec(
            sys.executable, str(Path(planning.__file__)), stdin=pipe, stdout=pipe
        )
        try:
            assert started.stdin is not None
            started.stdin.write(json.dumps(orders).encode() + b"\n")
            await started.stdin.drain()
            yield started
        finally:
            if started.returncode is None:
                started.kill()
            await started.communicate()


@pytest.fixture
async def stage(talk: Talk, pool: Pool, topics: Topics) -> AsyncIterator[Stage]:
    apply.run(manifests.load([manifests.SHIPPED]), KafkaTopics(topics.settings("operator")))
    async with KafkaProducer(topics.settings()) as producer:
        yield Stage(talk, topics, producer)


async def test_ann_mentions_bob_who_is_away_and_one_request_is_in_kafka(stage: Stage) -> None:
    talk = stage.talk
    ann, bob, cleo = [await talk.user(name) for name in ("ann", "bob", "cleo")]
    channel = await talk.channel(ann, bob, cleo)
    await stage.be(cleo, "online")
    await stage.be(bob, "online")
    await stage.be(bob, "offline")
    async with stage.process():
        await eventually(lambda: _is(stage, cleo, "online"), within=WITHIN)
        await eventually(lambda: _is(stage, bob, "offline"), within=WITHIN)
        message = await talk.say(channel, ann, "@bob @cleo hello")
        await stage.publish()
        (told,) = await eventually(stage.requested, within=WITHIN)
    assert (told.user_id, told.kind, told.message_id) == (bob, "mention", message)


async def _is(stage: Stage, user: UUID, state: str) -> bool:
    return await stage.state_of(user) == state


@pytest.mark.parametrize(
    "point",
    [
        "consumer.before_effect",
        "consumer.after_effect",
        "consumer.crash",
        "relay.after_read",
        "relay.after_produce",
        "relay.after_cursor",
    ],
)
async def test_a_process_killed_at_any_point_plans_nothing_twice(stage: Stage, point: str) -> None:
    """The outbox's relay may repeat a request in Kafka: the very same one, with the same id."""
    await _killed(stage, point)
    assert await stage.talk.admin.fetchval("SELECT count(*) FROM notifications.events") == 60
    told = await stage.requested()
    assert len({data.notification_id for data in told}) == 60
    assert len({(data.user_id, data.message_id) for data in told}) == 60
    if point == "relay.after_produce":
        assert len(told) > 60


async def _killed(stage: Stage, point: str) -> None:
    """60 mentions in three channels; the first process dies at the point, a second one goes on."""
    talk = stage.talk
    ann, bob = await talk.user("ann"), await talk.user("bob")
    channels = [await talk.channel(ann, bob) for _ in range(3)]
    for _ in range(20):
        for channel in channels:
            await talk.say(channel, ann, "@bob")
    await stage.publish()
    rate = 0.5 if point.startswith("consumer") else 1.0
    async with stage.process({"point": point, "action": "crash", "rate": rate, "seed": 7}, batch=4) as killed:
        assert await asyncio.wait_for(killed.wait(), WITHIN) == -signal.SIGKILL
    async with stage.process():

        async def all_told() -> bool:
            return len({data.message_id for data in await stage.requested()}) == 60

        await eventually(all_told, within=WITHIN)


async def test_two_processes_share_the_work(stage: Stage) -> None:
    talk = stage.talk
    ann, bob = await talk.user("ann"), await talk.user("bob")
    channels = [await talk.channel(ann, bob) for _ in range(8)]
    async with stage.process(), stage.process():
        for _ in range(5):
            for channel in channels:
                await talk.say(channel, ann, "@bob")
            await stage.publish()

        async def all_told() -> bool:
            return len(await stage.requested()) >= 40

        await eventually(all_told, within=WITHIN)
    told = Counter(data.message_id for data in await stage.requested())
    assert set(told.values()) == {1}
    assert len(told) == 40
