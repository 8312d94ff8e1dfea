"""The log's memory twin for tests: the same reads as Postgres, and writes that a test needs to have something to read.

Owns no rights beyond membership and no idempotency: those are decided in SQL and have no twin. One contract suite runs
on both sides.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import orjson

from signalink_core import clock
from signalink_core.events import Event, Position, types
from signalink_core.ids import uuid7
from signalink_core.log.reads import NO_CHANNEL, PAGE_BYTES, PAGE_ROWS, ResumePage, Revocation, SeqRange, page

OPEN_END = 2**62


@dataclass(slots=True)
class _Channel:
    history: str
    members: dict[UUID, int]
    held: dict[UUID, list[SeqRange]] = field(default_factory=dict)
    events: list[Event] = field(default_factory=list)
    last_seq: int = 0
    floor: int = 0

    def entitled(self, user_id: UUID) -> list[SeqRange]:
        if self.history == "all":
            return [SeqRange(1, OPEN_END)]
        return [*self.held.get(user_id, []), SeqRange(self.members[user_id], OPEN_END)]


class MemoryLog:
    """A `LogReader` whose channels live in this process."""

    def __init__(self) -> None:
        self.epoch = 1
        self._channels: dict[UUID, _Channel] = {}
        self._revocations: list[Revocation] = []

    async def create_channel(self, owner: UUID, *, history: str = "all") -> UUID:
        """The owner is a member from seq 1 on, without an event."""
        channel_id = uuid7()
        self._channels[channel_id] = _Channel(history, {owner: 1})
        return channel_id

    async def join(self, channel_id: UUID, user_id: UUID) -> Event:
        data = {"user_id": str(user_id), "role": "member", "by": str(user_id)}
        event = self._append(channel_id, types.MEMBER_JOINED, data)
        self._channels[channel_id].members[user_id] = event.position.seq
        return event

    async def leave(self, channel_id: UUID, user_id: UUID) -> Event:
        event = self._append(channel_id, types.MEMBER_LEFT, {"user_id": str(user_id)})
        channel = self._channels[channel_id]
        since = channel.members.pop(user_id)
        channel.held.setdefault(user_id, []).append(SeqRange(since, event.position.seq))
        return event

    async def post(self, channel_id: UUID, sender_id: UUID, body: str) -> Event:
        channel = self._channels[channel_id]
        data: dict[str, Any] = {"channel_id": str(channel_id), "seq": channel.last_seq + 1, "sender_id": str(sender_id)}
        data |= {"client_id": str(uuid7()), "body": body, "format": "text", "metadata": {}}
        data |= {"reply_to": None, "thread_root": None, "created_at": clock.isoformat(clock.utc_now())}
        return self._append(channel_id, types.MESSAGE_CREATED, {"id": str(uuid7()), **data})

    async def delete_message(self, channel_id: UUID, message: Event, by: UUID) -> Event:
        """From now on every read shows the message without its body."""
        channel = self._channels[channel_id]
        channel.events = [_blanked(event, message.data["id"]) for event in channel.events]
        data = {"id": message.data["id"], "message_seq": message.seq, "deleted_by": str(by)}
        return self._append(channel_id, types.MESSAGE_DELETED, data | {"deleted_at": clock.isoformat(clock.utc_now())})

    async def revoke(self, subject_kind: str, subject_id: UUID) -> None:
        self._revocations.append(Revocation(subject_kind, subject_id, clock.utc_now()))

    async def retain(self, channel_id: UUID, above: int) -> None:
        """Retention: the events up to `above` go."""
        channel = self._channels[channel_id]
        channel.events = [event for event in channel.events if event.position.seq > above]
        channel.floor = above

    async def new_epoch(self) -> int:
        self.epoch += 1
        for channel in self._channels.values():
            channel.events = [replace(event, epoch=self.epoch) for event in channel.events]
        return self.epoch

    async def resume(
        self, user_id: UUID, channel_id: UUID, after: Position | None, limit_bytes: int = PAGE_BYTES
    ) -> ResumePage:
        channel = self._channels.get(channel_id)
        if channel is None or user_id not in channel.members:
            return NO_CHANNEL
        entitled = channel.entitled(user_id)
        missed = [] if after is None else [event for event in channel.events if event.position.seq > after.seq]
        missed = [event for event in missed if any(first <= event.position.seq <= last for first, last in entitled)]
        found = list(_within(missed, limit_bytes))
        head = Position(self.epoch, channel.last_seq)
        return page(head, channel.floor, after, entitled, found, more=len(found) < len(missed))

    async def events_after(self, channel_id: UUID, seq: int, limit: int = PAGE_ROWS) -> list[Event]:
        channel = self._channels.get(channel_id)
        return [event for event in channel.events if event.position.seq > seq][:limit] if channel else []

    async def heads(self, channel_ids: Iterable[UUID]) -> dict[UUID, Position]:
        known = {channel_id: self._channels[channel_id] for channel_id in channel_ids if channel_id in self._channels}
        return {channel_id: Position(self.epoch, channel.last_seq) for channel_id, channel in known.items()}

    async def revocations_since(self, seconds: float = 60) -> list[Revocation]:
        oldest = clock.utc_now() - timedelta(seconds=seconds)
        return [revocation for revocation in self._revocations if revocation.at > oldest]

    def _append(self, channel_id: UUID, event_type: str, data: Mapping[str, Any]) -> Event:
        channel = self._channels[channel_id]
        channel.last_seq += 1
        event = Event(
            id=uuid7(),
            type=event_type,
            time=clock.utc_now(),
            epoch=self.epoch,
            data=data,
            channel=channel_id,
            seq=channel.last_seq,
        )
        channel.events.append(event)
        return event


def _within(events: Iterable[Event], limit_bytes: int) -> Iterable[Event]:
    size = 0
    for event in events:
        if size >= limit_bytes:
            return
        size += len(orjson.dumps(event.data))
        yield event


def _blanked(event: Event, message_id: str) -> Event:
    if event.data.get("id") != message_id or "body" not in event.data:
        return event
    blank: dict[str, Any] = {"body": ""} | ({"metadata": {}} if "metadata" in event.data else {})
    return replace(event, data={**event.data, **blank})
