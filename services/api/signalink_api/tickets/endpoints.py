"""The route that gives a ticket for one socket."""

from fastapi import APIRouter, Request

from signalink_api import parts
from signalink_api.problems import refusals
from signalink_api.tickets.schemas import Ticket, TicketRequest
from signalink_core.web.identity import SignedIn

router = APIRouter(prefix="/v1", tags=["tickets"])


@router.post("/ws-tickets", status_code=201, responses=refusals(body=True))
async def issue(request: Request, caller: SignedIn, asked: TicketRequest | None = None) -> Ticket:
    """A ticket for one socket within 30 s. Each repeat gives another one."""
    return await parts.of(request).tickets.issue(
        caller.user_id,
        caller.session_id,
        caller.expires_at,
        request.headers.get("origin"),
        asked.origin if asked is not None else None,
    )
