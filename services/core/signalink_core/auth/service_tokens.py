"""Tokens of services (`service+jwt`): who the program is and for which scopes, until when. No user and no session.

Only the api's admin routes take them: every other verifier knows neither their type nor their audience. That a token
was not revoked is asked elsewhere, each time.
"""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

import jwt

from signalink_core.auth.keys import ALGORITHM, KeyRing, KeySource
from signalink_core.auth.tokens import check_times, payload_of
from signalink_core.clock import utc_now
from signalink_core.errors import TokenInvalid

AUDIENCE: Final = "signalink-admin"
TYPE: Final = "service+jwt"
CHANNELS_ADMIN: Final = "channels:admin"
SCOPES: Final = (CHANNELS_ADMIN,)
"""Every scope there is."""
_REQUIRED: Final = ["iss", "aud", "sub", "scope", "iat", "nbf", "exp", "jti"]


@dataclass(frozen=True, slots=True)
class ServiceClaims:
    """What a verified token says. `id` is its jti: the row that may be revoked."""

    name: str
    scopes: frozenset[str]
    id: UUID
    exp: datetime


class ServiceTokenSigner:
    def __init__(self, keys: KeyRing, issuer: str, *, now: Callable[[], datetime] = utc_now) -> None:
        self._keys = keys
        self._issuer = issuer
        self._now = now

    def sign(self, name: str, scopes: Iterable[str], token_id: UUID, expires_at: datetime) -> str:
        """A token that is good from now on; its end is rounded down to the second."""
        kid, key = self._keys.signing
        now = int(self._now().timestamp())
        claims = {
            "iss": self._issuer,
            "aud": AUDIENCE,
            "sub": name,
            "scope": " ".join(sorted(scopes)),
            "iat": now,
            "nbf": now,
            "exp": int(expires_at.timestamp()),
            "jti": str(token_id),
        }
        return jwt.encode(claims, key, algorithm=ALGORITHM, headers={"typ": TYPE, "kid": kid})


class ServiceTokenVerifier:
    def __init__(self, keys: KeySource, issuer: str, *, now: Callable[[], float] = time.time) -> None:
        self._keys = keys
        self._issuer = issuer
        self._now = now

    async def verify(self, token: str) -> ServiceClaims:
        """Raises TokenInvalid with the same reasons as `tokens.TokenVerifier.verify`, and DependencyUnavailable."""
        payload, _ = await payload_of(
            token, self._keys, self._issuer, audiences=(AUDIENCE,), types=(TYPE,), required=_REQUIRED
        )
        check_times(payload, self._now())
        return _claims(payload)


def _claims(payload: dict[str, Any]) -> ServiceClaims:
    name, scope = payload["sub"], payload["scope"]
    try:
        if not isinstance(name, str) or not name or not isinstance(scope, str):
            raise ValueError("sub and scope are text")
        return ServiceClaims(
            name=name,
            scopes=frozenset(scope.split()),
            id=UUID(payload["jti"]),
            exp=datetime.fromtimestamp(payload["exp"], UTC),
        )
    except (ValueError, TypeError, AttributeError, OverflowError, OSError) as error:
        raise TokenInvalid("claims") from error
