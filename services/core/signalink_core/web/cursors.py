"""Opaque, signed cursors of lists: what was last shown, bound to the list and to the caller that it was made for."""

import base64
import hashlib
import hmac
from collections.abc import Sequence
from typing import Any, Final

import orjson

from signalink_core.web.catalogue import InvalidCursor

TAG_BYTES: Final = 16
LONGEST: Final = 1_024


class CursorSigner:
    """Key: the service's secret. A cursor stays valid as long as that secret, on every process of the service."""

    def __init__(self, secret: bytes) -> None:
        self._key = hmac.digest(secret, b"signalink cursor 1", hashlib.sha256)

    def make(self, scope: str, last: Sequence[Any]) -> str:
        """`scope` names list, caller and filters; `last` is the sort key of the last row shown (JSON values)."""
        payload = orjson.dumps(list(last), default=str)
        return _encoded(self._tag(scope, payload) + payload)

    def read(self, scope: str, cursor: str) -> list[Any]:
        """The sort key in a cursor of this scope; InvalidCursor for anything else."""
        if len(cursor) > LONGEST:
            raise _refused()
        try:
            raw = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        except ValueError as error:
            raise _refused() from error
        tag, payload = raw[:TAG_BYTES], raw[TAG_BYTES:]
        if _encoded(raw) != cursor or not hmac.compare_digest(tag, self._tag(scope, payload)):
            raise _refused()
        values: list[Any] = orjson.loads(payload)
        return values

    def _tag(self, scope: str, payload: bytes) -> bytes:
        name = scope.encode()
        signed = len(name).to_bytes(4) + name + payload
        return hmac.digest(self._key, signed, hashlib.sha256)[:TAG_BYTES]


def _encoded(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _refused() -> InvalidCursor:
    return InvalidCursor(
        "The cursor was not made by this list.", next_step="start again without one, and pass cursors on unchanged."
    )
