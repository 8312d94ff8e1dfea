"""`python -m signalink_notifications` as child processes on real Postgres, Kafka and Valkey."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from talking import Talk, as_record

from signalink_core.auth.keys import KeyRing
from signalink_core.auth.tokens import TokenSigner
from signalink_core.http import HttpServer
from signalink_core.ids import uuid7
from signalink_core.kafka.producer import KafkaProducer
from signalink_core.testing import eventually
from signalink_operator import apply
from signalink_operator.adapters import manifests
from signalink_operator.adapters.kafka import KafkaTopics
from signalink_stacks.local.testing import Topics, ValkeyServer

pytestmark = [pytest.mark.engine("postgres", "kafka", "valkey"), pytest.mark.timeout(180)]
WITHIN = 40.0


@dataclass
class Process:
    """A child and what it logged."""

    child: asyncio.subprocess.Process
    lines: list[dict[str, Any]] = field(default_factory=list)

    async def read(self) -> None:
        assert self.child.stdout is not None
        async for line in self.child.stdout:
            self.lines.append(json.loads(line))

    def events(self, name: str) -> list[dict[str, Any]]:
        return [line for line in self.lines if line["event"] == name]

    async def address(self, number: int) -> str:
        """0: internal, which opens first; 1: public."""
        ports = await eventually(lambda: [line["port"] for line in self.events("http_accepting")][number:], within=30)
        return f"http://127.0.0.1:{ports[0]}"

    async def readiness(self) -> dict[str, Any]:
        async with httpx.AsyncClient(timeout=5) as http:
            answer: dict[str, Any] = (await http.get(f"{await self.address(0)}/readyz")).json()
            return answer

    async def ready(self) -> bool:
        return bool((await self.readiness())["ready"])

    async def ended(self) -> int:
        return await asyncio.wait_for(self.child.wait(), 60)


class Stage:
    """Engines, topics, people, keys of an api, and processes beside them."""

    def __init__(self, talk: Talk, topics: Topics, valkey: ValkeyServer, folder: Path) -> None:
        self.talk, self.topics, self.valkey, self.folder = talk, topics, valkey, folder
        self.ring = KeyRing.generate(folder / "keys")
        (folder / "secret").write_text("s" * 43)
        self.jwks_url = ""

    def environment(self, **more: str) -> dict[str, str]:
        postgres, kafka = self.talk.database.settings("notifications"), self.topics.settings("notifications")
        redis = self.valkey.settings("notifications")
        return {
            "PATH": os.environ["PATH"],
            "SIGNALINK_POSTGRES_DSN": postgres.dsn,
            "SIGNALINK_POSTGRES_PASSWORD_FILE": str(postgres.password_file),
            "SIGNALINK_REDIS_URL": redis.url,
            "SIGNALINK_REDIS_PASSWORD_FILE": str(redis.password_file),
            "SIGNALINK_KAFKA_BOOTSTRAP": kafka.bootstrap,
            "SIGNALINK_KAFKA_USER": str(kafka.user),
            "SIGNALINK_KAFKA_PASSWORD_FILE": str(kafka.password_file),
            "SIGNALINK_TOPIC_PREFIX": kafka.topic_prefix,
            "SIGNALINK_AUTH_JWKS_URL": self.jwks_url,
            "SIGNALINK_NOTIFICATIONS_SECRET_FILE": str(self.folder / "secret"),
            **more,
        }

    @asynccontextmanager
    async def run(self, **more: str) -> AsyncIterator[Process]:
        child = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "signalink_notifications",
            env=self.environment(**more),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        process = Process(child)
        reading = asyncio.ensure_future(process.read())
        try:
            yield process
        finally:
            if child.returncode is None:
                child.kill()
            await child.wait()
            await reading

    async def publish(self) -> None:
        """As the relay of the log would."""
        records = [as_record(event) for event in await self.talk.events()]
        async with KafkaProducer(self.topics.settings()) as producer:
            assert await producer.send_batches(records) == [None] * len(records)

    async def published(self) -> int:
        """Requests of the outbox that are behind its relay's cursors."""
        count: int = await self.talk.admin.fetchval(
            "SELECT count(*) FROM notifications.events e JOIN notifications.relay_cursors c USING (shard) "
            "WHERE (e.epoch, e.xid, e.id) <= (c.epoch, c.xid, c.event_id)"
        )
        return count


