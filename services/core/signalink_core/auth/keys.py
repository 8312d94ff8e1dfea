"""Ed25519 keys: the api's folder of private keys, and the public half as a JWKS document."""

import base64
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol, Self

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from signalink_core.errors import ConfigurationError
from signalink_core.ids import uuid7

ALGORITHM = "EdDSA"
MOST_KEYS = 16


class KeySource(Protocol):
    """Where a verifier finds public keys: a KeyRing, or a JwksClient."""

    async def key(self, kid: str) -> Ed25519PublicKey | None:
        """The key of this id; None when there is none. DependencyUnavailable when the source cannot say."""


class KeyRing:
    """Private keys by kid. The lexicographically last signs; the others only verify."""

    def __init__(self, private: Mapping[str, Ed25519PrivateKey]) -> None:
        if not private:
            raise ConfigurationError("There is no signing key.", next_step="create one with KeyRing.generate.")
        self._private = dict(sorted(private.items()))
        self._public = {kid: key.public_key() for kid, key in self._private.items()}

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Every `<kid>.pem` of `folder`."""
        try:
            paths = sorted(folder.glob("*.pem"))
            keys = {path.stem: _private_key(path) for path in paths}
        except OSError as error:
            raise ConfigurationError(f"The signing keys in {folder} cannot be read: {error.strerror}.") from error
        if not keys:
            raise ConfigurationError(
                f"The folder {folder} holds no signing key (*.pem).",
                next_step="set SIGNALINK_AUTH_KEYS_DIR to the folder that does.",
            )
        return cls(keys)

    @classmethod
    def generate(cls, folder: Path) -> Self:
        """Write a new key (mode 0600), its kid a UUIDv7, and load them all. It signs from now on.

        A kid that sorts after every new one would go on signing: ConfigurationError, nothing written.
        """
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        kid = str(uuid7())
        if later := [path.name for path in folder.glob("*.pem") if path.stem > kid]:
            raise ConfigurationError(
                f"In {folder}, {', '.join(later)} would sign instead of a new key.", next_step="rename or remove it."
            )
        pem = Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        path = folder / f"{kid}.pem"
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(pem)
        return cls.load(folder)

    @property
    def signing(self) -> tuple[str, Ed25519PrivateKey]:
        """(kid, key) that new tokens are signed with."""
        return next(reversed(self._private.items()))

    @property
    def kids(self) -> frozenset[str]:
        """Ids of the keys whose tokens are taken."""
        return frozenset(self._public)

    async def key(self, kid: str) -> Ed25519PublicKey | None:
        return self._public.get(kid)

    def jwks(self) -> dict[str, Any]:
        """The document of /.well-known/jwks.json (RFC 7517, RFC 8037)."""
        return {"keys": [_jwk(kid, key) for kid, key in self._public.items()]}


def parse_jwks(document: object) -> dict[str, Ed25519PublicKey]:
    """The Ed25519 signing keys of a JWKS document by kid; other keys are skipped. ValueError when it is none."""
    keys = document.get("keys") if isinstance(document, dict) else None
    if not isinstance(keys, list) or len(keys) > MOST_KEYS:
        raise ValueError(f"not a JWKS document with at most {MOST_KEYS} keys")
    found: dict[str, Ed25519PublicKey] = {}
    for jwk in keys:
        if not isinstance(jwk, dict) or (jwk.get("kty"), jwk.get("crv")) != ("OKP", "Ed25519"):
            continue
        kid, x = jwk.get("kid"), jwk.get("x")
        if jwk.get("use", "sig") == "sig" and isinstance(kid, str) and isinstance(x, str):
            found[kid] = Ed25519PublicKey.from_public_bytes(base64.urlsafe_b64decode(x + "=" * (-len(x) % 4)))
    return found


def _jwk(kid: str, key: Ed25519PublicKey) -> dict[str, str]:
    raw = key.public_bytes(Encoding.Raw, PublicFormat.Raw)
    x = base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
    return {"kty": "OKP", "crv": "Ed25519", "use": "sig", "alg": ALGORITHM, "kid": kid, "x": x}


def _private_key(path: Path) -> Ed25519PrivateKey:
    try:
        key = load_pem_private_key(path.read_bytes(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise ConfigurationError(f"{path} is not an unencrypted PEM private key.") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise ConfigurationError(f"{path} is not an Ed25519 key; tokens are signed with {ALGORITHM} only.")
    return key
