"""A group of consumers with its store and its effects, on real Kafka and Postgres and on the memory twin."""

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import pytest

from signalink_core.clock import utc_now
from signalink_core.database.pool import Pool, open_pool
from signalink_core.events import Event, kafka_headers, kafka_key, kafka_value, types
from signalink_core.ids import uuid7
from signalink_core.kafka import offsets, reader
from signalink_core.kafka.consumer import ConsumerLimits, KafkaConsumerManager
from signalink_core.kafka.dead_letters import Letter, open_letter
from signalink_core.kafka.delivery import Apply, Batch
from signalink_core.kafka.memory import MemoryKafka, MemoryProducer
from signalink_core.kafka.memory_group import MemoryConsumerManager, MemoryOffsets
from signalink_core.kafka.producer import KafkaProducer
from signalink_core.kafka.records import Producer, Record, StoredRecord
from signalink_core.kafka.settling import Retries
from signalink_core.kafka.store import OffsetStore
from signalink_operator import apply
from signalink_operator.adapters import manifests
from signalink_operator.adapters.kafka import KafkaTopics
from signalink_stacks.local.testing import Database, Topics

SCHEMA = "proof"
GROUP, OTHER = "signalink-analytics", "signalink-notifications-planner"
ROLES = {GROUP: "analytics", OTHER: "notifications"}
QUICK = ConsumerLimits(idle_seconds=0.1, retries=Retries(attempts=3, base_seconds=0.01, cap_seconds=0.05))


def message(channel: UUID, seq: int, body: str = "hello", *, epoch: int = 1, **more: Any) -> Event:
    data = {"id": str(uuid7()), "channel_id": str(channel), "seq": seq, "sender_id": str(channel), "client_id": "c"}
    data |= {"body": body, "format": "text", "metadata": {}, "created_at": utc_now().isoformat()}
    return Event(uuid7(), types.MESSAGE_CREATED, utc_now(), epoch, data | more, channel, seq)


def fact(user: UUID) -> Event:
    return Event(uuid7(), types.USER_LOGGED_IN, utc_now(), 1, {"user_id": str(user)}, subject=str(user))


def as_record(event: Event, topic: str = "messages") -> Record:
    return Record(topic, kafka_key(event), kafka_value(event), kafka_headers(event))


def changed(event: Event, *, value: bytes | None = None, drop: str = "", **headers: str) -> Record:
    """The record of an event with other headers (dashes are underscores here), or another value."""
    made = as_record(event)
    kept = [pair for pair in made.headers if pair[0] not in {drop, *headers}]
    kept += [(name, text.encode()) for name, text in headers.items()]
    return Record(made.topic, made.key, made.value if value is None else value, kept)


@dataclass
class Effect:
    """The effect of these tests: what an event said, in order; `fails` raises for an event."""

    write: Callable[[Any, str, UUID], Awaitable[None]]
    fails: Callable[[Event], None] = lambda event: None
    before: Callable[[Batch], Awaitable[None]] | None = None
    batches: list[Batch] = field(default_factory=list)

    async def __call__(self, tx: Any, batch: Batch) -> None:
        self.batches.append(batch)
        if self.before is not None:
            await self.before(batch)
        for delivered in batch.events:
            self.fails(delivered.event)
            await self.write(tx, str(delivered.event.data.get("body", delivered.event.type)), delivered.event.id)


class Rig:
    """Sends, consumes, and shows what came of it."""

    kind: str
    producer: Producer

    def store(self, group: str = GROUP) -> OffsetStore:
        raise NotImplementedError

    def effect(self, group: str = GROUP) -> Effect:
        raise NotImplementedError

    def manager(self, apply: Apply, *, group: str = GROUP, **options: Any) -> KafkaConsumerManager:
        raise NotImplementedError

    async def effects(self, group: str = GROUP) -> list[tuple[str, UUID]]:
        raise NotImplementedError

    async def read(self, topic: str) -> list[StoredRecord]:
        raise NotImplementedError

    def options(self, group: str, more: dict[str, Any]) -> dict[str, Any]:
        defaults = {"group": group, "topics": ("messages",), "node": "test", "limits": QUICK}
        return {"store": self.store(group), "dead_letters": self.producer} | defaults | more

    async def send(self, *sent: Event | Record) -> None:
        records = [as_record(one) if isinstance(one, Event) else one for one in sent]
        assert await self.producer.send_batches(records) == [None] * len(records)

    async def letters(self, topic: str = "messages") -> list[Letter]:
        return [open_letter(stored) for stored in await self.read(f"dlq.{topic}")]

    async def bodies(self, group: str = GROUP) -> list[str]:
        return [body for body, _ in await self.effects(group)]


