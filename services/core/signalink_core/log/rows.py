"""Rows of the event log as events: asyncpg records of `events` and `event_feed`, and what the SQL functions answer."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from signalink_core.events import Event


def to_event(row: Mapping[str, Any]) -> Event:
    """The event of a row with event_id, type, occurred_at, epoch, payload, channel_id, seq, traceparent.

    A fact's row also has aggregateid, its subject. UUIDs and times may be text, as they are in jsonb answers.
    """
    channel = row["channel_id"]
    return Event(
        id=_uuid(row["event_id"]),
        type=row["type"],
        time=_time(row["occurred_at"]),
        epoch=row["epoch"],
        data=row["payload"],
        channel=None if channel is None else _uuid(channel),
        seq=row["seq"],
        subject=str(channel if channel is not None else row["aggregateid"]),
        traceparent=row["traceparent"],
    )


def to_events(answer: Mapping[str, Any]) -> list[Event]:
    """The events to publish of a function's answer; empty when it refused or changed nothing."""
    return [to_event(row) for row in answer["events"]]


def _uuid(value: UUID | str) -> UUID:
    return value if isinstance(value, UUID) else UUID(value)


def _time(value: datetime | str) -> datetime:
    return value if isinstance(value, datetime) else datetime.fromisoformat(value)
