"""A log to relay and relays as processes: posts by the api's functions, topics applied, Kafka read back."""

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest

from signalink_api.writer import Draft
from signalink_core.database.pool import Pool, open_pool
from signalink_core.events import Event, from_record
from signalink_core.ids import uuid7
from signalink_core.kafka import reader
from signalink_core.kafka.memory import MemoryKafka, MemoryProducer
from signalink_core.kafka.records import StoredRecord
from signalink_core.settings import KafkaSettings
from signalink_core.testing import eventually
from signalink_operator import apply
from signalink_operator.adapters import manifests
from signalink_operator.adapters.kafka import KafkaTopics
from signalink_stacks.local.testing import Database, Topics, ValkeyServer

TOKEN = "relay-test-token"


class Log:
    """The api's side of the log. Every call is one transaction unless a connection in one is given."""

    def __init__(self, database: Database, api: Any, admin: Any) -> None:
        self.database, self.api, self.admin = database, api, admin
        self.owner = uuid7()

    async def open(self) -> None:
        await self.api.execute(
            "INSERT INTO messaging.users (id, username, email, password_hash, role) VALUES ($1, $2, $3, 'x', 'member')",
            self.owner,
            f"u-{self.owner}",
            f"{self.owner}@example.org",
        )

    async def channel(self) -> UUID:
        channel = uuid7()
        command = {"id": channel, "slug": f"c-{channel}", "name": "C", "kind": "public", "actor_id": self.owner}
        answer = await self.api.fetchval(
            "SELECT messaging.create_channel($1)", {"event_id": uuid7(), "traceparent": None, **command}
        )
        assert answer["verdict"] == "ok", answer
        return channel

    async def channels(self, count: int) -> list[UUID]:
        return [await self.channel() for _ in range(count)]

    async def post(self, *channels: UUID, trace: str | None = None, connection: Any = None, size: int = 20) -> None:
        """One message to each of `channels`, in one transaction."""
        rows = [self._row(n, channel, trace, size) for n, channel in enumerate(channels)]
        answer = await (connection or self.api).fetchval(
            "SELECT messaging.post_messages($1)", {"rows": rows, "wait": True}
        )
        assert {row["verdict"] for row in answer["rows"]} == {"created"}, answer

    def _row(self, n: int, channel: UUID, trace: str | None, size: int) -> dict[str, Any]:
        client = str(uuid7())
        draft = Draft(channel, self.owner, client, f"body of {client}".ljust(size, "."))
        return {
            "n": n,
            "channel_id": channel,
            "sender_id": draft.sender_id,
            "client_id": client,
            "body": draft.body,
            "format": draft.format,
            "metadata": {},
            "reply_to": None,
            "request_hash": draft.request_hash().hex(),
            "message_id": uuid7(),
            "event_id": uuid7(),
            "traceparent": trace,
        }

    async def event_ids(self, topic: str = "messages") -> list[UUID]:
        """What the log holds for a topic."""
        rows = await self.admin.fetch("SELECT event_id FROM messaging.events WHERE topic = $1 ORDER BY id", topic)
        return [row["event_id"] for row in rows]

    async def cursor(self, shard: int) -> Any:
        return await self.admin.fetchrow("SELECT * FROM messaging.relay_cursors WHERE shard = $1", shard)

    async def pending(self) -> int:
        count: int = await self.admin.fetchval(
            "SELECT count(*) FROM messaging.events e JOIN messaging.relay_cursors c USING (shard) "
            "WHERE (e.epoch, e.xid, e.id) > (c.epoch, c.xid, c.event_id)"
        )
        return count


@pytest.fixture
async def log(database: Database) -> AsyncIterator[Log]:
    async with contextlib.AsyncExitStack() as stack:
        connections = []
        for role in ("api", "admin"):
            connection = await database.connect(role)
            stack.push_async_callback(connection.close)
            connections.append(connection)
        made = Log(database, *connections)
        await made.open()
        yield made


@pytest.fixture
async def pool(database: Database) -> AsyncIterator[Pool]:
    """As the relay's role."""
    opened = await open_pool(database.settings("relay"), max_size=6)
    yield opened
    await opened.close()


@pytest.fixture
def memory() -> MemoryKafka:
    names = [topic.name for topic in manifests.load([manifests.SHIPPED])]
    return MemoryKafka({name: 1 if name.startswith("dlq.") else 12 for name in names})


@pytest.fixture
def memory_producer(memory: MemoryKafka) -> MemoryProducer:
    return MemoryProducer(memory)


