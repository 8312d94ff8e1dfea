"""The table of problems the api can answer, and the errors only the api raises; putting them on the wire is `edge`'s.

Codes are stable: a client may switch on `code`, never on `title` or `detail`. docs/api/problems.md is generated from
this table by `python -m signalink_api.openapi`.
"""

from dataclasses import dataclass
from typing import Final

from signalink_core.errors import (
    Conflict,
    Forbidden,
    NotFound,
    RateLimited,
    SignalinkError,
    TokenInvalid,
)


@dataclass(frozen=True, slots=True)
class Problem:
    """One row: the code, its HTTP status (whose phrase is the title), and when it is given."""

    code: str
    status: int
    when: str


CATALOGUE: Final[dict[str, Problem]] = {
    problem.code: problem
    for problem in (
        Problem("bad_request", 400, "The request is not HTTP or JSON the api can read."),
        Problem("host_refused", 400, "The Host header names a host this api does not serve."),
        Problem(
            "unauthorised",
            401,
            "No token, or one that was refused; `reason` says which check. The same answer for a wrong password and "
            "an unknown account.",
        ),
        Problem("forbidden", 403, "You may see the thing but not do this to it."),
        Problem("muted", 403, "You may not post in this channel until `muted_until` of your membership."),
        Problem(
            "origin_refused",
            403,
            "A browser page of an origin that is not on the list, or a cookie without the header that proves a script "
            "of ours sent it.",
        ),
        Problem(
            "not_found",
            404,
            "There is no such thing, or you may not know of it: a private channel answers this to outsiders.",
        ),
        Problem("page_not_built", 404, "The browser page was not built on this machine; `make ui` builds it."),
        Problem("method_not_allowed", 405, "The path exists; `Allow` lists its methods."),
        Problem("conflict", 409, "The name is taken, or the thing is not in the state this needs."),
        Problem("archived", 409, "The channel takes no more changes."),
        Problem(
            "idempotency_conflict",
            409,
            "The same client_id was already posted with another channel, body, format, metadata or reply_to.",
        ),
        Problem("too_large", 413, "The request body is larger than 256 KB, or the headers than 16 KB."),
        Problem("unsupported_media_type", 415, "Bodies are `application/json`."),
        Problem("validation", 422, "`errors` lists each field with what is wrong; unknown fields too."),
        Problem("invalid_cursor", 422, "The cursor was not made by this list, or was altered."),
        Problem("reply_unknown", 422, "`reply_to` names no message of this channel."),
        Problem("rate_limited", 429, "A limit was reached; `Retry-After` says when to return."),
        Problem("slow_mode", 429, "The channel's slow mode; `Retry-After` says when to post again."),
        Problem("internal", 500, "A fault of the api; `instance` finds it in the logs."),
        Problem("post_failed", 500, "The database refuses this one message for no known reason; it was not posted."),
        Problem("unavailable", 503, "A part the api needs does not answer; repeat after `Retry-After`."),
        Problem("queue_full", 503, "A bounded queue is full; nothing was done, repeat after `Retry-After`."),
        Problem(
            "unknown_outcome",
            503,
            "The post may or may not be committed; repeat it with the same client_id, which is safe for ever.",
        ),
        Problem(
            "log_mismatch",
            503,
            "This Postgres is not the one the log was written on; an operator must run `signalink log new-epoch`.",
        ),
        Problem("fault_injected", 503, "A fault point fired; only where faults are switched on."),
    )
}


class Unauthorised(TokenInvalid):
    """Credentials that are not a token; the detail never tells which half was wrong."""


class IdempotencyConflict(Conflict):
    code = "idempotency_conflict"


class Archived(Conflict):
    code = "archived"


class Muted(Forbidden):
    code = "muted"


class SlowMode(RateLimited):
    code = "slow_mode"


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


class ReplyUnknown(SignalinkError):
    code = "reply_unknown"
    status = 422


class PageNotBuilt(NotFound):
    code = "page_not_built"


class UnsupportedMediaType(SignalinkError):
    code = "unsupported_media_type"
    status = 415


class MethodNotAllowed(SignalinkError):
    code = "method_not_allowed"
    status = 405
