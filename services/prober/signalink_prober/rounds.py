"""A look that is taken again and again: its pace, its time limit, and what is said when it fails."""

import asyncio
from collections.abc import Awaitable, Callable

from redis.exceptions import RedisError

from signalink_core.errors import SignalinkError
from signalink_core.lifecycle import Lifecycle
from signalink_core.log import outbox
from signalink_core.readiness import Readiness

LIMIT_SECONDS = 8.0
ERRORS = (*outbox.ERRORS, SignalinkError, RedisError)
"""What a look at Postgres, Kafka or Redis raises while that is away."""


class Rounds(Lifecycle):
    """Calls `look` every `every` seconds. A failed one makes `name` degraded: a prober is never unready, it has nothing
    to serve, and what it cannot see shows in its figures.
    """

    def __init__(self, name: str, look: Callable[[], Awaitable[object]], every: float, readiness: Readiness) -> None:
        super().__init__()
        self._name, self._look, self._every, self._readiness = name, look, every, readiness

    async def _start(self) -> None:
        self.spawn(self._run(), f"look-{self._name}")

    async def _run(self) -> None:
        while True:
            try:
                async with asyncio.timeout(LIMIT_SECONDS):
                    await self._look()
                self._readiness.set(self._name, "ok")
            except ERRORS as error:
                self._readiness.set(self._name, "degraded", repr(error))
            await asyncio.sleep(self._every)
