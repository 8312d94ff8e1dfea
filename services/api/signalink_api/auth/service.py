"""Accounts and sessions: who may sign in, what a refresh token is good for, when a session ends.

One transaction per use case, opened here; hashing happens outside of any, so no connection waits for a thread.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Row
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from signalink_api.auth import passwords, refresh, repository
from signalink_api.auth.schemas import LoginRequest, Me, RegisterRequest
from signalink_api.database import Database
from signalink_api.problems import Unauthorised
from signalink_core.auth.tokens import ACCESS_LIFETIME, TokenSigner
from signalink_core.clock import utc_now
from signalink_core.errors import Conflict
from signalink_core.guard.limits import Limiter
from signalink_core.guard.rules import Rule, Rules
from signalink_core.ids import uuid7
from signalink_core.telemetry import names
from signalink_core.telemetry.logging import get_logger
from signalink_core.web.catalogue import Invalid
from signalink_core.web.revocations import Revocations

LONG_WINDOW_SECONDS: Final = 600
LONG_WINDOW_FACTOR: Final = 3
USER_AGENT_CHARACTERS: Final = 256
log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Device:
    """What the request says about where it comes from; kept with the session."""

    ip: str
    user_agent: str


@dataclass(frozen=True, slots=True)
class Opened:
    """A session's fresh tokens; `refresh_seconds` is how long a browser keeps the cookie."""

    access_token: str
    expires_in: int
    refresh_token: str
    refresh_seconds: int
    user: Me


@dataclass(frozen=True, slots=True)
class _Rotation:
    """What a refresh found: whose session goes on with which token, or why it does not."""

    refused: str | None
    family: UUID
    user_id: UUID
    token: str = ""


