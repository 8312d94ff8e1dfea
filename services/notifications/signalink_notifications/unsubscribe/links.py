"""The link that ends a user's mails without a login: signed, without an end, good for nothing else.

Mail programs that know one-click unsubscribing (RFC 8058) post to it; people open it and press a button.
"""

import base64
import hashlib
import hmac
from typing import Final
from uuid import UUID

from signalink_core.errors import SignalinkError

PATH: Final = "/v1/unsubscribe"
LONGEST: Final = 128
_TAG_BYTES: Final = 32
_ID_BYTES: Final = 16


class LinkInvalid(SignalinkError):
    code = "link_invalid"
    status = 400


class UnsubscribeLinks:
    """Key: the service's secret, the same on every process. `url`: the address people reach the service by."""

    def __init__(self, secret: bytes, url: str) -> None:
        self._key = hmac.digest(secret, b"signalink unsubscribe 1", hashlib.sha256)
        self._url = url

    def of(self, user_id: UUID) -> str:
        """The link for a user's mails; headers `List-Unsubscribe: <link>` and
        `List-Unsubscribe-Post: List-Unsubscribe=One-Click`."""
        return f"{self._url}{PATH}?token={self.token(user_id)}"

    def token(self, user_id: UUID) -> str:
        return base64.urlsafe_b64encode(user_id.bytes + self._tag(user_id.bytes)).decode()

    def user(self, token: str) -> UUID:
        """Whose mails it ends; LinkInvalid for anything this did not make."""
        if len(token) > LONGEST:
            raise _refused()
        try:
            raw = base64.b64decode(token, altchars=b"-_", validate=True)
        except ValueError:
            raise _refused() from None
        user, tag = raw[:_ID_BYTES], raw[_ID_BYTES:]
        if base64.urlsafe_b64encode(raw).decode() != token:  # the decoder also takes "+" and "/"
            raise _refused()
        if len(user) != _ID_BYTES or not hmac.compare_digest(tag, self._tag(user)):
            raise _refused()
        return UUID(bytes=user)

    def _tag(self, user: bytes) -> bytes:
        return hmac.digest(self._key, user, hashlib.sha256)[:_TAG_BYTES]


def _refused() -> LinkInvalid:
    return LinkInvalid(
        "This link was not made here, or was altered.",
        next_step="open the link of a mail again, or switch mails off in your preferences.",
    )
