"""Routes of the signed-in user's notifications: parse and answer."""

from typing import Annotated

from fastapi import APIRouter, Query, Request

from signalink_core.web.identity import SignedIn
from signalink_core.web.schemas import Page, PageQuery
from signalink_notifications import parts
from signalink_notifications.history.schemas import Notification
from signalink_notifications.problems import refusals

router = APIRouter(prefix="/v1/notifications", tags=["notifications"])


@router.get("", responses=refusals("validation", "invalid_cursor"))
async def mine(request: Request, caller: SignedIn, page: Annotated[PageQuery, Query()]) -> Page[Notification]:
    """What you were told of, the youngest first."""
    return await parts.of(request).history.mine(caller.user_id, page.cursor, page.limit)
