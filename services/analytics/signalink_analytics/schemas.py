"""Queries of the figures: unknown parameters are refused, times are text with a zone. Answers are `answers`'.

Which ranges can be answered is decided by `ranges`, who may see what by `rights`.
"""

import re
from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import AwareDatetime, BeforeValidator, ConfigDict, Field
from pydantic_core import PydanticCustomError

from signalink_analytics.ranges import Asked, IntervalName
from signalink_core.web.schemas import PageQuery, Request

Rank = Literal["messages", "replies", "characters", "edits", "deletions", "joins", "reads"]
_LOST_PLUS = re.compile(r" \d\d:?\d\d$")


def _is_text_of_a_time(value: Any) -> Any:
    """A bare number could be seconds or milliseconds; a plus that was not encoded arrives as a blank."""
    if isinstance(value, str) and _LOST_PLUS.search(value):
        raise PydanticCustomError("lost_plus", "The + of a time zone must be sent as %2B")
    if not isinstance(value, datetime) and not (isinstance(value, str) and "T" in value.upper()):
        raise PydanticCustomError("no_time", "Write a time as 2026-01-02T03:04:05Z")
    return value


Time = Annotated[AwareDatetime, BeforeValidator(_is_text_of_a_time)]


class RangeQuery(Request):
    """Of every answer over a stretch of time: the windows of UTC that the range touches."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    interval: IntervalName = Field(default="1h", description="Length of the windows: `1m`, `1h` or `1d` (UTC days).")
    start: Time | None = Field(
        default=None,
        alias="from",
        description="Without it 1 hour (`1m`), 1 day (`1h`) or 30 days (`1d`) before `to`.",
    )
    end: Time | None = Field(default=None, alias="to", description="Without it now. What has not begun is left out.")

    def asked(self) -> Asked:
        return Asked(self.interval, self.start, self.end)


class SeriesQuery(RangeQuery):
    channel: UUID | None = Field(default=None, description="One channel; without it all whose figures are for you.")


class TopQuery(RangeQuery, PageQuery):
    by: Rank = Field(default="messages", description="What channels are ranked by, most first.")


class PresenceQuery(RangeQuery):
    user: UUID | Literal["me", "all"] = Field(
        default="me", description="`me`, the id of a user (admins), or `all`: everybody together (admins)."
    )


class NoQuery(Request):
    """Takes no parameter; one that is given is refused."""
