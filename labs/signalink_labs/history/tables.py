"""Sorts the lines of a whole run into the tables that the checks walk.

Owns the compact form in memory: rows per (view, channel), per store, sends by key, entitlement, faults, drains. It
judges nothing; equal texts are kept once, so a million lines fit in a few hundred MB.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import msgspec

from signalink_labs.history.lines import CREATED, DELETED, Line
from signalink_labs.history.reader import Completeness, Source, read

LOG = "postgres"
"""The store whose dump is the event log."""


class Row(msgspec.Struct, gc=False):
    """One event as one view or store showed it; `at` refers to the line."""

    at: int
    mono_ns: int
    ch: str
    seq: int
    id: str
    hash: str
    key: str
    kind: str
    user: str
    node: str


class Ack(msgspec.Struct, gc=False):
    """One acknowledgement of a post."""

    at: int
    id: str
    ch: str
    seq: int
    began: int = 0
    mono_ns: int = 0
    """Its attempt was invoked and answered then."""


class Trouble(msgspec.Struct, gc=False):
    """One attempt of a post that was not acknowledged; `status` None: nobody answered."""

    at: int
    key: str
    ch: str
    began: int
    mono_ns: int
    kind: str
    code: str
    status: int | None
    wait: float | None


class Sample(msgspec.Struct, gc=False):
    """One measurement; `waited` in milliseconds, None when it could not be made."""

    at: int
    mono_ns: int
    waited: int | None


@dataclass
class Send:
    """Everything a history says about one key."""

    user: str
    ch: str
    hash: str
    at: int
    intervals: list[list[int]] = field(default_factory=list)
    """[invoked, answered] in ns, answered -1 while open."""
    acks: list[Ack] = field(default_factory=list)
    refused_at: int | None = None
    unknown: bool = False

    @property
    def refused(self) -> bool:
        """Refused, and never tried with another outcome."""
        return self.refused_at is not None and not self.acks and not self.unknown


@dataclass(frozen=True)
class Fault:
    at: int
    mono_ns: int
    node: str
    code: str
    in_flight: int | None = None


@dataclass
class Tables:
    """A run."""

    sends: dict[str, Send] = field(default_factory=dict)
    """By key."""
    reused: list[tuple[str, int, int]] = field(default_factory=list)
    """(key, first line, line) where a key was invoked with another user, channel or body: a broken generator."""
    views: dict[tuple[str, str], list[Row]] = field(default_factory=dict)
    """By (view, channel), in the order of arrival."""
    reads: dict[tuple[str, str], list[Row]] = field(default_factory=dict)
    """By (user, channel): what was read over HTTP."""
    starts: dict[tuple[str, str], int] = field(default_factory=dict)
    """By (view, channel): the seq after which the view began."""
    readers: dict[str, str] = field(default_factory=dict)
    """View -> user."""
    stores: dict[str, dict[str, list[Row]]] = field(default_factory=dict)
    """Store -> channel -> rows in the store's order."""
    dumped: dict[str, tuple[int, int | None]] = field(default_factory=dict)
    """Store -> (rows read, rows that its dump said it had, None when it never ended)."""
    entitlement: dict[tuple[str, str], list[tuple[int, int | None]]] = field(default_factory=dict)
    """(user, channel) -> intervals of seq, both ends included."""
    deleted: set[str] = field(default_factory=set)
    """Messages that the log says were deleted."""
    faults: list[Fault] = field(default_factory=list)
    ends: list[Fault] = field(default_factory=list)
    """`heal` and `back` of the faults, by node."""
    troubles: list[Trouble] = field(default_factory=list)
    samples: dict[str, list[Sample]] = field(default_factory=dict)
    """Code of the probe -> its measurements."""
    drains: dict[str, bool] = field(default_factory=dict)
    """View ("" for all) -> its drain ended with nothing outstanding."""
    files: list[Completeness] = field(default_factory=list)
    lines: int = 0

    @property
    def acknowledged(self) -> int:
        return sum(1 for send in self.sends.values() if send.acks)

    @property
    def delivered(self) -> int:
        return sum(len(rows) for rows in self.views.values())

    @property
    def repeated(self) -> int:
        """Rows that a store holds more than once."""
        places = [rows for name, store in self.stores.items() if name != LOG for rows in store.values()]
        return sum(len(rows) - len({row.id for row in rows}) for rows in places)

    def drained(self, view: str) -> bool:
        """Whether the end of this view means anything."""
        return self.drains.get(view, self.drains.get("", False))


