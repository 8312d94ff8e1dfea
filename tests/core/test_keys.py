"""Key rings on disk: private files, which key signs, the public document, and every kind of wrong file or document."""

import stat
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, NoEncryption, PrivateFormat

from signalink_core.auth.keys import KeyRing, parse_jwks
from signalink_core.errors import ConfigurationError

OKP = {"kty": "OKP", "crv": "Ed25519"}


def test_a_generated_key_is_private_and_signs(tmp_path: Path) -> None:
    ring = KeyRing.generate(tmp_path / "keys")
    (path,) = (tmp_path / "keys").iterdir()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert ring.signing[0] == path.stem


async def test_the_last_made_key_signs_and_the_others_still_verify(tmp_path: Path) -> None:
    first = KeyRing.generate(tmp_path).signing[0]
    ring = KeyRing.generate(tmp_path)
    second = ring.signing[0]
    assert second > first
    assert await ring.key(first) is not None
    assert await ring.key("missing") is None
    assert KeyRing.load(tmp_path).signing[0] == second


def test_a_new_key_that_would_not_sign_is_not_written(tmp_path: Path) -> None:
    KeyRing.generate(tmp_path)
    (made,) = tmp_path.iterdir()
    made.rename(tmp_path / "later.pem")
    with pytest.raises(ConfigurationError, match=r"later\.pem would sign"):
        KeyRing.generate(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["later.pem"]


async def test_the_public_document_carries_every_key_and_no_private_part(tmp_path: Path) -> None:
    KeyRing.generate(tmp_path)
    ring = KeyRing.generate(tmp_path)
    document = ring.jwks()
    assert all(set(jwk) == {"kty", "crv", "use", "alg", "kid", "x"} for jwk in document["keys"])
    parsed = parse_jwks(document)
    assert len(parsed) == 2
    for kid, key in parsed.items():
        assert key == await ring.key(kid)


def test_a_folder_without_keys_or_without_itself_is_named(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "missing"):
        with pytest.raises(ConfigurationError, match="no signing key") as caught:
            KeyRing.load(folder)
        assert str(folder) in caught.value.detail


def test_a_key_that_is_none_or_of_another_kind_is_named(tmp_path: Path) -> None:
    rsa_key = rsa.generate_private_key(65537, 2048)
    (tmp_path / "a.pem").write_bytes(rsa_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    with pytest.raises(ConfigurationError, match="not an Ed25519 key"):
        KeyRing.load(tmp_path)
    (tmp_path / "a.pem").write_text("no key")
    with pytest.raises(ConfigurationError, match=r"a\.pem"):
        KeyRing.load(tmp_path)
    locked = Ed25519PrivateKey.generate().private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"x")
    )
    (tmp_path / "a.pem").write_bytes(locked)
    with pytest.raises(ConfigurationError, match="unencrypted"):
        KeyRing.load(tmp_path)


@pytest.mark.parametrize(
    "document",
    [
        None,
        [],
        {},
        {"keys": {}},
        {"keys": [{}] * 17},
        {"keys": [{"kty": "OKP", "crv": "Ed25519", "kid": "a", "x": "AA"}]},
    ],
)
def test_what_is_no_key_document_is_refused(document: object) -> None:
    with pytest.raises(ValueError):
        parse_jwks(document)


def test_keys_of_other_kinds_and_uses_are_skipped(tmp_path: Path) -> None:
    (good,) = KeyRing.generate(tmp_path).jwks()["keys"]
    others = [
        {"kty": "oct", "k": "c2VjcmV0", "kid": "hmac"},
        {"kty": "RSA", "kid": "rsa"},
        "text",
        good | {"use": "enc"},
    ]
    assert parse_jwks({"keys": others}) == {}
    assert set(parse_jwks({"keys": [*others, good]})) == {good["kid"]}
