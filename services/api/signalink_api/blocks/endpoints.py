"""Routes of the signed-in user's blocks: parse and answer."""

from uuid import UUID

from fastapi import APIRouter, Request

from signalink_api import parts
from signalink_api.blocks.schemas import Blocks
from signalink_api.problems import refusals
from signalink_core.web.identity import SignedIn

router = APIRouter(prefix="/v1/users/me/blocks", tags=["blocks"])


@router.get("", responses=refusals())
async def mine(request: Request, caller: SignedIn) -> Blocks:
    """Whom you blocked, the last one first; at most 1,000."""
    return await parts.of(request).blocks.mine(caller.user_id)


@router.put("/{user_id}", status_code=204, responses=refusals("not_found", "conflict", "validation"))
async def put(user_id: UUID, request: Request, caller: SignedIn) -> None:
    """Be told of nothing this user writes. Repeating changes nothing."""
    await parts.of(request).blocks.put(caller.user_id, user_id)


@router.delete("/{user_id}", status_code=204, responses=refusals("validation"))
async def delete(user_id: UUID, request: Request, caller: SignedIn) -> None:
    """Be told of it again. Repeating changes nothing."""
    await parts.of(request).blocks.delete(caller.user_id, user_id)
