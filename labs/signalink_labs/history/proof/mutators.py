"""Breaks a clean history in one place, and names the one verdict that must be given for it.

Owns the mutators of V1-V6. Each changes what was seen, never the bookkeeping around it: line numbers and counts are
mended, so that a mutation is found by what it means and not as a damaged file.
"""

from collections.abc import Callable
from dataclasses import dataclass
from random import Random

import msgspec

from signalink_labs.history.findings import Verdict
from signalink_labs.history.lines import CREATED, Line, text_hash
from signalink_labs.history.proof.model import Files

Mutation = Callable[[Files, Random], None]


@dataclass(frozen=True)
class Mutator:
    name: str
    expected: Verdict
    mutate: Mutation

    def apply(self, files: Files, seed: int) -> Files:
        """Answer a broken copy."""
        copy = {name: [msgspec.structs.replace(line) for line in lines] for name, lines in files.items()}
        self.mutate(copy, Random(seed))  # noqa: S311 - reproducible on purpose
        return {name: _mend(lines) for name, lines in copy.items()}


def _mend(lines: list[Line]) -> list[Line]:
    """Number the lines and count dumps and end again; a line keeps its time unless that would run backwards."""
    counts: dict[str, int] = {}
    now = 0
    for index, line in enumerate(lines):
        line.i = index
        now = line.mono_ns = max(now, line.mono_ns)
        if line.f == "dump" and line.type == "note":
            counts[line.view or ""] = counts.get(line.view or "", 0) + 1
        elif line.f == "dump":
            line.n = counts.get(line.view or "", 0)
        elif line.f == "end":
            line.n = index
    return lines


Spot = tuple[list[Line], int]
"""A file and the index of a line in it."""


def _rows(files: Files, view: str | None, ch: str | None = None) -> list[Spot]:
    """Answer where the rows of one view or store are."""
    return [
        (lines, index)
        for lines in files.values()
        for index, line in enumerate(lines)
        if line.view == view and (ch is None or line.ch == ch) and (line.f == "recv" or _is_row(line))
    ]


def _is_row(line: Line) -> bool:
    return line.f == "dump" and line.type == "note"


def _places(files: Files, wanted: str) -> list[list[Spot]]:
    """Answer the rows of every (view, channel), or of every channel of a store, that has at least three."""
    places = {
        (line.view, line.ch)
        for lines in files.values()
        for line in lines
        if (line.f == "recv" if wanted == "view" else _is_row(line) and line.view == wanted)
    }
    found = [_rows(files, view, ch) for view, ch in sorted(places, key=str)]
    return [spots for spots in found if len(spots) >= 3]


def _messages(spots: list[Spot]) -> list[Spot]:
    return [spot for spot in spots if spot[0][spot[1]].kind == CREATED]


def _pick_message(files: Files, wanted: str, chance: Random) -> Spot:
    """Answer a created message in a place of that sort; the model posts three to every channel at first."""
    return chance.choice([spot for spots in _places(files, wanted) for spot in _messages(spots)])


def _drop_interior(wanted: str) -> Mutation:
    def mutate(files: Files, chance: Random) -> None:
        spots = chance.choice(_places(files, wanted))
        lines, index = chance.choice(spots[:-1])
        gone = lines[index]
        kept = [line for line in lines if not (line.id == gone.id and line.view == gone.view)]
        lines[:] = kept

    return mutate


def _drop_acknowledged(files: Files, chance: Random) -> None:
    acked = {line.id for lines in files.values() for line in lines if line.f == "send" and line.type == "ok"}
    spots = [spot for spots in _places(files, "postgres") for spot in spots if spot[0][spot[1]].id in acked]
    lines, index = chance.choice(spots)
    del lines[index]


def _repeat(wanted: str) -> Mutation:
    def mutate(files: Files, chance: Random) -> None:
        spots = chance.choice(_places(files, wanted))
        lines, index = chance.choice(spots)
        later = chance.choice([other for _, other in spots if other >= index])
        lines.insert(later + 1, msgspec.structs.replace(lines[index], mono_ns=lines[later].mono_ns))

    return mutate


