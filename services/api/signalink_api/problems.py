"""The table of problems the api can answer, and the errors only the api raises; putting them on the wire is core's.

docs/api/problems.md is generated from this table by `python -m signalink_api.openapi`.
"""

from typing import Final

from signalink_core.errors import Conflict, Forbidden, NotFound, RateLimited, SignalinkError, TokenInvalid
from signalink_core.web.catalogue import Catalogue, Problem, catalogue
from signalink_core.web.operations import Refusals

CATALOGUE: Final[Catalogue] = catalogue(
    Problem(
        "unauthorised",
        401,
        "No token, or one that was refused; `reason` says which check. The same answer for a wrong password and "
        "an unknown account.",
    ),
    Problem("muted", 403, "You may not post in this channel until `muted_until` of your membership."),
    Problem(
        "origin_refused",
        403,
        "A browser page of an origin that is not on the list, or a cookie without the header that proves a script "
        "of ours sent it.",
    ),
    Problem("page_not_built", 404, "The browser page was not built on this machine; `make ui` builds it."),
    Problem("archived", 409, "The channel takes no more changes."),
    Problem(
        "idempotency_conflict",
        409,
        "The same client_id was already posted with another channel, body, format, metadata or reply_to.",
    ),
    Problem("reply_unknown", 422, "`reply_to` names no message of this channel."),
    Problem("slow_mode", 429, "The channel's slow mode; `Retry-After` says when to post again."),
    Problem("post_failed", 500, "The database refuses this one message for no known reason; it was not posted."),
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
)
refusals: Final = Refusals(CATALOGUE)
"""The `responses` of a route of the api."""


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


class ReplyUnknown(SignalinkError):
    code = "reply_unknown"
    status = 422


class PageNotBuilt(NotFound):
    code = "page_not_built"
