"""Who calls: bearer token -> claims -> not revoked -> within the user's limit. Rights are decided by the features."""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import Depends, Request

from signalink_core.auth import tokens
from signalink_core.errors import TokenInvalid
from signalink_core.telemetry import names
from signalink_core.web import edge


@dataclass(frozen=True, slots=True)
class Caller:
    """A signed-in user in one session; `expires_at` is their token's end."""

    user_id: UUID
    session_id: UUID
    expires_at: datetime


async def caller(request: Request) -> Caller:
    """Whoever holds a good access token."""
    return await _identify(request, tokens.API)


async def poster(request: Request) -> Caller:
    """As `caller`, or a gateway that forwards a socket's own token."""
    return await _identify(request, (tokens.API, tokens.SOCKET))


async def _identify(request: Request, audience: str | tuple[str, ...]) -> Caller:
    found = edge.of(request)
    try:
        claims = await found.verifier.verify(bearer(request), audience)
        if found.revocations.refuses(claims):
            raise TokenInvalid("revoked", "The session has ended; sign in again.")
    except TokenInvalid as error:
        names.AUTH_FAILURES_TOTAL.labels(reason=error.reason).inc()
        raise
    await found.limiter.hit(found.rules.requests_user, claims.sub)
    return Caller(claims.sub, claims.sid, claims.exp)


def bearer(request: Request) -> str:
    """The token of the only Authorization header."""
    given = request.headers.getlist("authorization")
    scheme, _, token = given[0].partition(" ") if len(given) == 1 else ("", "", "")
    if scheme.lower() != "bearer" or not token:
        raise TokenInvalid("missing", "This needs an access token: `Authorization: Bearer ...`.")
    return token.strip()


SignedIn = Annotated[Caller, Depends(caller)]
Poster = Annotated[Caller, Depends(poster)]
