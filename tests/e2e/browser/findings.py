"""What differs between a window and the log: pure, so that a test can show that it finds each kind of damage."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

Rows = Sequence[tuple[int, str]]
"""(seq, text) as shown, from top to bottom."""
BARE_PIXELS = 100
"""A chart with fewer pixels in the colours of bars shows no bar."""


def findings(rows: Rows, wanted: Rows) -> list[str]:
    """What differs: a seq that is missing, there twice, out of order or with another text."""
    seqs = [seq for seq, _ in rows]
    found = [f"seq {seq} is there {count} times" for seq, count in Counter(seqs).items() if count > 1]
    if seqs != sorted(seqs):
        found.append(f"the order is {seqs}")
    shown = dict(rows)
    found += [f"seq {seq} {text!r} is missing" for seq, text in wanted if seq not in shown]
    found += [f"seq {seq} says {shown[seq]!r}, not {text!r}" for seq, text in wanted if shown.get(seq, text) != text]
    expected = {seq for seq, _ in wanted}
    return found + [f"seq {seq} {text!r} is in no log" for seq, text in rows if seq not in expected]


@dataclass(frozen=True)
class Figures:
    """Messages of one channel as the analytics page shows them, and the seconds until it did."""

    tile: int
    table: int
    pixels: int
    seconds: float


def differences(found: Figures, posted: int) -> list[str]:
    """Where the page shows another number of messages than were posted, or no bar of them."""
    wrong = []
    if found.tile != posted:
        wrong.append(f"analytics: {found.tile} messages in the tile, {posted} were posted")
    if found.table != posted:
        wrong.append(f"analytics: {found.table} messages in the table, {posted} were posted")
    if found.pixels < BARE_PIXELS:
        wrong.append(f"analytics: the chart is bare ({found.pixels} pixels of bars)")
    return wrong
