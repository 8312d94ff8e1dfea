"""Takes the due deliveries of one channel and works on some at once; any number of processes may do so.

Owns the taking, how much at once, and what is left to the next holder when the process stops or Postgres is away. What
is done with a delivery is `work`'s.
"""

import asyncio
import time
from collections.abc import Sequence
from typing import Final

from signalink_core.database.outage import AWAY
from signalink_core.errors import DependencyUnavailable
from signalink_core.lifecycle import Lifecycle, full_jitter
from signalink_core.telemetry import logging
from signalink_notifications.delivery.rows import Held, Stale
from signalink_notifications.delivery.work import Means, Work, count

DRAIN_SECONDS: Final = 7.0
log = logging.get_logger(__name__)


class Sender(Lifecycle):
    """Of one channel in one process."""

    def __init__(self, means: Means) -> None:
        super().__init__()
        self._means, self._name = means, means.channel.name
        self._working: set[asyncio.Task[None]] = set()
        self._draining = False

    async def _start(self) -> None:
        self._draining = False
        self.spawn(self._run(), f"send:{self._name}")

    async def _stop(self) -> None:
        """Take nothing more; what is in hand has some seconds, then it is left to the next holder."""
        self._draining = True
        if self._working:
            await asyncio.wait(self._working, timeout=DRAIN_SECONDS)

    async def _run(self) -> None:
        failures = 0
        while not self._draining:
            free = self._means.limits.concurrency - len(self._working)
            taken = time.monotonic()
            try:
                groups = await self._means.deliveries.claim(self._name, free) if free else []
                failures = 0
            except AWAY as error:
                failures += 1
                log.warning("deliveries_unreachable", channel=self._name, reason=type(error).__name__)
                await asyncio.sleep(full_jitter(failures, cap=2.0))
                continue
            for group in groups:
                task = self.spawn(self._deliver(group, taken), f"deliver:{self._name}")
                self._working.add(task)
                task.add_done_callback(self._working.discard)
            await self._pause(full=len(groups) == free)

    async def _pause(self, *, full: bool) -> None:
        """Until one more can be worked on, or for a moment."""
        if self._working and full:
            await asyncio.wait(
                self._working, timeout=self._means.limits.poll_seconds, return_when=asyncio.FIRST_COMPLETED
            )
        else:
            await asyncio.sleep(self._means.limits.poll_seconds)

    async def _deliver(self, group: Sequence[Held], taken: float) -> None:
        """Everything about one group. What nobody foresaw counts as a failed attempt: it must end some time."""
        work = Work(self._means, group, taken)
        try:
            await work.run()
        except Stale as error:
            count(self._name, "stale", len(group))
            log.warning("delivery_stale", channel=self._name, reason=error.detail)
        except DependencyUnavailable as error:
            log.warning("delivery_left", channel=self._name, count=len(group), reason=error.code)
        except AWAY as error:
            log.warning("delivery_left", channel=self._name, count=len(group), reason=type(error).__name__)
        except Exception as error:  # whatever a channel may raise; its text may quote an address
            log.error("delivery_broke", channel=self._name, count=len(group), error=type(error).__name__)
            await work.broke()
