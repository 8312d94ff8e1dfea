"""Reads history files line by line and says which of them are complete.

Owns finding torn lines, missing numbers and missing `end` lines. What an incomplete file means for the run is for
`evidence` to say.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import msgspec

from signalink_labs.history.lines import Line, decode

FILE_SHIFT = 40
"""A reference to a line is `file number << FILE_SHIFT | line number`, both from 0."""


class Source(Protocol):
    """One process's history: a name and its raw lines, which can be read again for a counter-example."""

    @property
    def name(self) -> str: ...

    def lines(self) -> Iterable[bytes]: ...


@dataclass(frozen=True)
class FileSource:
    """A history in a JSONL file."""

    path: Path

    @property
    def name(self) -> str:
        return str(self.path)

    def lines(self) -> Iterator[bytes]:
        """Yield the raw lines; a torn one has no newline at its end."""
        with self.path.open("rb") as file:
            yield from file


@dataclass(frozen=True)
class MemorySource:
    """A history that a model made."""

    name: str
    raw: Sequence[bytes]

    def lines(self) -> Sequence[bytes]:
        return self.raw


@dataclass
class Completeness:
    """What is wrong with one file, if anything."""

    name: str
    procs: set[str] = field(default_factory=set)
    ended: bool = False
    torn: bool = False
    broken: list[str] = field(default_factory=list)

    @property
    def complete(self) -> bool:
        return self.ended and not self.torn and not self.broken


def read(number: int, source: Source, state: Completeness) -> Iterator[tuple[int, Line]]:
    """Yield (reference, line) of every readable line and note in `state` what could not be read."""
    base = number << FILE_SHIFT
    expected = 0
    for index, raw in enumerate(source.lines()):
        if not raw.endswith(b"\n"):
            state.torn = True
            return
        try:
            line = decode(raw)
        except msgspec.DecodeError as exc:
            state.broken.append(f"line {index + 1} is not a history line: {exc}")
            continue
        if state.ended:
            state.broken.append(f"line {index + 1} comes after the end line")
        if line.i != expected:
            state.broken.append(f"line {index + 1} has number {line.i} where {expected} was due: lines are missing")
        expected = line.i + 1
        state.procs.add(line.proc)
        state.ended |= line.f == "end"
        yield base | index, line


def quote(sources: Sequence[Source], references: Iterable[int]) -> dict[int, str]:
    """Answer the raw text of the referenced lines, each file read once."""
    wanted: dict[int, set[int]] = {}
    for reference in references:
        wanted.setdefault(reference >> FILE_SHIFT, set()).add(reference & ((1 << FILE_SHIFT) - 1))
    quoted: dict[int, str] = {}
    for number, indexes in wanted.items():
        last = max(indexes)
        for index, raw in enumerate(sources[number].lines()):
            if index in indexes:
                quoted[number << FILE_SHIFT | index] = raw.decode(errors="replace").rstrip("\n")
            if index >= last:
                break
    return quoted
