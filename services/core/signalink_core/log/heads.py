"""The last seq of every channel that moved, published each second: state, not edges (log.md 3).

Independent of Kafka, of the relay's cursor and of its lease: whatever is committed shows up here within a second, and
is repeated about ten times, so a lost publish delays a reader by a second and never more.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import NamedTuple
from uuid import UUID

from signalink_core.database.pool import Pool
from signalink_core.lifecycle import Lifecycle
from signalink_core.log import outbox
from signalink_core.telemetry import logging

EVERY_SECONDS = 1.0
WINDOW_SECONDS = 10.0

Head = tuple[UUID, int, int]
"""(channel id, epoch, last seq); every channel is in the log's current epoch."""
log = logging.get_logger(__name__)


class Sample(NamedTuple):
    """Where the log was: `xmin` at `at` (monotonic seconds), in `epoch`."""

    at: float
    epoch: int
    xmin: int


class Window:
    """Remembers the xmin of the last ten seconds; `since()` is the newest that is at least that old.

    After a pause it is older, so nothing committed in the pause is missed. Another epoch starts anew: its ids may be
    lower.
    """

    def __init__(self, seconds: float = WINDOW_SECONDS, clock: Callable[[], float] = time.monotonic) -> None:
        self._seconds, self._clock = seconds, clock
        self._samples: deque[Sample] = deque()  # bound: one per tick of the last ten seconds, older ones are removed

    def add(self, epoch: int, xmin: int) -> None:
        if self._samples and self._samples[-1].epoch != epoch:
            self._samples.clear()
        self._samples.append(Sample(self._clock(), epoch, xmin))

    def since(self) -> int | None:
        """None until ten seconds are known: then the last rows of the last minute are published instead."""
        then = self._clock() - self._seconds
        while len(self._samples) > 1 and self._samples[1].at <= then:
            self._samples.popleft()
        if not self._samples or self._samples[0].at > then:
            return None
        return self._samples[0].xmin


class Heads(Lifecycle):
    """`publish` takes the heads and must not block; an empty list says that the relay lives and nothing moved."""

    def __init__(
        self,
        pool: Pool,
        publish: Callable[[Sequence[Head]], None],
        *,
        shards: Sequence[int] = outbox.SHARDS,
        schema: str = "messaging",
        every: float = EVERY_SECONDS,
        window: float = WINDOW_SECONDS,
    ) -> None:
        super().__init__()
        self._pool, self._publish, self._shards = pool, publish, tuple(shards)
        self._outbox = outbox.Outbox(schema)
        self._every = every
        self._window = Window(window)

    async def _start(self) -> None:
        self.spawn(self._run(), "heads")

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        due = loop.time()
        while True:
            try:
                async with asyncio.timeout(2 * self._every + 1):
                    self._publish(await self.read())
            except outbox.ERRORS as error:
                log.warning("heads_failed", reason=repr(error))
            due = max(due + self._every, loop.time())
            await asyncio.sleep(due - loop.time())

    async def read(self) -> list[Head]:
        """The heads to publish now; also moves the window on."""
        async with self._pool.acquire() as conn:
            rows = await self._outbox.heads(conn, self._shards, self._window.since())
        self._window.add(rows[0]["epoch"], rows[0]["xmin"])
        return [(row["channel_id"], row["epoch"], row["seq"]) for row in rows if row["channel_id"] is not None]
