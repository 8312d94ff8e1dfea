"""Events as figures see them: made with a time of one's own, as records of one partition, and written into the log."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from signalink_core.events import Event, types
from signalink_core.ids import uuid7
from signalink_core.kafka.delivery import Delivered
from signalink_core.kafka.records import StoredRecord

BASE = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def at(seconds: float, base: datetime = BASE) -> datetime:
    return base + timedelta(seconds=seconds)


def moment(time: datetime) -> int:
    """Milliseconds since 1970, rounded down."""
    return (time - datetime.fromtimestamp(0, UTC)) // timedelta(milliseconds=1)


@dataclass
class Channel:
    """Gives seqs, as the api's writer does."""

    id: UUID = field(default_factory=uuid7)
    seq: int = 0

    def event(self, kind: str, time: datetime, **data: Any) -> Event:
        self.seq += 1
        given = {name: str(value) if isinstance(value, UUID) else value for name, value in data.items()}
        return Event(uuid7(), kind, time, 1, given, self.id, self.seq)

    def message(self, sender: UUID, time: datetime, body: str = "hello", reply_to: UUID | None = None) -> Event:
        return self.event(
            types.MESSAGE_CREATED,
            time,
            id=uuid7(),
            channel_id=self.id,
            seq=self.seq + 1,
            sender_id=sender,
            client_id="c",
            body=body,
            format="text",
            metadata={},
            reply_to=reply_to,
            created_at=time.isoformat(),
        )


def fact(kind: str, user: UUID, time: datetime, **data: Any) -> Event:
    given = {"user_id": str(user)} | {name: str(value) for name, value in data.items()}
    return Event(uuid7(), kind, time, 1, given, subject=str(user))


def delivered(events: Iterable[Event], topic: str = "messages", partition: int = 0, first: int = 0) -> list[Delivered]:
    return [
        Delivered.of(StoredRecord(topic, partition, offset, None, b"{}", (), 0), event)
        for offset, event in enumerate(events, first)
    ]


async def write(admin: Any, events: Sequence[Event], topic: str = "messages") -> None:
    """Into the log, with the times they have; by a super user, since the api's functions know only now."""
    async with admin.transaction():
        await admin.execute("SET LOCAL session_replication_role = replica")  # the log's guards know only the api
        await admin.executemany(
            "INSERT INTO messaging.events (event_id, epoch, shard, topic, aggregatetype, aggregateid, type, "
            "channel_id, seq, payload, occurred_at) "
            "VALUES ($1, $2, messaging.shard_of($3), $4, $5, $3, $6, $7, $8, $9, $10)",
            [_row(event, topic) for event in events],
        )


def _row(event: Event, topic: str) -> tuple[Any, ...]:
    subject = event.channel or UUID(event.subject)
    kind = "user" if event.channel is None else "channel"
    return (
        event.id,
        event.epoch,
        subject,
        topic,
        kind,
        event.type,
        event.channel,
        event.seq,
        dict(event.data),
        event.time,
    )
