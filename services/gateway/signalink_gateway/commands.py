"""What clients may say: one msgspec struct per `op`, decoded and validated in C; and how a refused one is told.

A frame that is no JSON object with a known `op` ends the socket (4400); a known command with wrong fields is answered
by an `error` with its `ref`. `docs/api/asyncapi.yaml` describes the same commands; a test holds them together.
"""

from typing import Annotated, Any, Literal
from uuid import UUID

import msgspec

Ref = Annotated[str, msgspec.Meta(max_length=64)] | int | None
Seq = Annotated[int, msgspec.Meta(ge=0, le=2**62)]
ClientId = Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
Secret = Annotated[str, msgspec.Meta(min_length=1, max_length=8192)]
MOST_WATCHED = 1_000
"""Users one session watches."""


class Command(msgspec.Struct, tag_field="op", tag=str.lower, forbid_unknown_fields=True, kw_only=True, frozen=True):
    """`ref` is echoed in the reply."""

    ref: Ref = None


class After(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """The last event the client has, with nothing missing below it."""

    epoch: Seq
    seq: Seq


class Wanted(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    id: UUID
    after: After | None = None


class Auth(Command, kw_only=True, frozen=True):
    """Exactly one of the two."""

    ticket: Secret | None = None
    token: Secret | None = None


class Subscribe(Command, kw_only=True, frozen=True):
    channels: list[Wanted]


class Unsubscribe(Command, kw_only=True, frozen=True):
    channels: list[UUID]


class Send(Command, kw_only=True, frozen=True):
    """Forwarded to the api, which judges body, format and metadata."""

    channel: UUID
    client_id: ClientId
    body: str
    reply_to: UUID | None = None
    format: str | None = None
    metadata: dict[str, Any] | None = None


class Ping(Command, kw_only=True, frozen=True):
    n: Annotated[int, msgspec.Meta(ge=0, le=2**53)] = 0


class Type(Command, tag="typing", kw_only=True, frozen=True):
    """The user types in a subscribed channel; say it again every few seconds while it lasts."""

    channel: UUID


class Appear(Command, tag="presence", kw_only=True, frozen=True):
    """How this session's user wants to appear; `offline` is not hiding but leaving, so it is no choice."""

    state: Literal["online", "away", "dnd"]


class Watch(Command, tag="presence.watch", kw_only=True, frozen=True):
    """Replaces what the session watched; answered by `presence` with those who share a channel with the user."""

    users: Annotated[list[UUID], msgspec.Meta(max_length=MOST_WATCHED)]


class NotACommand(ValueError):
    """The frame is no JSON object with a known `op`."""


class InvalidCommand(ValueError):
    """A known command with wrong fields."""

    def __init__(self, ref: Ref, message: str) -> None:
        super().__init__(message)
        self.ref = ref


class _Known(msgspec.Struct):
    op: str
    ref: Any = None


AnyCommand = Auth | Subscribe | Unsubscribe | Send | Ping | Type | Appear | Watch
OPS = ("auth", "subscribe", "unsubscribe", "send", "ping", "typing", "presence", "presence.watch")
_commands: msgspec.json.Decoder[AnyCommand] = msgspec.json.Decoder(AnyCommand)
_known = msgspec.json.Decoder(_Known)


def decode(text: bytes) -> AnyCommand:
    """Raises NotACommand (close 4400) or InvalidCommand (answer `error`)."""
    try:
        return _commands.decode(text)
    except msgspec.ValidationError as exc:
        return _explain(text, str(exc))
    except (msgspec.DecodeError, RecursionError) as exc:
        raise NotACommand(f"not JSON: {exc}") from exc


def _explain(text: bytes, why: str) -> AnyCommand:
    try:
        known = _known.decode(text)
    except (msgspec.DecodeError, RecursionError) as exc:
        raise NotACommand(f'send a JSON object with "op": {exc}') from exc
    if known.op not in OPS:
        raise NotACommand(f"unknown op; known are {', '.join(OPS)}")
    ref = known.ref if isinstance(known.ref, int) or (isinstance(known.ref, str) and len(known.ref) <= 64) else None
    raise InvalidCommand(ref, why)