class AuthService:
    def __init__(
        self,
        *,
        database: Database,
        hasher: passwords.Passwords,
        signer: TokenSigner,
        tokens: refresh.RefreshTokens,
        revocations: Revocations,
        limiter: Limiter,
        rules: Rules,
        hint: Callable[[], None],
        refresh_days: int,
        grace_seconds: float,
    ) -> None:
        self._database = database
        self._hasher = hasher
        self._signer = signer
        self._tokens = tokens
        self._revocations = revocations
        self._limiter = limiter
        self._rules = rules
        self._hint = hint
        self._days = refresh_days
        self._grace = grace_seconds

    async def register(self, asked: RegisterRequest, device: Device) -> Me:
        """A plain member, the first one too. Which of name and e-mail was taken is not told."""
        await self._limiter.hit(self._rules.register_ip, device.ip)
        if weak := passwords.weakness(asked.password, asked.username, asked.email, asked.email.partition("@")[0]):
            raise Invalid.field("body.password", weak, kind="weak_password")
        hashed = await self._hasher.hash(asked.password)
        try:
            async with self._database.begin() as db:
                user = await repository.insert_user(
                    db,
                    id=uuid7(),
                    username=asked.username,
                    email=asked.email,
                    display_name=asked.display_name or asked.username,
                    password_hash=hashed,
                    role="member",
                    status="",
                )
                await repository.record_fact(db, "user.registered", user.id)
        except IntegrityError as error:
            raise Conflict("This username or e-mail address is taken.", reason="account_taken") from error
        return Me.model_validate(user)

    async def login(self, asked: LoginRequest, device: Device) -> Opened:
        """Every refusal is the same answer at the same cost, whether the account exists or not."""
        await self._limiter.hit(self._rules.login_ip, device.ip)
        await self._slow_down((asked.username or asked.email or "").strip().lower())
        async with self._database.read() as db:
            user = await repository.user_by_login(db, asked.username, asked.email)
        right = await self._hasher.verify(None if user is None else user.password_hash, asked.password)
        if user is None or not right or user.disabled_at is not None:
            names.AUTH_FAILURES_TOTAL.labels(reason="password").inc()
            raise Unauthorised("password", "The name or the password is wrong.")
        renewed = await self._hasher.hash(asked.password) if self._hasher.is_dated(user.password_hash) else None
        token, family = self._tokens.first(), uuid7()
        async with self._database.begin() as db:
            if renewed is not None:
                await repository.set_password_hash(db, user.id, user.password_hash, renewed)
            await self._keep(db, token, user.id, family, 0, device)
            await repository.record_fact(db, "user.logged_in", user.id)
        return self._opened(user, family, token)

    async def refresh(self, token: str, device: Device) -> Opened:
        """The session's next tokens. A token used before ends the session, except within seconds of a lost answer."""
        hashed = refresh.stored(token)
        async with self._database.read() as db:
            family = await repository.family_of(db, hashed) if refresh.looks_right(token) else None
        if family is None:
            raise _refused("refresh")
        await self._limiter.hit(self._rules.refresh_family, family)
        async with self._database.begin() as db:
            await repository.lock_family(db, family)
            turned = await self._rotate(db, token, hashed, device)
            user = await repository.user_by_id(db, turned.user_id)
        if turned.refused is not None or user is None:
            if turned.refused == "reuse":
                self._report_reuse(turned)
            raise _refused("revoked" if turned.refused == "revoked" else "refresh")
        return self._opened(user, family, turned.token)

    async def logout(self, family: UUID, user_id: UUID) -> None:
        """End the session everywhere; ending an ended one changes nothing."""
        async with self._database.begin() as db:
            await repository.lock_family(db, family)
            if await repository.revoke_family(db, family, "logout"):
                await repository.record_fact(db, "user.logged_out", user_id)
        self._ended(family, utc_now())
        log.info("session_ended", user_id=str(user_id), session_id=str(family), reason="logout")

    async def logout_all(self, user_id: UUID) -> None:
        """End every open session of the user, this one too; each that ends is a fact."""
        async with self._database.begin() as db:
            open_ones = await repository.lock_open_families(db, user_id)
            ended = [family for family in open_ones if await repository.revoke_family(db, family, "logout_all")]
            for _ in ended:
                await repository.record_fact(db, "user.logged_out", user_id)
        for family in ended:
            self._ended(family, utc_now())
        log.info("sessions_ended", user_id=str(user_id), count=len(ended), reason="logout_all")

    async def logout_by_token(self, token: str) -> None:
        """For a browser whose access token is gone; an unknown token has nothing to end."""
        async with self._database.read() as db:
            found = await repository.session_by_hash(db, refresh.stored(token))
        if found is not None:
            await self.logout(found.family_id, found.user_id)

    async def _rotate(self, db: AsyncConnection, token: str, hashed: bytes, device: Device) -> _Rotation:
        found = await repository.session_by_hash(db, hashed)
        assert found is not None  # noqa: S101 - rows of sessions are never deleted by the api
        family, user_id, successor = found.family_id, found.user_id, found.generation + 1
        if found.revoked_at is not None or found.disabled_at is not None or found.expired:
            return _Rotation("revoked" if found.revoked_at is not None else "expired", family, user_id)
        following = self._tokens.successor(token, family, successor)
        if found.rotated_at is None:
            await repository.mark_rotated(db, found.id)
            await self._keep(db, following, user_id, family, successor, device)
            return _Rotation(None, family, user_id, following)
        if found.age <= self._grace and await repository.is_unused(db, family, successor):
            return _Rotation(None, family, user_id, following)
        await repository.revoke_family(db, family, "refresh_reuse")
        await repository.audit(db, user_id, "session.refresh_reuse", str(family), ip=device.ip)
        return _Rotation("reuse", family, user_id)

    async def _keep(
        self, db: AsyncConnection, token: str, user_id: UUID, family: UUID, generation: int, device: Device
    ) -> None:
        await repository.insert_session(
            db,
            days=self._days,
            user_id=user_id,
            family_id=family,
            generation=generation,
            refresh_hash=refresh.stored(token),
            user_agent=device.user_agent[:USER_AGENT_CHARACTERS],
            ip=device.ip or None,
        )

    async def _slow_down(self, account: str) -> None:
        """Two windows on one account, so the delay grows with the number of tries; nobody is locked out for good."""
        rule = self._rules.login_account
        longer = Rule(rule.scope, rule.amount * LONG_WINDOW_FACTOR, LONG_WINDOW_SECONDS)
        await self._limiter.hit(rule, account)
        await self._limiter.hit(longer, f"long {account}")

    def _opened(self, user: Row[Any], family: UUID, token: str) -> Opened:
        return Opened(
            access_token=self._signer.access(user.id, family),
            expires_in=int(ACCESS_LIFETIME.total_seconds()),
            refresh_token=token,
            refresh_seconds=self._days * 86_400,
            user=Me.model_validate(user),
        )

    def _report_reuse(self, turned: _Rotation) -> None:
        names.REFRESH_REUSE_TOTAL.inc()
        log.warning("refresh_reused", user_id=str(turned.user_id), session_id=str(turned.family))
        self._ended(turned.family, utc_now())

    def _ended(self, family: UUID, at: datetime) -> None:
        """At once in this process; the others read it within 2 s, sooner with the hint."""
        self._revocations.add("session", family, at)
        self._hint()


def _refused(reason: str) -> Unauthorised:
    names.AUTH_FAILURES_TOTAL.labels(reason=reason).inc()
    return Unauthorised(reason, "The session cannot be refreshed; sign in again.")
