"""Routes of messages and of a channel's events."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Header, Query, Request, Response

from signalink_api import parts
from signalink_api.messages.schemas import (
    CLIENT_ID_CHARACTERS,
    EditRequest,
    EventPage,
    EventsQuery,
    Message,
    MessagePage,
    MessagesQuery,
    PostRequest,
    ThreadQuery,
)
from signalink_api.problems import refusals
from signalink_core.web.identity import Poster, SignedIn

router = APIRouter(prefix="/v1", tags=["messages"])

Key = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        description="The header form of client_id.",
        min_length=1,
        max_length=CLIENT_ID_CHARACTERS + 2,
        pattern=r"^[\x20-\x7e]+$",
    ),
]
_ONE = "not_found", "forbidden"


@router.post(
    "/channels/{channel_id}/messages",
    status_code=201,
    responses={
        200: {"model": Message, "description": "A replay: this client_id was posted before. The body is the same."},
        **refusals(
            *_ONE,
            "archived",
            "muted",
            "idempotency_conflict",
            "reply_unknown",
            "slow_mode",
            "post_failed",
            "queue_full",
            "unknown_outcome",
            "log_mismatch",
            body=True,
        ),
    },
)
async def post(
    channel_id: UUID, asked: PostRequest, request: Request, response: Response, caller: Poster, key: Key = None
) -> Message:
    """Post a message. Repeating with the same client_id is safe for ever: 201 the first time, 200 after."""
    message, created = await parts.of(request).messages.post(caller.user_id, channel_id, asked, key)
    if not created:
        response.status_code = 200
    return message


@router.get("/channels/{channel_id}/messages", responses=refusals(*_ONE, "validation"))
async def page(
    channel_id: UUID, query: Annotated[MessagesQuery, Query()], request: Request, caller: SignedIn
) -> MessagePage:
    """Messages of a channel, ascending by seq."""
    return await parts.of(request).messages.page(caller.user_id, channel_id, query)


@router.get("/channels/{channel_id}/events", responses=refusals(*_ONE, "validation"))
async def events(
    channel_id: UUID, query: Annotated[EventsQuery, Query()], request: Request, caller: SignedIn
) -> EventPage:
    """Everything that happened in a channel after a seq, as a socket would deliver it."""
    return await parts.of(request).messages.events(caller.user_id, channel_id, query)


@router.get("/messages/{message_id}", responses=refusals(*_ONE, "validation"))
async def get(message_id: UUID, request: Request, caller: SignedIn) -> Message:
    """One message."""
    return await parts.of(request).messages.get(caller.user_id, message_id)


@router.get("/messages/{message_id}/thread", responses=refusals(*_ONE, "validation"))
async def thread(
    message_id: UUID, query: Annotated[ThreadQuery, Query()], request: Request, caller: SignedIn
) -> MessagePage:
    """The replies to a message, and to those, ascending by seq; asked of a reply, the whole thread it is in."""
    return await parts.of(request).messages.thread(caller.user_id, message_id, query)


@router.patch("/messages/{message_id}", responses=refusals(*_ONE, "conflict", "archived", body=True))
async def edit(message_id: UUID, asked: EditRequest, request: Request, caller: SignedIn) -> Message:
    """Give your message another body. Repeating changes nothing."""
    return await parts.of(request).messages.edit(caller.user_id, message_id, asked.body)


@router.delete("/messages/{message_id}", status_code=204, responses=refusals(*_ONE, "validation"))
async def delete(message_id: UUID, request: Request, caller: SignedIn) -> None:
    """Delete a message: its body is gone for good, its place stays. Repeating changes nothing."""
    await parts.of(request).messages.delete(caller.user_id, message_id)
