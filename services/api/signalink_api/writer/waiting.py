"""The bounded queue of the writer: one line per channel, so order is kept and a busy channel holds up nobody else."""

from collections import OrderedDict, deque
from collections.abc import Collection, Iterable
from uuid import UUID

from signalink_api.writer.drafts import Entry


class Waiting:
    """Entries per channel in arrival order; overflow is refused by the owner, which looks at `len` first."""

    def __init__(self) -> None:
        self._lines: OrderedDict[UUID, deque[Entry]] = OrderedDict()
        self._contended: set[UUID] = set()
        self._size = 0

    def __len__(self) -> int:
        return self._size

    def put(self, entry: Entry) -> None:
        """Queue behind everything of its channel."""
        self._lines.setdefault(entry.channel_id, deque()).append(entry)  # bound: the writer's queue_limit
        self._size += 1

    def give_back(self, entries: Iterable[Entry]) -> None:
        """Queue before everything of their channels, in the given order; those channels are next taken alone."""
        for entry in reversed(list(entries)):
            # bound: only what was taken from here comes back
            self._lines.setdefault(entry.channel_id, deque()).appendleft(entry)
            self._contended.add(entry.channel_id)
            self._size += 1

    def take(self, limit: int, held: Collection[UUID]) -> list[Entry]:
        """Up to `limit` entries, none of a held channel; a contended channel comes by itself, to be waited for."""
        batch: list[Entry] = []
        for channel in [channel for channel in self._lines if channel not in held]:
            alone = channel in self._contended
            if alone and batch:
                continue
            self._move(channel, batch, limit)
            if alone:
                self._contended.discard(channel)
            if alone or len(batch) >= limit:
                break
        return batch

    def clear(self) -> list[Entry]:
        """Take everything out."""
        entries = [entry for line in self._lines.values() for entry in line]
        self._lines.clear()
        self._contended.clear()
        self._size = 0
        return entries

    def _move(self, channel: UUID, batch: list[Entry], limit: int) -> None:
        line = self._lines[channel]
        while line and len(batch) < limit:
            batch.append(line.popleft())
            self._size -= 1
        if line:
            self._lines.move_to_end(channel)  # the others first next time
        else:
            del self._lines[channel]
