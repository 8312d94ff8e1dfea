"""What the single checks share while one run is judged: indexes of the log, flagged rows, findings.

Owns the lookup by position and by id, the places a row can be seen at, and the sentence that names the hop where an
event vanished. The rules themselves live in `agreement`, `provenance` and `order`.
"""

from collections.abc import Iterator
from functools import cached_property

from signalink_labs.history.findings import Findings
from signalink_labs.history.lines import BLANK
from signalink_labs.history.tables import LOG, Row, Tables

Place = tuple[str, str]
"""(`view r1`, `read u1` or a store's name, channel)."""


class Case:
    """One run under judgement."""

    def __init__(self, tables: Tables) -> None:
        self.tables = tables
        self.findings = Findings()
        self.flagged: set[int] = set()
        """Rows (by line) that another finding explains: order and holes are judged without them."""
        self.excused: set[tuple[Place, int]] = set()
        """Positions whose absence or order another finding explains."""
        self.disputed: set[tuple[str, int]] = set()
        """Positions (channel, seq) of the log that a witness contradicts and no acknowledgement confirms."""
        self.at: dict[str, dict[int, Row]] = {}
        """Channel -> seq -> the row that the log (or, without a dump of it, the first witness) has there."""
        self.of: dict[str, Row] = {}
        """Id -> its row."""
        self.has_log = LOG in tables.stores
        for place, rows in self.places():
            if not self.has_log or place[0] == LOG:
                self._index(rows)

    def _index(self, rows: list[Row]) -> None:
        for row in rows:
            self.at.setdefault(row.ch, {}).setdefault(row.seq, row)
            self.of.setdefault(row.id, row)

    def places(self) -> Iterator[tuple[Place, list[Row]]]:
        """Yield every place with its rows: the log first, then other stores, views, reads."""
        stores = self.tables.stores
        for store in sorted(stores, key=lambda name: (name != LOG, name)):
            for ch, rows in stores[store].items():
                yield (store, ch), rows
        for (view, ch), rows in self.tables.views.items():
            yield (f"view {view}", ch), rows
        for (user, ch), rows in self.tables.reads.items():
            yield (f"read {user}", ch), rows

    def flag(self, place: Place, row: Row) -> None:
        """Take a row out of the judgement of order; its stated and its true position are excused."""
        self.flagged.add(row.at)
        self.excused.add((place, row.seq))
        true = self.of.get(row.id)
        if true is not None and true.ch == row.ch:
            self.excused.add((place, true.seq))

    def dispute(self, row: Row) -> None:
        """Someone saw this row of the log at another seq: unless its acknowledgement confirms it, nobody owes it."""
        send = self.tables.sends.get(row.key)
        if send is None or all(ack.seq != row.seq for ack in send.acks):
            self.flag((LOG, row.ch), row)
            self.disputed.add((row.ch, row.seq))

    def same_body(self, one: Row, other: Row) -> bool:
        """Equal hashes, or one of them blanked by the later deletion of its message and the other as it was sent."""
        if one.hash == other.hash:
            return True
        if BLANK not in (one.hash, other.hash) or not {one.id, one.key} & self.tables.deleted:
            return False
        send = self.tables.sends.get(one.key)
        return send is None or send.hash in (one.hash, other.hash)

    def last(self, ch: str) -> int:
        """Answer the highest seq of the channel in the log; 0 for none."""
        return self._lasts.get(ch, 0)

    @cached_property
    def _lasts(self) -> dict[str, int]:
        return {ch: max(rows) for ch, rows in self.at.items() if rows}

    @cached_property
    def _seen(self) -> dict[tuple[str, int], list[tuple[str, Row]]]:
        """Where each position was seen; built for the first finding only, since clean runs never ask."""
        seen: dict[tuple[str, int], list[tuple[str, Row]]] = {}
        for (name, ch), rows in self.places():
            for row in rows:
                seen.setdefault((ch, row.seq), []).append((name, row))
        return seen

    def witnesses(self, ch: str, seq: int) -> list[tuple[str, Row]]:
        """Answer (place, row) of everything that shows this position."""
        return self._seen.get((ch, seq), [])

    def hop(self, place: str, ch: str, seq: int) -> str:
        """Say between which two parts the event at (ch, seq) vanished on its way to `place`."""
        names = {name for name, _ in self.witnesses(ch, seq)}
        views = len([name for name in names if name.startswith("view ")])
        if self.has_log and LOG not in names:
            return f"between api and log: not in Postgres, shown by {views} views"
        if place == "kafka":
            return f"between log and Kafka (relay): in Postgres, not in the topic, shown by {views} views"
        if place.startswith("view "):
            where = f"in Postgres, {'in' if 'kafka' in names else 'not in'} Kafka"
            if views:
                return f"between gateway and {place}: {where}, shown by {views} other views"
            return f"between log and gateway (publish, bus, recovery): {where}, shown by no view"
        return "in the log itself"
