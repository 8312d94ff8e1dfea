"""One-use tickets: what a page trades its access token for, so that no token is ever in a URL or a log."""

import secrets
from collections.abc import Collection
from datetime import datetime
from typing import Final
from uuid import UUID

from redis.asyncio import Redis

from signalink_api.tickets import repository
from signalink_api.tickets.schemas import Ticket
from signalink_core.auth.tokens import TokenSigner
from signalink_core.errors import OriginRefused

BYTES: Final = 32


class TicketService:
    def __init__(self, redis: Redis, signer: TokenSigner, *, origins: Collection[str], gateway_url: str) -> None:
        self._redis = redis
        self._signer = signer
        self._origins = frozenset(origins)
        self._url = gateway_url

    async def issue(
        self, user_id: UUID, session_id: UUID, expires_at: datetime, sent: str | None, asked: str | None
    ) -> Ticket:
        """`sent` is the request's Origin header, `asked` the body's: bound to either, and both must be the same."""
        origin = sent or asked
        if (sent and asked and sent != asked) or (origin is not None and origin not in self._origins):
            raise OriginRefused("No ticket can be made for this origin.", next_step="name one of the allowed origins.")
        ticket = secrets.token_urlsafe(BYTES)
        await repository.keep(self._redis, ticket, self._signer.socket(user_id, session_id, expires_at, origin))
        return Ticket(ticket=ticket, expires_in=repository.LIFETIME_MS // 1000, url=self._url)