@pytest.fixture
async def stage(talk: Talk, topics: Topics, valkey: ValkeyServer, tmp_path: Path) -> AsyncIterator[Stage]:
    apply.run(manifests.load([manifests.SHIPPED]), KafkaTopics(topics.settings("operator")))
    made = Stage(talk, topics, valkey, tmp_path)

    async def jwks(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": json.dumps(made.ring.jwks()).encode()})

    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(HttpServer(jwks, host="127.0.0.1", port=0))
        made.jwks_url = f"http://127.0.0.1:{server.port}/jwks"
        yield made


async def test_one_process_plans_publishes_and_shows_it_to_whom_it_concerns(stage: Stage) -> None:
    talk = stage.talk
    ann, bob = await talk.user("ann"), await talk.user("bob")
    channel = await talk.channel(ann, bob)
    async with stage.run() as process:
        await eventually(process.ready, within=WITHIN)
        message = await talk.say(channel, ann, "@bob")
        await stage.publish()
        await eventually(stage.published, within=WITHIN)
        token = TokenSigner(stage.ring, "signalink").access(bob, uuid7())
        async with httpx.AsyncClient(base_url=await process.address(1), timeout=5) as http:
            answer = await http.get("/v1/notifications", headers={"Authorization": f"Bearer {token}"})
            assert [item["message_id"] for item in answer.json()["items"]] == [str(message)]
            for path in ("/metrics", "/readyz", "/faults"):
                assert (await http.get(path)).status_code == 404
        async with httpx.AsyncClient(base_url=await process.address(0), timeout=5) as http:
            page = (await http.get("/metrics")).text
            assert (await http.get("/v1/preferences")).status_code == 404
        assert 'signalink_notifications_planned_total{kind="mention",verdict="planned"} 1.0' in page
        assert 'signalink_relay_published_total{result="ok",topic="notifications"} 1.0' in page
        assert 'http_route="/v1/notifications",method="GET",status="200"' in page
        process.child.send_signal(signal.SIGTERM)
        assert await process.ended() == 0
    assert not process.events("task_crashed")
    assert await talk.admin.fetchval("SELECT count(*) FROM notifications.relay_cursors WHERE holder IS NOT NULL") == 0


async def test_a_second_process_takes_its_share_and_all_of_it_after_a_kill(stage: Stage) -> None:
    talk = stage.talk
    ann, bob = await talk.user("ann"), await talk.user("bob")
    channels = [await talk.channel(ann, bob) for _ in range(6)]
    async with stage.run(SIGNALINK_NODE="n-0") as first, stage.run(SIGNALINK_NODE="n-1") as second:
        await eventually(first.ready, within=WITHIN)
        await eventually(second.ready, within=WITHIN)
        for _ in range(3):
            for channel in channels:
                await talk.say(channel, ann, "@bob")
        await stage.publish()
        first.child.kill()
        for channel in channels:
            await talk.say(channel, ann, "@bob")
        await stage.publish()

        async def all_out() -> bool:
            return await stage.published() == 24

        await eventually(all_out, within=WITHIN)
    assert await talk.admin.fetchval("SELECT count(*) FROM notifications.events") == 24


async def test_it_lives_without_kafka_and_says_so_and_people_can_still_change_their_wishes(stage: Stage) -> None:
    async with stage.run(SIGNALINK_KAFKA_BOOTSTRAP="127.0.0.1:1") as process:

        async def waits() -> bool:
            states = {name: one["state"] for name, one in (await process.readiness())["dependencies"].items()}
            return states.get("postgres") == "ok" and states.get("planner_kafka") == "down"

        await eventually(waits, within=WITHIN)
        assert not await process.ready()
        token = TokenSigner(stage.ring, "signalink").access(uuid7(), uuid7())
        async with httpx.AsyncClient(base_url=await process.address(1), timeout=5) as http:
            headers = {"Authorization": f"Bearer {token}"}
            answer = await http.patch("/v1/preferences", json={"keywords": ["fire"]}, headers=headers)
            assert (answer.status_code, answer.json()["keywords"]) == (200, ["fire"])
        process.child.send_signal(signal.SIGTERM)
        assert await process.ended() == 0


async def test_while_postgres_is_stopped_it_keeps_its_place_in_the_service_and_answers_503(stage: Stage) -> None:
    engine = stage.talk.database.engine
    async with stage.run() as process:
        await eventually(process.ready, within=WITHIN)

        async def whole() -> bool:
            return bool((await process.readiness())["whole"])

        async def away() -> bool:
            return not await whole()

        await eventually(whole, within=WITHIN)
        engine.stop()
        try:
            await eventually(away, within=WITHIN)
            assert await process.ready(), "no replica has a Postgres now: clients must hear 503, not be refused"
            token = TokenSigner(stage.ring, "signalink").access(uuid7(), uuid7())
            async with httpx.AsyncClient(base_url=await process.address(1), timeout=6) as http:
                answer = await http.get("/v1/preferences", headers={"Authorization": f"Bearer {token}"})
            assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
            assert answer.headers["content-type"] == "application/problem+json"
            assert int(answer.headers["retry-after"]) >= 1
        finally:
            engine.start()
        await eventually(whole, within=WITHIN)
    assert not process.events("task_crashed")


async def test_without_postgres_a_request_is_told_so_at_once(stage: Stage) -> None:
    async with stage.run(SIGNALINK_POSTGRES_DSN="postgresql://x@127.0.0.1:1/x") as process:
        token = TokenSigner(stage.ring, "signalink").access(uuid7(), uuid7())
        async with httpx.AsyncClient(base_url=await process.address(1), timeout=5) as http:
            answer = await http.get("/v1/preferences", headers={"Authorization": f"Bearer {token}"})
        assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
        assert not await process.ready()


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("SIGNALINK_POSTGRES_DSN", ""),
        ("SIGNALINK_NOTIFICATIONS_SECRET_FILE", ""),
        ("SIGNALINK_NOTIFICATIONS_DEFAULT_TIME_ZONE", "Mars/Olympus"),
        ("SIGNALINK_NOTIFICATIONS_URL", "notes.example"),
    ],
)
async def test_a_setting_that_is_missing_or_wrong_ends_with_64_and_is_named(stage: Stage, key: str, value: str) -> None:
    async with stage.run(**{key: value}) as process:
        assert await process.ended() == 64
    assert key in json.dumps(process.lines)