def _swap(wanted: str) -> Mutation:
    def mutate(files: Files, chance: Random) -> None:
        spots = chance.choice(_places(files, wanted))
        first = chance.randrange(len(spots) - 1)
        (lines, one), (_, other) = spots[first], spots[first + 1]
        lines[one], lines[other] = lines[other], lines[one]
        lines[one].mono_ns, lines[other].mono_ns = lines[other].mono_ns, lines[one].mono_ns

    return mutate


def _swap_kafka(files: Files, chance: Random) -> None:
    """Exchange two neighbours of one key before either is repeated."""
    spots = chance.choice(_places(files, "kafka"))
    fresh = list({lines[index].id: (lines, index) for lines, index in reversed(spots)}.values())[::-1]
    first = chance.randrange(len(fresh) - 1)
    (lines, one), (_, other) = fresh[first], fresh[first + 1]
    lines[one], lines[other] = lines[other], lines[one]


def _alter(wanted: str) -> Mutation:
    def mutate(files: Files, chance: Random) -> None:
        lines, index = _pick_message(files, wanted, chance)
        lines[index].hash = text_hash(f"altered {chance.random()}")

    return mutate


def _move(wanted: str) -> Mutation:
    def mutate(files: Files, chance: Random) -> None:
        lines, index = _pick_message(files, wanted, chance)
        line = lines[index]
        line.seq = (line.seq or 0) + chance.choice([1, 2, 50])

    return mutate


def _move_acknowledgement(files: Files, chance: Random) -> None:
    acked = [line for lines in files.values() for line in lines if line.f == "send" and line.type == "ok"]
    alone = [line for line in acked if sum(other.key == line.key for other in acked) == 1]
    line = chance.choice(alone)
    line.seq = (line.seq or 0) + 1


def _answer_twice(files: Files, chance: Random) -> None:
    """A replay that answers another seq than the first time."""
    lines, index = chance.choice(
        [
            (lines, index)
            for lines in files.values()
            for index, line in enumerate(lines)
            if line.f == "send" and line.type == "ok"
        ]
    )
    line = lines[index]
    lines.insert(index + 1, msgspec.structs.replace(line, seq=(line.seq or 0) + 1))


def _alter_read(files: Files, chance: Random) -> None:
    read = [line for lines in files.values() for line in lines if line.f == "read" and line.kind == CREATED]
    chance.choice(read).hash = text_hash("altered on its way out")


def _forget_send(files: Files, chance: Random) -> None:
    key = _key_of(_pick_message(files, "view", chance))
    for lines in files.values():
        lines[:] = [line for line in lines if not (line.f == "send" and line.key == key)]


def _key_of(spot: Spot) -> str | None:
    lines, index = spot
    return lines[index].key


def _resurrect(files: Files, chance: Random) -> None:
    refused = [line for lines in files.values() for line in lines if line.f == "send" and line.type == "fail"]
    send = chance.choice([line for line in refused if _rows_of_channel(files, line.ch)])
    spots = chance.choice(_rows_of_channel(files, send.ch))
    lines, index = chance.choice(spots)
    shown = lines[index]
    ghost = msgspec.structs.replace(
        shown, key=send.key, hash=send.hash, id=f"ghost of {send.key}", kind=CREATED, seq=(shown.seq or 0) + 1
    )
    lines.insert(index + 1, ghost)


def _rows_of_channel(files: Files, ch: str | None) -> list[list[Spot]]:
    return [spots for spots in _places(files, "view") if spots[0][0][spots[0][1]].ch == ch]


def _leak(files: Files, chance: Random) -> None:
    """A view shows a message of one channel in another."""
    lines, index = _pick_message(files, "view", chance)
    line = lines[index]
    others = [spots for spots in _places(files, "view") if _differs(spots, line)]
    spots = chance.choice(others)
    target, after = chance.choice(spots)
    host = target[after]
    target.insert(after + 1, msgspec.structs.replace(host, id=line.id, key=line.key, hash=line.hash, kind=CREATED))


