"""Sees to it that a process dies with no call to a provider in flight but the one its death is about.

A call that a provider took and nobody recorded is repeated, wherever its process dies: by accident each death could be
one at `notify.after_send`. So for a death in one channel's call the other providers are down; for a death elsewhere in
the dispatcher's process its calls are held before they begin. Then it waits until what was taken is recorded.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import partial

import evidence
from mailroom import CHANNELS, Mailroom
from rig import Platform

from signalink_core.testing import eventually

BEFORE, AFTER = "notify.before_send", "notify.after_send"
CALL_SECONDS = 1.0
"""A call to a provider on this machine has reached it by then."""
WITHIN_SECONDS, HOLD_SECONDS = 30.0, 90.0
IN_HAND = """
SELECT channel, idempotency_key FROM notifications.deliveries
WHERE state = 'pending' AND holder = $1 AND lease_until > now() AND channel = ANY ($2)
"""


class Hush:
    """Of one run. One death at a time has providers down for it."""

    def __init__(self, platform: Platform, mailroom: Mailroom) -> None:
        self._platform, self._mailroom = platform, mailroom
        self._turn = asyncio.Lock()

    @asynccontextmanager
    async def only(self, process: str, channel: str) -> AsyncIterator[None]:
        """Within the block no other channel's calls get anywhere."""
        others = [other for other in CHANNELS if other != channel]
        async with self._turn:
            try:
                for other in others:
                    await asyncio.to_thread(self._mailroom.servers[other].down)
                await self._recorded(process, others)
                yield
            finally:
                for other in others:
                    await asyncio.to_thread(self._mailroom.servers[other].up)

    async def hold(self, process: str) -> None:
        """From now until it dies, this process calls no provider."""
        fault = {"point": BEFORE, "action": "hang", "ttl_seconds": HOLD_SECONDS}
        await asyncio.to_thread(partial(self._platform.fault, process, **fault))
        await self._recorded(process, CHANNELS)

    async def _recorded(self, process: str, channels: Sequence[str]) -> None:
        """Until nothing that a provider took is unrecorded in that process's hands."""
        await asyncio.sleep(CALL_SECONDS)

        async def none() -> bool:
            rows = await evidence.fetch(self._platform, IN_HAND, process, list(channels))
            took = self._mailroom.taken()
            return not any(str(row["idempotency_key"]) in took[row["channel"]] for row in rows)

        await eventually(none, within=WITHIN_SECONDS, every=0.1)
