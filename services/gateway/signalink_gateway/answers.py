"""What the gateway says, one struct per `op`: the shape of every server frame, for the document and its test.

The hot path writes frames as bytes and never builds these; `tests/gateway/test_asyncapi.py` decodes real traffic with
them, unknown fields forbidden, and demands that every one was seen.
"""

from typing import Any, Literal
from uuid import UUID

import msgspec

from signalink_core.events.types import PresenceState
from signalink_gateway.commands import Ref


class Answer(msgspec.Struct, tag_field="op", tag=str.lower, forbid_unknown_fields=True, kw_only=True, frozen=True):
    """Every server frame has an `op`; `ref` is there when the command that it answers carried one."""


class At(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """A place in a channel's log."""

    epoch: int
    seq: int


class Range(msgspec.Struct, rename={"first": "from", "last": "to"}, forbid_unknown_fields=True, frozen=True):
    """Seqs from..to, both included."""

    first: int
    last: int


class Limits(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    message_bytes: int
    commands_per_second: int
    subscriptions: int


class Welcome(Answer, kw_only=True, frozen=True):
    """The client is authenticated. A ping comes every `heartbeat_ms`; two without an answer end the socket (4003)."""

    session: UUID
    node: str
    heartbeat_ms: int
    limits: Limits
    server_time: str


class Authenticated(Answer, kw_only=True, frozen=True):
    """`auth` on an open socket replaced its credentials."""

    expires_at: str
    ref: Ref = None


class Subscribed(Answer, kw_only=True, frozen=True):
    """First frame of a subscription; events above `position` follow. `recovered`: the client's `after` was honoured.

    `skipped`: ranges above the position to which the user is not entitled; they are no holes.
    """

    channel: UUID
    position: At
    recovered: bool
    skipped: list[Range] = []
    ref: Ref = None


class Unsubscribed(Answer, kw_only=True, frozen=True):
    channels: list[UUID]
    ref: Ref = None


class Event(Answer, kw_only=True, frozen=True):
    """One event of the log, once, in order of seq per channel. `data` as in docs/api/events; `trace`: traceparent."""

    channel: UUID
    epoch: int
    seq: int
    type: str
    id: UUID
    time: str
    data: dict[str, Any]
    trace: str | None = None


class Gap(Answer, rename={"first": "from", "last": "to"}, kw_only=True, frozen=True):
    """from..to cannot be recovered (retention, or another epoch): load a snapshot; events above `position` follow."""

    channel: UUID
    first: int
    last: int
    position: At


class Ack(Answer, kw_only=True, frozen=True):
    """The message is in the log, now or since an earlier send of the same client_id."""

    client_id: str
    id: UUID
    seq: int
    epoch: int
    ref: Ref = None


class Nack(Answer, kw_only=True, frozen=True):
    """Not posted, except `unknown_outcome`: then repeat with the same client_id. Other codes as the api's problems."""

    client_id: str
    code: str
    detail: str
    retry_after_ms: int | None = None
    ref: Ref = None


class Error(Answer, kw_only=True, frozen=True):
    """A command was refused: validation, rate_limited, not_found, too_many_subscriptions, forbidden, unavailable, busy,
    superseded."""

    code: str
    message: str
    channel: UUID | None = None
    ref: Ref = None


class Pong(Answer, kw_only=True, frozen=True):
    n: int
    ref: Ref = None


class Heads(Answer, kw_only=True, frozen=True):
    """[channel, epoch, last seq] of subscribed channels that moved since the last heartbeat."""

    channels: list[tuple[UUID, int, int]]


class UserState(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    user: UUID
    state: PresenceState


class Presence(Answer, kw_only=True, frozen=True):
    """How users are, over all their devices. With `ref`: the snapshot that answers `presence.watch`.

    Comes for watched users, and for the members of subscribed channels of at most 200. Best effort; the latest counts.
    """

    users: list[UserState]
    ref: Ref = None


class Typing(Answer, kw_only=True, frozen=True):
    """A member types in a subscribed channel of at most 200. `started` comes again every 3 s while it lasts.

    Best effort: forget it 6 s after the last `started`, whether `stopped` came or not.
    """

    channel: UUID
    user: UUID
    state: Literal["started", "stopped"]


class Draining(Answer, kw_only=True, frozen=True):
    """This node stops: reconnect after this many milliseconds. Close code 4000 follows."""

    reconnect_after_ms: int


AnyAnswer = (
    Welcome
    | Authenticated
    | Subscribed
    | Unsubscribed
    | Event
    | Gap
    | Ack
    | Nack
    | Error
    | Pong
    | Heads
    | Presence
    | Typing
    | Draining
)
