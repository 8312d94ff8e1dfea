"""A channel's further topic: everything from then on, in order, and never in the way of anybody else."""

import asyncio
from typing import Any
from uuid import UUID

import asyncpg
import orjson
import pytest

from signalink_core.database.pool import Pool
from signalink_core.kafka.memory import MemoryKafka, MemoryProducer
from signalink_core.log import rewind
from signalink_core.log.copies import Copies
from signalink_core.log.leases import Leases
from signalink_core.log.outbox import Outbox
from signalink_core.log.relay import OutboxRelay
from signalink_core.testing import eventually

pytestmark = pytest.mark.engine("postgres")
OTHER = "team.other"
TEAM = "team.general"


class World:
    """One relay's copies on the memory twin of Kafka; `states` is what it reported of its topics."""

    def __init__(self, log: Any, pool: Pool, memory: MemoryKafka) -> None:
        self.log, self.pool, self.memory = log, pool, memory
        self.states: list[tuple[str, str, str]] = []
        self.leases, self.copies = self.another()

    def another(self) -> tuple[Leases, Copies]:
        leases = Leases(self.pool, Outbox(), node="relay-test")
        producer = MemoryProducer(self.memory)
        return leases, Copies(self.pool, producer, leases, report=lambda *state: self.states.append(state))

    async def follow(self, channel: UUID, topic: str | None) -> None:
        await self.log.api.execute("UPDATE messaging.channels SET also_topic = $2 WHERE id = $1", channel, topic)

    async def drain(self) -> None:
        await self.leases.refresh()
        while await self.copies.turn():
            pass

    def seqs(self, topic: str = TEAM) -> list[int]:
        return [orjson.loads(record.value or b"")["seq"] for record in self.memory.read(topic)]

    async def cursors(self) -> list[tuple[str, int, int | None]]:
        rows = await self.log.admin.fetch("SELECT topic, seq, until_seq FROM messaging.topic_cursors ORDER BY topic")
        return [tuple(row) for row in rows]


@pytest.fixture
def world(log: Any, pool: Pool, memory: MemoryKafka) -> World:
    memory.topics |= {TEAM: 3, OTHER: 1}
    return World(log, pool, memory)


async def test_what_follows_the_naming_of_a_topic_goes_there_as_it_goes_to_messages(
    world: World, log: Any, memory_producer: MemoryProducer
) -> None:
    channel = await log.channel()
    await log.post(channel, channel)
    await world.follow(channel, TEAM)
    await log.post(channel, channel, channel)
    await world.drain()
    assert world.seqs() == [3, 4, 5]
    assert {record.key for record in world.memory.read(TEAM)} == {str(channel).encode()}
    assert {dict(record.headers)["ce_type"] for record in world.memory.read(TEAM)} == {b"dev.signalink.message.created"}
    assert await world.cursors() == [(TEAM, 5, None)]
    await world.drain()
    assert world.seqs() == [3, 4, 5], "nothing comes twice without a crash"
    assert world.memory.read("messages") == [], "the relay's own work is the relay's"


async def test_the_copy_is_the_record_of_messages_byte_by_byte(
    world: World, log: Any, pool: Pool, memory_producer: MemoryProducer
) -> None:
    channel = await log.channel()
    await world.follow(channel, TEAM)
    await log.post(channel, trace=f"00-{'a' * 32}-{'b' * 16}-01")
    await world.drain()
    await world.leases.release()
    relay = OutboxRelay(pool, memory_producer, node="relay-test")
    await relay.leases.refresh()
    while await relay.turn():
        pass
    (copy,), (first,) = world.memory.read(TEAM), world.memory.read("messages")
    assert (copy.key, copy.value, copy.headers) == (first.key, first.value, first.headers)


async def test_a_missing_topic_rests_and_catches_up_while_others_go_on(world: World, log: Any) -> None:
    quick, stuck = await log.channel(), await log.channel()
    await world.follow(quick, TEAM)
    await world.follow(stuck, "not.there")
    await log.post(quick, stuck, quick, stuck)
    await world.drain()
    assert world.seqs() == [1, 2]
    assert world.states[-1] == ("topics", "degraded", "take nothing: not.there")
    await log.post(quick)
    await eventually(lambda: _drained(world, TEAM, 3))
    world.memory.topics["not.there"] = 1
    await eventually(lambda: _drained(world, "not.there", 2))
    assert world.seqs("not.there") == [1, 2]
    assert world.states[-1] == ("topics", "ok", "")


async def _drained(world: World, topic: str, count: int) -> bool:
    await world.drain()
    return len(world.memory.read(topic)) >= count


async def test_without_kafka_nothing_is_left_out(world: World, log: Any) -> None:
    channel = await log.channel()
    await world.follow(channel, TEAM)
    await log.post(channel)
    await world.drain()
    world.memory.available = False
    await log.post(channel, channel)
    for _ in range(3):  # known as it is, the topic fails first and is looked for then
        await world.drain()
        assert await world.cursors() == [(TEAM, 1, None)]
    world.memory.available = True
    await eventually(lambda: _drained(world, TEAM, 3))
    assert world.seqs() == [1, 2, 3]


