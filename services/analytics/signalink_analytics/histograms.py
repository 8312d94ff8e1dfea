"""The bounds of the two histograms in a channel's row, and which element of the array a value belongs to.

Bounds may be added at the end, never changed: stored arrays are added element by element.
"""

from bisect import bisect_left
from typing import Final

LENGTHS: Final = (10, 25, 50, 100, 250, 500, 1_000, 2_000, 4_000)
"""Characters of a message's body; element n counts those <= LENGTHS[n], the last one those above all."""
RESPONSES: Final = (1, 2, 5, 10, 30, 60, 300, 900, 3_600, 14_400, 86_400)
"""Seconds of a response time."""
_RESPONSES_MS: Final = tuple(second * 1000 for second in RESPONSES)


def length_index(characters: int) -> int:
    """Which element of `lengths` counts a body of so many characters."""
    return bisect_left(LENGTHS, characters)


def response_index(milliseconds: int) -> int:
    """Which element of `responses` counts so long an answer."""
    return bisect_left(_RESPONSES_MS, milliseconds)
