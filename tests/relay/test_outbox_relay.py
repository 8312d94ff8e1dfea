"""The relay's turn on a real Postgres with Kafka's memory twin: order, cursor, fencing, back-off, poison, epochs."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from typing import Any, ClassVar

import orjson
import pytest
from asyncpg.exceptions import InternalClientError

from signalink_core.database.pool import Pool
from signalink_core.errors import LogMismatch
from signalink_core.kafka.errors import Problem
from signalink_core.kafka.memory import MemoryKafka, MemoryProducer
from signalink_core.kafka.records import Record
from signalink_core.log import outbox
from signalink_core.log.relay import OutboxRelay
from signalink_core.testing import eventually

pytestmark = pytest.mark.engine("postgres")
TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def relay_on(pool: Pool, producer: Any, **options: Any) -> OutboxRelay:
    return OutboxRelay(pool, producer, node="relay-test", **options)


async def leased(pool: Pool, producer: Any, **options: Any) -> OutboxRelay:
    """A relay that holds its leases and is driven turn by turn."""
    relay = relay_on(pool, producer, **options)
    await relay.leases.refresh()
    return relay


async def drained(relay: OutboxRelay) -> None:
    while await relay.turn():
        pass


async def test_every_event_is_published_once_and_in_order_per_channel(
    log: Any, pool: Pool, memory_producer: MemoryProducer, read_memory: Callable[[], Any]
) -> None:
    channels = await log.channels(5)
    for _ in range(20):
        await log.post(*channels)
    await drained(await leased(pool, memory_producer))
    found = read_memory()
    assert sorted(found.ids) == sorted(await log.event_ids())
    found.assert_order()
    assert await log.pending() == 0


async def test_facts_go_to_analytics_with_their_subject_as_key(
    log: Any, pool: Pool, memory: MemoryKafka, memory_producer: MemoryProducer
) -> None:
    channel = await log.channel()
    await drained(await leased(pool, memory_producer))
    records = memory.read("analytics")
    assert [record.key for record in records] == [str(channel).encode()]


async def test_a_record_carries_its_trace_exactly_once_and_its_place(
    log: Any, pool: Pool, memory: MemoryKafka, memory_producer: MemoryProducer
) -> None:
    channel = await log.channel()
    await log.post(channel, trace=TRACE)
    await drained(await leased(pool, memory_producer))
    (record,) = memory.read("messages")
    assert [value for name, value in record.headers if name == "traceparent"] == [TRACE.encode()]
    headers = dict(record.headers)
    assert (headers["ce_channel"], headers["ce_seq"]) == (str(channel).encode(), b"1")


async def test_a_busy_shard_gets_the_whole_page_in_the_end(
    log: Any, pool: Pool, memory_producer: MemoryProducer, read_memory: Callable[[], Any]
) -> None:
    channel = await log.channel()
    for _ in range(5):
        await log.post(*[channel] * 100)
    relay = await leased(pool, memory_producer)
    turns = 0
    while await relay.turn():
        turns += 1
    assert len(read_memory().ids) == 500
    assert turns <= 3


# -- transactions that are late ----------------------------------------------------------------------------------------


class ByIdRelay(OutboxRelay):
    """The mistake: `id > last` instead of the snapshot rule."""

    READ: ClassVar[str] = outbox.READ.replace(
        "AND (e.epoch, e.xid, e.id) > (c.epoch, c.xid, c.event_id) AND (e.epoch, e.xid) < (s.current_epoch, s.xmin)",
        "AND e.id > c.event_id",
    ).replace("ORDER BY e.epoch, e.xid, e.id", "ORDER BY e.id")

    async def _empty(self, held: dict[int, int], end: outbox.Place) -> None:
        """It knows no snapshot."""


async def _with_a_late_commit(log: Any, relay: OutboxRelay) -> None:
    """Two channels of one shard: the first one's transaction stays open while the second's commits."""
    channels = await log.channels(2)
    while await _shard(log, channels[0]) != await _shard(log, channels[1]):
        channels[1] = await log.channel()
    late = await log.database.connect("api")
    try:
        transaction = late.transaction()
        await transaction.start()
        await log.post(channels[0], connection=late)
        await log.post(channels[1], channels[1])
        await relay.leases.refresh()
        await drained(relay)
        await transaction.commit()
    finally:
        await late.close()
    await drained(relay)


async def _shard(log: Any, channel: Any) -> int:
    shard: int = await log.admin.fetchval("SELECT messaging.shard_of($1)", channel)
    return shard


async def test_a_transaction_that_commits_late_is_not_lost(
    log: Any, pool: Pool, memory_producer: MemoryProducer, read_memory: Callable[[], Any]
) -> None:
    await _with_a_late_commit(log, relay_on(pool, memory_producer))
    assert sorted(read_memory().ids) == sorted(await log.event_ids())


async def test_a_relay_by_id_loses_the_late_commit_so_this_test_can_fail(
    log: Any, pool: Pool, memory_producer: MemoryProducer, read_memory: Callable[[], Any]
) -> None:
    assert ByIdRelay.READ.count("e.xid") < outbox.READ.count("e.xid")
    await _with_a_late_commit(log, ByIdRelay(pool, memory_producer, node="by-id"))
    assert len(read_memory().ids) == len(await log.event_ids()) - 1


# -- the cursor --------------------------------------------------------------------------------------------------------


async def test_an_empty_read_moves_the_cursors_to_xmin_at_most_once_a_second(
    log: Any, pool: Pool, memory_producer: MemoryProducer
) -> None:
    busy = await _shard(log, await log.channel())
    idle = (busy + 1) % 64
    relay = await leased(pool, memory_producer)
    await drained(relay)
    before = await log.admin.fetchval("SELECT pg_snapshot_xmin(pg_current_snapshot())")
    moved = (await log.cursor(idle))["xid"]
    assert 0 < moved <= before
    await log.admin.fetchval("SELECT pg_current_xact_id()")
    await drained(relay)
    assert (await log.cursor(idle))["xid"] == moved


async def test_a_cursor_ahead_of_the_server_stops_the_relay_with_a_next_step(
    log: Any, pool: Pool, memory_producer: MemoryProducer, read_memory: Callable[[], Any]
) -> None:
    await log.post(await log.channel())
    await log.admin.execute("UPDATE messaging.relay_cursors SET epoch = 1, xid = '99999999' WHERE shard = 7")
    relay = await leased(pool, memory_producer)
    with pytest.raises(LogMismatch, match="shard 7") as refusal:
        await relay.turn()
    assert "new-epoch" in str(refusal.value.next_step)
    assert read_memory().ids == []


async def test_a_new_epoch_is_followed_after_the_old_one(
    log: Any, pool: Pool, memory_producer: MemoryProducer, read_memory: Callable[[], Any]
) -> None:
    channel = await log.channel()
    await log.post(channel)
    await log.admin.execute("SELECT messaging.new_epoch()")
    await log.post(channel)
    await drained(await leased(pool, memory_producer))
    found = read_memory()
    assert [(event.epoch, event.seq) for event in found.events] == [(1, 1), (2, 2)]


# -- one relay per shard -----------------------------------------------------------------------------------------------


async def test_a_stale_relay_moves_no_cursor_and_steps_down(
    log: Any, pool: Pool, memory_producer: MemoryProducer
) -> None:
    await log.post(await log.channel())
    stale = await leased(pool, memory_producer)
    held = stale.leases.held()
    await log.admin.execute("UPDATE messaging.relay_cursors SET lease_until = now() - interval '1 s'")
    successor = await leased(pool, memory_producer)
    assert len(successor.leases.held()) == 64
    await drained(successor)
    before = [dict(row) for row in await log.admin.fetch("SELECT * FROM messaging.relay_cursors ORDER BY shard")]
    await stale._move(held, dict.fromkeys(held, outbox.Place(1, 1, 1)))
    after = [dict(row) for row in await log.admin.fetch("SELECT * FROM messaging.relay_cursors ORDER BY shard")]
    assert after == before
    assert stale.leases.held() == {}


async def test_a_relay_whose_lease_ran_out_here_publishes_nothing(
    log: Any, pool: Pool, memory_producer: MemoryProducer, read_memory: Callable[[], Any]
) -> None:
    await log.post(await log.channel())
    relay = await leased(pool, memory_producer, lease_seconds=0.01)
    await eventually(lambda: relay.leases.held() == {})
    assert await relay.turn() is False
    assert read_memory().ids == []


async def test_stopping_gives_the_leases_back_at_once(pool: Pool, memory_producer: MemoryProducer) -> None:
    async with relay_on(pool, memory_producer) as first:
        await eventually(lambda: len(first.leases.held()) == 64)
    assert len((await leased(pool, memory_producer)).leases.held()) == 64


async def test_two_relays_racing_never_publish_the_same_shard_at_once(
    log: Any, pool: Pool, memory_producer: MemoryProducer, read_memory: Callable[[], Any]
) -> None:
    channels = await log.channels(8)
    async with relay_on(pool, memory_producer) as first, relay_on(pool, memory_producer) as second:
        for _ in range(30):
            await log.post(*channels)
        await eventually(lambda: len(first.leases.held()) == len(second.leases.held()) == 32)
        await log.post(*channels)
        await eventually(lambda: _all_out(log))
    found = read_memory()
    assert set(found.ids) == set(await log.event_ids())
    found.assert_order()


async def _all_out(log: Any) -> bool:
    return bool(await log.pending() == 0)


# -- Kafka's failures --------------------------------------------------------------------------------------------------


async def test_kafka_down_repeats_from_the_cursor_and_loses_nothing(
    log: Any, pool: Pool, memory: MemoryKafka, memory_producer: MemoryProducer, read_memory: Callable[[], Any]
) -> None:
    said: dict[str, str] = {}
    memory.available = False
    async with relay_on(pool, memory_producer, report=lambda name, state, _: said.update({name: state})):
        await log.post(*await log.channels(3))
        await eventually(lambda: said.get("kafka") == "down")
        assert await log.pending() > 0
        memory.available = True
        await eventually(lambda: _all_out(log))
        await eventually(lambda: said["kafka"] == "ok")
    assert sorted(read_memory().ids) == sorted(await log.event_ids())


class TornReads(OutboxRelay):
    """Its first reads meet what asyncpg raises for a statement begun in the moment in which Postgres is killed."""

    torn = 3

    async def _read(self, held: dict[int, int]) -> outbox.Page:
        if self.torn:
            self.torn -= 1
            raise InternalClientError("cannot switch to state 12; another operation (2) is in progress")
        return await super()._read(held)


async def test_a_connection_torn_between_two_states_is_a_failed_turn_and_no_crash(
    log: Any, pool: Pool, memory_producer: MemoryProducer
) -> None:
    await log.post(await log.channel())
    async with TornReads(pool, memory_producer, node="relay-test") as relay:
        await eventually(lambda: _all_done(log), within=20)
        assert relay.torn == 0
        assert not relay.failed.done()


async def _all_done(log: Any) -> bool:
    return bool(await log.pending() == 0)


async def test_a_row_too_large_for_ever_is_parked_as_a_pointer_and_the_relay_goes_on(
    log: Any, pool: Pool, memory: MemoryKafka, memory_producer: MemoryProducer, read_memory: Callable[[], Any]
) -> None:
    memory.max_bytes = 1000
    channel = await log.channel()
    for size in (10, 2000, 10):
        await log.post(channel, size=size, trace=TRACE)
    await drained(await leased(pool, memory_producer))
    assert [event.seq for event in read_memory().events] == [1, 3]
    (dead,) = memory.read("dlq.messages")
    assert b'"seq":2' in (dead.value or b"")
    assert b"body of" not in (dead.value or b"")
    assert dict(dead.headers)["dlq_error"] == b"record_refused"
    assert await log.pending() == 0


async def test_a_parked_row_waits_for_its_pointer(
    log: Any, pool: Pool, memory: MemoryKafka, memory_producer: MemoryProducer
) -> None:
    memory.max_bytes = 1000
    del memory.topics["dlq.messages"]
    await log.post(await log.channel(), size=2000)
    await drained(await leased(pool, memory_producer))
    assert await log.pending() == 1


async def test_a_missing_topic_holds_up_its_own_shard_alone(
    log: Any, pool: Pool, memory: MemoryKafka, memory_producer: MemoryProducer
) -> None:
    channels = await log.channels(6)
    del memory.topics["analytics"]
    await log.post(*channels)
    relay = await leased(pool, memory_producer)
    await drained(relay)
    published = {record.key for record in memory.read("messages")}
    stuck = await log.admin.fetchval("SELECT count(DISTINCT shard) FROM messaging.events WHERE topic = 'analytics'")
    assert published == {str(channel).encode() for channel in channels}
    assert stuck > 0
    memory.topics["analytics"] = 12
    await eventually(lambda: _turn_until_out(log, relay))


async def _turn_until_out(log: Any, relay: OutboxRelay) -> bool:
    await drained(relay)
    return await _all_out(log)


class Counting(MemoryProducer):
    """Notes the sizes of the calls."""

    def __init__(self, kafka: MemoryKafka) -> None:
        super().__init__(kafka)
        self.calls: list[int] = []

    async def send_batches(self, records: Sequence[Record]) -> list[Problem | None]:
        self.calls.append(len(records))
        return await super().send_batches(records)


class SetByHand:
    """A wake that the test sets."""

    def __init__(self) -> None:
        self.event = asyncio.Event()

    async def wait(self, seconds: float) -> bool:
        await asyncio.wait({asyncio.ensure_future(self.event.wait())}, timeout=3600)
        return True


async def test_the_wake_of_the_bus_starts_a_turn_before_the_poll_would(
    log: Any, pool: Pool, memory: MemoryKafka
) -> None:
    wake, producer = SetByHand(), Counting(memory)
    relay = relay_on(pool, producer, wake=wake)
    await relay.start()
    await eventually(lambda: len(relay.leases.held()) == 64)
    wake.event.set()
    await log.post(await log.channel())
    await eventually(lambda: bool(producer.calls))
    await relay.stop()


# -- cost --------------------------------------------------------------------------------------------------------------


def _nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for child in plan.get("Plans", ()):
        yield from _nodes(child)


async def test_an_empty_read_over_a_full_log_uses_the_index_and_costs_few_pages(
    log: Any, pool: Pool, memory_producer: MemoryProducer
) -> None:
    channels = await log.channels(20)
    for _ in range(20):
        await log.post(*channels * 5)
    relay = await leased(pool, memory_producer)
    await drained(relay)
    held = relay.leases.held()
    explain = "EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) " + outbox.READ.replace("$.", "messaging.")
    async with pool.acquire() as conn:
        (answer,) = orjson.loads(await conn.fetchval(explain, list(held), list(held.values()), 16, 1000))
    on_events = [node for node in _nodes(answer["Plan"]) if node.get("Relation Name") == "events"]
    assert [node.get("Index Name") for node in on_events] == ["events_log_order_idx"]
    assert on_events[0]["Actual Rows"] == 0
    assert "Sort" not in {node["Node Type"] for node in _nodes(on_events[0])}
    pages = answer["Plan"]["Shared Hit Blocks"] + answer["Plan"]["Shared Read Blocks"]
    assert pages < len(held) * 6
