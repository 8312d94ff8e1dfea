"""Which service calls: bearer token -> claims -> its row, not revoked -> within the limit -> the scope a route needs.

The row is read each time, so that a revoked token is refused at once; a user's token is none, an admin's neither.
"""

from typing import Annotated

from fastapi import Depends, Request

from signalink_api import parts
from signalink_api.admin.service import Service
from signalink_core.auth.service_tokens import CHANNELS_ADMIN
from signalink_core.errors import Forbidden, TokenInvalid
from signalink_core.telemetry import names
from signalink_core.web.identity import bearer


async def channels_admin(request: Request) -> Service:
    """A service that may manage channels."""
    found = parts.of(request)
    try:
        service = await found.admin.identify(bearer(request))
    except TokenInvalid as error:
        names.AUTH_FAILURES_TOTAL.labels(reason=error.reason).inc()
        raise
    await found.limiter.hit(found.rules.requests_user, service.account_id)
    if CHANNELS_ADMIN not in service.scopes:
        raise Forbidden(
            f"The token of {service.name} has not the scope {CHANNELS_ADMIN}.",
            next_step=f"`signalink token service {service.name} --scope {CHANNELS_ADMIN}`",
        )
    return service


ChannelsAdmin = Annotated[Service, Depends(channels_admin)]
