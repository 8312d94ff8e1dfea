"""Tokens: what is signed is verified, and every attack of the table (A1, A2) is refused for its own reason."""

import base64
import hashlib
import hmac
import json
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from signalink_core.auth.keys import KeyRing
from signalink_core.auth.tokens import API, SOCKET, TokenSigner, TokenVerifier
from signalink_core.errors import TokenInvalid

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
ISSUER = "signalink"
USER, SESSION = uuid.UUID(int=1), uuid.UUID(int=2)
KEY = Ed25519PrivateKey.generate()
RING = KeyRing({"key-1": KEY})
PUBLIC_PEM = KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
PUBLIC_RAW = KEY.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
FOREIGN = Ed25519PrivateKey.generate()


class Clock:
    def __init__(self) -> None:
        self.moment = NOW

    def now(self) -> datetime:
        return self.moment

    def time(self) -> float:
        return self.moment.timestamp()


class CountingRing(KeyRing):
    """Counts how often a key was asked for: once per verify that no cache answered."""

    asked = 0

    async def key(self, kid: str) -> Ed25519PublicKey | None:
        self.asked += 1
        return await super().key(kid)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def signer(clock: Clock) -> TokenSigner:
    return TokenSigner(RING, ISSUER, now=clock.now)


@pytest.fixture
def verifier(clock: Clock) -> TokenVerifier:
    return TokenVerifier(RING, ISSUER, now=clock.time)


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def claims(**changes: Any) -> dict[str, Any]:
    """Good claims at NOW; None removes one."""
    now = int(NOW.timestamp())
    good = {
        "iss": ISSUER,
        "aud": API,
        "sub": str(USER),
        "sid": str(SESSION),
        "iat": now,
        "nbf": now,
        "exp": now + 600,
        "jti": "token-1",
    }
    return {key: value for key, value in (good | changes).items() if value is not None}


def header(**changes: Any) -> dict[str, Any]:
    good = {"alg": "EdDSA", "typ": "at+jwt", "kid": "key-1"}
    return {key: value for key, value in (good | changes).items() if value is not None}


def forge(head: dict[str, Any], body: dict[str, Any], sign: Callable[[bytes], bytes] = KEY.sign) -> str:
    """A token with any header and claims, signed with our own key unless told otherwise."""
    signed = f"{b64(json.dumps(head).encode())}.{b64(json.dumps(body).encode())}"
    return f"{signed}.{b64(sign(signed.encode()))}"


async def refused(verifier: TokenVerifier, token: str, audience: str | tuple[str, ...] = API) -> str:
    with pytest.raises(TokenInvalid) as caught:
        await verifier.verify(token, audience)
    return caught.value.reason


def hs256(secret: bytes) -> Callable[[bytes], bytes]:
    return lambda signed: hmac.new(secret, signed, hashlib.sha256).digest()


async def test_a_forged_token_with_the_right_key_is_good(verifier: TokenVerifier) -> None:
    assert (await verifier.verify(forge(header(), claims()), API)).sub == USER


async def test_an_access_token_tells_who_and_until_when(signer: TokenSigner, verifier: TokenVerifier) -> None:
    found = await verifier.verify(signer.access(USER, SESSION), API)
    assert (found.sub, found.sid, found.origin, found.audience) == (USER, SESSION, None, API)
    assert found.exp == NOW + timedelta(minutes=10)


def test_an_access_token_has_the_agreed_header_and_claims(signer: TokenSigner) -> None:
    token = signer.access(USER, SESSION)
    assert jwt.get_unverified_header(token) == {"alg": "EdDSA", "typ": "at+jwt", "kid": "key-1"}
    body = jwt.decode(token, options={"verify_signature": False})
    assert set(body) == {"iss", "aud", "sub", "sid", "iat", "nbf", "exp", "jti"}


@given(st.uuids(), st.uuids(), st.none() | st.text(min_size=1, max_size=200), st.integers(0, 600))
async def test_what_is_signed_for_a_socket_is_verified_for_a_socket(
    user: uuid.UUID, session: uuid.UUID, origin: str | None, seconds: int
) -> None:
    clock = Clock()
    ends = NOW + timedelta(seconds=seconds)
    token = TokenSigner(RING, ISSUER, now=clock.now).socket(user, session, ends, origin)
    found = await TokenVerifier(RING, ISSUER, now=clock.time).verify(token, (API, SOCKET))
    assert (found.sub, found.sid, found.exp, found.origin, found.audience) == (user, session, ends, origin, SOCKET)


def test_no_two_tokens_are_equal(signer: TokenSigner) -> None:
    assert len({signer.access(USER, SESSION) for _ in range(100)}) == 100


# A1: who decides the algorithm and the key


async def test_a1_no_algorithm(verifier: TokenVerifier) -> None:
    for alg in ("none", "None", "nOnE", ""):
        assert await refused(verifier, forge(header(alg=alg), claims(), lambda _: b"")) == "algorithm"