@pytest.fixture
def made_topics(topics: Topics) -> Topics:
    """The platform's topics on the real broker under this test's prefix."""
    results = apply.run(manifests.load([manifests.SHIPPED]), KafkaTopics(topics.settings("operator")))
    assert {result.outcome for result in results} == {"created"}
    return topics


class Read:
    """What Kafka holds, and the assertions of log.md 3 on it."""

    def __init__(self, records: list[StoredRecord]) -> None:
        self.records = records
        self.events: list[Event] = [from_record(record.headers, record.value or b"") for record in records]

    @property
    def ids(self) -> list[UUID]:
        return [event.id for event in self.events]

    def assert_order(self) -> None:
        """Repeats are allowed; first occurrences increase by (epoch, seq) in each channel."""
        last: dict[UUID | None, tuple[int, int]] = defaultdict(lambda: (0, 0))
        seen: set[UUID] = set()
        for event in self.events:
            if event.id in seen or event.channel is None:
                continue
            seen.add(event.id)
            place = (event.position.epoch, event.position.seq)
            assert place > last[event.channel], (event.channel, place, last[event.channel])
            last[event.channel] = place


@pytest.fixture
def read_kafka(topics: Topics) -> Callable[[], Awaitable[Read]]:
    """Reads topic `messages` of the real broker to its end."""

    async def read() -> Read:
        return Read(await reader.read_topic(topics.settings("prober"), "messages"))

    return read


@pytest.fixture
def read_memory(memory: MemoryKafka) -> Callable[[], Read]:
    return lambda: Read(memory.read("messages"))


class Child:
    """One relay process, its log and its internal port."""

    def __init__(self, environment: dict[str, str], log: Path) -> None:
        self._log = log
        with log.open("wb") as out:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "signalink_relay"],
                env={**os.environ, **environment},
                stdout=out,
                stderr=subprocess.STDOUT,
            )

    def lines(self, event: str) -> list[dict[str, Any]]:
        found = [json.loads(line) for line in self._log.read_text().splitlines() if line.startswith("{")]
        return [line for line in found if line["event"] == event]

    async def port(self) -> int:
        line = await eventually(lambda: self.lines("http_accepting"), within=30)
        return int(line[0]["port"])

    async def get(self, path: str) -> httpx.Response:
        async with httpx.AsyncClient(timeout=5) as client:
            return await client.get(f"http://127.0.0.1:{await self.port()}{path}")

    async def ready(self) -> bool:
        return (await self.get("/readyz")).status_code == 200

    async def crash_at(self, point: str) -> None:
        async with httpx.AsyncClient(timeout=5) as client:
            answer = await client.put(
                f"http://127.0.0.1:{await self.port()}/faults",
                json={"point": point, "action": "crash"},
                headers={"authorization": f"Bearer {TOKEN}"},
            )
        assert answer.status_code == 200, answer.text

    def signal(self, number: int) -> None:
        self.process.send_signal(number)

    async def ended(self, within: float = 15) -> int:
        await eventually(lambda: self.process.poll() is not None, within=within)
        return self.process.returncode

    def text(self) -> str:
        return self._log.read_text()


@pytest.fixture
def start(
    database: Database, made_topics: Topics, valkey: ValkeyServer, tmp_path: Path
) -> Iterator[Callable[..., Child]]:
    """Starts relays; what still runs at the end is killed."""
    children: list[Child] = []
    token = tmp_path / "token"
    token.write_text(TOKEN)

    def run(kafka: KafkaSettings | None = None, **more: str) -> Child:
        postgres, redis = database.settings("relay"), valkey.settings("relay")
        kafka = kafka or made_topics.settings("relay")
        environment = {
            "SIGNALINK_POSTGRES_DSN": postgres.dsn,
            "SIGNALINK_POSTGRES_PASSWORD_FILE": str(postgres.password_file),
            "SIGNALINK_REDIS_URL": redis.url,
            "SIGNALINK_REDIS_PASSWORD_FILE": str(redis.password_file),
            "SIGNALINK_KAFKA_BOOTSTRAP": kafka.bootstrap,
            "SIGNALINK_KAFKA_USER": str(kafka.user),
            "SIGNALINK_KAFKA_PASSWORD_FILE": str(kafka.password_file),
            "SIGNALINK_TOPIC_PREFIX": kafka.topic_prefix,
            "SIGNALINK_NODE": f"relay-{len(children)}",
            "SIGNALINK_FAULTS": "on",
            "SIGNALINK_FAULTS_TOKEN_FILE": str(token),
            **more,
        }
        children.append(Child(environment, tmp_path / f"relay-{len(children)}.log"))
        return children[-1]

    yield run
    for child in children:
        if child.process.poll() is None:
            child.signal(signal.SIGCONT)
            child.process.kill()
        child.process.wait()
