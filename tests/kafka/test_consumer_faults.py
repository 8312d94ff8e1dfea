"""Consumers when things go wrong: crashes, stale owners, rebalances, engines that are away, bad input."""

import asyncio
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer
from consuming import GROUP, QUICK, SCHEMA, Effect, MemoryRig, RealRig, Rig, as_record, bodies, changed, message
from test_consumer_contract import WITHIN, applied, refuse

from signalink_core.ids import uuid7
from signalink_core.kafka import access
from signalink_core.kafka.batching import Place
from signalink_core.kafka.consumer import KafkaConsumerManager
from signalink_core.kafka.delivery import Batch
from signalink_core.kafka.errors import KafkaUnavailable, StaleOwner
from signalink_core.kafka.memory import MemoryKafka, MemoryProducer
from signalink_core.kafka.memory_group import MemoryConsumerManager, MemoryOffsets
from signalink_core.kafka.offsets import PostgresOffsets
from signalink_core.kafka.producer import KafkaProducer
from signalink_core.kafka.records import Record
from signalink_core.kafka.source import KafkaSource
from signalink_core.kafka.store import Settled, Step
from signalink_core.settings import KafkaSettings
from signalink_core.telemetry import metrics, names
from signalink_core.testing import eventually
from signalink_operator import apply
from signalink_operator.adapters import manifests
from signalink_operator.adapters.kafka import KafkaTopics
from signalink_stacks.local.engines import KafkaEngine
from signalink_stacks.local.testing import Brokers

engines = pytest.mark.engine("postgres", "kafka")


def consumed() -> float:
    """Records that consumers of this process were handed, repeats and all."""
    return metrics.value(names.MESSAGING_CLIENT_CONSUMED_MESSAGES_TOTAL, topic="messages", group=GROUP)


# -- owners ------------------------------------------------------------------------------------------------------------


async def test_a_stale_owner_is_refused_and_its_effect_rolled_back(rig: Rig) -> None:
    """The offset moves while the effect runs: another member has taken over and applied the same event."""
    channel, effect = uuid7(), rig.effect()
    event = message(channel, 1, "1")
    stolen: list[int] = []

    async def steal(batch: Batch) -> None:
        if not stolen:
            stolen.append(1)
            place = (batch.topic, batch.partition)
            await rig.store().settle(Step(place, None, 1, batch.events), rig.effect())

    effect.before = steal
    await rig.send(event)
    if rig.kind == "memory":
        async with rig.manager(effect):
            await rig.send(message(channel, 2, "2"))
            await applied(rig, 2)
    else:
        await _two_owners(rig, effect, event)
    assert await rig.bodies() == ["1", "2"]


async def test_only_the_owner_of_the_stored_offset_may_move_it(rig: Rig) -> None:
    store, place = rig.store(), ("messages", 0)
    calls: list[Batch] = []

    async def keep(tx: Any, batch: Batch) -> None:
        calls.append(batch)

    await store.settle(Step(place, None, 5), None)
    for start in (None, 4, 6):
        with pytest.raises(StaleOwner):
            await store.settle(Step(place, start, 9), keep)
    assert await store.load([place, ("messages", 1)]) == {place: 5}
    assert calls == []
    await store.settle(Step(place, 5, 5, at_end=True), keep)
    assert [batch.at_end for batch in calls] == [True]


async def _two_owners(rig: Rig, effect: Effect, event: Any) -> None:
    """On Postgres the row lock makes the second wait for the first: so it comes first here, before the manager's."""
    effect.before = None
    stored = (await rig.read("messages"))[0]
    place = (stored.topic, stored.partition)
    loads: list[int] = []

    class SlowStore(PostgresOffsets):
        async def settle(self, step: Step, apply: Any) -> Settled:
            if not loads and step.events:
                loads.append(1)
                await rig.store().settle(Step(place, None, 1, step.events), rig.effect())
            return await super().settle(step, apply)

    assert isinstance(rig, RealRig)
    async with rig.manager(effect, store=SlowStore(rig.pools[GROUP], SCHEMA, GROUP)):
        await eventually(lambda: loads, within=WITHIN)
        await rig.send(message(event.channel, 2, "2"))
        await applied(rig, 2)


