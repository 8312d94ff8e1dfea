"""Routes of the figures. Members see their own and their channels' figures, admins all; nothing is changed."""

from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Query, Request

from signalink_analytics import parts
from signalink_analytics.answers import (
    ActiveUsers,
    ChannelFigures,
    Freshness,
    Presence,
    Series,
    Summary,
    TopChannels,
    UserFigures,
)
from signalink_analytics.problems import refusals
from signalink_analytics.schemas import NoQuery, PresenceQuery, RangeQuery, SeriesQuery, TopQuery
from signalink_core.web.identity import SignedIn

router = APIRouter(prefix="/v1/analytics", tags=["analytics"])
RANGE = ("validation", "range_reversed", "range_too_long", "range_in_future", "range_not_kept")


@router.get("/summary", responses=refusals(*RANGE))
async def summary(query: Annotated[RangeQuery, Query()], request: Request, caller: SignedIn) -> Summary:
    """What happened in a range, all together: of the platform for admins, of your channels for others."""
    figures = await parts.asked(request, caller)
    return await figures.summary(caller.user_id, query)


@router.get("/messages", responses=refusals(*RANGE, "not_found", "forbidden"))
async def messages(query: Annotated[SeriesQuery, Query()], request: Request, caller: SignedIn) -> Series:
    """Messages, edits, members and reads per window: one point for each, zero where nothing happened."""
    figures = await parts.asked(request, caller)
    return await figures.messages(caller.user_id, query)


@router.get("/channels", responses=refusals(*RANGE, "invalid_cursor"))
async def top_channels(query: Annotated[TopQuery, Query()], request: Request, caller: SignedIn) -> TopChannels:
    """Channels by one of their figures, most first. Later pages keep the range of the first one."""
    figures = await parts.asked(request, caller)
    return await figures.top(caller.user_id, query)


@router.get("/channels/{channel_id}", responses=refusals(*RANGE, "not_found", "forbidden"))
async def channel(
    channel_id: UUID, query: Annotated[RangeQuery, Query()], request: Request, caller: SignedIn
) -> ChannelFigures:
    """One channel: totals, senders, how long messages are and how fast they are answered, and the series."""
    figures = await parts.asked(request, caller)
    return await figures.channel(caller.user_id, channel_id, query)


@router.get("/active-users", responses=refusals("validation"))
async def active_users(_: Annotated[NoQuery, Query()], request: Request, caller: SignedIn) -> ActiveUsers:
    """Users online now, and different users of the last 24 hours, 7 and 30 days. Estimates say how good they are."""
    figures = await parts.asked(request, caller)
    return await figures.active_users(caller.user_id)


@router.get("/users/{user_id}", responses=refusals(*RANGE, "not_found", "forbidden"))
async def user(
    user_id: UUID | Literal["me"], query: Annotated[RangeQuery, Query()], request: Request, caller: SignedIn
) -> UserFigures:
    """What one user did: yourself (`me`), or anybody for admins."""
    whom = caller.user_id if user_id == "me" else user_id
    figures = await parts.asked(request, caller)
    return await figures.user(caller.user_id, whom, query)


@router.get("/presence", responses=refusals(*RANGE, "not_found", "forbidden"))
async def presence(query: Annotated[PresenceQuery, Query()], request: Request, caller: SignedIn) -> Presence:
    """Who was online when: the history of one user, or of everybody together for admins."""
    figures = await parts.asked(request, caller)
    return await figures.presence(caller.user_id, query)


@router.get("/freshness", responses=refusals("validation"))
async def freshness(_: Annotated[NoQuery, Query()], request: Request, caller: SignedIn) -> Freshness:
    """How far the figures have come: watermark, what waits in Kafka, what came too late."""
    figures = await parts.asked(request, caller)
    return await figures.freshness(caller.user_id)
