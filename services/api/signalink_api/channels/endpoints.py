"""Routes of channels and their members. A private channel answers 404 to everybody outside."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Request

from signalink_api import parts
from signalink_api.channels.schemas import (
    BrowseQuery,
    Channel,
    ChannelPatch,
    ChannelRequest,
    DirectRequest,
    Member,
    MemberRequest,
    MuteRequest,
    ReadRequest,
    ReadState,
    RolePatch,
    UnreadList,
)
from signalink_api.problems import refusals
from signalink_core.web.identity import SignedIn
from signalink_core.web.schemas import Page, PageQuery

router = APIRouter(prefix="/v1/channels", tags=["channels"])
direct = APIRouter(prefix="/v1/direct", tags=["channels"])


@router.post("", status_code=201, responses=refusals("conflict", body=True))
async def create(asked: ChannelRequest, request: Request, caller: SignedIn) -> Channel:
    """Make a channel and own it. Not idempotent: repeating answers 409 with `reason` slug_taken."""
    return await parts.of(request).channels.create(caller.user_id, asked)


@router.get("", responses=refusals("validation", "invalid_cursor"))
async def browse(query: Annotated[BrowseQuery, Query()], request: Request, caller: SignedIn) -> Page[Channel]:
    """Public channels by slug, without archived ones."""
    return await parts.of(request).channels.browse(caller.user_id, query)


@router.get("/mine", responses=refusals("validation", "invalid_cursor"))
async def mine(query: Annotated[PageQuery, Query()], request: Request, caller: SignedIn) -> Page[Channel]:
    """Channels you are a member of, in the order you joined."""
    return await parts.of(request).channels.mine(caller.user_id, query)


@router.get("/unread", responses=refusals())
async def unread(request: Request, caller: SignedIn) -> UnreadList:
    """Your channels with unread messages and how many, up to 100 each."""
    return await parts.of(request).channels.unread(caller.user_id)


@router.get("/{channel_id}", responses=refusals("not_found", "validation"))
async def get(channel_id: UUID, request: Request, caller: SignedIn) -> Channel:
    """One channel you may see."""
    return await parts.of(request).channels.get(caller.user_id, channel_id)


@router.patch("/{channel_id}", responses=refusals("not_found", "forbidden", "archived", body=True))
async def change(channel_id: UUID, patch: ChannelPatch, request: Request, caller: SignedIn) -> Channel:
    """Change settings: owners all, moderators slow mode. Repeating changes nothing."""
    return await parts.of(request).channels.change(caller.user_id, channel_id, patch)


@router.post("/{channel_id}/archive", responses=refusals("not_found", "forbidden", "validation"))
async def archive(channel_id: UUID, request: Request, caller: SignedIn) -> Channel:
    """Close the channel for changes for good; it can still be read. Repeating changes nothing."""
    return await parts.of(request).channels.archive(caller.user_id, channel_id)


@router.post("/{channel_id}/join", responses=refusals("not_found", "conflict", "archived", "validation"))
async def join(channel_id: UUID, request: Request, caller: SignedIn) -> Channel:
    """Become a member of a public channel. Repeating changes nothing."""
    return await parts.of(request).channels.join(caller.user_id, channel_id)


@router.post("/{channel_id}/leave", status_code=204, responses=refusals("not_found", "conflict", "validation"))
async def leave(channel_id: UUID, request: Request, caller: SignedIn) -> None:
    """Stop being a member. Repeating changes nothing; of a private channel it then answers 404."""
    await parts.of(request).channels.leave(caller.user_id, channel_id)


@router.get("/{channel_id}/members", responses=refusals("not_found", "forbidden", "validation", "invalid_cursor"))
async def members(
    channel_id: UUID, query: Annotated[PageQuery, Query()], request: Request, caller: SignedIn
) -> Page[Member]:
    """Members in the order they joined."""
    return await parts.of(request).channels.members(caller.user_id, channel_id, query)


@router.post(
    "/{channel_id}/members",
    status_code=204,
    responses=refusals("not_found", "forbidden", "conflict", "archived", body=True),
)
async def add_member(channel_id: UUID, asked: MemberRequest, request: Request, caller: SignedIn) -> None:
    """Take a user in. Repeating changes nothing, the role of a member neither."""
    await parts.of(request).channels.add_member(caller.user_id, channel_id, asked)


@router.patch(
    "/{channel_id}/members/{user_id}",
    status_code=204,
    responses=refusals("not_found", "forbidden", "conflict", "archived", body=True),
)
async def set_role(channel_id: UUID, user_id: UUID, patch: RolePatch, request: Request, caller: SignedIn) -> None:
    """Give a member another role. Repeating changes nothing."""
    await parts.of(request).channels.set_role(caller.user_id, channel_id, user_id, patch.role)


@router.delete(
    "/{channel_id}/members/{user_id}",
    status_code=204,
    responses=refusals("not_found", "forbidden", "conflict", "validation"),
)
async def remove_member(channel_id: UUID, user_id: UUID, request: Request, caller: SignedIn) -> None:
    """Remove a member below your own role; the removal is the last event they see."""
    await parts.of(request).channels.remove_member(caller.user_id, channel_id, user_id)


@router.put(
    "/{channel_id}/members/{user_id}/mute",
    status_code=204,
    responses=refusals("not_found", "forbidden", "archived", body=True),
)
async def mute(channel_id: UUID, user_id: UUID, asked: MuteRequest, request: Request, caller: SignedIn) -> None:
    """Keep a member below your own role from posting until then. Repeating changes nothing."""
    await parts.of(request).channels.mute(caller.user_id, channel_id, user_id, asked.until)


@router.put("/{channel_id}/read", responses=refusals("not_found", "forbidden", body=True))
async def read(channel_id: UUID, asked: ReadRequest, request: Request, caller: SignedIn) -> ReadState:
    """Say up to where you have read. Repeating changes nothing."""
    return await parts.of(request).channels.read(caller.user_id, channel_id, asked.seq)


@direct.post("", responses=refusals("not_found", "archived", body=True))
async def open_direct(asked: DirectRequest, request: Request, caller: SignedIn) -> Channel:
    """The one direct channel of you and another user. Repeating answers the same channel."""
    return await parts.of(request).channels.open_direct(caller.user_id, asked.user_id)
