"""The sessions of this node: how they open, what their commands do, when they end. The parts do the work.

Owns the registry of sessions and the limits on their number. Bytes are `protocol`'s and `session`'s, events the hub's,
reads of the log `recovery`'s, credentials `identity`'s.
"""

import asyncio
import random
import time
from collections import Counter
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Protocol
from uuid import UUID

from signalink_core import faults, lifecycle
from signalink_core.auth.tokens import LEEWAY_SECONDS, Claims
from signalink_core.clock import utc_now
from signalink_core.errors import DependencyUnavailable, FaultInjected, RateLimited
from signalink_core.guard.rules import Rule, Rules
from signalink_core.guard.view import Transport
from signalink_core.log.reads import Revocation
from signalink_core.settings import LimitSettings
from signalink_core.telemetry import logging, names
from signalink_gateway import commands, disconnects, frames, handshake
from signalink_gateway.channel import Subscription
from signalink_gateway.forwarding import Forwarder
from signalink_gateway.identity import Identity, Refused, covers, verdict
from signalink_gateway.people import People
from signalink_gateway.recovery import Recovery
from signalink_gateway.session import Session
from signalink_gateway.wheel import Kind, Wheel

if TYPE_CHECKING:
    from signalink_gateway.protocol import SocketProtocol

HANDSHAKE_SECONDS = 5.0
PING_SECONDS = 25.0
MISSED_PINGS = 2
MOST_SESSIONS = 50_000
NODE_BYTES = 268_435_456
"""Unwritten bytes of all sessions together; above it the largest are closed as slow."""
HOUSEKEEPING_SECONDS = 1.0

log = logging.get_logger(__name__)


class Limits(Protocol):
    async def hit(self, rule: Rule, key: object, *, transport: Transport) -> None: ...


class Own(Protocol):
    """The node's own socket: it is nobody's session, so no limit counts it and nothing is told about it."""

    def owns(self, ticket: str) -> bool: ...
    def adopt(self, protocol: "SocketProtocol", upgrade: handshake.Upgrade) -> None: ...


@dataclass(frozen=True, slots=True)
class Parts:
    """What a gateway is made of; built in `app`, or by a test."""

    recovery: Recovery
    identity: Identity
    forwarder: Forwarder
    limiter: Limits
    people: People


