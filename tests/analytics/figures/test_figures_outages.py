"""The figures while Postgres, Valkey or Kafka is away: honest answers, and back by themselves."""

import asyncio
import time
from typing import Any

from figureworld import HOUR, NOW, FigureWorld

from signalink_analytics.lag import Lag
from signalink_core.settings import KafkaSettings
from signalink_core.testing import eventually
from signalink_stacks.local.testing import Database, ValkeyServer

PATHS = ("/summary", "/messages", "/channels", "/active-users", "/users/me", "/presence", "/freshness")


def state(world: FigureWorld, dependency: str) -> str:
    return str(world.readiness.snapshot()["dependencies"][dependency]["state"])


async def test_without_postgres_answers_are_fast_503_and_end_when_it_is_back(
    world: FigureWorld, database: Database
) -> None:
    ann = await world.api.ready_made()
    await asyncio.gather(*(world.get(ann, "/summary") for _ in range(8)))  # fills the pool with what will die
    database.engine.stop()
    try:
        began = time.monotonic()
        answers = [await world.get(ann, path) for path in PATHS]
        assert time.monotonic() - began < 10
        assert {(answer.status_code, answer.json()["code"]) for answer in answers} == {(503, "unavailable")}
        assert all(int(answer.headers["retry-after"]) >= 1 for answer in answers)
        await eventually(lambda: state(world, "postgres") == "down", within=5)
    finally:
        database.engine.start()
    await eventually(lambda: state(world, "postgres") == "ok", within=10)
    assert [(await world.get(ann, path)).status_code for path in PATHS] == [200] * len(PATHS)


async def test_without_valkey_figures_are_told_and_limits_counted_locally(
    make_world: Any, valkey: ValkeyServer
) -> None:
    world: FigureWorld = await make_world(limits={"requests_per_second_per_user": 10})
    ann = await world.api.ready_made()
    await world.count(HOUR, user=ann.id, logins=1)
    valkey.engine.stop()
    try:
        await eventually(lambda: state(world, "redis") == "degraded", within=5)
        assert (await world.ok(ann, "/users/me"))["logins"] == 1
        statuses = [(await world.get(ann, "/freshness")).status_code for _ in range(20)]
        assert 429 in statuses, "without Valkey limits are not open"
    finally:
        valkey.engine.start()
    await eventually(lambda: state(world, "redis") == "ok", within=5)


async def test_more_readers_than_connections_wait_their_turn(world: FigureWorld) -> None:
    ann = await world.api.ready_made()
    answers = await asyncio.gather(*(world.get(ann, "/summary") for _ in range(60)))
    assert {answer.status_code for answer in answers} == {200}


async def test_a_figure_that_takes_postgres_too_long_is_503_and_leaves_nothing_behind(world: FigureWorld) -> None:
    ann = await world.api.ready_made(role="admin")
    connection = await world.api.database.connect()
    try:
        async with connection.transaction():
            await connection.execute("LOCK TABLE analytics.progress IN ACCESS EXCLUSIVE MODE")
            slow = await world.get(ann, "/messages")
            assert (slow.status_code, slow.json()["code"]) == (503, "unavailable")
    finally:
        await connection.close()
    assert (await world.get(ann, "/messages")).status_code == 200


async def test_while_kafka_is_away_the_lag_is_unknown_and_nobody_waits_for_it_twice() -> None:
    lag = Lag(KafkaSettings(bootstrap="127.0.0.1:1", security="plaintext"))
    assert await lag.now() is None
    began = time.monotonic()
    assert await asyncio.gather(*(lag.now() for _ in range(10))) == [None] * 10
    assert time.monotonic() - began < 0.5


async def test_times_far_away_are_told_as_they_are(world: FigureWorld) -> None:
    ann = await world.api.ready_made()
    await world.watermark(NOW.replace(year=2030))
    found = await world.ok(ann, "/freshness")
    assert found["delay_seconds"] == 0.0, "a clock behind Postgres's makes no negative delay"