@pytest.mark.parametrize("secret", [PUBLIC_PEM, PUBLIC_RAW, b"", b"secret"], ids=["pem", "raw", "empty", "guess"])
async def test_a1_the_public_key_as_hmac_secret(verifier: TokenVerifier, secret: bytes) -> None:
    assert await refused(verifier, forge(header(alg="HS256"), claims(), hs256(secret))) == "algorithm"


async def test_a1_another_asymmetric_algorithm(verifier: TokenVerifier) -> None:
    key = rsa.generate_private_key(65537, 2048)
    token = jwt.encode(claims(), key, algorithm="RS256", headers={"kid": "key-1", "typ": "at+jwt"})
    assert await refused(verifier, token) == "algorithm"


@pytest.mark.parametrize(
    "extra",
    [
        {"jku": "https://evil.example/jwks.json"},
        {"jwk": {"kty": "OKP", "crv": "Ed25519", "x": b64(PUBLIC_RAW)}},
        {"x5u": "https://evil.example/cert.pem"},
        {"x5c": ["MIIB"]},
        {"crit": ["exp"]},
        {"b64": False, "crit": ["b64"]},
        {"zip": "DEF"},
    ],
    ids=lambda extra: next(iter(extra)),
)
async def test_a1_a_header_that_brings_its_own_key_or_rules(verifier: TokenVerifier, extra: dict[str, Any]) -> None:
    for sign in (KEY.sign, FOREIGN.sign):
        assert await refused(verifier, forge(header(**extra), claims(), sign)) in {"header", "malformed"}


@pytest.mark.parametrize(
    "kid", ["key-2", "", "../../etc/passwd", "key-1' OR '1'='1", "key-1\x00", "KEY-1", " key-1", "https://evil.example"]
)
async def test_a1_a_key_id_that_is_not_ours(verifier: TokenVerifier, kid: str) -> None:
    for sign in (KEY.sign, FOREIGN.sign):
        assert await refused(verifier, forge(header(kid=kid), claims(), sign)) == "key"


@pytest.mark.parametrize("kid", [1, ["key-1"], {"a": 1}, True])
async def test_a1_a_key_id_that_is_no_text(verifier: TokenVerifier, kid: Any) -> None:
    assert await refused(verifier, forge(header(kid=kid), claims())) in {"header", "malformed"}


async def test_a1_no_key_id(verifier: TokenVerifier) -> None:
    assert await refused(verifier, forge(header(kid=None), claims())) == "header"


async def test_a1_signed_by_another_key(verifier: TokenVerifier) -> None:
    assert await refused(verifier, forge(header(), claims(), FOREIGN.sign)) == "signature"


async def test_a1_edited_claims_under_a_good_signature(signer: TokenSigner, verifier: TokenVerifier) -> None:
    head, _, signature = signer.access(USER, SESSION).split(".")
    edited = b64(json.dumps(claims(sub=str(uuid.UUID(int=99)))).encode())
    assert await refused(verifier, f"{head}.{edited}.{signature}") == "signature"
    assert await refused(verifier, f"{head}.{edited}.") == "signature"


@given(st.integers(0, 10_000), st.integers(1, 63))
async def test_a1_no_changed_character_is_accepted(place: int, step: int) -> None:
    token = forge(header(), claims())
    place %= len(token)
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    if token[place] == ".":
        return
    other = alphabet[(alphabet.index(token[place]) + step) % 64]
    changed = token[:place] + other + token[place + 1 :]
    if [_bytes(part) for part in changed.split(".")] == [_bytes(part) for part in token.split(".")]:
        return  # only the unused bits of a last character differ: the same token, spelled otherwise
    with pytest.raises(TokenInvalid):
        await TokenVerifier(RING, ISSUER, now=Clock().time).verify(changed, API)


