"""What `app` built, for the endpoints and for `signalink_core.web`: one typed object on the application's state."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from fastapi import Request

from signalink_core.auth.tokens import TokenVerifier
from signalink_core.guard.limits import Limiter
from signalink_core.guard.rules import Rules
from signalink_core.web.edge import Revoked

if TYPE_CHECKING:
    from signalink_notifications.history.service import HistoryService
    from signalink_notifications.mutes.service import MuteService
    from signalink_notifications.preferences.service import PreferenceService
    from signalink_notifications.unsubscribe.links import UnsubscribeLinks


@dataclass(frozen=True, slots=True)
class Parts:
    """Services of the features, and what the edge itself asks."""

    verifier: TokenVerifier
    revocations: Revoked
    limiter: Limiter
    rules: Rules
    preferences: "PreferenceService"
    mutes: "MuteService"
    history: "HistoryService"
    links: "UnsubscribeLinks"


def of(request: Request) -> Parts:
    return cast(Parts, request.app.state.parts)
