"""The problems that this service can answer beside the common ones; putting them on the wire is core's.

docs/api/analytics-problems.md is generated from this table by `python -m signalink_analytics.openapi`.
"""

from typing import Final

from signalink_core.errors import SignalinkError
from signalink_core.web.catalogue import Catalogue, Problem, catalogue
from signalink_core.web.operations import Refusals

CATALOGUE: Final[Catalogue] = catalogue(
    Problem(
        "not_found",
        404,
        "There is no such channel or user, or you may not know of it: a private channel answers this to outsiders.",
    ),
    Problem("forbidden", 403, "You may know of the channel or user, but its figures are not for you."),
    Problem("range_reversed", 422, "`from` is not before `to`."),
    Problem(
        "range_too_long",
        422,
        "The range holds more points than one answer has (`most_points`); `next_step` says which interval fits.",
    ),
    Problem("range_in_future", 422, "`from` is not in the past; `now` is this service's clock."),
    Problem(
        "range_not_kept",
        422,
        "All of the range is older than what is kept at this interval; `kept_from` says where that begins.",
    ),
)
refusals: Final = Refusals(CATALOGUE)


class RangeReversed(SignalinkError):
    code = "range_reversed"
    status = 422


class RangeTooLong(SignalinkError):
    code = "range_too_long"
    status = 422


class RangeInFuture(SignalinkError):
    code = "range_in_future"
    status = 422


class RangeNotKept(SignalinkError):
    code = "range_not_kept"
    status = 422