async def test_a_topic_that_is_left_gets_what_was_before_and_the_next_what_follows(world: World, log: Any) -> None:
    channel = await log.channel()
    await world.follow(channel, TEAM)
    await log.post(channel, channel)
    await world.follow(channel, OTHER)
    await log.post(channel)
    await world.follow(channel, None)
    await log.post(channel)
    await world.drain()
    assert (world.seqs(TEAM), world.seqs(OTHER)) == ([1, 2], [3])
    assert await world.cursors() == []


async def test_a_topic_taken_up_again_goes_on_where_it_was(world: World, log: Any) -> None:
    channel = await log.channel()
    await world.follow(channel, TEAM)
    await log.post(channel)
    await world.follow(channel, None)
    await log.post(channel)
    await world.follow(channel, TEAM)
    await log.post(channel)
    await world.drain()
    assert world.seqs() == [1, 2, 3]
    assert await world.cursors() == [(TEAM, 3, None)]


async def test_a_topic_that_is_left_and_gone_is_let_go(world: World, log: Any) -> None:
    channel = await log.channel()
    await world.follow(channel, "not.there")
    await log.post(channel)
    await world.drain()
    await world.follow(channel, None)
    await eventually(lambda: _forgotten(world))
    assert world.states[-1][1] == "ok"


async def _forgotten(world: World) -> bool:
    await world.drain()
    return await world.cursors() == []


async def test_a_refused_copy_becomes_a_pointer_and_its_followers_arrive(world: World, log: Any) -> None:
    channel = await log.channel()
    await world.follow(channel, TEAM)
    world.memory.max_bytes = 2_000
    await log.post(channel, size=20)
    await log.post(channel, size=3_000)
    await log.post(channel, size=20)
    await world.drain()
    assert world.seqs() == [1, 3]
    (letter,) = world.memory.read("dlq.messages")
    told = orjson.loads(letter.value or b"")
    assert (told["topic"], told["pointer"]["seq"]) == (TEAM, 2)
    assert b"...." not in (letter.value or b"")
    assert await world.cursors() == [(TEAM, 3, None)]


async def test_who_lost_the_lease_moves_no_cursor(world: World, log: Any) -> None:
    channel = await log.channel()
    await world.follow(channel, TEAM)
    await log.post(channel)
    await world.drain()
    owner = await log.database.connect("owner")
    await rewind.rewind(owner, None)
    await owner.close()
    await world.copies.turn()
    assert await world.cursors() == [(TEAM, 0, None)], "its fencing epoch is over"
    await world.drain()
    assert await world.cursors() == [(TEAM, 1, None)]


async def test_a_rewind_publishes_the_copies_again(world: World, log: Any) -> None:
    channel = await log.channel()
    await world.follow(channel, TEAM)
    await log.post(channel, channel)
    await world.drain()
    owner = await log.database.connect("owner")
    await rewind.rewind_all(owner, None)
    await owner.close()
    await world.drain()
    assert world.seqs() == [1, 2, 1, 2]


async def test_retention_stays_below_what_is_not_copied(world: World, log: Any) -> None:
    channel = await log.channel()
    await world.follow(channel, TEAM)
    await log.post(channel, channel)
    await world.drain()
    await log.post(channel)
    await log.admin.execute("UPDATE messaging.relay_cursors SET epoch = 1, xid = '99999999', event_id = 99999999")
    await log.admin.execute("SET ROLE signalink_retention")
    with pytest.raises(asyncpg.PostgresError, match="not published"):
        await log.admin.execute("DELETE FROM messaging.events WHERE channel_id = $1", channel)
    assert await log.admin.fetchval("SELECT messaging.delete_events($1, 3)", channel) == 2
    await log.admin.execute("RESET ROLE")


async def test_two_relays_share_the_copies_by_their_leases(world: World, log: Any) -> None:
    channels = await log.channels(12)
    for channel in channels:
        await world.follow(channel, TEAM)
    leases, copies = world.another()
    for _ in range(8):
        await log.post(*channels)
        await asyncio.gather(world.leases.refresh(), leases.refresh())
        await asyncio.gather(world.leases.hand_over(), leases.hand_over())
        await asyncio.gather(world.copies.turn(), copies.turn())
    await world.leases.release()
    await eventually(lambda: _all_copied(world, leases, copies, len(channels) * 8))
    last: dict[str, int] = {}
    seen: set[tuple[str, int]] = set()
    for record in world.memory.read(TEAM):
        event = orjson.loads(record.value or b"")
        place = (event["channel_id"], event["seq"])
        if place not in seen:
            assert event["seq"] == last.get(event["channel_id"], 0) + 1
            last[event["channel_id"]] = event["seq"]
            seen.add(place)


async def _all_copied(world: World, leases: Leases, copies: Copies, count: int) -> bool:
    await leases.refresh()
    while await copies.turn():
        pass
    return len({(record.key, record.value) for record in world.memory.read(TEAM)}) == count
