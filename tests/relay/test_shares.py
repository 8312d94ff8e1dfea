"""Relays that come and go divide the shards evenly, give back only between turns, and leave none to nobody."""

from typing import Any

import pytest

from signalink_core.database.pool import Pool
from signalink_core.kafka.memory import MemoryProducer
from signalink_core.log.relay import OutboxRelay
from signalink_core.testing import eventually

pytestmark = pytest.mark.engine("postgres")


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


async def _shard(log: Any, channel: Any) -> int:
    shard: int = await log.admin.fetchval("SELECT messaging.shard_of($1)", channel)
    return shard


async def test_relays_of_other_shards_do_not_share_with_each_other(pool: Pool, memory_producer: MemoryProducer) -> None:
    first = await leased(pool, memory_producer, shards=range(40))
    second = await leased(pool, memory_producer, shards=range(40, 64))
    await first.leases.refresh()
    assert sorted(first.leases.held()) == list(range(40))
    assert sorted(second.leases.held()) == list(range(40, 64))


async def test_a_relay_that_comes_second_takes_one_shard_and_the_first_gives_the_rest_back_between_turns(
    pool: Pool, memory_producer: MemoryProducer
) -> None:
    first = await leased(pool, memory_producer)
    second = await leased(pool, memory_producer)
    assert len(second.leases.held()) == 1
    assert second.leases.waiting
    await first.leases.refresh()
    assert len(first.leases.held()) == 32
    await second.leases.refresh()
    assert len(second.leases.held()) == 1, "what the first still has under way is not free"
    await first.leases.hand_over()
    await second.leases.refresh()
    assert len(second.leases.held()) == 32
    assert not second.leases.waiting
    assert not first.leases.held().keys() & second.leases.held().keys()


async def test_the_door_is_an_idle_shard_when_there_is_one(
    log: Any, pool: Pool, memory_producer: MemoryProducer
) -> None:
    placed = {channel: await _shard(log, channel) for channel in await log.channels(200)}
    while 0 not in placed.values():  # the ids are by chance, and so are their shards
        placed |= {channel: await _shard(log, channel) for channel in await log.channels(50)}
    idle = max(placed.values())
    first = await leased(pool, memory_producer)
    await drained(first)
    await log.post(*(channel for channel, shard in placed.items() if shard != idle))
    busy = set(placed.values()) - {idle}
    (door,) = (await leased(pool, memory_producer)).leases.held()
    assert door not in busy


@pytest.mark.parametrize("count", [1, 2, 3, 5, 64, 70])
async def test_any_number_of_relays_end_with_shares_that_cover_all_shards(
    count: int, pool: Pool, memory_producer: MemoryProducer
) -> None:
    relays = [relay_on(pool, memory_producer) for _ in range(count)]
    for _ in range(4):
        for relay in relays:
            await relay.leases.refresh()
            await relay.leases.hand_over()
    shares = [sorted(relay.leases.held()) for relay in relays]
    assert sorted(shard for share in shares for shard in share) == list(range(64))
    assert max(map(len, shares)) <= -(-64 // count)


async def test_the_others_take_what_a_relay_gives_back_when_it_stops(
    pool: Pool, memory_producer: MemoryProducer
) -> None:
    async with relay_on(pool, memory_producer) as first:
        async with relay_on(pool, memory_producer) as second:
            await eventually(lambda: len(first.leases.held()) == len(second.leases.held()) == 32)
        await eventually(lambda: len(first.leases.held()) == 64)
