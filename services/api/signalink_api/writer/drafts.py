"""What goes into the MessageWriter and what comes out: drafts, verdicts and the errors of an outcome nobody knows."""

import asyncio
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

import orjson

from signalink_core.errors import DependencyUnavailable, SignalinkError
from signalink_core.ids import uuid7
from signalink_core.telemetry.trace import current_traceparent

Kind = Literal[
    "created",
    "replayed",
    "conflict",
    "forbidden",
    "not_found",
    "archived",
    "muted",
    "invalid",
    "reply_unknown",
    "too_fast",
    "over_quota",
]


class PostUnknown(DependencyUnavailable):
    """The post may or may not have happened; repeating it with the same client_id is safe for ever."""

    code = "unknown_outcome"


class PostFailed(SignalinkError):
    """Postgres refuses this one message for a reason no verdict foresees; it was not posted."""

    code = "post_failed"


@dataclass(frozen=True, slots=True)
class Draft:
    """A message to post. `client_id` (1..64 characters) is the sender's own key, unique for ever."""

    channel_id: UUID
    sender_id: UUID
    client_id: str
    body: str
    format: str = "text"
    metadata: Mapping[str, Any] = field(default_factory=dict)
    reply_to: UUID | None = None

    @property
    def key(self) -> tuple[UUID, str]:
        return self.sender_id, self.client_id

    def request_hash(self) -> bytes:
        """SHA-256 of channel, body, format, metadata and reply_to: what makes two posts of one key the same."""
        parts = [self.channel_id, self.body, self.format, self.metadata, self.reply_to]
        return hashlib.sha256(orjson.dumps(parts, option=orjson.OPT_SORT_KEYS)).digest()


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of a draft; id, seq, epoch and time are set for `created` and `replayed` (then the first one's)."""

    kind: Kind
    message_id: UUID | None = None
    seq: int | None = None
    epoch: int | None = None
    created_at: datetime | None = None
    thread_root: UUID | None = None

    @property
    def posted(self) -> bool:
        return self.kind in {"created", "replayed"}


Outcome = Verdict | SignalinkError


@dataclass(slots=True, eq=False)
class Entry:
    """A draft under way. `outcome` carries errors as results, so that one nobody waits for any more is no warning."""

    draft: Draft
    outcome: asyncio.Future[Outcome]
    queued_at: float
    request_hash: bytes
    message_id: UUID = field(default_factory=uuid7)
    event_id: UUID = field(default_factory=uuid7)
    traceparent: str | None = field(default_factory=current_traceparent)

    @property
    def channel_id(self) -> UUID:
        return self.draft.channel_id

    def settle(self, outcome: Outcome) -> None:
        """Answer every caller that waits; the first answer stays."""
        if not self.outcome.done():
            self.outcome.set_result(outcome)
