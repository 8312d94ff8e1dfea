"""Where a browser or program finds the other services of this platform; no secret, asked before signing in."""

from fastapi import APIRouter, Request, Response

from signalink_api import parts
from signalink_api.problems import refusals
from signalink_core.web.schemas import Answer

CACHE_SECONDS = 60
router = APIRouter(prefix="/v1", tags=["addresses"])


class Addresses(Answer):
    """Base addresses; null: this platform runs without it."""

    gateway: str
    analytics: str | None
    notifications: str | None


@router.get("/addresses", responses=refusals(signed_in=False))
async def find(request: Request, response: Response) -> Addresses:
    """The sockets, the figures, the notification preferences."""
    response.headers["Cache-Control"] = f"public, max-age={CACHE_SECONDS}"
    return parts.of(request).addresses
