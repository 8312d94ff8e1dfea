"""Cursors go back to the first event of a time, in every shard, and never forward; a running relay cannot undo it."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest

from signalink_core.database.pool import Pool
from signalink_core.kafka.memory import MemoryProducer
from signalink_core.log import rewind
from signalink_core.log.relay import OutboxRelay

pytestmark = pytest.mark.engine("postgres")


async def leased(pool: Pool, producer: Any) -> OutboxRelay:
    relay = OutboxRelay(pool, producer, node="relay-test")
    await relay.leases.refresh()
    return relay


async def drained(relay: OutboxRelay) -> None:
    while await relay.turn():
        pass


async def rewound(log: Any, to: datetime | None) -> rewind.Rewound:
    owner = await log.database.connect("owner")
    try:
        return await rewind.rewind(owner, to)
    finally:
        await owner.close()


async def test_from_the_start_everything_is_published_again_in_order(
    log: Any, pool: Pool, memory_producer: MemoryProducer, read_memory: Callable[[], Any]
) -> None:
    channels = await log.channels(6)
    await log.post(*channels * 3)
    relay = await leased(pool, memory_producer)
    await drained(relay)
    once = sorted(read_memory().ids)
    done = await rewound(log, None)
    assert done.events == await log.pending() > len(once), "facts are published again too"
    await relay.leases.refresh()
    await drained(relay)
    assert sorted(read_memory().ids) == sorted(once * 2)
    read_memory().assert_order()


async def test_from_a_time_only_what_occurred_since(
    log: Any, pool: Pool, memory_producer: MemoryProducer, read_memory: Callable[[], Any]
) -> None:
    channel = await log.channel()
    await log.post(channel)
    at = await log.admin.fetchval("SELECT clock_timestamp() FROM pg_sleep(0.005)")
    await log.post(channel)
    relay = await leased(pool, memory_producer)
    await drained(relay)
    assert (await rewound(log, at)).shards == 1
    await relay.leases.refresh()
    await drained(relay)
    assert [event.seq for event in read_memory().events] == [1, 2, 2]


async def test_a_cursor_that_is_behind_already_stays(log: Any, pool: Pool, memory_producer: MemoryProducer) -> None:
    channel = await log.channel()
    await drained(await leased(pool, memory_producer))
    await log.post(channel)
    at = await log.admin.fetchval("SELECT clock_timestamp()")
    before = await log.admin.fetch("SELECT * FROM messaging.relay_cursors ORDER BY shard")
    assert await rewound(log, at) == rewind.Rewound(0, 1)
    assert await log.admin.fetch("SELECT * FROM messaging.relay_cursors ORDER BY shard") == before


async def test_a_relay_in_the_middle_of_a_turn_moves_no_rewound_cursor_forward(
    log: Any, pool: Pool, memory_producer: MemoryProducer
) -> None:
    await log.post(await log.channel())
    relay = await leased(pool, memory_producer)
    await drained(relay)
    held = relay.leases.held()
    ahead = {row["shard"]: row for row in await log.admin.fetch("SELECT * FROM messaging.relay_cursors")}
    await rewound(log, None)
    waiting = await log.pending()
    places = {shard: rewind_place(ahead[shard]) for shard in held}
    await relay._move(held, places)
    assert await log.pending() == waiting > 0


def rewind_place(row: Any) -> Any:
    from signalink_core.log.outbox import Place

    return Place(row["epoch"], row["xid"], row["event_id"])