async def test_nothing_below_the_stored_offset_is_delivered_while_offsets_load_slowly(rig: Rig) -> None:
    """Two members join; Kafka knows older offsets than the store, and would hand out from those."""
    channels = [uuid7() for _ in range(24)]
    await rig.send(*(message(channel, 1, "old") for channel in channels))
    async with rig.manager(rig.effect()):
        await applied(rig, 24)
    gate, before = asyncio.Event(), consumed()

    def slowly(store: Any) -> Any:
        load = store.load

        async def late(places: Collection[Place]) -> Mapping[Place, int]:
            await gate.wait()
            return await load(places)  # type: ignore[no-any-return]

        store.load = late
        return store

    effects = [rig.effect(), rig.effect()]
    members = [rig.manager(effect, node=f"m{n}", store=slowly(rig.store())) for n, effect in enumerate(effects)]
    async with members[0], members[1]:
        await eventually(lambda: all(len(member.assignment) == 6 for member in members), within=WITHIN)
        await rig.send(*(message(channel, 2, "new") for channel in channels))
        opened = asyncio.get_running_loop().time() + 1.0
        await eventually(lambda: asyncio.get_running_loop().time() > opened, within=5)
        assert not any(effect.batches for effect in effects)
        gate.set()
        await applied(rig, 48)
    assert consumed() - before == 24
    assert sorted(await rig.bodies()) == ["new"] * 24 + ["old"] * 24


async def test_a_rebalance_waits_for_the_work_in_hand_and_abandons_what_is_too_slow(rig: Rig) -> None:
    effect, channel = rig.effect(), uuid7()
    for_ever = asyncio.Event()

    async def hang(batch: Batch) -> None:
        await for_ever.wait()

    effect.before = hang
    limits = type(QUICK)(finish_seconds=0.2, drain_seconds=0.5, retries=QUICK.retries)
    await rig.send(message(channel, 1, "1"))
    async with rig.manager(effect, limits=limits) as first:
        await eventually(lambda: effect.batches, within=WITHIN)
        async with rig.manager(rig.effect(), node="second"):
            await eventually(lambda: len(first.assignment) == 6, within=WITHIN)
            for_ever.set()
            effect.before = None
            assert await applied(rig, 1) == ["1"]
            await rig.send(message(channel, 2, "2"))
            assert await applied(rig, 2) == ["1", "2"]


# -- engines that are away ---------------------------------------------------------------------------------------------


class Heard(dict[str, str]):
    """What a consumer reported last of each dependency."""

    def report(self, dependency: str, state: str, detail: str) -> None:
        self[dependency] = state


async def test_a_store_that_is_away_is_waited_for_and_nothing_is_parked() -> None:
    kafka, store, heard = MemoryKafka({"messages": 1, "dlq.messages": 1}), MemoryOffsets(), Heard()
    store.available = False

    async def effect(tx: Any, batch: Batch) -> None:
        for delivered in batch.events:
            tx.write(delivered.event.seq)

    producer, channel = MemoryProducer(kafka), uuid7()
    options: dict[str, Any] = {
        "group": "g",
        "topics": ("messages",),
        "node": "n",
        "limits": QUICK,
        "dead_letters": producer,
    }
    async with MemoryConsumerManager(kafka, apply=effect, store=store, report=heard.report, **options):
        await producer.send_batches([as_record(message(channel, seq)) for seq in (1, 2)])
        await eventually(lambda: heard == {"kafka": "ok", "postgres": "down"})
        store.available = True
        await eventually(lambda: store.effects == [1, 2])
        store.available = False
        await producer.send_batches([as_record(message(channel, 3))])
        await eventually(lambda: heard["postgres"] == "down")
        store.available = True
        await eventually(lambda: store.effects == [1, 2, 3])
    assert heard["postgres"] == "ok"
    assert kafka.read("dlq.messages") == []


async def test_the_offset_stays_until_the_dead_letter_is_confirmed() -> None:

    rig = MemoryRig()
    letters = rig.producer
    heard = Heard()
    effect, channel = rig.effect(), uuid7()
    effect.fails = refuse("1")
    await rig.send(message(channel, 1, "1"), message(channel, 2, "2"))

    class Letters:
        away = True

        async def send_batches(self, records: Any) -> Any:
            if self.away:
                return [KafkaUnavailable("away")] * len(records)
            return await letters.send_batches(records)

        async def probe(self) -> None:
            return None

    gate = Letters()
    async with rig.manager(effect, dead_letters=gate, report=heard.report):
        await eventually(lambda: heard["kafka"] == "down")
        assert rig.store().state.offsets == {}
        assert rig.store().state.rows == {}
        gate.away = False
        await applied(rig, 1)
    assert len(await rig.letters()) == 1
    assert len(rig.store().state.rows) == 1


@engines
async def test_connections_that_postgres_cuts_cost_a_retry_and_no_record(real: RealRig) -> None:
    effect, channel = real.effect(), uuid7()
    admin, cuts = await real.database.connect(), 0

    async def cut(batch: Batch) -> None:
        nonlocal cuts
        cuts += 1
        if cuts <= 3:
            await admin.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE usename = 'signalink_analytics' AND datname = current_database()"
            )

    effect.before = cut
    await real.send(*(message(channel, seq, str(seq)) for seq in range(1, 6)))
    async with real.manager(effect):
        assert await applied(real, 5) == bodies(5)
    await admin.close()
    assert cuts > 3
    assert await real.letters() == []