def _bytes(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


@given(st.text(max_size=300))
async def test_a1_no_text_is_a_token(text: str) -> None:
    with pytest.raises(TokenInvalid):
        await TokenVerifier(RING, ISSUER, now=Clock().time).verify(text, API)


@pytest.mark.parametrize("token", ["", "..", "a.b.c", "\ud800", "é.é.é", "a" * 5000, "null.null.null", "e30.e30."])
async def test_a1_what_only_looks_like_a_token(verifier: TokenVerifier, token: str) -> None:
    assert await refused(verifier, token) in {"malformed", "algorithm"}


# A2: when, for whom, from whom, of which kind


@pytest.mark.parametrize(("late", "good"), [(0, True), (29, True), (30, False), (31, False), (3600, False)])
async def test_a2_expired_tokens_end_after_the_leeway(verifier: TokenVerifier, late: int, good: bool) -> None:
    token = forge(header(), claims(exp=int(NOW.timestamp()) - late))
    if good:
        assert await verifier.verify(token, API)
    else:
        assert await refused(verifier, token) == "expired"


@pytest.mark.parametrize("name", ["nbf", "iat"])
@pytest.mark.parametrize(("ahead", "good"), [(30, True), (31, False), (3600, False)])
async def test_a2_early_tokens_begin_before_the_leeway(
    verifier: TokenVerifier, name: str, ahead: int, good: bool
) -> None:
    token = forge(header(), claims(**{name: int(NOW.timestamp()) + ahead}))
    if good:
        assert await verifier.verify(token, API)
    else:
        assert await refused(verifier, token) == "early"


@pytest.mark.parametrize("aud", ["signalink", "SIGNALINK-API", "signalink-api ", [API], [API, "other"], 7])
async def test_a2_another_audience(verifier: TokenVerifier, aud: Any) -> None:
    assert await refused(verifier, forge(header(), claims(aud=aud))) == "audience"


async def test_a2_a_socket_token_does_not_open_the_api_nor_the_other_way(
    signer: TokenSigner, verifier: TokenVerifier
) -> None:
    socket = signer.socket(USER, SESSION, NOW + timedelta(minutes=5), None)
    assert await refused(verifier, socket, API) == "audience"
    assert await refused(verifier, signer.access(USER, SESSION), SOCKET) == "audience"


async def test_a2_a_remembered_token_is_not_good_for_another_audience(
    signer: TokenSigner, verifier: TokenVerifier
) -> None:
    token = signer.access(USER, SESSION)
    await verifier.verify(token, API)
    assert await refused(verifier, token, SOCKET) == "audience"


@pytest.mark.parametrize("iss", ["evil", "", "signalink/", ["signalink"], 7])
async def test_a2_another_issuer(verifier: TokenVerifier, iss: Any) -> None:
    assert await refused(verifier, forge(header(), claims(iss=iss))) == "issuer"


@pytest.mark.parametrize("typ", ["JWT", "refresh", "ticket", "AT+JWT", "socket+jwt"])
async def test_a2_another_type(verifier: TokenVerifier, typ: str) -> None:
    assert await refused(verifier, forge(header(typ=typ), claims())) == "type"


async def test_a2_no_type(verifier: TokenVerifier) -> None:
    assert await refused(verifier, forge(header(typ=None), claims())) == "header"


@pytest.mark.parametrize("name", ["iss", "aud", "sub", "sid", "iat", "nbf", "exp", "jti"])
async def test_a2_a_missing_claim(verifier: TokenVerifier, name: str) -> None:
    assert await refused(verifier, forge(header(), claims(**{name: None}))) == "claims"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("exp", "tomorrow"),
        ("exp", 10**30),
        ("exp", True),
        ("iat", 1.5),
        ("nbf", [0]),
        ("sub", "root"),
        ("sub", 7),
        ("sid", "x"),
        ("sid", {}),
        ("jti", 7),
        ("origin", 7),
    ],
)
async def test_a2_a_claim_of_another_kind(verifier: TokenVerifier, name: str, value: Any) -> None:
    assert await refused(verifier, forge(header(), claims(**{name: value}))) == "claims"


# The cache


async def test_a_good_token_is_verified_once(clock: Clock) -> None:
    ring = CountingRing({"key-1": KEY})
    verifier = TokenVerifier(ring, ISSUER, now=clock.time)
    token = forge(header(), claims())
    assert await verifier.verify(token, API) == await verifier.verify(token, (API, SOCKET))
    assert ring.asked == 1


async def test_a_remembered_token_ends_when_it_ends(clock: Clock, verifier: TokenVerifier) -> None:
    token = forge(header(), claims())
    await verifier.verify(token, API)
    clock.moment += timedelta(seconds=629)
    await verifier.verify(token, API)
    clock.moment += timedelta(seconds=1)
    assert await refused(verifier, token) == "expired"


async def test_a_refused_token_is_not_remembered(clock: Clock) -> None:
    ring = CountingRing({"key-1": KEY})
    verifier = TokenVerifier(ring, ISSUER, now=clock.time)
    bad = forge(header(), claims(), FOREIGN.sign)
    assert [await refused(verifier, bad) for _ in range(2)] == ["signature"] * 2
    assert ring.asked == 2


async def test_the_cache_is_bounded_and_forgets_the_longest_unused(clock: Clock) -> None:
    ring = CountingRing({"key-1": KEY})
    verifier = TokenVerifier(ring, ISSUER, now=clock.time, remembered=3)
    made = [forge(header(), claims(jti=str(n))) for n in range(4)]
    for token in (made[0], made[1], made[2], made[0], made[3]):
        await verifier.verify(token, API)
    assert ring.asked == 4
    await verifier.verify(made[0], API)
    assert ring.asked == 4
    await verifier.verify(made[1], API)
    assert ring.asked == 5
