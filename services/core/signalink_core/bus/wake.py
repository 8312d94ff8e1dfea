"""Waking the relay: an event that is set whenever some publisher says the log grew.

A lost wake costs the relay at most its 50 ms poll, so there is nothing to confirm here.
"""

import asyncio

from signalink_core import lifecycle
from signalink_core.bus import feed, keys
from signalink_core.bus.subscriber import ignore
from signalink_core.settings import RedisSettings


class Wake(lifecycle.Lifecycle):
    """`wait(seconds)` returns early when the log grew; also after every (re)connect, as wakes may have been lost."""

    def __init__(self, redis: RedisSettings) -> None:
        super().__init__()
        self.event = asyncio.Event()
        self._feed = feed.Feed(redis, on_message=self._set, on_confirmed=self._set, on_lost=ignore)
        self._feed.add(keys.WAKE)

    async def wait(self, seconds: float) -> bool:
        """True when woken, False after `seconds`; clears the event."""
        try:
            async with asyncio.timeout(seconds):
                await self.event.wait()
        except TimeoutError:
            return False
        self.event.clear()
        return True

    async def _start(self) -> None:
        await self._feed.start()

    async def _stop(self) -> None:
        await self._feed.stop()

    def _set(self, *_: bytes) -> None:
        self.event.set()
