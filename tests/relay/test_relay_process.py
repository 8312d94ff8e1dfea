"""`python -m signalink_relay` as a child process on real Postgres, Kafka and Valkey: killed, paused, raced, cut off."""

import asyncio
import os
import signal
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from signalink_core import bus
from signalink_core.kafka import access, reader
from signalink_core.log import rewind
from signalink_core.testing import eventually
from signalink_operator import apply
from signalink_operator.adapters import manifests
from signalink_operator.adapters.kafka import KafkaTopics
from signalink_stacks.local.engines import KafkaEngine
from signalink_stacks.local.testing import Brokers, ValkeyServer

pytestmark = [pytest.mark.engine("postgres", "kafka", "valkey"), pytest.mark.timeout(180)]
POINTS = ["relay.after_read", "relay.after_produce", "relay.after_cursor", "relay.lease"]


Start = Callable[..., Any]


async def _posts(log: Any, channels: list[Any], rounds: int) -> None:
    for _ in range(rounds):
        await log.post(*channels)


async def _all_out(log: Any) -> bool:
    return bool(await log.pending() == 0)


@pytest.mark.parametrize("point", POINTS)
async def test_a_kill_at_any_point_repeats_and_never_loses(
    point: str, log: Any, start: Start, read_kafka: Callable[[], Awaitable[Any]]
) -> None:
    channels = await log.channels(5)
    first = start()
    await eventually(first.ready, within=30)
    await _posts(log, channels, 3)
    await eventually(lambda: _all_out(log))
    await first.crash_at(point)
    await _posts(log, channels, 3)
    assert await first.ended() == -signal.SIGKILL
    await _posts(log, channels, 2)
    start()
    await eventually(lambda: _all_out(log), within=30)
    found = await read_kafka()
    assert set(found.ids) == set(await log.event_ids())
    found.assert_order()
    repeats = max(Counter(found.ids).values())
    assert repeats == (2 if point == "relay.after_produce" else 1)


async def _shares(log: Any) -> dict[str, int]:
    """Node -> shards it holds now."""
    rows = await log.admin.fetch(
        "SELECT split_part(holder, ':', 1) AS node, count(*) AS shards FROM messaging.relay_cursors "
        "WHERE lease_until > now() GROUP BY 1"
    )
    return {row["node"]: row["shards"] for row in rows}


async def test_a_second_relay_gets_its_share_from_a_living_one_and_all_of_it_after_a_kill(
    log: Any, start: Start, read_kafka: Callable[[], Awaitable[Any]]
) -> None:
    channels = await log.channels(5)
    first = start()
    await eventually(lambda: first.lines("lease_taken"), within=30)
    second = start()
    await _posts(log, channels, 5)
    await eventually(lambda: _is(log, {"relay-0": 32, "relay-1": 32}), within=30)
    await _posts(log, channels, 5)
    await eventually(lambda: _all_out(log))
    first.signal(signal.SIGKILL)
    await _posts(log, channels, 5)
    await eventually(lambda: _is(log, {"relay-1": 64}), within=10)
    await eventually(lambda: _all_out(log))
    assert not second.lines("lease_lost")
    found = await read_kafka()
    assert set(found.ids) == set(await log.event_ids())
    found.assert_order()


async def _is(log: Any, shares: dict[str, int]) -> bool:
    return await _shares(log) == shares


async def test_a_relay_that_was_paused_past_its_lease_steps_down_and_comes_back_for_its_share(
    log: Any, start: Start, read_kafka: Callable[[], Awaitable[Any]]
) -> None:
    channels = await log.channels(5)
    first = start()
    await eventually(lambda: first.lines("lease_taken"), within=30)
    first.signal(signal.SIGSTOP)
    start()
    await eventually(lambda: _is(log, {"relay-1": 64}), within=30)
    await _posts(log, channels, 5)
    first.signal(signal.SIGCONT)
    await _posts(log, channels, 5)
    await eventually(lambda: first.lines("lease_lost"), within=10)
    await eventually(lambda: _all_out(log))
    await eventually(lambda: _is(log, {"relay-0": 32, "relay-1": 32}), within=10)
    found = await read_kafka()
    assert set(found.ids) == set(await log.event_ids())
    found.assert_order()


async def test_three_relays_killed_at_every_point_under_load_repeat_batches_and_lose_nothing(
    log: Any, start: Start, read_kafka: Callable[[], Awaitable[Any]]
) -> None:
    """Each of nine kills hits one of three; the supervisor's part, a new process, is played here."""
    channels = await log.channels(12)
    relays = [start() for _ in range(3)]
    done = asyncio.Event()

    async def load() -> None:
        while not done.is_set():
            await log.post(*channels)

    loading = asyncio.create_task(load())
    try:
        for number, point in enumerate(POINTS * 2 + ["kafka.produce"]):
            victim = number % 3
            await eventually(lambda who=relays[victim]: _holds(who), within=30)
            await relays[victim].crash_at(point)
            assert await relays[victim].ended() == -signal.SIGKILL
            relays[victim] = start()
    finally:
        done.set()
        await loading
    await eventually(lambda: _all_out(log), within=40)
    found = await read_kafka()
    assert set(found.ids) == set(await log.event_ids())
    found.assert_order()
    assert len(found.ids) > 500


