"""Routes of the signed-in user's mutes: parse and answer."""

from uuid import UUID

from fastapi import APIRouter, Request

from signalink_core.web.identity import SignedIn
from signalink_notifications import parts
from signalink_notifications.mutes.schemas import Mute, MuteRequest, Mutes
from signalink_notifications.problems import refusals

router = APIRouter(prefix="/v1/mutes", tags=["mutes"])


@router.get("", responses=refusals())
async def mine(request: Request, caller: SignedIn) -> Mutes:
    """The channels you muted, the last one first; at most 1,000."""
    return await parts.of(request).mutes.mine(caller.user_id)


@router.put("/{channel_id}", responses=refusals("not_found", "conflict", body=True))
async def put(channel_id: UUID, asked: MuteRequest, request: Request, caller: SignedIn) -> Mute:
    """Hear nothing from a channel of yours, for good or until a time. Repeating changes that time."""
    return await parts.of(request).mutes.put(caller.user_id, channel_id, asked.until)


@router.delete("/{channel_id}", status_code=204, responses=refusals("validation"))
async def delete(channel_id: UUID, request: Request, caller: SignedIn) -> None:
    """Hear of it again. Repeating changes nothing."""
    await parts.of(request).mutes.drop(caller.user_id, channel_id)
