"""Owns the times of earlier starts of one state folder, and what they promise for the next one. No times, no promise.

`starts.json` keeps the last few starts that succeeded. A start counts for another only when both run the same number of
each service; the very first one, which downloads and makes everything, counts for none.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from statistics import median
from typing import Any

from signalink_stacks.local.credentials import write_private
from signalink_stacks.local.layout import Wishes
from signalink_stacks.local.state import RunState, StateFolder

KEPT = 8
FILE = "starts.json"
FIRST = "first"


@dataclass(frozen=True, slots=True)
class Estimate:
    """Seconds, medians of `count` earlier starts; `total` None: there was none like this. `first`: the first one's."""

    total: float | None = None
    first: float | None = None
    steps: Mapping[str, float] = field(default_factory=dict)
    count: int = 0


def remember(folder: StateFolder, wishes: Wishes, state: RunState) -> None:
    """After a start that succeeded."""
    steps = {step.name: step.seconds for step in state.steps if step.seconds is not None}
    known = _read(folder)
    start = {"shape": shape(wishes) if known else FIRST, "total": state.up_after, "steps": steps}
    write_private(folder.root / FILE, json.dumps([*known[:1], *[*known[1:], start][-KEPT:]]))


def estimate(folder: StateFolder, wishes: Wishes) -> Estimate:
    known = _read(folder)
    first = next((start["total"] for start in known if start["shape"] == FIRST), None)
    alike = [start for start in known if start["shape"] == shape(wishes)]
    if not alike:
        return Estimate(first=first)
    names = {name for start in alike for name in start["steps"]}
    steps = {name: median(start["steps"][name] for start in alike if name in start["steps"]) for name in names}
    return Estimate(median(start["total"] for start in alike), first, steps, len(alike))


def shape(wishes: Wishes) -> str:
    """What must be equal for one start to tell of another."""
    counts = {name: count for name, count in sorted(wishes.instances.items()) if count != 1}
    return json.dumps([counts, sorted(wishes.packages), *([sorted(wishes.only)] if wishes.only else [])])


def _read(folder: StateFolder) -> list[dict[str, Any]]:
    """A file that cannot be read is no reason not to start: it counts as no start."""
    try:
        found = json.loads((folder.root / FILE).read_text())
        return [start for start in found if start["total"] > 0 and isinstance(start["steps"], dict) and start["shape"]]
    except (OSError, ValueError, KeyError, TypeError):
        return []
