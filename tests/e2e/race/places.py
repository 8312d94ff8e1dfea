"""A database with its log and the Kafka topics it is relayed to: written as the api's role writes, compared as a whole.

Owns making a scratch place beside the platform's own, and the dump of both ends. Which race is run is the program's.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Self
from urllib.parse import urlsplit
from uuid import UUID

from rig import Platform

from signalink_core import principals
from signalink_core.database import migrate, pool, roles
from signalink_core.events import from_record
from signalink_core.ids import uuid7
from signalink_core.kafka import access, reader
from signalink_core.settings import KafkaSettings, PostgresSettings
from signalink_core.testing import eventually
from signalink_operator import apply
from signalink_operator.adapters import manifests
from signalink_operator.adapters.kafka import KafkaTopics
from signalink_stacks.local import schema
from signalink_stacks.local.state import StateFolder

SLOW_ROLE = "race_slow"
TOPIC = "messages"


@dataclass(frozen=True)
class Place:
    """`database` and `prefix` name it; empty prefix: the platform's own, which its relay process follows."""

    platform: Platform
    database: str = roles.DATABASE
    prefix: str = ""

    def postgres(self, role: str) -> PostgresSettings:
        port = urlsplit(self.platform.postgres("owner").dsn).port or 0
        return schema.settings(StateFolder(self.platform.state).secrets, port, role, self.database)

    def kafka(self, principal: str) -> KafkaSettings:
        known = self.platform.kafka("relay")
        secrets = StateFolder(self.platform.state).secrets
        return KafkaSettings(
            bootstrap=known.bootstrap,
            user=principal,
            password_file=secrets.path(f"kafka-{principal}"),
            security=known.security,
            topic_prefix=self.prefix,
        )

    async def connect(self, role: str) -> Any:
        return await pool.connect(self.postgres(role))

    async def make(self) -> Self:
        """The database with roles' grants and schema, the topics with their ACLs."""
        secrets = StateFolder(self.platform.state).secrets
        admin = Place(self.platform, "postgres").postgres(principals.ADMIN)
        word = schema.password_file(secrets, principals.ADMIN).read_text()
        dsn = admin.dsn.replace("@", f":{word}@", 1)
        await roles.bootstrap(dsn, schema.role_passwords(secrets), database=self.database)
        await migrate.upgrade(self.postgres("owner"))
        await access.apply(self.kafka(principals.ADMIN))
        topics = KafkaTopics(self.kafka("operator"))
        await asyncio.to_thread(apply.run, manifests.load([manifests.SHIPPED]), topics)
        return self

    async def slow_connection(self) -> Any:
        """A session with the api's rights and without its time-outs."""
        admin = await self.connect(principals.ADMIN)
        if not await admin.fetchval("SELECT 1 FROM pg_roles WHERE rolname = $1", SLOW_ROLE):
            await admin.execute(f"CREATE ROLE {SLOW_ROLE} LOGIN PASSWORD 'slow' IN ROLE signalink_api")
        await admin.execute(f'GRANT CONNECT ON DATABASE "{self.database}" TO {SLOW_ROLE}')
        await admin.close()
        kwargs = self.postgres("api").connect_kwargs() | {"user": SLOW_ROLE, "password": "slow"}
        connection = await pool.asyncpg.connect(**kwargs)
        await pool.prepare(connection)
        return connection

    async def user(self) -> UUID:
        user = uuid7()
        api = await self.connect("api")
        await api.execute(
            "INSERT INTO messaging.users (id, username, email, password_hash) VALUES ($1, $2, $2 || '@x.org', 'x')",
            user,
            f"race-{user}",
        )
        await api.close()
        return user

    async def channel(self, owner: UUID, shard: int) -> UUID:
        """A channel of that shard, which is the last byte of its id modulo 64."""
        channel = UUID(bytes=uuid7().bytes[:15] + bytes([shard]))
        api = await self.connect("api")
        command = {"id": channel, "slug": f"race-{channel}", "name": "Race", "kind": "public", "actor_id": owner}
        answer = await api.fetchval("SELECT messaging.create_channel($1)", command | {"event_id": uuid7()})
        await api.close()
        if answer["verdict"] != "ok":
            raise RuntimeError(f"the channel was not made: {answer}")
        return channel

    async def logged(self) -> set[UUID]:
        """The ids of all events that belong into the topic."""
        admin = await self.connect(principals.ADMIN)
        found = await admin.fetch("SELECT event_id FROM messaging.events WHERE topic = $1", TOPIC)
        await admin.close()
        return {row["event_id"] for row in found}

    async def relayed(self) -> list[tuple[UUID, UUID | None, int]]:
        """(event, channel, seq) of the first occurrences in Kafka, in the order of their partitions."""
        records = await reader.read_topic(self.kafka("prober"), TOPIC)
        first: dict[UUID, tuple[UUID, UUID | None, int]] = {}
        for record in records:
            event = from_record(record.headers, record.value or b"")
            first.setdefault(event.id, (event.id, event.channel, event.seq or 0))
        return list(first.values())


async def until(condition: Callable[[], Awaitable[bool]], within: float) -> bool:
    """Whether it became true in time."""
    with suppress(AssertionError, TimeoutError):
        async with asyncio.timeout(within):
            return await eventually(condition, within=within, every=0.2)
    return False
