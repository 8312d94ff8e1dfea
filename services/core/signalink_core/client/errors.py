"""What can go wrong for a client.

ClientError
├── ApiProblem       the api refused: status, code, retry_after, the problem document
├── NotConnected     the request never left: nothing was written
├── OutcomeUnknown   a time-out, a reset or a 5xx after the request was written: it may have happened; repeating a
│                    post with the same client_id is safe for ever
├── SendRefused      a `nack` on the socket: code, detail
└── SocketRefused    the gateway closed for good (or refused the handshake): code, reason
"""

from collections.abc import Mapping
from typing import Any


class ClientError(Exception):
    """Base of everything this package raises by itself."""


class ApiProblem(ClientError):
    """A problem document (RFC 9457) answered with `status`."""

    def __init__(self, status: int, document: Mapping[str, Any], retry_after: float | None = None) -> None:
        self.status = status
        self.code = str(document.get("code", "unreadable"))
        self.detail = str(document.get("detail", ""))
        self.document = document
        self.retry_after = retry_after
        """Seconds to wait, as the Retry-After header says; None without one."""
        super().__init__(f"{status} {self.code}: {self.detail}")


class NotConnected(ClientError):
    """No connection; the request was not sent."""

    code = "not_connected"


class OutcomeUnknown(ClientError):
    """The request was sent and its outcome is not known."""

    def __init__(
        self, code: str, detail: str = "", retry_after: float | None = None, status: int | None = None
    ) -> None:
        self.code = code
        self.status = status
        """Of the answer; None when there was none."""
        self.retry_after = retry_after
        super().__init__(f"{code}: {detail}" if detail else code)


class SendRefused(ClientError):
    """The gateway answered a `send` with `nack`."""

    def __init__(self, code: str, detail: str) -> None:
        self.code = code
        self.detail = detail
        super().__init__(f"{code}: {detail}")


class SocketRefused(ClientError):
    """The socket is closed for good: reconnecting would not help."""

    def __init__(self, code: int, reason: str) -> None:
        self.code = code
        self.reason = reason
        super().__init__(f"closed with {code}: {reason}")
