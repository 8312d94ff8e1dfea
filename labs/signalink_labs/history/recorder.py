"""Writes the history file of one process.

Owns the numbering, the clocks and the `end` line. It never reads, never judges, and never drops a line: a full disk
raises at the operation that could not be recorded, because a history with holes proves nothing.
"""

import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from signalink_core.clock import isoformat, utc_now
from signalink_labs.history.lines import Kind, Line, Subject, encode

FLUSH_BYTES = 1 << 20
"""Lines are written to the file when this much is waiting, with each invoke, and at the end."""


class Recorder:
    """Appends lines to `path` for process `proc`; as a context manager it ends the file when the block ends well."""

    def __init__(self, path: Path, proc: str) -> None:
        self.path = path
        self.proc = proc
        self.recorded = 0
        self._file = path.open("xb", buffering=FLUSH_BYTES)

    def record(self, kind: Kind, subject: Subject, /, **fields: Any) -> None:
        """Append one line, stamped now; an `invoke` is in the file when this returns, should we be killed next."""
        line = Line(
            i=self.recorded,
            mono_ns=time.monotonic_ns(),
            wall=isoformat(utc_now()),
            proc=self.proc,
            type=kind,
            f=subject,
            **fields,
        )
        self._file.write(encode(line))
        if kind == "invoke":
            self._file.flush()
        self.recorded += 1

    def end(self) -> None:
        """Write the `end` line and close; a second call does nothing."""
        if not self._file.closed:
            self.record("note", "end", n=self.recorded)
            self.close()

    def close(self) -> None:
        """Close without `end`: the checker will call this file incomplete."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        if error is None:
            self.end()
        else:
            self.close()