class _Collector:
    """Puts one line after another where it belongs."""

    def __init__(self, tables: Tables) -> None:
        self._t = tables
        self._texts: dict[str, str] = {}
        self._take = {
            "send": self._send,
            "recv": self._recv,
            "read": self._read,
            "resume": self._resume,
            "member": self._member,
            "dump": self._dump,
            "nemesis": self._nemesis,
            "probe": self._probe,
            "drain": self._drain,
        }

    def add(self, at: int, line: Line) -> None:
        take = self._take.get(line.f)
        if take is not None:
            take(at, line)

    def _once(self, text: str | None) -> str:
        return self._texts.setdefault(text, text) if text else ""

    def _row(self, at: int, line: Line) -> Row:
        once = self._once
        return Row(
            at,
            line.mono_ns,
            once(line.ch),
            line.seq or 0,
            once(line.id),
            once(line.hash),
            once(line.key),
            once(line.kind or CREATED),
            once(line.user),
            once(line.node),
        )

    def _send(self, at: int, line: Line) -> None:
        key = self._once(line.key)
        send = self._t.sends.get(key)
        if line.type == "invoke":
            user, ch, body = self._once(line.user), self._once(line.ch), self._once(line.hash)
            if send is None:
                send = self._t.sends[key] = Send(user, ch, body, at)
            elif (send.user, send.ch, send.hash) != (user, ch, body):
                self._t.reused.append((key, send.at, at))
            send.intervals.append([line.mono_ns, -1])
            return
        if send is None:  # an answer without its invoke: whatever is shown under this key is a phantom
            return
        if send.intervals and send.intervals[-1][1] < 0:
            send.intervals[-1][1] = line.mono_ns
        began = send.intervals[-1][0] if send.intervals else line.mono_ns
        if line.type == "ok":
            send.acks.append(Ack(at, self._once(line.id), send.ch, line.seq or 0, began, line.mono_ns))
            return
        if line.type == "fail":
            send.refused_at = at
        else:
            send.unknown = True
        code = self._once(line.code)
        self._t.troubles.append(Trouble(at, key, send.ch, began, line.mono_ns, line.type, code, line.status, line.wait))

    def _recv(self, at: int, line: Line) -> None:
        row = self._row(at, line)
        view = self._once(line.view)
        self._t.views.setdefault((view, row.ch), []).append(row)
        self._t.readers.setdefault(view, row.user)

    def _read(self, at: int, line: Line) -> None:
        if line.type == "ok":
            row = self._row(at, line)
            self._t.reads.setdefault((row.user, row.ch), []).append(row)

    def _resume(self, at: int, line: Line) -> None:
        place = (self._once(line.view), self._once(line.ch))
        self._t.starts.setdefault(place, line.seq or 0)
        self._t.views.setdefault(place, [])
        if line.user:
            self._t.readers.setdefault(place[0], self._once(line.user))

    def _member(self, at: int, line: Line) -> None:
        place = (self._once(line.user), self._once(line.ch))
        self._t.entitlement.setdefault(place, []).append((line.seq or 0, line.to))

    def _dump(self, at: int, line: Line) -> None:
        store = self._once(line.view)
        read_rows, said = self._t.dumped.get(store, (0, None))
        if line.type == "ok":
            self._t.dumped[store] = (read_rows, line.n)
            return
        row = self._row(at, line)
        self._t.dumped[store] = (read_rows + 1, said)
        self._t.stores.setdefault(store, {}).setdefault(row.ch, []).append(row)
        if store == LOG and row.kind == DELETED:
            self._t.deleted.add(row.key)

    def _nemesis(self, at: int, line: Line) -> None:
        fault = Fault(at, line.mono_ns, line.node or "", line.code or "", line.n)
        (self._t.ends if line.type == "ok" else self._t.faults).append(fault)

    def _probe(self, at: int, line: Line) -> None:
        waited = line.n if line.type == "ok" else None
        self._t.samples.setdefault(line.code or "", []).append(Sample(at, line.mono_ns, waited))

    def _drain(self, at: int, line: Line) -> None:
        self._t.drains[line.view or ""] = line.type == "ok"


def collect(sources: Sequence[Source]) -> Tables:
    """Read all files of a run once; a view's rows are in the order of arrival, also over several files."""
    tables = Tables()
    collector = _Collector(tables)
    for number, source in enumerate(sources):
        state = Completeness(source.name)
        tables.files.append(state)
        for at, line in read(number, source, state):
            collector.add(at, line)
            tables.lines += 1
    for rows in tables.views.values():
        rows.sort(key=lambda row: row.mono_ns)
    return tables
