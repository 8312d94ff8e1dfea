"""Routes of users: oneself, and what everybody may know of the others."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Request

from signalink_api import parts
from signalink_api.auth.schemas import Me
from signalink_api.problems import refusals
from signalink_api.users.schemas import People, Person, ProfilePatch, SearchQuery
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


@router.get("", responses=refusals("validation"))
async def search(query: Annotated[SearchQuery, Query()], request: Request, caller: SignedIn) -> People:
    """Users whose name begins so, by name."""
    return await parts.of(request).users.search(caller.user_id, query)


@router.get("/{user_id}", responses=refusals("not_found", "validation"))
async def get(user_id: UUID, request: Request, caller: SignedIn) -> Person:
    """One user."""
    return await parts.of(request).users.get(user_id)
