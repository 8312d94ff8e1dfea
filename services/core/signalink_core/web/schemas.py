"""What every body has in common: requests refuse unknown fields, answers say times in UTC with milliseconds."""

from datetime import datetime
from typing import Annotated, Generic, TypeVar

from pydantic import BaseModel, ConfigDict, Field, PlainSerializer, StringConstraints, WithJsonSchema

from signalink_core.clock import isoformat

T = TypeVar("T")
PAGE_DEFAULT = 50
PAGE_MOST = 200

Moment = Annotated[
    datetime,
    PlainSerializer(isoformat, return_type=str, when_used="json"),
    WithJsonSchema({"type": "string", "format": "date-time", "examples": ["2026-01-02T03:04:05.678Z"]}),
]


class Request(BaseModel):
    """A body or a query: an unknown field is 422, so nobody believes it had an effect."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Answer(BaseModel):
    """Clients ignore fields they do not know: fields may be added."""

    model_config = ConfigDict(frozen=True, from_attributes=True)


class PageQuery(Request):
    """Of every list: `cursor` is the `next` of the page before."""

    cursor: Annotated[str, StringConstraints(min_length=1, max_length=1024)] | None = None
    limit: int = Field(default=PAGE_DEFAULT, ge=1, le=PAGE_MOST)


class Page(Answer, Generic[T]):
    """`next` is null on the last page."""

    items: list[T]
    next: str | None