@pytest.mark.engine("kafka")
async def test_a_consumer_starts_before_kafka_and_outlives_its_restart(tmp_path: Path) -> None:
    heard, store = Heard(), MemoryOffsets()

    async def effect(tx: Any, batch: Batch) -> None:
        for delivered in batch.events:
            tx.write(delivered.event.seq)

    engine = KafkaEngine(tmp_path / "kafka")
    engine.start()
    engine.stop()
    brokers, channel = Brokers(engine), uuid7()
    options: dict[str, Any] = {"group": GROUP, "topics": ("messages",), "node": "n", "limits": QUICK}
    producer = KafkaProducer(brokers.settings())
    manager = KafkaConsumerManager(
        brokers.settings("analytics"), apply=effect, store=store, dead_letters=producer, report=heard.report, **options
    )
    try:
        async with producer, manager:
            assert heard == {"kafka": "down"}
            await asyncio.to_thread(engine.start)
            await access.apply(brokers.settings())
            await asyncio.to_thread(
                apply.run, manifests.load([manifests.SHIPPED]), KafkaTopics(brokers.settings("operator"))
            )
            await eventually(lambda: heard.get("kafka") == "ok", within=60)
            await producer.send_batches([as_record(message(channel, 1))])
            await eventually(lambda: store.effects == [1], within=WITHIN)
            await asyncio.to_thread(engine.stop)
            await eventually(lambda: heard["kafka"] == "down", within=60)
            await asyncio.to_thread(engine.start)

            async def sent() -> bool:
                return (await producer.send_batches([as_record(message(channel, 2))]))[0] is None

            await eventually(sent, within=60)
            await eventually(lambda: store.effects == [1, 2], within=60)
            await eventually(lambda: heard["kafka"] == "ok", within=60)
    finally:
        engine.stop()


# -- bad input ---------------------------------------------------------------------------------------------------------


@engines
async def test_a_record_without_a_value_or_with_an_empty_header_is_poison(real: RealRig) -> None:
    event = message(uuid7(), 1)

    made = as_record(event)
    client = AIOKafkaProducer(**real.topics.settings().client_kwargs())
    await client.start()
    topic = real.topics.name("messages")
    await client.send_and_wait(topic, key=made.key, value=None, headers=list(made.headers))
    await client.send_and_wait(topic, key=made.key, value=b"{}", headers=[("ce_type", None)])
    await client.stop()
    await real.send(message(event.channel, 2, "2"))  # type: ignore[arg-type]
    async with real.manager(real.effect()):
        assert await applied(real, 1) == ["2"]
    assert [letter.error for letter in await real.letters()] == ["null_value", "bad_headers"]


async def test_many_poison_records_in_one_batch_are_all_parked_in_order(rig: Rig) -> None:
    """More of them than Python has stack frames for."""
    channel, effect = uuid7(), rig.effect()

    async def typed(tx: Any, batch: Batch) -> None:
        for delivered in batch.events:
            delivered.data()
        await effect(tx, batch)

    sent = [message(channel, seq, str(seq), sender_id="nobody" if seq % 2 else str(channel)) for seq in range(1, 1201)]
    await rig.send(*sent)
    before = metrics.value(names.DLQ_RECORDS_TOTAL, topic="messages", error_type="bad_data")
    async with rig.manager(typed, limits=type(QUICK)(batch_records=2000)):
        await applied(rig, 600)
    assert await rig.bodies() == [str(seq) for seq in range(2, 1201, 2)]
    assert metrics.value(names.DLQ_RECORDS_TOTAL, topic="messages", error_type="bad_data") - before == 600
    assert len(await rig.letters()) == 600


async def test_a_letter_that_is_too_large_with_its_headers_goes_without_its_value() -> None:

    rig = MemoryRig()
    rig.kafka.max_bytes = 100
    big = changed(message(uuid7(), 1), value=b"{" + b"x" * 200)
    place = ("messages", 0)
    rig.kafka.append(place, Record("messages", big.key, big.value, big.headers))
    async with rig.manager(rig.effect()):
        (letter,) = await eventually(rig.letters, within=WITHIN)
    assert letter.headers["dlq_value_left_out"] == "201"
    assert (letter.origin, letter.stored.value) == (("messages", 0, 0), b"")


async def test_telling_kafka_an_offset_is_no_failure_when_the_client_went_meanwhile() -> None:
    source = KafkaSource(KafkaSettings(bootstrap="127.0.0.1:1", security="plaintext"), GROUP, ("messages",), "node")
    await source.commit({("messages", 0): 7})
