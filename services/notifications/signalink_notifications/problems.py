"""The table of problems this service can answer, and the errors only it raises; putting them on the wire is core's."""

from typing import Final

from signalink_core.web.catalogue import Catalogue, catalogue
from signalink_core.web.operations import Refusals

CATALOGUE: Final[Catalogue] = catalogue()
refusals: Final = Refusals(CATALOGUE)
"""The `responses` of a route of this service."""
