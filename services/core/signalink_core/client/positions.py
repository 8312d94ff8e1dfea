"""Where a client stands in each of its channels: the last seq up to which it has everything.

Owns the decision what a received event is: fresh, a duplicate, or beyond a hole. It is pure; `socket` acts on it.
"""

from collections.abc import Iterator, Mapping, Sequence
from enum import Enum

from signalink_core.events import Position


class Arrival(Enum):
    FRESH = "fresh"
    DUPLICATE = "duplicate"
    HOLE = "hole"


class Positions:
    """Channel id -> position; None for a channel that starts wherever it is joined."""

    def __init__(self) -> None:
        self._at: dict[str, Position | None] = {}
        self._skipped: dict[str, Mapping[int, int]] = {}

    def __len__(self) -> int:
        return len(self._at)

    def __getitem__(self, channel: str) -> Position | None:
        return self._at[channel]

    def __contains__(self, channel: str) -> bool:
        return channel in self._at

    def wanted(self) -> Iterator[tuple[str, Position | None]]:
        """Yield what to subscribe to, and after what."""
        yield from self._at.items()

    def follow(self, channels: Mapping[str, Position | None]) -> None:
        self._at.update(channels)

    def forget(self, channel: str) -> None:
        self._at.pop(channel, None)

    def begin(self, channel: str, position: Position, skipped: Sequence[tuple[int, int]] | None = None) -> None:
        """`subscribed` or `gap` said where the channel goes on from; the former also what is not for this user."""
        if channel in self._at:
            self._at[channel] = position
            if skipped is not None:
                self._skipped[channel] = dict(skipped)

    def arrive(self, channel: str, position: Position) -> Arrival:
        """Judge an event and, when it is fresh, stand on it. A greater epoch goes on with any seq above."""
        known = self._at.get(channel)
        if known is None:
            return Arrival.DUPLICATE  # not (or no longer) subscribed
        if position <= known:
            return Arrival.DUPLICATE
        if position.epoch == known.epoch and position.seq > self._next(channel, known.seq):
            return Arrival.HOLE
        self._at[channel] = position
        return Arrival.FRESH

    def _next(self, channel: str, seq: int) -> int:
        """The seq that follows `seq` for this user: what is skipped is no hole."""
        skipped = self._skipped.get(channel, {})
        while seq + 1 in skipped:
            seq = skipped[seq + 1]
        return seq + 1
