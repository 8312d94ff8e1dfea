"""The error tree of Signalink: stable codes and HTTP statuses; what to answer on a wire is left to the edges.

SignalinkError                 internal           500
├── ConfigurationError         configuration      500   the process cannot start; exit code 64
├── BadRequest                 bad_request        400
│   └── HostRefused            host_refused       400
├── TokenInvalid               unauthorised       401   .reason says which check failed
├── Forbidden                  forbidden          403
│   └── OriginRefused          origin_refused     403
├── NotFound                   not_found          404
├── Conflict                   conflict           409
├── TooLarge                   too_large          413
└── Retryable                  .retry_after: seconds, or None
    ├── RateLimited            rate_limited       429
    └── DependencyUnavailable  unavailable        503
        ├── LogMismatch        log_mismatch       503   another Postgres than the log was written on
        ├── QueueFull          queue_full         503
        └── FaultInjected      fault_injected     503   raised by a fault point
"""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, ClassVar


class SignalinkError(Exception):
    """What went wrong (`detail`), what to do (`next_step`) and any JSON-safe `fields` a reader needs."""

    code: ClassVar[str] = "internal"
    status: ClassVar[int] = 500

    def __init__(self, detail: str, *, next_step: str | None = None, **fields: Any) -> None:
        super().__init__(detail)
        self.detail = detail
        self.next_step = next_step
        self.fields: Mapping[str, Any] = fields

    def __str__(self) -> str:
        return f"{self.detail} Next: {self.next_step}" if self.next_step else self.detail

    def problem(self, instance: str | None = None) -> dict[str, Any]:
        """The RFC 9457 problem document; `instance` is the request id."""
        document: dict[str, Any] = {
            "type": f"https://signalink.dev/problems/{self.code}",
            "title": HTTPStatus(self.status).phrase,
            "status": self.status,
            "detail": self.detail,
            "code": self.code,
        }
        if instance is not None:
            document["instance"] = instance
        if self.next_step:
            document["next_step"] = self.next_step
        return {**self.fields, **document}


class ConfigurationError(SignalinkError):
    code = "configuration"


class BadRequest(SignalinkError):
    code = "bad_request"
    status = 400


class HostRefused(BadRequest):
    code = "host_refused"


class TokenInvalid(SignalinkError):
    """`reason` is one of the closed set of `signalink_auth_failures_total{reason}`."""

    code = "unauthorised"
    status = 401

    def __init__(self, reason: str, detail: str | None = None, **fields: Any) -> None:
        super().__init__(detail or f"The token was refused: {reason}.", reason=reason, **fields)
        self.reason = reason


class Forbidden(SignalinkError):
    code = "forbidden"
    status = 403


class OriginRefused(Forbidden):
    code = "origin_refused"


class NotFound(SignalinkError):
    code = "not_found"
    status = 404


class Conflict(SignalinkError):
    code = "conflict"
    status = 409


class TooLarge(SignalinkError):
    code = "too_large"
    status = 413


class Retryable(SignalinkError):
    """Carries `retry_after` in seconds, which becomes the Retry-After header."""

    def __init__(
        self, detail: str, *, retry_after: float | None = None, next_step: str | None = None, **fields: Any
    ) -> None:
        super().__init__(detail, next_step=next_step, **fields)
        self.retry_after = retry_after


class RateLimited(Retryable):
    code = "rate_limited"
    status = 429


class DependencyUnavailable(Retryable):
    code = "unavailable"
    status = 503


class LogMismatch(DependencyUnavailable):
    code = "log_mismatch"


class QueueFull(DependencyUnavailable):
    code = "queue_full"


class FaultInjected(DependencyUnavailable):
    code = "fault_injected"
