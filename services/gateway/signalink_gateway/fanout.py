"""From a channel's fresh events to the sockets: joined per channel, then per session, one write per session and turn.

Nothing here is per delivery but an append; there is no task, queue, JSON or metric call. Turns are rounds: first every
channel with fresh events is appended to its live subscribers, then every touched session is written. Both are sliced so
that other callbacks of the loop run in between; a round ends before the next begins, so order per channel is kept.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from signalink_core import faults
from signalink_core.telemetry import names
from signalink_gateway.channel import Channel, Subscription
from signalink_gateway.ring import Entry

if TYPE_CHECKING:
    from signalink_gateway.session import Session

APPENDS_PER_SLICE = 2_048
"""About 0.3 ms."""
WRITES_PER_SLICE = 256
"""About 2.5 ms: the kernel's send is the cost."""


class Fanout:
    """`ended(subscription)` is called when a removal was delivered, `lagging(subscription)` when one left the feed."""

    def __init__(self, *, ended: Callable[[Subscription], None], lagging: Callable[[Subscription], None]) -> None:
        self._ended, self._lagging = ended, lagging
        self._channels: deque[Channel] = deque()  # bound: the node's channels, each at most once
        self._sessions: list[Session] = []
        self._round: Iterator[None] | None = None

    def add(self, channel: Channel) -> None:
        """The channel has fresh events."""
        if not channel.queued:
            channel.queued = True
            self._channels.append(channel)
            self._schedule()

    def touch(self, session: "Session") -> None:
        """The session has bytes to write."""
        if not session.dirty:
            session.dirty = True
            self._sessions.append(session)
            self._schedule()

    def _schedule(self) -> None:
        if self._round is None:
            self._round = self._rounds()
            asyncio.get_running_loop().call_soon(self._turn)

    def _turn(self) -> None:
        if self._round is None:
            return
        try:
            next(self._round)
        except StopIteration:
            self._round = None
        else:
            asyncio.get_running_loop().call_soon(self._turn)

    def _rounds(self) -> Iterator[None]:
        """Yields where the loop may run something else."""
        while self._channels or self._sessions:
            budget = APPENDS_PER_SLICE
            for _ in range(len(self._channels)):
                channel = self._channels.popleft()
                entries, channel.fresh, channel.queued = channel.fresh, [], False
                for done in self._distribute(channel, entries):
                    budget -= done
                    if budget <= 0:
                        budget = APPENDS_PER_SLICE
                        yield
            sessions, self._sessions = self._sessions, []
            for start in range(0, len(sessions), WRITES_PER_SLICE):
                for session in sessions[start : start + WRITES_PER_SLICE]:
                    self._write(session)
                if start + WRITES_PER_SLICE < len(sessions):
                    yield

    def _distribute(self, channel: Channel, entries: list[Entry]) -> Iterator[int]:
        """Appends to all live subscribers in slices; yields how many appends each slice took."""
        began = time.perf_counter()
        data = entries[0].frame if len(entries) == 1 else b"".join([entry.frame for entry in entries])
        subscribers = list(channel.live)
        for start in range(0, len(subscribers), WRITES_PER_SLICE):
            part = subscribers[start : start + WRITES_PER_SLICE]
            self._append(part, data, entries)
            yield len(part)
        names.FANOUT_SECONDS.observe(time.perf_counter() - began)
        names.FANOUT_RECIPIENTS.observe(len(subscribers))

    def _append(self, subscribers: list[Subscription], data: bytes, entries: list[Entry]) -> None:
        touched = self._sessions
        for subscription in subscribers:
            if subscription.odd:
                self._append_odd(subscription, entries)
                continue
            session = subscription.session
            if session.out is not None:  # what waits makes a session dirty: this runs once per delivery
                session.out.append(data)
                continue
            session.out = [data]  # `queue` in place
            if not session.dirty:
                session.dirty = True
                touched.append(session)

    def _append_odd(self, subscription: Subscription, entries: list[Entry]) -> None:
        if not subscription.live:
            return
        session = subscription.session
        if session.behind:
            subscription.position = max(subscription.since, entries[0].seq - 1)
            subscription.channel.leave_live(subscription)
            self._lagging(subscription)
            return
        until = subscription.until
        for entry in entries:
            if entry.seq > subscription.since and (until is None or entry.seq <= until):
                session.queue(entry.frame)
        self.touch(session)
        last = entries[-1].seq
        if until is not None and last >= until:
            self._ended(subscription)
        elif until is None and last >= subscription.since:
            subscription.odd = False

    def _write(self, session: "Session") -> None:
        if faults.here.active:
            fired = faults.fires("gateway.delay_write", session=str(session.id))
            if fired is not None and fired.delay_ms:
                asyncio.get_running_loop().call_later(fired.delay_ms / 1000, session.write_out)
                return
        session.write_out()
