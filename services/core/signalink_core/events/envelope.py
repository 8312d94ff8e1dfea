"""The event as every part of the platform passes it on: CloudEvents attributes and the place in its channel.

Owns `Event` and `Position`. The shapes of `data` are in `types`, the bytes on the wire in `codec`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

SOURCE = "/signalink/api"
SCHEMA_BASE = "https://signalink.dev/schemas"
SCHEMA_VERSION = 1


@dataclass(frozen=True, slots=True, order=True)
class Position:
    """A place in one channel's log; a greater epoch makes every seq of a smaller one incomparable for clients."""

    epoch: int
    seq: int


@dataclass(frozen=True, slots=True)
class Event:
    """One fact. `channel` and `seq` are both set (a channel's log) or both None (a fact for analytics)."""

    id: UUID
    type: str
    time: datetime
    epoch: int
    data: Mapping[str, Any]
    channel: UUID | None = None
    seq: int | None = None
    subject: str = ""
    source: str = SOURCE
    dataschema: str = ""
    traceparent: str | None = None

    def __post_init__(self) -> None:
        if (self.channel is None) != (self.seq is None):
            raise ValueError(f"event {self.id}: channel and seq go together, got {self.channel} and {self.seq}")
        if not self.subject:
            object.__setattr__(self, "subject", "" if self.channel is None else str(self.channel))
        if not self.dataschema:
            object.__setattr__(self, "dataschema", schema_of(self.type))

    @property
    def position(self) -> Position:
        """Where this event is in its channel; only channel events have one."""
        if self.seq is None:
            raise ValueError(f"event {self.id} of type {self.type} belongs to no channel")
        return Position(self.epoch, self.seq)


def schema_of(event_type: str) -> str:
    """The `dataschema` address of an event type in its present version."""
    return f"{SCHEMA_BASE}/{event_type}/{SCHEMA_VERSION}"
