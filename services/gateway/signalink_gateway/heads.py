"""Asks the log where channels are whenever the bus may have lost something, and says how Redis is.

After every (re)attachment, every 30 s for all channels, and every 2 s while Redis is away: then this is the feed.
"""

import asyncio
import contextlib
import time
from uuid import UUID

from signalink_core import lifecycle
from signalink_core.bus import Subscriber
from signalink_core.errors import DependencyUnavailable
from signalink_core.readiness import Readiness
from signalink_core.telemetry import logging
from signalink_gateway.channel import Channel
from signalink_gateway.recovery import Recovery

POLL_SECONDS = 2.0
FULL_SECONDS = 30.0
GATHER_SECONDS = 0.02
"""Attachments of one moment are asked for together."""

log = logging.get_logger(__name__)


class Heads(lifecycle.Lifecycle):
    def __init__(self, recovery: Recovery, readiness: Readiness, bus: Subscriber) -> None:
        super().__init__()
        self._recovery, self._readiness, self._bus = recovery, readiness, bus
        self._attached: set[UUID] = set()
        self._asked = asyncio.Event()
        self._full_at = 0.0

    def attached(self, channel_id: UUID) -> None:
        """Redis confirmed the channel: what was said before may be lost."""
        self._recovery.hub.on_attached(channel_id)
        self._attached.add(channel_id)
        self._asked.set()

    def lost(self) -> None:
        self._recovery.hub.on_lost()
        self._full_at = 0.0
        self._asked.set()

    async def _start(self) -> None:
        self._asked.set()
        self.spawn(self._run(), "heads")

    async def _run(self) -> None:
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(POLL_SECONDS):
                    await self._asked.wait()
            self._asked.clear()
            await asyncio.sleep(GATHER_SECONDS)
            self._report()
            channels = self._due()
            try:
                await self._recovery.check_heads(channels)
            except DependencyUnavailable as exc:
                log.debug("heads_unread", reason=exc.detail)
                self._full_at = 0.0
                await asyncio.sleep(lifecycle.full_jitter(3))

    def _report(self) -> None:
        if self._bus.connected:
            self._readiness.set("redis", "ok")
        else:
            self._readiness.set("redis", "degraded", "events are read from Postgres every 2 s")

    def _due(self) -> list[Channel]:
        channels = self._recovery.hub.channels
        now = time.monotonic()
        some, self._attached = self._attached, set()
        if self._bus.connected and now < self._full_at:
            return [channels[channel_id] for channel_id in some if channel_id in channels]
        self._full_at = now + FULL_SECONDS
        return list(channels.values())
