"""The store of a consumer group as the consumer sees it: offsets, what was applied, what is parked.

`offsets.PostgresOffsets` and `memory_group.MemoryOffsets` are the two. The order within one step is that of log.md 4:
move the offset, leave out what was applied, apply, raise the positions; all of it or nothing.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Protocol
from uuid import UUID

from signalink_core.events import Position
from signalink_core.kafka.batching import Place
from signalink_core.kafka.delivery import Apply, Delivered, Origin


@dataclass(frozen=True, slots=True)
class Parked:
    """A record that went to the dead-letter topic. Event id, channel, position: as far as its headers tell."""

    origin: Origin
    error: str
    attempts: int
    first_at: datetime
    last_at: datetime
    event_id: UUID | None = None
    channel: UUID | None = None
    position: Position | None = None


@dataclass(frozen=True, slots=True)
class Step:
    """One transaction's worth of one partition: from the offset `start` (None: none is stored yet) to `end`.

    `events` are what of it is for this group, in order; empty with `start == end` for an idle partition.
    """

    place: Place
    start: int | None
    end: int
    events: Sequence[Delivered] = ()
    at_end: bool = False
    parked: Parked | None = None


@dataclass(frozen=True, slots=True)
class Settled:
    """What became of the step's events: handed to the effect, or left out because they were applied before."""

    applied: int
    repeated: int


class OffsetStore(Protocol):
    """What a consumer keeps in the database of its effects. Every method raises StoreUnavailable when it is away."""

    async def load(self, places: Collection[Place]) -> Mapping[Place, int]:
        """The next offset of each of these partitions that has one stored."""
        ...

    async def settle(self, step: Step, apply: Apply | None) -> Settled:
        """Do the step; `apply` is called with what of it is new, and with an empty batch for an idle partition.

        Raises StaleOwner when the stored offset is not `step.start`, and what the effect raises; nothing is kept then.
        """
        ...

    async def parked(self, origin: Origin) -> bool:
        """Whether the record waits in `parked`: it was neither applied after all nor dropped."""
        ...

    async def prune(self) -> None:
        """Forget processed events after a week, and dropped records after a month."""
        ...


NOWHERE: Final = (-1, -1)
"""Below every position."""


def unseen(
    events: Iterable[Delivered],
    positions: Mapping[UUID, Position],
    processed: Collection[UUID],
    taken: Collection[Origin],
) -> tuple[list[Delivered], dict[UUID, Position]]:
    """What of a step is to be applied, and where each of its channels then is.

    `positions`: last applied, per channel. `processed`: ids of events without a seq that were applied. `taken`: parked
    rows that this transaction removed; a redriven record is applied if it took its row, and only then.
    """
    fresh: list[Delivered] = []
    seen, left = set(processed), set(taken)
    # Plain tuples by the channel's number: comparing positions and hashing UUIDs would cost three times as much.
    at = {channel.int: (position.epoch, position.seq) for channel, position in positions.items()}
    moved: dict[int, UUID] = {}
    for delivered in events:
        channel = delivered.channel
        if channel is not None and delivered.seq is not None:
            key, position = channel.int, (delivered.epoch, delivered.seq)
            new = position > at.get(key, NOWHERE)
            if new:
                at[key], moved[key] = position, channel
        else:
            new = delivered.id not in seen
            seen.add(delivered.id)
        if delivered.redriven is not None:
            new = delivered.redriven in left
            left.discard(delivered.redriven)
        if new:
            fresh.append(delivered)
    return fresh, {channel: Position(*at[key]) for key, channel in moved.items()}
