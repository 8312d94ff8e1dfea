"""The process on real Kafka and Postgres: counts what the topics hold, keeps the watermark, shares the work."""

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

import httpx
import oracle
import pytest
from happenings import Channel, fact, write

from signalink_analytics import app
from signalink_analytics.settings import Retention, Settings, WindowSettings
from signalink_core.clock import utc_now
from signalink_core.events import Event, kafka_headers, kafka_key, kafka_value, types
from signalink_core.kafka.producer import KafkaProducer
from signalink_core.kafka.records import Record
from signalink_core.settings import KafkaSettings, PostgresSettings, ProcessSettings
from signalink_core.testing import eventually
from signalink_operator import apply
from signalink_operator.adapters import manifests
from signalink_operator.adapters.kafka import KafkaTopics
from signalink_stacks.local.testing import Database, Topics

ANN, BOB = UUID(int=1), UUID(int=2)
Send = Callable[..., Awaitable[None]]


@pytest.fixture
def made(topics: Topics) -> Topics:
    apply.run(manifests.load([manifests.SHIPPED]), KafkaTopics(topics.settings("operator")))
    return topics


@pytest.fixture
async def send(made: Topics, admin: Any) -> AsyncIterator[Send]:
    """Into the log and into Kafka, as api and relay would."""
    async with KafkaProducer(made.settings()) as producer:

        async def send(events: Sequence[Event], topic: str = "messages") -> None:
            if topic != "presence":
                await write(admin, events, topic)
            records = [Record(topic, kafka_key(event), kafka_value(event), kafka_headers(event)) for event in events]
            assert await producer.send_batches(records) == [None] * len(records)

        yield send


def settings(figured: Database, topics: Topics, node: str = "analytics-0") -> Settings:
    return Settings(
        process=ProcessSettings(node=node),
        postgres=figured.settings("analytics"),
        kafka=topics.settings("analytics"),
        windows=WindowSettings(keep_seconds=0.2),
        retention=Retention(),
    )


async def page(process: app.Analytics, path: str) -> httpx.Response:
    async with httpx.AsyncClient(trust_env=False) as client:
        return await client.get(f"http://127.0.0.1:{process.port}{path}", timeout=5)


async def test_two_processes_count_everything_once_and_agree_on_the_watermark(
    figured: Database, made: Topics, send: Send, admin: Any
) -> None:
    channels, now = [Channel() for _ in range(20)], utc_now()
    said = [channel.message(ANN if n % 3 else BOB, now) for n in range(10) for channel in channels]
    await send(said[:100])
    async with contextlib.AsyncExitStack() as stack:
        first, second = app.Analytics(settings(figured, made)), app.Analytics(settings(figured, made, "analytics-1"))
        await stack.enter_async_context(first)
        await stack.enter_async_context(second)
        await send([fact(types.USER_LOGGED_IN, ANN, now), fact(types.USER_LOGGED_IN, BOB, now)], "analytics")
        await send([fact(types.PRESENCE_CHANGED, ANN, now, state="online")], "presence")
        await send(said[100:])
        await eventually(lambda: _counted(admin, len(said) + 2), within=40)
        assert await oracle.differences(admin, []) == []
        assert await admin.fetchval("SELECT state FROM analytics.presence_now WHERE user_id = $1", ANN) == "online"

        async def fresh() -> bool:
            row = await admin.fetchrow(
                "SELECT count(*) AS n, sum(partitions) AS p, min(watermark) AS w FROM analytics.freshness"
            )
            shown = (await page(second, "/metrics")).text
            line = next(
                x for x in shown.splitlines() if x.startswith("signalink_analytics_watermark_timestamp_seconds ")
            )
            return (row["n"], row["p"]) == (3, 36) and float(line.split()[1]) > utc_now().timestamp() - 15

        await eventually(fresh, within=20)
        assert (await page(first, "/readyz")).status_code == 200


async def _follows_the_clock(process: app.Analytics, admin: Any) -> bool:
    """It knows how many partitions there are, and each of them goes with the clock."""
    row = await admin.fetchrow("SELECT count(watermark) AS n, min(watermark) AS oldest FROM analytics.offsets")
    if not row["n"] == process.effect.partitions == 36:
        return False
    name, shown = "signalink_analytics_watermark_timestamp_seconds ", (await page(process, "/metrics")).text
    told = next(float(line.removeprefix(name)) for line in shown.splitlines() if line.startswith(name))
    return min(told, row["oldest"].timestamp()) > utc_now().timestamp() - 15


async def _counted(admin: Any, events: int) -> bool:
    return await oracle.events(admin) >= events


async def test_it_lives_without_postgres_and_kafka_and_says_what_it_lacks() -> None:
    nowhere = Settings(
        process=ProcessSettings(),
        postgres=PostgresSettings(dsn="postgresql://signalink_analytics@127.0.0.1:1/signalink"),
        kafka=KafkaSettings(bootstrap="127.0.0.1:1", security="plaintext"),
        windows=WindowSettings(),
        retention=Retention(),
    )
    async with app.Analytics(nowhere) as process:
        answer = await page(process, "/readyz")
        assert answer.status_code == 503
        assert answer.json()["dependencies"]["postgres"]["state"] == "down"
        assert (await page(process, "/healthz")).status_code == 200


async def test_late_ones_are_kept_by_a_process_that_follows_the_clock(
    figured: Database, made: Topics, send: Send, admin: Any
) -> None:
    channel = Channel()
    async with app.Analytics(settings(figured, made)) as process:
        await eventually(lambda: _follows_the_clock(process, admin), within=40)
        old = channel.message(ANN, utc_now() - timedelta(minutes=5))
        await send([old, channel.message(BOB, utc_now())])
        await eventually(lambda: _counted(admin, 1), within=20)
    assert await oracle.differences(admin, [old.id]) == []
