"""Consumers that are killed at every point, and the default of aiokafka that would lose what they had in hand."""

import asyncio
import json
import signal
import sys
from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import member
import pytest
from aiokafka.admin import AIOKafkaAdminClient
from consuming import GROUP, ROLES, SCHEMA, RealRig, bodies, message
from test_consumer_contract import WITHIN, applied

from signalink_core.ids import uuid7
from signalink_core.kafka.batching import Place
from signalink_core.kafka.consumer import KafkaConsumerManager
from signalink_core.kafka.delivery import Batch
from signalink_core.kafka.offsets import PostgresOffsets
from signalink_core.kafka.source import KafkaSource, Source
from signalink_core.kafka.store import Step
from signalink_core.testing import eventually

engines = pytest.mark.engine("postgres", "kafka")


@asynccontextmanager
async def process(real: RealRig, *faults: dict[str, Any], batch: int = 10) -> AsyncIterator[asyncio.subprocess.Process]:
    """A consumer in a process of its own; killed at the end."""
    database = real.database.settings("analytics")
    kafka = real.topics.settings(ROLES[GROUP])
    orders = {
        "schema": SCHEMA,
        "group": GROUP,
        "topics": ["messages"],
        "kafka": kafka.model_dump(mode="json"),
        "postgres": database.model_dump(mode="json"),
        "faults": faults,
        "batch": batch,
    }
    pipe = asyncio.subprocess.PIPE
    started = await asyncio.create_subprocess_exec(sys.executable, str(Path(member.__file__)), stdin=pipe, stdout=pipe)
    try:
        assert started.stdin is not None
        started.stdin.write(json.dumps(orders).encode() + b"\n")
        await started.stdin.drain()
        yield started
    finally:
        if started.returncode is None:
            started.kill()
        await started.communicate()


@engines
@pytest.mark.parametrize(
    "point", ["consumer.before_effect", "consumer.after_effect", "consumer.before_dlq", "consumer.crash"]
)
async def test_a_consumer_killed_at_any_point_has_each_effect_once(real: RealRig, point: str) -> None:
    channels = [uuid7() for _ in range(3)]
    sent = [message(channel, seq, f"{n}/{seq}") for seq in range(1, 41) for n, channel in enumerate(channels)]
    sent[50] = message(channels[50 % 3], 17, "poison")
    await real.send(*sent)
    fault = {"point": point, "action": "crash", "rate": 1.0 if point.endswith("dlq") else 0.3, "seed": 7}
    async with process(real, fault) as killed:
        assert await asyncio.wait_for(killed.wait(), WITHIN) == -signal.SIGKILL
    async with process(real):
        found = await applied(real, 119)
        letters = await eventually(real.letters, within=WITHIN)
    assert sorted(found) == sorted(event.data["body"] for event in sent if event.data["body"] != "poison")
    for n in range(3):
        seqs = [int(body.split("/")[1]) for body in found if body.startswith(f"{n}/")]
        assert seqs == sorted(seqs)
    assert len({letter.origin for letter in letters}) == 1


class AutoCommitSource(KafkaSource):
    """aiokafka's default: offsets that were handed out are committed by a timer, whatever became of the records."""

    def _options(self) -> dict[str, Any]:
        return super()._options() | {"enable_auto_commit": True, "auto_commit_interval_ms": 100}

    async def open(self, offsets: Mapping[Place, int | None]) -> Mapping[Place, int]:
        client = self._joined()
        known = {place: await client.committed(self._tp(place)) for place in offsets}
        return await super().open({place: known[place] for place in offsets})


class AutoCommitManager(KafkaConsumerManager):
    """Trusts Kafka's offsets instead of the store's."""

    def _source(self) -> Source:
        return AutoCommitSource(self._kafka, self._group, self._topics, self._node)


class TrustingOffsets(PostgresOffsets):
    """The store of such a consumer: no offset is compared."""

    async def load(self, places: Collection[Place]) -> Mapping[Place, int]:
        return {}

    async def _move(self, conn: Any, step: Step) -> None:
        return


async def _interrupted(real: RealRig, **options: Any) -> list[str]:
    """What has its effect when the first consumer dies with a batch in hand and a second takes over."""
    await real.send(*(message(uuid7(), 1, str(n)) for n in range(1, 41)))
    first, held = real.effect(), asyncio.Event()

    async def hold(batch: Batch) -> None:
        await held.wait()

    first.before = hold
    manager = real.manager(first, **options)
    await manager.start()
    await eventually(lambda: len(first.batches) >= 4, within=WITHIN)
    if options:
        await eventually(lambda: _committed(real), within=WITHIN)
    for task in [lane.task for lane in manager._lanes.values() if lane.task is not None]:
        task.cancel()  # the process dies: what was in hand is gone
    await manager.stop()
    async with real.manager(real.effect(), **options):
        await real.send(message(uuid7(), 1, "last"))
        await eventually(lambda: _has(real, "last"), within=WITHIN)
        if not options:
            await applied(real, 41)
    return await real.bodies()


async def _committed(real: RealRig) -> bool:
    """The timer has committed all that was handed out."""
    admin = AIOKafkaAdminClient(**real.topics.settings().client_kwargs())
    await admin.start()
    try:
        found = await admin.list_consumer_group_offsets(real.topics.name(GROUP))
    finally:
        await admin.close()
    return sum(place.offset for place in found.values() if place.offset > 0) == 40


async def _has(real: RealRig, body: str) -> bool:
    return body in await real.bodies()


@engines
async def test_a_consumer_that_dies_with_a_batch_in_hand_loses_nothing(real: RealRig) -> None:
    assert sorted(await _interrupted(real), key=str) == sorted([*bodies(40), "last"], key=str)


@engines
async def test_the_same_with_the_auto_commit_of_aiokafka_loses_messages(real: RealRig) -> None:
    """The default that must stay off: the check above catches it."""
    store = TrustingOffsets(real.pools[GROUP], SCHEMA, GROUP)
    assert len(await _interrupted(real, manager=AutoCommitManager, store=store)) < 41
