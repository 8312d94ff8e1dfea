"""Routes of the unsubscribe link: who has the link may end the mails it came with, signed in or not."""

from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse

from signalink_notifications import parts
from signalink_notifications.problems import refusals
from signalink_notifications.unsubscribe import links, page

router = APIRouter(tags=["unsubscribe"])
Token = Annotated[str, Query(min_length=1, max_length=links.LONGEST)]
_REFUSALS = refusals("link_invalid", "validation", signed_in=False)


@router.get(links.PATH, response_class=HTMLResponse, responses=_REFUSALS)
async def ask(token: Token, request: Request) -> HTMLResponse:
    """A page with one button. Changes nothing."""
    parts.of(request).links.user(token)
    return HTMLResponse(page.question(token), headers=page.HEADERS)


@router.post(links.PATH, response_class=HTMLResponse, responses=_REFUSALS)
async def end(token: Token, request: Request) -> HTMLResponse:
    """No mails any more. What mail programs post (RFC 8058) and the page's button; repeating changes nothing."""
    found = parts.of(request)
    await found.preferences.unsubscribe(found.links.user(token))
    return HTMLResponse(page.done(), headers=page.HEADERS)
