"""SCRAM-SHA-256 verifiers as Postgres stores them, so that no clear password reaches the server or its log."""

import base64
import hashlib
import hmac
import secrets

ITERATIONS = 4096


def verifier(password: str, *, salt: bytes | None = None) -> str:
    """`SCRAM-SHA-256$4096:<salt>$<stored key>:<server key>` (RFC 5802, RFC 7677) for `ALTER ROLE ... PASSWORD`."""
    salt = salt or secrets.token_bytes(16)
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, ITERATIONS)
    stored = hashlib.sha256(hmac.digest(salted, b"Client Key", "sha256")).digest()
    server = hmac.digest(salted, b"Server Key", "sha256")
    return f"SCRAM-SHA-256${ITERATIONS}:{_text(salt)}${_text(stored)}:{_text(server)}"


def _text(raw: bytes) -> str:
    return base64.b64encode(raw).decode()
