"""What differs between a window and the log: pure, so that a test can show that it finds each kind of damage."""

from collections import Counter
from collections.abc import Sequence

Rows = Sequence[tuple[int, str]]
"""(seq, text) as shown, from top to bottom."""


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
