"""What `public` built, for the endpoints and for `signalink_core.web`: one typed object on the application's state."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from fastapi import Request

from signalink_core.guard.limits import Limiter
from signalink_core.guard.rules import Rules
from signalink_core.web.identity import Caller

if TYPE_CHECKING:
    from signalink_analytics.service import FigureService
    from signalink_core.auth.tokens import TokenVerifier
    from signalink_core.web.edge import Revoked


@dataclass(frozen=True, slots=True)
class Parts:
    """The figures, and what the edge itself asks."""

    verifier: "TokenVerifier"
    revocations: "Revoked"
    limiter: Limiter
    rules: Rules
    figures: "FigureService"


async def asked(request: Request, caller: Caller) -> "FigureService":
    """The figures, within the caller's limit of questions: one of them may cost Postgres a quarter of a second."""
    found = cast(Parts, request.app.state.parts)
    await found.limiter.hit(found.rules.figures_user, caller.user_id)
    return found.figures
