"""The whole process on real engines: what Kafka holds is told on the public port, to whom the api's tokens name."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest
from apiworld import GENEROUS, ORIGIN, Person, World, make_settings
from consoles import commands, missing_line, opened
from happenings import Channel

from signalink_analytics import SCHEMA, app
from signalink_analytics.public import PublicGroups, PublicSettings
from signalink_analytics.settings import Retention, Settings, WindowSettings
from signalink_api.app import Api
from signalink_core.clock import utc_now
from signalink_core.database import migrate
from signalink_core.errors import ConfigurationError
from signalink_core.events import Event, kafka_headers, kafka_key, kafka_value
from signalink_core.http import HttpServer
from signalink_core.kafka.producer import KafkaProducer
from signalink_core.kafka.records import Record
from signalink_core.settings import AuthSettings, EdgeSettings, LimitSettings, ProcessSettings
from signalink_core.testing import eventually
from signalink_operator import apply
from signalink_operator.adapters import manifests
from signalink_operator.adapters.kafka import KafkaTopics
from signalink_stacks.local.testing import Database, Topics, ValkeyServer


@pytest.fixture
async def api(database: Database, valkey: ValkeyServer, tmp_path: Path) -> AsyncIterator[tuple[World, str]]:
    """An api that is served, and its address."""
    await migrate.upgrade(database.settings("owner"), package="signalink_analytics.migrations", schema=SCHEMA)
    running = Api(make_settings(tmp_path, database.settings("api"), valkey.settings("api")))
    async with running, HttpServer(running.asgi, host="127.0.0.1", port=0) as server:
        world = World(running, database)
        yield world, f"http://127.0.0.1:{server.port}"
        await world.http.aclose()


def groups(database: Database, valkey: ValkeyServer, topics: Topics, url: str, secret: Path) -> PublicGroups:
    secret.write_text("s" * 43)
    return PublicGroups(
        postgres=database.settings("analytics"),
        redis=valkey.settings("analytics"),
        kafka=topics.settings("analytics"),
        auth=AuthSettings(jwks_url=f"{url}/.well-known/jwks.json"),
        edge=EdgeSettings(ws_origins=(ORIGIN,)),
        limits=LimitSettings(**GENEROUS),
        retention=Retention(),
        public=PublicSettings(secret_file=secret),
    )


def settings(database: Database, topics: Topics) -> Settings:
    return Settings(
        process=ProcessSettings(node="analytics-0"),
        postgres=database.settings("analytics"),
        kafka=topics.settings("analytics"),
        windows=WindowSettings(keep_seconds=0.2),
        retention=Retention(),
    )


async def send(topics: Topics, events: list[Event]) -> None:
    async with KafkaProducer(topics.settings()) as producer:
        records = [Record("messages", kafka_key(event), kafka_value(event), kafka_headers(event)) for event in events]
        assert await producer.send_batches(records) == [None] * len(records)


@pytest.mark.engine("postgres", "valkey", "kafka")
async def test_what_was_posted_is_told_on_the_public_port(
    api: tuple[World, str], database: Database, valkey: ValkeyServer, topics: Topics, tmp_path: Path
) -> None:
    apply.run(manifests.load([manifests.SHIPPED]), KafkaTopics(topics.settings("operator")))
    world, url = api
    ann = await world.ready_made()
    channel = Channel(UUID((await ann.channel("private"))["id"]))
    public = groups(database, valkey, topics, url, tmp_path / "secret")
    async with app.Analytics(settings(database, topics), public) as process, httpx.AsyncClient() as client:

        async def told(path: str, person: Person | None = ann) -> Any:
            headers = {"Authorization": f"Bearer {person.access}"} if person else {}
            answer = await client.get(f"http://127.0.0.1:{process.public_port}/v1/analytics{path}", headers=headers)
            return answer.json()

        await send(topics, [channel.message(UUID(ann.id), utc_now()) for _ in range(7)])

        async def counted() -> bool:
            return bool((await told("/summary"))["totals"]["messages"] == 7)

        await eventually(counted, within=30)
        assert (await told(f"/channels/{channel.id}"))["senders"]["value"] == 1

        async def fresh() -> bool:
            found = await told("/freshness")
            return found["watermark"] is not None and found["lag"] == 0 and len(found["topics"]) == 3

        await eventually(fresh, within=30)
        assert (await told("/summary", None))["code"] == "unauthorised"
        metrics = (await client.get(f"http://127.0.0.1:{process.port}/metrics")).text
        assert 'http_route="/v1/analytics/summary"' in metrics
        assert (await client.get(f"http://127.0.0.1:{process.public_port}/metrics")).status_code == 404


README = Path(__file__).parents[3] / "services/analytics/README.md"


@pytest.mark.engine("postgres", "valkey", "kafka")
async def test_the_commands_of_the_readme_print_what_it_says(
    api: tuple[World, str], database: Database, valkey: ValkeyServer, topics: Topics, tmp_path: Path
) -> None:
    world, url = api
    assert (await world.register("grace", "nanoseconds are a foot")).status_code == 201
    public = groups(database, valkey, topics, url, tmp_path / "secret")
    async with app.Analytics(settings(database, topics), public) as process:
        places = {"http://127.0.0.1:8000": url, "http://127.0.0.1:8003": f"http://127.0.0.1:{process.public_port}"}
        shown = commands(README.read_text("utf-8"))
        assert len(shown) == 5
        async with opened() as shell:
            for command, said in shown:
                for place, real in places.items():
                    command = command.replace(place, real)
                code, printed = await shell.run(command)
                missing = missing_line(said, printed)
                assert (code, missing) == (0, None), f"$ {command}\n{printed}"


async def test_figures_are_told_without_kafka_once_it_was_there(
    database: Database, valkey: ValkeyServer, topics: Topics, tmp_path: Path
) -> None:
    public = groups(database, valkey, topics, ORIGIN, tmp_path / "secret")
    told, counting = app.Analytics(settings(database, topics), public), app.Analytics(settings(database, topics))
    for process in (told, counting):
        for dependency in ("postgres", "redis"):
            process.readiness.set(dependency, "ok")
        process.readiness.start()
        process.readiness.set("kafka", "down", "not in the group yet")
        assert not process.readiness.ready
        process.readiness.set("kafka", "ok")
        assert process.readiness.ready
        process.readiness.set("kafka", "down", "gone")
    assert told.readiness.ready
    assert not told.readiness.whole
    assert told.readiness.snapshot()["dependencies"]["kafka"] == {"state": "down", "detail": "gone"}
    assert not counting.readiness.ready


def test_without_a_good_secret_the_process_says_so(tmp_path: Path) -> None:
    short = tmp_path / "short"
    short.write_text("x")
    for file in (None, short, tmp_path / "missing"):
        with pytest.raises(ConfigurationError):
            PublicSettings(secret_file=file).secret()


def test_settings_are_read_from_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for key, value in {
        "POSTGRES_DSN": "postgresql://signalink_analytics@127.0.0.1/signalink",
        "REDIS_URL": "redis://analytics@127.0.0.1/0",
        "KAFKA_BOOTSTRAP": "127.0.0.1:9092",
        "ANALYTICS_URL": "http://figures.example:8003",
        "ANALYTICS_HOSTS": "Figures.Internal, other",
        "ANALYTICS_TRUSTED_PROXIES": "10.0.0.0/8",
        "ANALYTICS_KEEP_MINUTES_DAYS": "3",
    }.items():
        monkeypatch.setenv(f"SIGNALINK_{key}", value)
    read = PublicGroups.from_env()
    assert read.url == "http://figures.example:8003"
    assert read.public.hosts == ("figures.internal", "other")
    assert [str(network) for network in read.public.trusted_proxies] == ["10.0.0.0/8"]
    assert read.kept["1m"].days == 3
