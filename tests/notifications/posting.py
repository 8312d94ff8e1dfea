"""Requested notifications, a dispatcher's parts on this test's database, and what the table of deliveries says."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from talking import Talk

from signalink_core import clock
from signalink_core.database.pool import Pool
from signalink_core.events import Event, kafka_headers, kafka_key, kafka_value
from signalink_core.events.types import NOTIFICATION_REQUESTED, NotificationChannel, NotificationRequested
from signalink_core.ids import uuid7
from signalink_core.kafka.delivery import Batch, Delivered, Origin
from signalink_core.kafka.memory import MemoryKafka, MemoryProducer
from signalink_core.kafka.records import StoredRecord
from signalink_core.telemetry import metrics, names
from signalink_core.testing import eventually
from signalink_notifications.channels.memory import MemoryChannel
from signalink_notifications.delivery import intake
from signalink_notifications.delivery.breaker import Breakers, Rules
from signalink_notifications.delivery.current import Current
from signalink_notifications.delivery.letters import Letters
from signalink_notifications.delivery.retries import Policy
from signalink_notifications.delivery.rows import Deliveries
from signalink_notifications.delivery.sending import Sender
from signalink_notifications.delivery.turns import Turns
from signalink_notifications.delivery.work import Limits, Means

LEASE_SECONDS = 30.0
QUICK = Policy(attempts=3, base_seconds=0.02, cap_seconds=0.05)
PRIVATE = "words that nobody else may read"


class Office:
    """One sender of a message, one receiver, and requests that the receiver is told."""

    def __init__(self, talk: Talk, pool: Pool, ann: UUID, bob: UUID, channel_id: UUID) -> None:
        self.talk, self.pool, self.ann, self.bob, self.channel_id = talk, pool, ann, bob, channel_id
        self.kafka = MemoryKafka({"notifications": 12, "dlq.notifications": 1})
        self.producer = MemoryProducer(self.kafka)
        self._offset = 0

    @classmethod
    async def opened(cls, talk: Talk, pool: Pool) -> "Office":
        ann, bob = await talk.user("ann"), await talk.user("bob")
        return cls(talk, pool, ann, bob, await talk.channel(ann, bob))

    async def requested(
        self, *channels: NotificationChannel, body: str = PRIVATE, message: UUID | None = None, **fields: Any
    ) -> Delivered:
        """A new message and the record that asks for telling bob of it."""
        message_id = message or await self.talk.say(self.channel_id, self.ann, body)
        seq = await self.talk.admin.fetchval("SELECT seq FROM messaging.messages WHERE id = $1", message_id)
        data = NotificationRequested(
            **{
                "notification_id": uuid7(), "user_id": self.bob, "kind": "mention", "channel_id": self.channel_id,
                "message_id": message_id, "message_seq": seq, "sender_id": self.ann, "created_at": clock.utc_now(),
                "channels": channels or ("email",),
            } | fields
        )  # fmt: skip
        event = Event(
            data.notification_id,
            NOTIFICATION_REQUESTED,
            fields.get("created_at", clock.utc_now()),
            1,
            data.model_dump(mode="json"),
            subject=str(self.bob),
        )
        self._offset += 1
        record = StoredRecord(
            "notifications", 3, self._offset, kafka_key(event), kafka_value(event), kafka_headers(event), 0
        )
        return Delivered.of(record, event)

    async def take(self, *requests: Delivered) -> None:
        """As the consumer does, in one transaction."""
        async with self.pool.acquire() as conn, conn.transaction():
            await intake.apply(conn, Batch("notifications", 3, requests, True))

    async def redriven(self, request: Delivered) -> None:
        record = request.record
        origin = Origin(record.topic, record.partition, record.offset)
        await self.take(Delivered.of(record._replace(offset=record.offset + 1000), request.event, origin))

    def deliveries(self, holder: str = "one", lease: float = LEASE_SECONDS) -> Deliveries:
        return Deliveries(self.pool, holder, lease)

    def means(self, channel: Any, holder: str = "one", *, lease: float = LEASE_SECONDS, **more: Any) -> Means:
        deliveries = self.deliveries(holder, lease)
        limits = Limits(4, 1.0, lease, 0.02, timedelta(hours=72))
        rules = more.pop("rules", Rules(failures=1000))
        turns = Turns(more.pop("at_once", 4))
        clock_ = more.pop("clock", lambda: 0.0)
        return Means(
            channel,
            deliveries,
            Current(self.pool),
            Letters(deliveries, more.pop("producer", self.producer)),
            Breakers(channel.name, rules, clock_),
            turns,
            more.pop("policy", QUICK),
            limits,
            lambda user: f"https://n.example/u?token={user}",
        )

    def sender(self, channel: Any | None = None, holder: str = "one", **more: Any) -> Sender:
        return Sender(self.means(channel or MemoryChannel(), holder, **more))

    async def rows(self, *columns: str) -> Sequence[Any]:
        wanted = ", ".join(columns or ("*",))
        found: Sequence[Any] = await self.talk.admin.fetch(
            f"SELECT {wanted} FROM notifications.deliveries ORDER BY record_offset, channel"
        )
        return found

    async def states(self) -> list[tuple[str, str | None]]:
        return [(row["state"], row["reason"]) for row in await self.rows("state", "reason")]

    async def sql(self, statement: str, *values: Any) -> None:
        await self.talk.admin.execute(statement, *values)

    async def wish(self, **columns: Any) -> None:
        """A preference of bob's."""
        names, places = ", ".join(columns), ", ".join(f"${n}" for n in range(2, len(columns) + 2))
        await self.sql(
            f"INSERT INTO notifications.preferences (user_id, {names}) VALUES ($1, {places})",
            self.bob,
            *columns.values(),
        )


def soon(seconds: float) -> datetime:
    return clock.utc_now() + timedelta(seconds=seconds)


async def settled(office: Office, count: int = 1) -> list[tuple[str, str | None]]:
    async def done() -> list[tuple[str, str | None]]:
        states = await office.states()
        return states if len(states) == count and all(state != "pending" for state, _ in states) else []

    return await eventually(done)


def attempts(channel: str, result: str) -> float:
    return metrics.value(names.NOTIFICATION_ATTEMPTS_TOTAL, channel=channel, result=result)


async def rows_with(office: Office, condition: str) -> list[Any]:
    found: list[Any] = await office.talk.admin.fetch(f"SELECT * FROM notifications.deliveries WHERE {condition}")
    return found
