"""What `app` built, for the endpoints and for `signalink_core.web`: one typed object on the application's state."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from fastapi import Request

from signalink_core.guard.limits import Limiter
from signalink_core.guard.rules import Rules

if TYPE_CHECKING:
    from signalink_api.addresses import Addresses
    from signalink_api.admin.service import AdminService
    from signalink_api.auth.service import AuthService
    from signalink_api.blocks.service import BlockService
    from signalink_api.channels.service import ChannelService
    from signalink_api.devices.service import DeviceService
    from signalink_api.messages.service import MessageService
    from signalink_api.tickets.service import TicketService
    from signalink_api.users.service import UserService
    from signalink_core.auth.keys import KeyRing
    from signalink_core.auth.tokens import TokenVerifier
    from signalink_core.web.revocations import Revocations


@dataclass(frozen=True, slots=True)
class Parts:
    """Services of the features, and what the edge itself asks."""

    keys: "KeyRing"
    verifier: "TokenVerifier"
    revocations: "Revocations"
    limiter: Limiter
    rules: Rules
    origins: tuple[str, ...]
    secure_cookies: bool
    auth: "AuthService"
    users: "UserService"
    channels: "ChannelService"
    devices: "DeviceService"
    blocks: "BlockService"
    addresses: "Addresses"
    admin: "AdminService"
    messages: "MessageService"
    tickets: "TicketService"


def of(request: Request) -> Parts:
    return cast(Parts, request.app.state.parts)