def _differs(spots: list[Spot], line: Line) -> bool:
    lines, index = spots[0]
    return lines[index].ch != line.ch


def _admit_stranger(files: Files, chance: Random) -> None:
    """A view shows the channel to which its user was never entitled."""
    entitled = {(line.user, line.ch) for lines in files.values() for line in lines if line.f == "member"}
    strangers = [
        (lines, index, ch)
        for lines in files.values()
        for index, line in enumerate(lines)
        if line.f == "recv"
        for ch in sorted({ch for _, ch in entitled if ch} - {ch for user, ch in entitled if user == line.user and ch})
    ]
    lines, index, ch = chance.choice(strangers)
    row_lines, row_index = chance.choice([spot for spots in _places(files, "postgres") for spot in _of(spots, ch)])
    row, host = row_lines[row_index], lines[index]
    shown = msgspec.structs.replace(
        host, ch=ch, seq=row.seq, id=row.id, key=row.key, hash=row.hash, kind=row.kind, mono_ns=host.mono_ns
    )
    lines.insert(index + 1, shown)


def _of(spots: list[Spot], ch: str) -> list[Spot]:
    return [(lines, index) for lines, index in spots if lines[index].ch == ch]


def _truncate(wanted: str) -> Mutation:
    def mutate(files: Files, chance: Random) -> None:
        spots = chance.choice(_places(files, wanted))
        ids = list(dict.fromkeys(lines[index].id for lines, index in spots))
        gone = set(ids[-chance.randrange(1, len(ids) + 1) :])
        lines = spots[0][0]
        view = lines[spots[0][1]].view
        lines[:] = [line for line in lines if not (line.view == view and line.id in gone)]

    return mutate


MUTATORS = (
    Mutator("drop from a view", Verdict.SKIPPED, _drop_interior("view")),
    Mutator("drop from Kafka", Verdict.SKIPPED, _drop_interior("kafka")),
    Mutator("repeat in a view", Verdict.DUPLICATE, _repeat("view")),
    Mutator("repeat in the log", Verdict.DUPLICATE, _repeat("postgres")),
    Mutator("answer a replay otherwise", Verdict.DUPLICATE, _answer_twice),
    Mutator("swap in a view", Verdict.REORDERED, _swap("view")),
    Mutator("swap in the log", Verdict.REORDERED, _swap("postgres")),
    Mutator("swap in Kafka", Verdict.REORDERED, _swap_kafka),
    Mutator("alter a body in a view", Verdict.INCONSISTENT, _alter("view")),
    Mutator("alter a body in the log", Verdict.INCONSISTENT, _alter("postgres")),
    Mutator("alter a body in Kafka", Verdict.INCONSISTENT, _alter("kafka")),
    Mutator("alter a body in a read", Verdict.INCONSISTENT, _alter_read),
    Mutator("move a seq in a view", Verdict.INCONSISTENT, _move("view")),
    Mutator("move a seq in the log", Verdict.INCONSISTENT, _move("postgres")),
    Mutator("move a seq in Kafka", Verdict.INCONSISTENT, _move("kafka")),
    Mutator("move the seq of an acknowledgement", Verdict.INCONSISTENT, _move_acknowledgement),
    Mutator("forget a send", Verdict.PHANTOM, _forget_send),
    Mutator("resurrect a refused send", Verdict.PHANTOM, _resurrect),
    Mutator("leak to another channel", Verdict.PHANTOM, _leak),
    Mutator("admit a stranger", Verdict.PHANTOM, _admit_stranger),
    Mutator("truncate a view", Verdict.LOST, _truncate("view")),
    Mutator("truncate Kafka", Verdict.LOST, _truncate("kafka")),
    Mutator("drop an acknowledged row from the log", Verdict.LOST, _drop_acknowledged),
)
