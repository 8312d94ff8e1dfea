"""The table of problems that a service can answer: what all have in common, and how a service adds its own.

Codes are stable: a client may switch on `code`, never on `title` or `detail`. Putting them on the wire is `answers`'s.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from signalink_core.errors import SignalinkError


@dataclass(frozen=True, slots=True)
class Problem:
    """One row: the code, its HTTP status (whose phrase is the title), and when it is given."""

    code: str
    status: int
    when: str


Catalogue = Mapping[str, Problem]
COMMON: Final = (
    Problem("bad_request", 400, "The request is not HTTP or JSON the service can read."),
    Problem("host_refused", 400, "The Host header names a host this service does not serve."),
    Problem("unauthorised", 401, "No token, or one that was refused; `reason` says which check."),
    Problem("forbidden", 403, "You may see the thing but not do this to it."),
    Problem("origin_refused", 403, "A browser page of an origin that is not on the list."),
    Problem(
        "not_found",
        404,
        "There is no such thing, or you may not know of it: a private channel answers this to outsiders.",
    ),
    Problem("method_not_allowed", 405, "The path exists; `Allow` lists its methods."),
    Problem("conflict", 409, "The name is taken, or the thing is not in the state this needs."),
    Problem("too_large", 413, "The request body is larger than 256 KB, or the headers than 16 KB."),
    Problem("unsupported_media_type", 415, "Bodies are `application/json`."),
    Problem("validation", 422, "`errors` lists each field with what is wrong; unknown fields too."),
    Problem("invalid_cursor", 422, "The cursor was not made by this list, or was altered."),
    Problem("rate_limited", 429, "A limit was reached; `Retry-After` says when to return."),
    Problem("internal", 500, "A fault of the service; `instance` finds it in the logs."),
    Problem("unavailable", 503, "A part the service needs does not answer; repeat after `Retry-After`."),
    Problem("fault_injected", 503, "A fault point fired; only where faults are switched on."),
)


def catalogue(*own: Problem) -> Catalogue:
    """By code, in the order of statuses: the common rows and the service's own, which replace common ones."""
    rows = {problem.code: problem for problem in (*COMMON, *own)}
    return dict(sorted(rows.items(), key=lambda item: item[1].status))


class Invalid(SignalinkError):
    """422 with one entry per field, in the same shape as failed schema checks."""

    code = "validation"
    status = 422

    @classmethod
    def field(cls, name: str, message: str, *, kind: str = "value_error") -> "Invalid":
        return cls("A field is not valid.", errors=[{"field": name, "message": message, "kind": kind}])


class InvalidCursor(SignalinkError):
    code = "invalid_cursor"
    status = 422


class UnsupportedMediaType(SignalinkError):
    code = "unsupported_media_type"
    status = 415


class MethodNotAllowed(SignalinkError):
    code = "method_not_allowed"
    status = 405
