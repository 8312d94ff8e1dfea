"""Signs and verifies the two kinds of token of users: for the api (`at+jwt`) and for one socket (`socket+jwt`).

A token says who and which session, never what they may do. Revocation is asked elsewhere, each time. Tokens of services
are in `service_tokens`; both are read by `payload_of`.
"""

import hashlib
import secrets
import sys
import time
from collections import OrderedDict
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any, Final
from uuid import UUID

import jwt

from signalink_core.auth.keys import ALGORITHM, KeyRing, KeySource
from signalink_core.clock import utc_now
from signalink_core.errors import TokenInvalid

API: Final = "signalink-api"
SOCKET: Final = "signalink-socket"
TYPES: Final = {API: "at+jwt", SOCKET: "socket+jwt"}
ACCESS_LIFETIME: Final = timedelta(minutes=10)
LEEWAY_SECONDS: Final = 30
LONGEST_TOKEN: Final = 4096
CACHED_TOKENS: Final = 10_000
_HEADER: Final = {"alg", "typ", "kid"}
_REQUIRED: Final = ["iss", "aud", "sub", "sid", "iat", "nbf", "exp", "jti"]
_REASONS: Final[tuple[tuple[type[Exception], str], ...]] = (
    (jwt.ExpiredSignatureError, "expired"),
    (jwt.ImmatureSignatureError, "early"),
    (jwt.InvalidAudienceError, "audience"),
    (jwt.InvalidIssuerError, "issuer"),
    (jwt.InvalidSignatureError, "signature"),
    (jwt.MissingRequiredClaimError, "claims"),
    (jwt.DecodeError, "malformed"),
)


@dataclass(frozen=True, slots=True)
class Claims:
    """What a verified token says: user, session, end of validity (without leeway), the socket's origin."""

    sub: UUID
    sid: UUID
    exp: datetime
    origin: str | None
    audience: str


class TokenSigner:
    def __init__(self, keys: KeyRing, issuer: str, *, now: Callable[[], datetime] = utc_now) -> None:
        self._keys = keys
        self._issuer = issuer
        self._now = now

    def access(self, user_id: UUID, session_id: UUID) -> str:
        """For the api; valid for 10 minutes."""
        return self._sign(API, user_id, session_id, self._now() + ACCESS_LIFETIME, {})

    def socket(self, user_id: UUID, session_id: UUID, expires_at: datetime, origin: str | None) -> str:
        """For one socket, ending with the access token it was bought with; `origin` is what the browser must send."""
        return self._sign(SOCKET, user_id, session_id, expires_at, {"origin": origin} if origin else {})

    def _sign(self, audience: str, user: UUID, session: UUID, expires_at: datetime, extra: dict[str, str]) -> str:
        kid, key = self._keys.signing
        now = int(self._now().timestamp())
        claims = {
            "iss": self._issuer,
            "aud": audience,
            "sub": str(user),
            "sid": str(session),
            "iat": now,
            "nbf": now,
            "exp": int(expires_at.timestamp()),
            "jti": secrets.token_urlsafe(16),
        }
        return jwt.encode(claims | extra, key, algorithm=ALGORITHM, headers={"typ": TYPES[audience], "kid": kid})


