"""The table of problems this service can answer, and the errors only it raises; putting them on the wire is core's."""

from typing import Final

from signalink_core.web.catalogue import Catalogue, Problem, catalogue
from signalink_core.web.operations import Refusals

CATALOGUE: Final[Catalogue] = catalogue(
    Problem("url_refused", 400, "The address leads nowhere, or to a place that is not public; `reason` says which."),
    Problem("link_invalid", 400, "The unsubscribe link was not made here, or was altered."),
    Problem("not_found", 404, "There is no such thing, or you may not know of it."),
    Problem("conflict", 409, "The thing is not in the state this needs."),
)
refusals: Final = Refusals(CATALOGUE)
"""The `responses` of a route of this service."""
