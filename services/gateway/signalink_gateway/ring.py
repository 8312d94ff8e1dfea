"""The last frames of one channel, so that a session joins the live feed or catches up without reading the log.

Owns contiguity: the ring always holds an unbroken run of seqs. It holds frames as sockets get them, so a deletion
empties it: a body that the log no longer shows must not come from here either. Backfill cannot bring it back, because
what is read must reach the ring's beginning, hence the deletion, and a read that saw the deletion saw no body.
"""

from collections import deque
from collections.abc import Iterable
from itertools import islice
from typing import NamedTuple
from uuid import UUID

MAX_EVENTS = 1_000
MAX_BYTES = 1_048_576
EVERYBODY = UUID(int=0)
"""No user's id."""


class Entry(NamedTuple):
    """One event as a frame; `cut`: the user whose membership ends with it, or EVERYBODY; `wipes`: it deletes a body
    below it.

    `at`: Unix seconds of the commit. `members`: it changes who is in the channel, or what they may do there.
    """

    seq: int
    frame: bytes
    cut: UUID | None = None
    wipes: bool = False
    at: float = 0.0
    members: bool = False

    def ends(self, user_id: UUID | None) -> bool:
        """Whether it is the last event that this user may see."""
        return self.cut is not None and (self.cut == user_id or self.cut == EVERYBODY)


class Ring:
    """At most 1,000 entries or 1 MB; the oldest go."""

    __slots__ = ("_bytes", "_entries")

    def __init__(self) -> None:
        self._entries: deque[Entry] = deque()
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def first(self) -> int | None:
        """The lowest seq held."""
        return self._entries[0].seq if self._entries else None

    @property
    def last(self) -> int | None:
        return self._entries[-1].seq if self._entries else None

    def append(self, entry: Entry) -> None:
        """The next seq. A jump (a gap of the log itself) starts the ring anew."""
        if self._entries and entry.seq != self._entries[-1].seq + 1:
            self.forget()
        self._entries.append(entry)
        self._bytes += len(entry.frame)
        if entry.wipes:
            self.forget()
        while len(self._entries) > MAX_EVENTS or self._bytes > MAX_BYTES:
            self._bytes -= len(self._entries.popleft().frame)

    def backfill(self, entries: Iterable[Entry], head: int) -> None:
        """Takes what was read from the log if it ends where the ring begins, or at `head` when the ring is empty."""
        for entry in reversed(list(entries)):
            below = self._entries[0].seq - 1 if self._entries else head
            size = self._bytes + len(entry.frame)
            if entry.seq > below:
                continue
            if entry.seq != below or len(self._entries) >= MAX_EVENTS or size > MAX_BYTES:
                return
            self._entries.appendleft(entry)
            self._bytes = size

    def after(self, seq: int, limit_bytes: int) -> list[Entry] | None:
        """The entries above `seq`, within `limit_bytes` but at least one; None when the ring starts above it."""
        if not self._entries or seq + 1 < self._entries[0].seq:
            return None
        return take(islice(self._entries, max(0, seq + 1 - self._entries[0].seq), None), limit_bytes)

    def forget(self) -> None:
        self._entries.clear()
        self._bytes = 0


def take(entries: Iterable[Entry], limit_bytes: int) -> list[Entry]:
    """As many as fit into the limit, but at least one when there is any."""
    taken: list[Entry] = []
    size = 0
    for entry in entries:
        size += len(entry.frame)
        if taken and size > limit_bytes:
            break
        taken.append(entry)
    return taken