class TokenVerifier:
    """Verifies tokens of one issuer. A verify costs about 0.2 ms, so good tokens are remembered until they end."""

    def __init__(
        self, keys: KeySource, issuer: str, *, now: Callable[[], float] = time.time, remembered: int = CACHED_TOKENS
    ) -> None:
        self._keys = keys
        self._most = remembered
        self._issuer = issuer
        self._now = now
        self._seen: OrderedDict[bytes, Claims] = OrderedDict()

    async def verify(self, token: str, audience: str | tuple[str, ...]) -> Claims:
        """The claims of a good token for (one of) `audience`.

        Raises TokenInvalid, whose reason is one of malformed, header, algorithm, type, key, signature, expired, early,
        audience, issuer, claims; DependencyUnavailable when the keys cannot be had.
        """
        audiences = (audience,) if isinstance(audience, str) else audience
        digest = _digest(token)
        claims = self._remembered(digest)
        if claims is None:
            claims = await self._decode(token, audiences)
            self._remember(digest, claims)
        if claims.audience not in audiences:
            raise TokenInvalid("audience")
        return claims

    def remembers(self, token: str) -> bool:
        """Whether verifying it again would cost no signature."""
        return _digest(token) in self._seen

    def _remembered(self, digest: bytes) -> Claims | None:
        claims = self._seen.get(digest)
        if claims is None:
            return None
        if claims.exp.timestamp() + LEEWAY_SECONDS <= self._now():
            del self._seen[digest]
            raise TokenInvalid("expired")
        self._seen.move_to_end(digest)
        return claims

    def _remember(self, digest: bytes, claims: Claims) -> None:
        self._seen[digest] = claims
        if len(self._seen) > self._most:
            self._seen.popitem(last=False)

    async def _decode(self, token: str, audiences: tuple[str, ...]) -> Claims:
        payload, typ = await payload_of(
            token, self._keys, self._issuer, audiences=audiences, types=TYPES.values(), required=_REQUIRED
        )
        if TYPES.get(payload["aud"]) != typ:
            raise TokenInvalid("type")
        check_times(payload, self._now())
        return _claims(payload)


@lru_cache(maxsize=1)
def _digest(token: str) -> bytes:
    """Of the last token; it is asked for twice in a row."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()


async def payload_of(
    token: str,
    keys: KeySource,
    issuer: str,
    *,
    audiences: Collection[str],
    types: Collection[str],
    required: list[str],
) -> tuple[dict[str, Any], str]:
    """Claims and `typ` of a token that one of our keys signed for one audience; times are `check_times`'s.

    Raises TokenInvalid and what the source of keys raises.
    """
    header = _checked_header(token, types)
    key = await keys.key(header["kid"])
    if key is None:
        raise TokenInvalid("key")
    try:
        payload: dict[str, Any] = jwt.decode(
            token,
            key,
            algorithms=[ALGORITHM],
            audience=audiences,
            issuer=issuer,
            options={"require": required, "verify_exp": False, "verify_nbf": False, "verify_iat": False},
        )
    except jwt.InvalidTokenError as error:
        reason = next((word for kind, word in _REASONS if isinstance(error, kind)), "claims")
        raise TokenInvalid(reason) from error
    if not isinstance(payload["aud"], str):
        raise TokenInvalid("audience")
    return payload, header["typ"]


def check_times(payload: dict[str, Any], now: float) -> None:
    """iat, nbf and exp against `now`, each with the leeway. Raises TokenInvalid."""
    issued, begins, ends = (payload[name] for name in ("iat", "nbf", "exp"))
    if any(isinstance(value, bool) or not isinstance(value, int) for value in (issued, begins, ends)):
        raise TokenInvalid("claims")
    if ends + LEEWAY_SECONDS <= now:
        raise TokenInvalid("expired")
    if max(issued, begins) - LEEWAY_SECONDS > now:
        raise TokenInvalid("early")


def _checked_header(token: str, types: Collection[str]) -> dict[str, str]:
    """The header, which holds alg, typ, kid and nothing else: no key or address of one (jku, jwk, x5u), no crit."""
    if len(token) > LONGEST_TOKEN:
        raise TokenInvalid("malformed")
    try:
        header = jwt.get_unverified_header(token)
    except (jwt.InvalidTokenError, UnicodeError) as error:
        raise TokenInvalid("malformed") from error
    if header.get("alg") != ALGORITHM:
        raise TokenInvalid("algorithm")
    if set(header) != _HEADER or not all(isinstance(value, str) for value in header.values()):
        raise TokenInvalid("header")
    if header["typ"] not in types:
        raise TokenInvalid("type")
    return header


def _claims(payload: dict[str, Any]) -> Claims:
    origin = payload.get("origin")
    try:
        if origin is not None and not isinstance(origin, str):
            raise ValueError("origin is not text")
        return Claims(
            sub=UUID(payload["sub"]),
            sid=UUID(payload["sid"]),
            exp=datetime.fromtimestamp(payload["exp"], UTC),
            origin=origin,
            audience=sys.intern(payload["aud"]),  # one of two words, held by every open socket
        )
    except (ValueError, TypeError, AttributeError, OverflowError, OSError) as error:
        raise TokenInvalid("claims") from error