class Gateway(lifecycle.Lifecycle):
    def __init__(
        self,
        *,
        node: str,
        limits: LimitSettings,
        origins: tuple[str, ...],
        hosts: frozenset[str],
        ping_seconds: float = PING_SECONDS,
    ) -> None:
        super().__init__()
        self.node, self.limits, self.origins, self.hosts = node, limits, origins, hosts
        self.ping_seconds = ping_seconds
        self.rules = Rules.of(limits)
        self.sessions: dict[int, Session] = {}
        self.draining = False
        self.wheel = Wheel(self._due, self._tick)
        self.canary: Own | None = None
        self._numbers = 0
        self._per_ip: Counter[str] = Counter()
        self._per_user: Counter[UUID] = Counter()
        self._behind: set[Session] = set()
        self._housekeeping_at = 0.0

    def assemble(self, parts: Parts) -> None:
        """Parts call back into the gateway, so they come after it."""
        self.parts = parts
        self.hub = parts.recovery.hub
        self.fanout = self.hub.fanout

    async def _start(self) -> None:
        await self.wheel.start()

    async def _stop(self) -> None:
        for session in list(self.sessions.values()):
            session.close(disconnects.NODE_RESTART)
        await self.wheel.stop()

    # opening

    def accepts(self) -> None:
        """Raises handshake.Refused while this node takes nobody."""
        if self.draining:
            raise handshake.Refused("draining", _unavailable("This node drains."))
        if len(self.sessions) >= MOST_SESSIONS:
            raise handshake.Refused("limit", _unavailable("This node is full."))

    def open(self, protocol: "SocketProtocol", upgrade: handshake.Upgrade, ip: str) -> None:
        self.spawn(self._opened(protocol, upgrade, ip), "socket-open")

    async def _opened(self, protocol: "SocketProtocol", upgrade: handshake.Upgrade, ip: str) -> None:
        """A mistake of ours costs this one connection."""
        try:
            await self._open(protocol, upgrade, ip)
        except Exception:
            log.exception("open_failed", ip=ip)
            protocol.transport.abort()

    async def _open(self, protocol: "SocketProtocol", upgrade: handshake.Upgrade, ip: str) -> None:
        if self.canary is not None and upgrade.ticket is not None and self.canary.owns(upgrade.ticket):
            self.canary.adopt(protocol, upgrade)
            return
        try:
            await faults.point("gateway.accept", ip=ip)
            await self._admit(ip)
        except (RateLimited, FaultInjected) as exc:
            reason = "limit" if isinstance(exc, FaultInjected) else "rate"
            protocol.refuse(handshake.Refused(reason, handshake.problem(exc)))
            return
        if protocol.lost or protocol.transport.is_closing():
            return
        self._numbers += 1
        session = Session(self, self._numbers, protocol.transport, upgrade.origin, ip)
        self.sessions[session.number] = session
        self._per_ip[ip] += 1
        names.WS_OPENED_TOTAL.inc()
        names.WS_SESSIONS.set(len(self.sessions))
        protocol.accept(upgrade.answer, session)
        self.wheel.after(HANDSHAKE_SECONDS, session.number, "handshake")
        if upgrade.ticket is not None:
            await self._authenticate(session, commands.Auth(ticket=upgrade.ticket))
        protocol.release()

    async def _admit(self, ip: str) -> None:
        """The number of open sockets comes last: nothing is awaited between it and the registration."""
        await self.parts.limiter.hit(self.rules.connects_ip, ip, transport="websocket")
        if self._per_ip[ip] >= self.limits.sockets_per_ip:
            names.RATE_LIMITED_TOTAL.labels(scope="sockets_ip", transport="websocket").inc()
            raise RateLimited(f"More than {self.limits.sockets_per_ip} open sockets from one address.", retry_after=1)

    async def _authenticate(self, session: Session, auth: commands.Auth) -> None:
        identity = self.parts.identity
        try:
            if auth.ticket is not None:
                claims, token = await identity.ticket(auth.ticket, session.origin)
            else:
                claims, token = await identity.token(auth.token or "")
        except Refused as refused:
            session.close(refused.why, refused.reason)
            return
        if session.closed is not None:
            return
        if session.claims is None:
            self._begin(session, claims, token)
        elif session.claims.sub != claims.sub:
            session.close(disconnects.FORBIDDEN, "the credentials are another user's")
        else:
            session.renew(claims, token, auth.ref)
            self._until_expiry(session, claims)

    def _begin(self, session: Session, claims: Claims, token: str) -> None:
        if self._per_user[claims.sub] >= self.limits.sockets_per_user:
            names.RATE_LIMITED_TOTAL.labels(scope="sockets_user", transport="websocket").inc()
            session.close(disconnects.TOO_MANY_SESSIONS)
            return
        self._per_user[claims.sub] += 1
        session.welcome(claims, token)
        self.parts.people.presence.opened(session)
        self._until_expiry(session, claims)
        self.wheel.after(self.ping_seconds * random.uniform(0.5, 1.0), session.number, "ping")  # noqa: S311

    def _until_expiry(self, session: Session, claims: Claims) -> None:
        left = (claims.exp + timedelta(seconds=LEEWAY_SECONDS) - utc_now()).total_seconds()
        self.wheel.after(max(0.0, left), session.number, "expiry")

    # commands

    def command(self, protocol: "SocketProtocol", session: Session, text: bytes) -> None:
        allowed = session.spend()
        if session.closed is not None:
            return
        try:
            command = commands.decode(text)
        except commands.NotACommand as exc:
            session.close(disconnects.BAD_FRAME, str(exc))
            return
        except commands.InvalidCommand as exc:
            session.say(op="error", ref=exc.ref, code="validation", message=str(exc))
            return
        if not allowed:
            self._limited(session, command)
        elif isinstance(command, commands.Auth):
            self._auth(protocol, session, command)
        elif not session.opened:
            session.close(disconnects.UNAUTHORISED, "authenticate first")
        else:
            self._obey(session, command)

    def _limited(self, session: Session, command: commands.AnyCommand) -> None:
        """A rate above the limit is told, so that a well-meant client can slow down; a flood is cut in `spend`."""
        names.RATE_LIMITED_TOTAL.labels(scope="commands", transport="websocket").inc()
        rate = f"More than {self.limits.commands_per_second_per_socket} commands per second."
        if isinstance(command, commands.Send):
            session.say(
                op="nack", ref=command.ref, client_id=command.client_id, code="rate_limited", detail=rate,
                retry_after_ms=1000,
            )  # fmt: skip
        else:
            session.say(op="error", ref=command.ref, code="rate_limited", message=rate)

    def _auth(self, protocol: "SocketProtocol", session: Session, auth: commands.Auth) -> None:
        if (auth.ticket is None) == (auth.token is None):
            session.say(op="error", ref=auth.ref, code="validation", message="send either `ticket` or `token`")
            return
        protocol.hold()
        self.spawn(self._auth_then_release(protocol, session, auth), "socket-auth")

    async def _auth_then_release(self, protocol: "SocketProtocol", session: Session, auth: commands.Auth) -> None:
        try:
            await self._authenticate(session, auth)
        finally:
            protocol.release()

    def _obey(self, session: Session, command: commands.AnyCommand) -> None:
        if isinstance(command, commands.Subscribe):
            for wanted in command.channels:
                self._subscribe(session, wanted, command.ref)
        elif isinstance(command, commands.Unsubscribe):
            for channel_id in command.channels:
                if (subscription := session.subscriptions.get(channel_id)) is not None:
                    self.hub.drop(subscription)
            session.say(op="unsubscribed", ref=command.ref, channels=command.channels)
        elif isinstance(command, commands.Send):
            self.parts.forwarder.send(session, command)
        elif isinstance(command, commands.Ping):
            session.say(op="pong", ref=command.ref, n=command.n)
        elif isinstance(command, commands.Type):
            self.parts.people.typing.command(session, command)
        elif isinstance(command, commands.Appear):
            self.parts.people.presence.said(session, command.state)
        elif isinstance(command, commands.Watch):
            self.parts.people.watches.command(session, command)

    def _subscribe(self, session: Session, wanted: commands.Wanted, ref: commands.Ref) -> None:
        """Subscribing again begins anew at the position given."""
        before = session.subscriptions.get(wanted.id)
        if before is not None:
            self.hub.drop(before)
        elif len(session.subscriptions) >= self.limits.subscriptions_per_socket:
            most = f"A socket may have {self.limits.subscriptions_per_socket} subscriptions."
            session.say(op="error", ref=ref, code="too_many_subscriptions", message=most, channel=wanted.id)
            return
        subscription = Subscription(session, self.hub.channel(wanted.id))
        session.subscriptions[subscription.channel.id] = subscription  # the channel's own key: one object, not one each
        self.hub.add(subscription)
        self.parts.recovery.join(subscription, wanted.after, ref)

    # ending

    def forget(self, session: Session, code: int) -> None:
        """The session is closed: nothing keeps it but its transport."""
        if self.sessions.pop(session.number, None) is None:
            return
        _give_back(self._per_ip, session.ip)
        if session.user is not None and session.opened:
            _give_back(self._per_user, session.user)
            self.parts.people.watches.leave(session)
            self.parts.people.presence.closed(session)
        for subscription in list(session.subscriptions.values()):
            self.hub.drop(subscription)
        self._behind.discard(session)
        if session.work is not None:
            session.work.drained.set()
        names.WS_SESSIONS.set(len(self.sessions))
        names.WS_CLOSED_TOTAL.labels(code=str(code) if code in _CODES else "other").inc()

    def lost(self, session: Session) -> None:
        """The connection is gone."""
        self.forget(session, 1006)
        session.closed = session.closed or disconnects.NORMAL

    def count_rejected(self, reason: str) -> None:
        names.WS_REJECTED_TOTAL.labels(reason=reason).inc()

    def revoked(self, revocation: Revocation) -> None:
        """Closes what the revocation covers."""
        for session in list(self.sessions.values()):
            if session.claims is not None and covers(revocation, session.claims):
                session.close(verdict(revocation), revocation.reason or None)

    # time

    def pong(self, session: Session) -> None:
        if session.ping_at:
            names.WS_PING_SECONDS.observe(time.monotonic() - session.ping_at)
            session.ping_at = 0.0

    def watch(self, session: Session) -> None:
        """The session fell behind: it has 10 s to take something."""
        self._behind.add(session)

    def _due(self, number: int, kind: Kind) -> None:
        session = self.sessions.get(number)
        if session is None:
            return
        if kind == "ping":
            self._ping(session)
        elif kind == "handshake" and not session.opened:
            session.close(disconnects.UNAUTHORISED, f"no authentication within {HANDSHAKE_SECONDS:.0f} s")
        elif kind == "expiry" and _expired(session.claims):
            session.close(disconnects.TOKEN_EXPIRED)

    def _ping(self, session: Session) -> None:
        """The heartbeat says where the session's channels are, so a client notices what it lacks."""
        if session.missed >= MISSED_PINGS:
            session.close(disconnects.PING_TIMEOUT)
            return
        session.missed += 1
        session.ping_at = time.monotonic()
        session.put(frames.control_frame(frames.PING))
        moved = self.hub.positions(session.subscriptions.values())
        if moved:
            session.say(op="heads", channels=moved)
        self.wheel.after(self.ping_seconds, session.number, "ping")

    def _tick(self) -> None:
        now = time.monotonic()
        for session in list(self._behind):
            if not session.behind:
                self._behind.discard(session)
            elif session.too_slow(now):
                self._close_slow(session)
        if now >= self._housekeeping_at:
            self._housekeeping_at = now + HOUSEKEEPING_SECONDS
            self._bound_bytes()
            self.hub.sweep(now)
            self.parts.people.watches.check_oldest()

    def _close_slow(self, session: Session) -> None:
        names.WS_SLOW_CLOSED_TOTAL.inc()
        session.close(disconnects.SLOW)

    def _bound_bytes(self) -> None:
        total = sum(session.buffered() for session in self.sessions.values())
        names.WS_PENDING_BYTES.set(total)
        if total <= NODE_BYTES:
            return
        for session in sorted(self._behind, key=Session.buffered, reverse=True):
            total -= session.buffered()
            self._close_slow(session)
            if total <= NODE_BYTES:
                return

    async def flushed(self, seconds: float) -> None:
        """Returns when every session's bytes are with the kernel, or after `seconds`."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + seconds
        while loop.time() < deadline:
            if not any(session.out or session.buffered() for session in self.sessions.values()):
                return
            await asyncio.sleep(0.02)


_CODES = frozenset(disconnect.code for disconnect in disconnects.ALL) | {1001, 1005, 1006}


def _expired(claims: Claims | None) -> bool:
    """Renewed credentials have an entry of their own on the wheel."""
    return claims is not None and claims.exp + timedelta(seconds=LEEWAY_SECONDS) <= utc_now()


def _give_back(counter: Counter[Any], key: object) -> None:
    counter[key] -= 1
    if counter[key] <= 0:
        del counter[key]


def _unavailable(text: str) -> bytes:
    return handshake.problem(DependencyUnavailable(text, retry_after=1))
