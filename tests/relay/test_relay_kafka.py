"""The relay in this process on the real broker: what only a real one can refuse, and the cost of a full log."""

import time
from collections.abc import Awaitable, Callable
from typing import Any

import orjson
import pytest

from signalink_core.database.pool import Pool
from signalink_core.events import from_record
from signalink_core.ids import uuid7
from signalink_core.kafka import reader
from signalink_core.kafka.producer import KafkaProducer
from signalink_core.log.relay import OutboxRelay
from signalink_stacks.local.testing import Topics

pytestmark = pytest.mark.engine("postgres", "kafka")


async def _fact(log: Any, body: str) -> None:
    """A fact as large as one likes: no function of the api writes one that Kafka refuses."""
    await log.admin.execute(
        "INSERT INTO messaging.events (event_id, epoch, shard, topic, aggregatetype, aggregateid, type, payload) "
        "VALUES ($1, 1, 3, 'analytics', 'user', $2, 'dev.signalink.user.registered', $3)",
        uuid7(),
        log.owner,
        {"user_id": str(log.owner), "note": body},
    )


async def _drained(pool: Pool, producer: KafkaProducer) -> None:
    relay = OutboxRelay(pool, producer, node="relay-test")
    await relay.leases.refresh()
    while await relay.turn():
        await relay.leases.refresh()
    await relay.leases.release()


async def test_a_row_that_the_broker_finds_too_large_becomes_a_pointer_and_its_neighbours_arrive(
    log: Any, pool: Pool, made_topics: Topics
) -> None:
    for body in ("before", "x" * 1_500_000, "after"):
        await _fact(log, body)
    async with KafkaProducer(made_topics.settings("relay")) as producer:
        await _drained(pool, producer)
    records = await reader.read_topic(made_topics.settings("prober"), "analytics")
    assert [from_record(r.headers, r.value or b"").data["note"] for r in records] == ["before", "after"]
    (dead,) = await reader.read_topic(made_topics.settings(), "dlq.analytics")
    assert orjson.loads(dead.value or b"")["pointer"]["shard"] == 3
    assert await log.pending() == 0


async def test_a_backlog_drains_in_order_at_thousands_of_events_a_second(
    log: Any, pool: Pool, made_topics: Topics, read_kafka: Callable[[], Awaitable[Any]]
) -> None:
    """The bar of 5,000 a second on one core is a benchmark's; here: CPU of this process, with a wide margin."""
    channels = await log.channels(50)
    for _ in range(100):
        await log.post(*channels)
    async with KafkaProducer(made_topics.settings("relay")) as producer:
        before = time.process_time()
        await _drained(pool, producer)
        spent = time.process_time() - before
    found = await read_kafka()
    assert sorted(found.ids) == sorted(await log.event_ids())
    found.assert_order()
    assert 5000 / spent > 5000
