"""People who talk: users, channels and messages made by the api's own functions, and the events that come of it."""

from typing import Any
from uuid import UUID

from signalink_api.writer import Draft
from signalink_core.clock import utc_now
from signalink_core.events import Event, kafka_headers, kafka_key, kafka_value
from signalink_core.events.types import PRESENCE_CHANGED
from signalink_core.ids import uuid7
from signalink_core.kafka.delivery import Batch, Delivered
from signalink_core.kafka.records import Record, StoredRecord
from signalink_core.log import rows
from signalink_stacks.local.testing import Database

TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


class Talk:
    """`api` is a connection as the api's role, `admin` a super user's. `said` keeps every event that is new."""

    def __init__(self, database: Database, api: Any, admin: Any) -> None:
        self.database, self.api, self.admin = database, api, admin
        self._heard = 0

    async def user(self, name: str, **columns: Any) -> UUID:
        user_id = uuid7()
        await self.api.execute(
            "INSERT INTO messaging.users (id, username, email, password_hash) VALUES ($1, $2, $3, 'x')",
            user_id,
            name,
            f"{name}@example.org",
        )
        return user_id

    async def channel(self, owner: UUID, *members: UUID, **fields: Any) -> UUID:
        channel_id = uuid7()
        command = {"id": channel_id, "slug": f"c-{channel_id}", "name": "C", "kind": "public", "actor_id": owner}
        await self.call("create_channel", **(command | fields))
        for member in members:
            await self.add(channel_id, owner, member)
        return channel_id

    async def add(self, channel_id: UUID, owner: UUID, member: UUID) -> None:
        await self.call("add_member", channel_id=channel_id, actor_id=owner, user_id=member, role="member")

    async def direct(self, one: UUID, other: UUID) -> UUID:
        answer = await self.call("open_direct", id=uuid7(), actor_id=one, user_id=other)
        return UUID(answer["id"])

    async def call(self, function: str, **command: Any) -> dict[str, Any]:
        """A change that must succeed."""
        answer: dict[str, Any] = await self.api.fetchval(
            f"SELECT messaging.{function}($1)", {"event_id": uuid7(), "traceparent": None, **command}
        )
        assert answer["verdict"] == "ok", answer
        return answer

    async def say(self, channel_id: UUID, sender: UUID, body: str, reply_to: UUID | None = None) -> UUID:
        """A message; its id."""
        draft = Draft(channel_id, sender, str(uuid7()), body, reply_to=reply_to)
        row = {
            "n": 0,
            "channel_id": channel_id,
            "sender_id": sender,
            "client_id": draft.client_id,
            "body": body,
            "format": draft.format,
            "metadata": {},
            "reply_to": reply_to,
            "request_hash": draft.request_hash().hex(),
            "message_id": uuid7(),
            "event_id": uuid7(),
            "traceparent": TRACE,
        }
        answer = await self.api.fetchval("SELECT messaging.post_messages($1)", {"rows": [row], "wait": True})
        assert answer["rows"][0]["verdict"] == "created", answer
        return UUID(answer["rows"][0]["id"])

    async def edit(self, message: UUID, actor: UUID, body: str) -> None:
        await self.call("edit_message", message_id=message, actor_id=actor, body=body)

    async def delete(self, message: UUID, actor: UUID) -> None:
        await self.call("delete_message", message_id=message, actor_id=actor)

    async def events(self) -> list[Event]:
        """Every event of topic `messages` since the last call, in log order."""
        found = await self.admin.fetch(
            "SELECT * FROM messaging.events WHERE topic = 'messages' AND id > $1 ORDER BY id", self._heard
        )
        self._heard = found[-1]["id"] if found else self._heard
        return [rows.to_event(row) for row in found]

    async def batch(self) -> Batch:
        """The same as a consumer hands them over."""
        return as_batch("messages", *await self.events())


def as_record(event: Event, topic: str = "messages") -> Record:
    return Record(topic, kafka_key(event), kafka_value(event), kafka_headers(event))


def as_batch(topic: str, *events: Event) -> Batch:
    stored = [StoredRecord(topic, 0, n, None, None, (), 0) for n, _ in enumerate(events)]
    return Batch(topic, 0, [Delivered.of(record, event) for record, event in zip(stored, events, strict=True)], True)


def presence(user: UUID, state: str, **more: Any) -> Event:
    data = {"user_id": str(user), "state": state}
    return Event(uuid7(), PRESENCE_CHANGED, more.pop("time", utc_now()), 1, data, subject=str(user))
