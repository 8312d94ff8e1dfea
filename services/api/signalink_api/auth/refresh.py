"""Refresh tokens: how they are made and stored. When one may be used is the service's decision.

The first of a family is random; each successor is an HMAC of the server's key over family, generation and the token
that was presented. So a lost answer can be given again without storing a token, and neither the key alone nor the
database alone makes one.
"""

import base64
import hashlib
import hmac
import secrets
from typing import Final
from uuid import UUID

BYTES: Final = 32
_LENGTH: Final = 43


class RefreshTokens:
    """256-bit tokens, base64url without padding."""

    def __init__(self, secret: bytes) -> None:
        self._key = hmac.digest(secret, b"signalink refresh 1", hashlib.sha256)

    def first(self) -> str:
        return secrets.token_urlsafe(BYTES)

    def successor(self, token: str, family: UUID, generation: int) -> str:
        """What replaces `token`; the same each time. `generation` is the successor's."""
        said = family.bytes + generation.to_bytes(4) + token.encode()
        return base64.urlsafe_b64encode(hmac.digest(self._key, said, hashlib.sha256)).rstrip(b"=").decode()


def stored(token: str) -> bytes:
    """What the database holds: SHA-256; 256 random bits need no salt and no slow hash."""
    return hashlib.sha256(token.encode()).digest()


def looks_right(token: str) -> bool:
    return len(token) == _LENGTH and token.isascii()
