"""One owned partition: how far its effects are, what works on it, and that it was taken away. No client, no store."""

import asyncio
import time
from collections.abc import Callable

from signalink_core.kafka.batching import Place
from signalink_core.readiness import State

Report = Callable[[str, State, str], None]


class Abandoned(Exception):
    """The partition is not ours any more; nothing of the work in hand was kept."""


class Lane:
    """`stored`: the next offset in the store (None: nothing yet); `position`: the next to be read (None: closed)."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self.stored: int | None = None
        self.position: int | None = None
        self.committed: int | None = None
        self.task: asyncio.Task[None] | None = None
        self.closed = asyncio.Event()
        self.touched = time.monotonic()

    @property
    def ready(self) -> bool:
        """Opened, and nothing works on it."""
        return self.task is None and self.position is not None and not self.closed.is_set()

    @property
    def fields(self) -> dict[str, object]:
        """For log lines."""
        return {"topic": self.place[0], "partition": self.place[1]}

    def moved(self, offset: int) -> None:
        """The store has everything before `offset`."""
        self.stored = self.position = offset
        self.touched = time.monotonic()

    def check(self) -> None:
        if self.closed.is_set():
            raise Abandoned

    async def pause(self, seconds: float) -> None:
        """Wait; Abandoned as soon as the partition is taken away."""
        try:
            async with asyncio.timeout(seconds):
                await self.closed.wait()
        except TimeoutError:
            return
        raise Abandoned


class Reporting:
    """`report(dependency, state, detail)`, told of changes only; `Readiness.set` fits."""

    def __init__(self, report: Report | None) -> None:
        self._report = report
        self._last: dict[str, State] = {}

    def __call__(self, dependency: str, state: State, detail: str) -> None:
        if self._report is not None and self._last.get(dependency) != state:
            self._last[dependency] = state
            self._report(dependency, state, detail)
