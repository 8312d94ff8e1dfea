"""One timer for all sessions: pings, handshake and token deadlines. Entries name a session by number and never hold it.

A tick of 250 ms is exact enough for deadlines of seconds, and 10,000 sessions cost one timer instead of 30,000.
"""

import asyncio
import math
import time
from collections.abc import Callable
from typing import Literal

from signalink_core import lifecycle
from signalink_core.telemetry import logging

TICK_SECONDS = 0.25
Kind = Literal["handshake", "ping", "expiry", "verdict"]
log = logging.get_logger(__name__)


class Wheel(lifecycle.Lifecycle):
    """`due(number, kind)` is called once per entry, not before its time; `every_tick` after each tick's entries."""

    def __init__(
        self,
        due: Callable[[int, Kind], None],
        every_tick: Callable[[], None],
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__()
        self._due, self._every_tick, self._clock = due, every_tick, clock
        self._buckets: dict[int, dict[Kind, list[int]]] = {}
        self._done = self._now()

    def _now(self) -> int:
        return math.floor(self._clock() / TICK_SECONDS)

    def after(self, seconds: float, number: int, kind: Kind) -> None:
        """Asks for one call in `seconds`, at most a tick late."""
        tick = max(self._done + 1, math.ceil((self._clock() + seconds) / TICK_SECONDS))
        self._buckets.setdefault(tick, {}).setdefault(kind, []).append(number)  # a pair each took 56 bytes more

    def turn(self) -> None:
        """Calls everything whose time has come, tick by tick; a late turn catches up."""
        now = self._now()
        while self._done < now:
            self._done += 1
            for kind, numbers in self._buckets.pop(self._done, {}).items():
                for number in numbers:
                    self._due(number, kind)
        self._every_tick()

    async def _start(self) -> None:
        self._done = self._now()
        self.spawn(self._run(), "wheel")

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(TICK_SECONDS)
            try:
                self.turn()
            except Exception:
                log.exception("wheel_failed")
