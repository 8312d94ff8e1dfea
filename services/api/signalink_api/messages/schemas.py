"""Bodies and queries of the message routes: what a body, metadata and a position may be, and how pages look."""

from typing import Annotated, Any, Literal, Self
from uuid import UUID

import orjson
from pydantic import AfterValidator, Field, model_validator
from pydantic_core import PydanticCustomError

from signalink_core.web import text
from signalink_core.web.schemas import PAGE_DEFAULT, PAGE_MOST, Answer, Moment, Request

LONGEST_BODY = 16_000
"""What the database takes; the api's own bound, 4,000 unless set otherwise, is the service's."""
DEEPEST_METADATA = 16

Body: Any = text.Text(LONGEST_BODY)
CLIENT_ID_CHARACTERS = 64
METADATA_BYTES = 8 * 1024
ClientId: Any = text.Line(CLIENT_ID_CHARACTERS)
Format = Literal["text", "markdown"]
Seq = Annotated[int, Field(ge=0, le=2**62)]


def _storable(metadata: dict[str, Any]) -> dict[str, Any]:
    """What jsonb keeps as it is: no NUL, integers of 64 bits, not too deep, at most 8 KB."""
    _check(metadata, 0)
    try:
        size = len(orjson.dumps(metadata))
    except orjson.JSONEncodeError as error:
        raise PydanticCustomError("metadata", "Metadata must be plain JSON with 64-bit numbers") from error
    if size > METADATA_BYTES:
        raise PydanticCustomError("too_long", "Metadata takes at most {most} bytes", {"most": METADATA_BYTES})
    return metadata


def _check(value: Any, depth: int) -> None:
    if depth > DEEPEST_METADATA:
        raise PydanticCustomError("metadata", "Metadata is nested too deep")
    if isinstance(value, dict):
        for key, inner in value.items():
            _check(key, depth)
            _check(inner, depth + 1)
    elif isinstance(value, list):
        for inner in value:
            _check(inner, depth + 1)
    elif isinstance(value, str) and "\x00" in value:
        raise PydanticCustomError("control_character", "Character U+0000 is not allowed")
    elif (isinstance(value, float) and value != value) or value in (float("inf"), float("-inf")):
        raise PydanticCustomError("metadata", "Numbers must be finite")


Metadata = Annotated[dict[str, Any], AfterValidator(_storable)]


class PostRequest(Request):
    """`client_id` is yours, unique for ever: repeating a post with it is safe. The header form is Idempotency-Key."""

    client_id: Annotated[ClientId | None, Field(default=None)]
    body: Annotated[Body, Field(description="At most 4,000 characters unless configured otherwise.")]
    format: Format = "text"
    metadata: Metadata = Field(default_factory=dict, description="At most 8 KB of JSON.")
    reply_to: UUID | None = None


class EditRequest(Request):
    body: Annotated[Body, Field(description="At most 4,000 characters unless configured otherwise.")]


class MessagesQuery(Request):
    """At most one of `before`, `after`, `around`; without any, the newest."""

    before: Seq | None = None
    after: Seq | None = None
    around: Seq | None = None
    limit: int = Field(default=PAGE_DEFAULT, ge=1, le=PAGE_MOST)

    @model_validator(mode="after")
    def _one_direction(self) -> Self:
        if sum(seq is not None for seq in (self.before, self.after, self.around)) > 1:
            raise ValueError("Give at most one of before, after, around")
        return self


class EventsQuery(Request):
    """`epoch` makes a position of another epoch a gap, as on a socket."""

    after: Seq = 0
    epoch: Annotated[int, Field(ge=0, le=2**31 - 1)] | None = None
    limit: int = Field(default=100, ge=1, le=1_000)


class ThreadQuery(Request):
    after: Seq = 0
    limit: int = Field(default=PAGE_DEFAULT, ge=1, le=PAGE_MOST)


class Message(Answer):
    """A message as it is now: the body of a deleted one is empty. `seq` is its place in the channel."""

    id: UUID
    channel_id: UUID
    seq: int
    epoch: int
    sender_id: UUID
    client_id: str
    body: str
    format: Format
    metadata: dict[str, Any]
    reply_to: UUID | None
    thread_root: UUID | None
    created_at: Moment
    edited_at: Moment | None
    deleted_at: Moment | None


class MessagePage(Answer):
    """Ascending by seq. `before` and `after` are what to ask for to go on either way; null: nothing is there."""

    items: list[Message]
    before: int | None
    after: int | None


class EventFrame(Answer):
    """The fields of a gateway's `event` frame."""

    channel: UUID
    epoch: int
    seq: int
    type: str
    id: UUID
    time: Moment
    data: dict[str, Any]
    trace: str | None = None


class SeqRange(Answer):
    first: int
    last: int


class EventPage(Answer):
    """`gap`: the log no longer holds what follows `after`; load the messages instead. `more`: ask again after the last.

    `skipped`: seqs above `after` that you are not entitled to.
    """

    epoch: int
    last_seq: int
    floor: int
    gap: bool
    more: bool
    skipped: list[SeqRange]
    events: list[EventFrame]
