"""Who a socket belongs to: tickets (one use, from Redis), access tokens (when Redis is away), revocations.

Owns every reason to refuse credentials as a typed disconnect. A revocation reaches open sockets within the 2 s poll or
at once by the hint; the last 60 s are read again each time, since a row may commit late; twice is harmless.
"""

import asyncio
import contextlib
import time
from collections.abc import Callable
from datetime import timedelta
from uuid import UUID

from redis.exceptions import RedisError

from signalink_core import faults, lifecycle
from signalink_core.auth import tokens
from signalink_core.auth.tokens import Claims, TokenVerifier
from signalink_core.bus import ticket_key
from signalink_core.errors import DependencyUnavailable, FaultInjected, TokenInvalid
from signalink_core.log.reads import Revocation
from signalink_core.settings import RedisSettings
from signalink_core.telemetry import logging, names
from signalink_gateway import disconnects
from signalink_gateway.disconnects import Disconnect
from signalink_gateway.reads import LogReads

POLL_SECONDS = 2.0
OVERLAP_SECONDS = 60.0
REMEMBER_SECONDS = 700.0
"""A token lives 600 s and has 30 s of leeway; a revocation older than this meets no valid token."""
REDIS_CONNECTIONS = 16

log = logging.get_logger(__name__)


class Refused(Exception):
    """Close the socket with this."""

    def __init__(self, why: Disconnect, reason: str | None = None) -> None:
        super().__init__(reason or why.reason)
        self.why, self.reason = why, reason


class Identity(lifecycle.Lifecycle):
    """`revoked(revocation)` is called for each new one: the gateway closes the sockets that it covers."""

    def __init__(
        self,
        redis: RedisSettings,
        verifier: TokenVerifier,
        reads: LogReads,
        *,
        revoked: Callable[[Revocation], None],
    ) -> None:
        super().__init__()
        self._redis, self._verifier, self._reads, self._revoked = redis, verifier, reads, revoked
        self._known: dict[tuple[str, UUID], Revocation] = {}
        self._hint = asyncio.Event()
        self._slots = asyncio.Semaphore(REDIS_CONNECTIONS)
        self._complete = False

    async def _start(self) -> None:
        self._client = self._redis.client(max_connections=REDIS_CONNECTIONS)
        await self.enter(contextlib.aclosing(self._client))
        self.spawn(self._poll(), "revocations")

    def hint(self) -> None:
        """Redis says that there is something to read."""
        self._hint.set()

    async def ticket(self, ticket: str, origin: str) -> tuple[Claims, str]:
        """The claims and the token behind a ticket, which is used up. Raises Refused."""
        try:
            await faults.point("redis.command", command="getdel")
            async with self._slots:
                value = await self._client.getdel(ticket_key(ticket))
        except (RedisError, OSError, TimeoutError, FaultInjected) as exc:
            why = "tickets cannot be read now: authenticate with an access token as first message"
            raise Refused(disconnects.UNAVAILABLE, why) from exc
        if value is None:
            names.AUTH_FAILURES_TOTAL.labels(reason="ticket").inc()
            raise Refused(disconnects.TICKET_USED)
        token = value.decode() if isinstance(value, bytes) else str(value)
        claims = await self._verified(token, (tokens.SOCKET,))
        if claims.origin is not None and claims.origin != origin:
            raise Refused(disconnects.FORBIDDEN, "the ticket was made for another origin")
        return claims, token

    async def token(self, token: str) -> tuple[Claims, str]:
        """The claims of an access token sent as a message. Raises Refused."""
        return await self._verified(token, (tokens.API, tokens.SOCKET)), token

    async def _verified(self, token: str, audience: tuple[str, ...]) -> Claims:
        try:
            claims = await self._verifier.verify(token, audience)
        except TokenInvalid as exc:
            names.AUTH_FAILURES_TOTAL.labels(reason=exc.reason).inc()
            expired = exc.reason == "expired"
            raise Refused(disconnects.TOKEN_EXPIRED if expired else disconnects.UNAUTHORISED, exc.detail) from exc
        except DependencyUnavailable as exc:
            raise Refused(disconnects.UNAVAILABLE, exc.detail) from exc
        if (revocation := self.revocation(claims)) is not None:
            names.AUTH_FAILURES_TOTAL.labels(reason="revoked").inc()
            raise Refused(verdict(revocation))
        return claims

    def revocation(self, claims: Claims) -> Revocation | None:
        """What ended these claims. A user's revocation ends the tokens that were bought before it."""
        by_session = self._known.get(("session", claims.sid))
        if by_session is not None:
            return by_session
        by_user = self._known.get(("user", claims.sub))
        return by_user if by_user is not None and covers(by_user, claims) else None

    async def _poll(self) -> None:
        """First everything a living token could meet, then the last 60 s, every 2 s or at a hint."""
        while True:
            try:
                await self._take(OVERLAP_SECONDS if self._complete else REMEMBER_SECONDS)
                self._complete = True
            except DependencyUnavailable as exc:
                log.debug("revocations_unread", reason=exc.detail)
                self._complete = False
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(POLL_SECONDS):
                    await self._hint.wait()
            self._hint.clear()

    async def _take(self, seconds: float) -> None:
        for revocation in await self._reads.revocations(seconds):
            key = (revocation.subject_kind, revocation.subject_id)
            known = self._known.get(key)
            if known is None or known.at < revocation.at:
                self._known[key] = revocation
                self._revoked(revocation)
        oldest = time.time() - REMEMBER_SECONDS
        for key in [key for key, known in self._known.items() if known.at.timestamp() < oldest]:
            del self._known[key]


def covers(revocation: Revocation, claims: Claims) -> bool:
    """Whether these claims end with the revocation; a token's time of issue is its end minus its lifetime."""
    if revocation.subject_kind == "session":
        return revocation.subject_id == claims.sid
    issued = claims.exp - timedelta(seconds=tokens.ACCESS_LIFETIME.total_seconds())
    return revocation.subject_id == claims.sub and issued <= revocation.at


def verdict(revocation: Revocation) -> Disconnect:
    return disconnects.BANNED if revocation.reason == "disabled" else disconnects.UNAUTHORISED
