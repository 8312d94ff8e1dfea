"""A log to relay: channels and posts written through the api's own functions, topics applied, and Kafka read back."""

import contextlib
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any
from uuid import UUID

import pytest

from signalink_api.writer import Draft
from signalink_core.database.pool import Pool, open_pool
from signalink_core.events import Event, from_record
from signalink_core.ids import uuid7
from signalink_core.kafka import reader
from signalink_core.kafka.memory import MemoryKafka, MemoryProducer
from signalink_core.kafka.records import StoredRecord
from signalink_operator import apply
from signalink_operator.adapters import manifests
from signalink_operator.adapters.kafka import KafkaTopics
from signalink_stacks.local.testing import Database, Topics


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