async def _holds(child: Any) -> bool:
    return bool(child.lines("lease_taken"))


async def test_a_rewind_publishes_again_what_a_running_relay_had_published(
    log: Any, start: Start, read_kafka: Callable[[], Awaitable[Any]]
) -> None:
    channels = await log.channels(5)
    start()
    await _posts(log, channels, 3)
    await eventually(lambda: _all_out(log), within=30)
    owner = await log.database.connect("owner")
    try:
        done = await rewind.rewind(owner, None)
    finally:
        await owner.close()
    assert done.events >= 15
    await eventually(lambda: _all_out(log), within=30)

    async def twice() -> bool:
        found = await read_kafka()
        return set(Counter(found.ids).values()) == {2} and set(found.ids) == set(await log.event_ids())

    await eventually(twice, within=20)


async def test_sigterm_finishes_gives_the_leases_back_and_exits_with_0(log: Any, start: Start) -> None:
    first = start()
    await eventually(lambda: first.lines("lease_taken"), within=30)
    await log.post(*await log.channels(3))
    first.signal(signal.SIGTERM)
    assert await first.ended(within=12) == 0, first.text()
    held = await log.admin.fetchval("SELECT count(*) FROM messaging.relay_cursors WHERE holder IS NOT NULL")
    assert held == 0
    assert first.lines("lease_released")
    assert not first.lines("task_crashed")


async def test_heads_reach_the_bus_and_posts_wake_the_relay(log: Any, start: Start, valkey: ValkeyServer) -> None:
    said: list[Any] = []
    child = start()
    async with bus.Subscriber(valkey.settings("gateway"), on_event=lambda *_: None, on_heads=said.extend):
        await eventually(child.ready, within=30)
        channel = await log.channel()
        await log.post(channel)
        await eventually(lambda: (channel, 1, 1) in said, within=3)


async def test_metrics_say_what_was_published_and_leave_what_waits_to_the_prober(log: Any, start: Start) -> None:
    child = start()
    await eventually(lambda: child.lines("lease_taken"), within=30)
    await log.post(*await log.channels(3))
    await eventually(lambda: _all_out(log))

    async def page() -> bool:
        text = (await child.get("/metrics")).text
        return (
            'signalink_relay_published_total{result="ok",topic="messages"} 3.0' in text
            and "signalink_relay_lease_held 64.0" in text
            and "signalink_outbox" not in text
        )

    await eventually(page)


async def test_a_setting_that_is_missing_ends_with_64_and_names_the_key(start: Start) -> None:
    child = start(SIGNALINK_POSTGRES_DSN="")
    assert await child.ended() == 64
    assert "SIGNALINK_POSTGRES_DSN" in child.text()


# -- a broker of one's own ----------------------------------------------------------------------------


@pytest.fixture
def own_broker(tmp_path: Path) -> Iterator[Brokers]:
    with KafkaEngine(tmp_path / "kafka") as engine:
        yield Brokers(engine)


async def _prepare(brokers: Brokers) -> None:
    await access.apply(brokers.settings())
    await asyncio.to_thread(apply.run, manifests.load([manifests.SHIPPED]), KafkaTopics(brokers.settings("operator")))


async def test_a_broker_that_dies_delays_kafka_while_heads_go_on(
    log: Any, start: Start, own_broker: Brokers, valkey: ValkeyServer
) -> None:
    await _prepare(own_broker)
    child = start(own_broker.settings("relay"))
    said: list[Any] = []
    channels = await log.channels(4)
    async with bus.Subscriber(valkey.settings("gateway"), on_event=lambda *_: None, on_heads=said.extend):
        await eventually(child.ready, within=30)
        await _posts(log, channels, 5)
        await eventually(lambda: _all_out(log))
        os.kill(own_broker.engine.pid, signal.SIGKILL)
        await asyncio.to_thread(own_broker.engine.stop)
        await _posts(log, channels, 5)
        await eventually(lambda: (channels[0], 1, 10) in said, within=3)
        await eventually(lambda: _not_ready(child), within=20)
        assert await log.pending() == 20
        await asyncio.to_thread(own_broker.engine.start)
        await eventually(lambda: _all_out(log), within=45)
        await eventually(child.ready, within=20)
    records = await reader.read_topic(own_broker.settings(), "messages")
    found = {dict(record.headers)["ce_id"].decode() for record in records}
    assert found == {str(event) for event in await log.event_ids()}


async def _not_ready(child: Any) -> bool:
    return not await child.ready()


async def test_the_order_in_which_dependencies_come_up_does_not_matter(
    log: Any, start: Start, own_broker: Brokers
) -> None:
    await _prepare(own_broker)
    await asyncio.to_thread(own_broker.engine.stop)
    child = start(own_broker.settings("relay"))
    await log.post(await log.channel())
    await eventually(lambda: _lives_and_waits(child), within=30)
    await asyncio.to_thread(own_broker.engine.start)
    await eventually(child.ready, within=45)
    await eventually(lambda: _all_out(log))


async def _lives_and_waits(child: Any) -> bool:
    answer = await child.get("/readyz")
    states = {name: one["state"] for name, one in answer.json()["dependencies"].items()}
    return answer.status_code == 503 and states["kafka"] == "down" and states["postgres"] == "ok"
