"""Tokens of services: what is signed is verified, and neither kind of token passes for the other."""

import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from signalink_core.auth import service_tokens, tokens
from signalink_core.auth.keys import KeyRing
from signalink_core.auth.service_tokens import ServiceTokenSigner, ServiceTokenVerifier
from signalink_core.auth.tokens import TokenSigner, TokenVerifier
from signalink_core.errors import TokenInvalid

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
ISSUER = "signalink"
KEY = Ed25519PrivateKey.generate()
RING = KeyRing({"key-1": KEY})
TOKEN_ID = uuid.UUID(int=7)


def claims(**changes: Any) -> dict[str, Any]:
    now = int(NOW.timestamp())
    good = {"iss": ISSUER, "aud": service_tokens.AUDIENCE, "sub": "operator", "scope": "channels:admin"}
    good |= {"iat": now, "nbf": now, "exp": now + 60, "jti": str(TOKEN_ID)}
    return {name: value for name, value in {**good, **changes}.items() if value is not None}


def signed(key: Ed25519PrivateKey = KEY, typ: str = service_tokens.TYPE, **changes: Any) -> str:
    return jwt.encode(claims(**changes), key, algorithm="EdDSA", headers={"typ": typ, "kid": "key-1"})


async def reason(token: str, at: datetime = NOW) -> str:
    verifier = ServiceTokenVerifier(RING, ISSUER, now=at.timestamp)
    with pytest.raises(TokenInvalid) as refused:
        await verifier.verify(token)
    return refused.value.reason


async def test_a_signed_token_says_name_scopes_row_and_end() -> None:
    token = ServiceTokenSigner(RING, ISSUER, now=lambda: NOW).sign(
        "operator", ["b", "channels:admin"], TOKEN_ID, NOW + timedelta(days=90)
    )
    found = await ServiceTokenVerifier(RING, ISSUER, now=NOW.timestamp).verify(token)
    assert (found.name, found.id, found.exp) == ("operator", TOKEN_ID, NOW + timedelta(days=90))
    assert found.scopes == {"channels:admin", "b"}


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"aud": tokens.API}, "audience"),
        ({"aud": [service_tokens.AUDIENCE]}, "audience"),
        ({"iss": "other"}, "issuer"),
        ({"typ": "at+jwt"}, "type"),
        ({"key": Ed25519PrivateKey.generate()}, "signature"),
        ({"exp": int(NOW.timestamp()) - 31}, "expired"),
        ({"nbf": int(NOW.timestamp()) + 31}, "early"),
        *(({name: None}, "claims") for name in ("sub", "scope", "jti", "exp", "iat", "nbf")),
        ({"jti": "7"}, "claims"),
        ({"scope": 3}, "claims"),
        ({"sub": ""}, "claims"),
        ({"exp": 1.5}, "claims"),
    ],
)
async def test_what_is_wrong_with_a_token_is_told_by_one_word(changes: dict[str, Any], why: str) -> None:
    assert await reason(signed(**changes)) == why


async def test_a_user_token_is_no_service_token_and_the_other_way_round() -> None:
    users, sockets = TokenSigner(RING, ISSUER, now=lambda: NOW), NOW + timedelta(minutes=1)
    for token in (users.access(uuid.uuid4(), uuid.uuid4()), users.socket(uuid.uuid4(), uuid.uuid4(), sockets, None)):
        assert await reason(token) == "type"
    verifier = TokenVerifier(RING, ISSUER, now=NOW.timestamp)
    for audience in ((tokens.API, tokens.SOCKET), service_tokens.AUDIENCE):
        with pytest.raises(TokenInvalid) as refused:
            await verifier.verify(signed(sid=str(uuid.uuid4()), sub=str(uuid.uuid4())), audience)
        assert refused.value.reason == "type"