class MemoryRig(Rig):
    kind = "memory"

    def __init__(self) -> None:
        names = [topic.name for topic in manifests.load([manifests.SHIPPED])]
        self.kafka = MemoryKafka({name: 1 if name.startswith("dlq.") else 12 for name in names})
        self.producer = MemoryProducer(self.kafka)
        self.stores: dict[str, MemoryOffsets] = {}

    def store(self, group: str = GROUP) -> MemoryOffsets:
        return self.stores.setdefault(group, MemoryOffsets())

    def effect(self, group: str = GROUP) -> Effect:
        async def write(tx: Any, body: str, event: UUID) -> None:
            tx.write((body, event))

        return Effect(write)

    def manager(self, apply: Apply, *, group: str = GROUP, **options: Any) -> KafkaConsumerManager:
        return MemoryConsumerManager(self.kafka, apply=apply, **self.options(group, options))

    async def effects(self, group: str = GROUP) -> list[tuple[str, UUID]]:
        return list(self.store(group).effects)

    async def read(self, topic: str) -> list[StoredRecord]:
        return self.kafka.read(topic)


class RealRig(Rig):
    kind = "kafka"

    def __init__(self, topics: Topics, pools: dict[str, Pool], admin: Any, database: Database) -> None:
        self.topics, self.pools, self.admin, self.database = topics, pools, admin, database
        self.producer = KafkaProducer(topics.settings())

    def store(self, group: str = GROUP) -> offsets.PostgresOffsets:
        return offsets.PostgresOffsets(self.pools[group], SCHEMA, group)

    def effect(self, group: str = GROUP) -> Effect:
        async def write(tx: Any, body: str, event: UUID) -> None:
            await tx.execute(f"INSERT INTO {SCHEMA}.effects VALUES (DEFAULT, $1, $2, $3)", group, body, event)

        return Effect(write)

    def manager(self, apply: Apply, *, group: str = GROUP, **options: Any) -> KafkaConsumerManager:
        manager = options.pop("manager", KafkaConsumerManager)
        settings = self.topics.settings(ROLES[group])
        made: KafkaConsumerManager = manager(settings, apply=apply, **self.options(group, options))
        return made

    async def effects(self, group: str = GROUP) -> list[tuple[str, UUID]]:
        rows = await self.admin.fetch(f"SELECT * FROM {SCHEMA}.effects WHERE consumer_group = $1 ORDER BY n", group)
        return [(row["body"], row["event_id"]) for row in rows]

    async def read(self, topic: str) -> list[StoredRecord]:
        return await reader.read_topic(self.topics.settings(), topic)


EFFECTS = f"""
CREATE SCHEMA {SCHEMA};
CREATE TABLE {SCHEMA}.effects (n bigint GENERATED ALWAYS AS IDENTITY, consumer_group text, body text, event_id uuid);
"""


async def _real(database: Database, topics: Topics, stack: contextlib.AsyncExitStack) -> RealRig:
    owner = await database.connect("owner")
    stack.push_async_callback(owner.close)
    await owner.execute(EFFECTS)
    await owner.execute(offsets.tables(SCHEMA, "signalink_analytics"))
    await owner.execute(f"GRANT USAGE ON SCHEMA {SCHEMA} TO signalink_notifications")
    await owner.execute(f"GRANT ALL ON ALL TABLES IN SCHEMA {SCHEMA} TO signalink_analytics, signalink_notifications")
    pools: dict[str, Pool] = {}
    for group, principal in ROLES.items():
        pools[group] = await open_pool(database.settings(principal), max_size=10)
        stack.push_async_callback(pools[group].close)
    apply.run(manifests.load([manifests.SHIPPED]), KafkaTopics(topics.settings("operator")))
    return RealRig(topics, pools, owner, database)


@pytest.fixture(params=["memory", pytest.param("kafka", marks=pytest.mark.engine("postgres", "kafka"))])
async def rig(request: pytest.FixtureRequest) -> AsyncIterator[Rig]:
    async with contextlib.AsyncExitStack() as stack:
        if request.param == "memory":
            made: Rig = MemoryRig()
        else:
            made = await _real(request.getfixturevalue("database"), request.getfixturevalue("topics"), stack)
        await stack.enter_async_context(made.producer)  # type: ignore[arg-type]
        yield made


@pytest.fixture
async def real(database: Database, topics: Topics) -> AsyncIterator[RealRig]:
    async with contextlib.AsyncExitStack() as stack:
        made = await _real(database, topics, stack)
        await stack.enter_async_context(made.producer)  # type: ignore[arg-type]
        yield made


def bodies(count: int, start: int = 1) -> Sequence[str]:
    return [str(n) for n in range(start, start + count)]
