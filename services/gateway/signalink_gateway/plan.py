"""Where a subscription begins: decided from the user's standing and the position the client has. Pure."""

from dataclasses import dataclass

from signalink_core.events import Position
from signalink_core.log.reads import outside
from signalink_gateway.reads import Standing


@dataclass(frozen=True, slots=True)
class Refused:
    """No such channel, or nothing in it for this user: the two are told apart to nobody."""


@dataclass(frozen=True, slots=True)
class Start:
    """Give what is above `seq`, but not `skips`, up to `until` (a removal) or for ever.

    `gap`: what the client can only get by loading anew. `recovered`: the client's own position was honoured.
    """

    epoch: int
    seq: int
    recovered: bool
    gap: tuple[int, int] | None = None
    skips: tuple[tuple[int, int], ...] = ()
    until: int | None = None


def plan(standing: Standing | None, after: Position | None) -> Refused | Start:
    """`after` of another epoch or above the log's end is a gap over all; below the floor a gap up to the floor.

    A former member gets what is left of the interval that ended, the removal last, and nothing else.
    """
    if standing is None or not standing.entitled:
        return Refused()
    epoch, head = standing.epoch, standing.last_seq
    last = standing.entitled[-1].last
    if not standing.member and (after is None or after.epoch != epoch or after.seq >= last):
        return Refused()
    if after is None:
        return Start(epoch, head, recovered=False)
    if after.epoch != epoch or after.seq > head:
        return Start(epoch, head, recovered=False, gap=(1, head))
    seq = max(after.seq, standing.floor)
    gap = (after.seq + 1, seq) if seq > after.seq else None
    until = None if standing.member else last
    skips = tuple((first, end) for first, end in outside(standing.entitled, seq, head if until is None else until))
    return Start(epoch, seq, gap is None, gap, skips, until)
