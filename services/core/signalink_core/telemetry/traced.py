"""Owns how many log lines the hot paths may write about single messages: all while it is quiet, a few when it is busy.

A line costs about 50 us, a post about 200; so each kind of line gets 20 a second per process (0.1 % of it) and the next
one says how many were left out. At level `debug` none is. `signalink logs --trace` reads them, `signalink trace` needs
none of them.
"""

import time
from collections.abc import Callable
from typing import ClassVar, Final

PER_SECOND: Final = 20


class Lines:
    """One kind of line: `if lines.due(): log.info(..., **lines.left_out())`."""

    everything: ClassVar[bool] = False
    """Level `debug`; set by `logging.configure`."""

    __slots__ = ("_clock", "_left", "_skipped", "_until")

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._until = 0.0
        self._left = 0
        self._skipped = 0

    def due(self) -> bool:
        """Whether this line is to be written. About 0.1 us."""
        now = self._clock()
        if now >= self._until:
            self._until, self._left = now + 1.0, PER_SECOND
        if self._left or self.everything:
            self._left -= self._left > 0
            return True
        self._skipped += 1
        return False

    def left_out(self) -> dict[str, int]:
        """A field for the line that is written: how many were not since the last one."""
        skipped, self._skipped = self._skipped, 0
        return {"left_out": skipped} if skipped else {}
