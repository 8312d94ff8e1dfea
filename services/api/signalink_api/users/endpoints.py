"""Routes of the signed-in user about themselves; everything about other users comes with the channels."""

from fastapi import APIRouter, Request

from signalink_api import parts
from signalink_api.auth.schemas import Me
from signalink_api.problems import refusals
from signalink_api.users.schemas import ProfilePatch
from signalink_core.web.identity import SignedIn

router = APIRouter(prefix="/v1/users", tags=["users"])


@router.get("/me", responses=refusals())
async def me(request: Request, caller: SignedIn) -> Me:
    """Yourself."""
    return await parts.of(request).users.me(caller.user_id)


@router.patch("/me", responses=refusals(body=True))
async def change_me(patch: ProfilePatch, request: Request, caller: SignedIn) -> Me:
    """Change your display name or status. Repeating changes nothing."""
    return await parts.of(request).users.change_me(caller.user_id, patch)
