"""What the endpoints answer. A range says what it really covers, so that no chart shows half a window as a drop.

Counts are of events in windows of event time; an event that came too late for its window is only in `late_events`.
"""

from typing import Literal
from uuid import UUID

from pydantic import ConfigDict, Field

from signalink_analytics.ranges import IntervalName
from signalink_core.web.schemas import Answer, Moment, Page

Scope = Literal["platform", "channels", "channel", "user"]
ChannelKind = Literal["public", "private", "direct"]
PresenceState = Literal["online", "away", "dnd", "offline"]


class Range(Answer):
    """Whole windows from `from` to before `to`."""

    model_config = ConfigDict(frozen=True, from_attributes=True, populate_by_name=True)

    interval: IntervalName
    start: Moment = Field(alias="from")
    end: Moment = Field(alias="to")
    kept_from: Moment = Field(description="Windows before it are not kept any more at this interval.")
    cut: bool = Field(description="The range begins before `kept_from`: what is missing there is unknown, not zero.")
    complete_until: Moment | None = Field(
        description="Windows that end at or before it hold everything but late events; null: none of this range yet. "
        "A figure over the whole range lacks what is still to come after it."
    )


class Distinct(Answer):
    """How many different users. `error`: relative standard error of an estimate, null where it is exact."""

    value: int
    exact: bool
    error: float | None = Field(examples=[0.0081])


class Counters(Answer):
    """What happened in a stretch of time."""

    messages: int
    replies: int = Field(description="Of the messages, those that answer another one.")
    characters: int = Field(description="Of all messages together.")
    edits: int
    deletions: int
    joins: int
    departures: int = Field(description="Members who left or were removed.")
    reads: int = Field(description="Times a member was seen to have read; told at most once a minute each.")


class Point(Counters):
    """One window; zero where nothing happened."""

    at: Moment
    complete: bool = Field(description="False: the window is not over yet, its figures still grow.")


class Summary(Answer):
    """`scope`: `platform` for admins, else `channels`: all those whose figures are for you."""

    scope: Scope
    range: Range
    totals: Counters
    active_channels: int = Field(description="Channels with a message.")
    active_users: Distinct
    logins: int | None = Field(description="Null outside the scope `platform`, like the next two.")
    registrations: int | None
    channels_created: int | None


class Series(Answer):
    """One point for each window of the range that is kept and has begun, without holes."""

    scope: Scope
    range: Range
    channel_id: UUID | None
    points: list[Point]


class ChannelName(Answer):
    """A direct channel has neither slug nor name."""

    channel_id: UUID
    kind: ChannelKind
    slug: str | None
    name: str
    archived: bool


class RankedChannel(Counters, ChannelName):
    """`rank` counts from 1 over all pages."""

    rank: int
    senders: int = Field(description="Different users who sent a message.")


class TopChannels(Page[RankedChannel]):
    """Channels with a figure above zero, most first; equal ones by id."""

    scope: Scope
    by: str
    range: Range


class Bucket(Answer):
    """Values above the bound before and up to this one; null: above all."""

    up_to: int | None
    count: int


class Histogram(Answer):
    """`mean` is null where nothing was counted; percentiles are the bound they lie below (null: above all)."""

    unit: Literal["characters", "seconds"]
    buckets: list[Bucket]
    count: int
    mean: float | None
    p50_up_to: int | None
    p95_up_to: int | None


class ChannelFigures(Answer):
    """One channel. A response time is that from a message to the next one, where another user sent that."""

    channel: ChannelName
    range: Range
    totals: Counters
    senders: Distinct
    message_length: Histogram
    response_time: Histogram
    points: list[Point]


class ActiveStretch(Answer):
    """Different users who did something (posted, read, joined, signed in, ...) in a stretch that ends now."""

    model_config = ConfigDict(frozen=True, from_attributes=True, populate_by_name=True)

    start: Moment = Field(alias="from")
    end: Moment = Field(alias="to")
    users: Distinct
    cut: bool = Field(description="The stretch begins before what is kept: there were perhaps more.")


class ActiveUsers(Answer):
    """`now`: users who are online, by their last known presence. day, week, month: the last 24 hours, 7 and 30 days."""

    scope: Scope
    complete_until: Moment | None
    now: int
    day: ActiveStretch
    week: ActiveStretch
    month: ActiveStretch


class UserFigures(Answer):
    """What one user did."""

    user_id: UUID
    range: Range
    totals: Counters
    logins: int
    logouts: int
    channels_created: int
    active_channels: int = Field(description="Channels in which they did something.")
    active_windows: int = Field(description="Windows in which they did something.")
    last_active: Moment | None = Field(description="Start of the last such window of the range.")
    points: list[Point]


class PresencePoint(Answer):
    """How many were in a state, on average over the window: of one user the share of it, from 0 to 1. Null: unknown."""

    at: Moment
    complete: bool
    online: float | None
    away: float | None
    dnd: float | None
    most: int | None = Field(description="Most users not offline at once.")


class PresenceChange(Answer):
    at: Moment
    state: PresenceState


class Presence(Answer):
    """`changes`: of one user, in order; empty for all together. Presence is best effort: a change may be missing."""

    scope: Scope
    user_id: UUID | None
    range: Range
    points: list[PresencePoint]
    changes: list[PresenceChange]


class TopicFreshness(Answer):
    topic: str
    watermark: Moment | None = Field(description="Null while a partition has told nothing yet.")
    delay_seconds: float | None
    moved_at: Moment | None = Field(description="When a batch of it was counted last.")
    lag: int | None = Field(description="Records that wait in Kafka; null: not known at the moment.")


class Rebuild(Answer):
    """A rebuild that runs: windows between the two moments are made anew and change all at once."""

    model_config = ConfigDict(frozen=True, from_attributes=True, populate_by_name=True)

    start: Moment = Field(alias="from")
    end: Moment = Field(alias="to")
    reached: Moment
    started_at: Moment


class Freshness(Answer):
    """How far the figures have come. What is over is counted up to `watermark`, event time; a window stays correctable
    for a while after it, until `final_until`."""

    now: Moment
    watermark: Moment | None
    delay_seconds: float | None = Field(description="`now` less `watermark`.")
    final_until: Moment | None = Field(description="Windows that end at or before it never change, but by a rebuild.")
    lag: int | None
    topics: list[TopicFreshness]
    late_last_hour: int = Field(description="Events that came in the last hour, too late for their window.")
    late_last_day: int
    future_last_day: int = Field(description="Events from the future, counted when they came.")
    rebuild: Rebuild | None
