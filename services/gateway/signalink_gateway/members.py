"""The members of the small channels that are open on this node, and which of them may type. A cache that heals itself.

Owns when it is read: on opening a channel, and after every membership event, at most once a second per channel and
many channels in one statement. It admits nobody to anything but hints: subscriptions read their rights themselves.
"""

import asyncio
import time
from collections.abc import Callable, Collection
from typing import NamedTuple
from uuid import UUID

from signalink_core import lifecycle
from signalink_core.errors import DependencyUnavailable
from signalink_core.telemetry import logging
from signalink_gateway.reads import LogReads

MOST_MEMBERS = 200
"""Above it a channel has neither typing nor presence: no screen shows it."""
GATHER_SECONDS = 0.05
CHANNELS_PER_READ = 100
AGAIN_SECONDS = 1.0

log = logging.get_logger(__name__)


class Small(NamedTuple):
    """The members of a channel of at most 200, and those of them who may not type. Tuples: a fifth of a dictionary."""

    users: tuple[UUID, ...]
    silent: tuple[UUID, ...]


class Members(lifecycle.Lifecycle):
    """`changed(channel id, members)` after each read; no members for a channel that is too large.

    `same(user)`: the object that stands for a user elsewhere on this node.
    """

    def __init__(
        self, reads: LogReads, *, changed: Callable[[UUID, Collection[UUID]], None], same: Callable[[UUID], UUID]
    ) -> None:
        super().__init__()
        self._reads, self._changed, self._same = reads, changed, same
        self._small: dict[UUID, Small] = {}
        self._open: set[UUID] = set()
        self._due: dict[UUID, float] = {}
        self._read_at: dict[UUID, float] = {}
        self._asked = asyncio.Event()
        self.reads_done = 0

    def opened(self, channel_id: UUID) -> None:
        self._open.add(channel_id)
        self.stale(channel_id)

    def closed(self, channel_id: UUID) -> None:
        self._open.discard(channel_id)
        self._due.pop(channel_id, None)
        self._read_at.pop(channel_id, None)
        if self._small.pop(channel_id, None) is not None:
            self._changed(channel_id, ())

    def stale(self, channel_id: UUID) -> None:
        """What is known of the channel is old."""
        if channel_id in self._open and channel_id not in self._due:
            self._due[channel_id] = max(time.monotonic(), self._read_at.get(channel_id, 0.0) + AGAIN_SECONDS)
            self._asked.set()

    def small(self, channel_id: UUID) -> bool:
        """Whether the channel is known to have at most 200 members."""
        return channel_id in self._small

    def may_type(self, channel_id: UUID, user: UUID) -> bool | None:
        """None: not known, or the channel is too large."""
        small = self._small.get(channel_id)
        return None if small is None else user in small.users and user not in small.silent

    async def _start(self) -> None:
        self.spawn(self._run(), "members")

    async def _run(self) -> None:
        failures = 0
        while True:
            await self._asked.wait()
            await asyncio.sleep(GATHER_SECONDS)
            self._asked.clear()
            now = time.monotonic()
            channels = [channel for channel, at in self._due.items() if at <= now][:CHANNELS_PER_READ]
            try:
                await self._read(channels, now)
                failures = 0
            except DependencyUnavailable as exc:
                failures += 1
                log.debug("members_unread", reason=exc.detail)
                await asyncio.sleep(lifecycle.full_jitter(failures, base=0.1, cap=2.0))
            if self._due:
                self._asked.set()

    async def _read(self, channels: list[UUID], now: float) -> None:
        """A channel that becomes stale while it is read is read again."""
        if not channels:
            return
        for channel in channels:
            del self._due[channel]
            self._read_at[channel] = now
        try:
            found = await self._reads.members(channels, MOST_MEMBERS + 1)
        except DependencyUnavailable:
            for channel in self._open.intersection(channels):
                self._due.setdefault(channel, now)
            raise
        self.reads_done += 1
        for channel in self._open.intersection(channels):
            self._keep(channel, found.get(channel, {}))

    def _keep(self, channel: UUID, members: dict[UUID, bool]) -> None:
        if 0 < len(members) <= MOST_MEMBERS:
            users = tuple(self._same(user) for user in members)
            self._small[channel] = Small(users, tuple(user for user in users if not members[user]))
            self._changed(channel, users)
        elif self._small.pop(channel, None) is not None:
            self._changed(channel, ())
