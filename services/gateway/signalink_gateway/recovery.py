"""Joining, resuming and healing: everything that reads the log on behalf of the feed.

A subscription begins with one read of its rights (`plan` decides), catches up from the ring or from pages of the log in
slices of 128 KB, and goes live when it has reached the channel's own seq. One task per session while it has something
to catch up; one task per channel while it heals.
"""

import asyncio
import time
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field

from signalink_core import lifecycle
from signalink_core.errors import DependencyUnavailable
from signalink_core.events import Position
from signalink_core.telemetry import logging, names
from signalink_gateway import disconnects
from signalink_gateway import hub as hubs
from signalink_gateway.channel import Channel, Subscription
from signalink_gateway.commands import After, Ref
from signalink_gateway.hub import Hub
from signalink_gateway.plan import Refused, Start, plan
from signalink_gateway.reads import LogReads, Standing
from signalink_gateway.ring import Entry, take
from signalink_gateway.session import Session

SLICE_BYTES = 131_072
ATTACH_SECONDS = 1.0
JOINS_AT_ONCE = 16
JOIN_ATTEMPTS = 20
RETRY_CAP_SECONDS = 2.0
"""Twenty attempts with full jitter up to 2 s: about 15 s until `unavailable` is answered."""
HEADS_AT_ONCE = 1_000

_DELIVERED_RESUMED = names.DELIVERY_SECONDS.labels(path="resumed")
log = logging.get_logger(__name__)


@dataclass(slots=True)
class Join:
    """One channel of a `subscribe`."""

    subscription: Subscription
    after: After | None
    ref: Ref


@dataclass(slots=True)
class Work:
    """What a session has to catch up."""

    joins: deque[Join] = field(default_factory=deque)
    behind: deque[Subscription] = field(default_factory=deque)
    drained: asyncio.Event = field(default_factory=asyncio.Event)


class Recovery(lifecycle.Lifecycle):
    def __init__(self, reads: LogReads) -> None:
        super().__init__()
        self.reads = reads
        self.hub = Hub(heal=self.heal, lagging=self.catch_up)

    # joining

    def join(self, subscription: Subscription, after: After | None, ref: Ref) -> None:
        """Begins a subscription; answers `subscribed` or `error` to its session."""
        self._work(subscription.session).joins.append(Join(subscription, after, ref))

    def catch_up(self, subscription: Subscription) -> None:
        """A subscription left the feed: it goes on from its position once the session drained."""
        self._work(subscription.session).behind.append(subscription)

    def _work(self, session: Session) -> Work:
        if session.work is None:
            session.work = Work()
            self.spawn(self._run(session, session.work), "session-recovery")
        return session.work

    async def _run(self, session: Session, work: Work) -> None:
        try:
            while session.closed is None and (work.joins or work.behind):
                while work.joins:
                    joins = [work.joins.popleft() for _ in range(min(JOINS_AT_ONCE, len(work.joins)))]
                    await asyncio.gather(*(self._begin(session, join, work) for join in joins))
                await self._advance_all(session, work)
        except Exception:
            log.exception("recovery_failed", session=str(session.id))
            session.close(disconnects.NODE_RESTART, "recovery failed")
        finally:
            session.work = None

    async def _begin(self, session: Session, join: Join, work: Work) -> None:
        subscription, channel = join.subscription, join.subscription.channel
        try:
            standing = await self._standing(session, channel)
        except DependencyUnavailable as exc:
            self._refuse(join, "unavailable", f"{exc.detail} Subscribe again later.")
            names.WS_RESUMES_TOTAL.labels(result="failed").inc()
            return
        if subscription.closed or session.closed is not None:
            return
        after = None if join.after is None else Position(join.after.epoch, join.after.seq)
        start = plan(standing, after)
        if isinstance(start, Refused):
            self._refuse(join, "not_found", "No such channel, or you are not a member of it: join it first.")
            return
        subscription.joined = 0 if standing is None else standing.last_seq
        self._say_subscribed(subscription, start, join.ref)
        if after is not None:
            names.WS_RESUMES_TOTAL.labels(result="recovered" if start.gap is None else "gap").inc()
        work.behind.append(subscription)

    async def _standing(self, session: Session, channel: Channel) -> Standing | None:
        """Rights and position, read after the channel was attached; repeated while the log cannot be read."""
        await self._attached(channel)
        user = session.user
        if user is None:
            return None
        for attempt in range(1, JOIN_ATTEMPTS + 1):
            try:
                standing = await self.reads.standing(channel.id, user)
            except DependencyUnavailable:
                if attempt == JOIN_ATTEMPTS or session.closed is not None:
                    raise
                await asyncio.sleep(lifecycle.full_jitter(attempt, cap=RETRY_CAP_SECONDS))
                continue
            if standing is not None:
                self.hub.learn(channel, standing.epoch, standing.last_seq)
            if standing is None or standing.epoch == channel.epoch:
                return standing
            await asyncio.sleep(hubs.REORDER_SECONDS)
        raise DependencyUnavailable("The channel is changing its epoch.")

    async def _attached(self, channel: Channel) -> None:
        """Waits until Redis confirmed; without Redis, or after 1 s, goes on: heads are read once it is attached."""
        if channel.attached or self.hub.bus is None or not self.hub.bus.connected:
            return
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        channel.waiting.append(future)
        await asyncio.wait({future}, timeout=ATTACH_SECONDS)
        future.cancel()

    def _refuse(self, join: Join, code: str, message: str) -> None:
        session, channel = join.subscription.session, join.subscription.channel
        if not join.subscription.closed:
            session.say(op="error", ref=join.ref, code=code, message=message, channel=channel.id)
        self.hub.drop(join.subscription)

    def _say_subscribed(self, subscription: Subscription, start: Start, ref: Ref) -> None:
        session, channel = subscription.session, subscription.channel
        subscription.position, subscription.skips, subscription.until = start.seq, start.skips, start.until
        subscription.told = start.seq
        subscription.begun = True
        skipped = {"skipped": [{"from": first, "to": last} for first, last in start.skips]} if start.skips else {}
        session.say(
            op="subscribed",
            ref=ref,
            channel=channel.id,
            position={"epoch": start.epoch, "seq": start.seq},
            recovered=start.recovered,
            **skipped,
        )
        if start.gap is not None:
            session.put(hubs.gap(channel, *start.gap))

    # catching up

    async def _advance_all(self, session: Session, work: Work) -> None:
        """One slice for each subscription that is not live, in turn; waits while the socket does not drain."""
        failures = 0
        for _ in range(len(work.behind)):
            if session.behind:
                work.drained.clear()
                await work.drained.wait()
            if session.closed is not None:
                return
            subscription = work.behind.popleft()
            try:
                done = await self._advance(subscription)
            except DependencyUnavailable:
                failures += 1
                done = False
                await asyncio.sleep(lifecycle.full_jitter(failures + 2, cap=RETRY_CAP_SECONDS))
            if not done:
                work.behind.append(subscription)
            session.write_out()
            await asyncio.sleep(0)

    async def _advance(self, subscription: Subscription) -> bool:
        """Gives one slice. True: live, ended or closed; nothing is left to catch up."""
        channel = subscription.channel
        _jump_skipped(subscription)
        if self._arrived(subscription):
            return True
        entries = channel.ring.after(subscription.position, SLICE_BYTES)
        if entries is None:
            entries = await self._from_log(channel, subscription.position)
        if not subscription.closed and entries:
            self._give(subscription, entries)
            _DELIVERED_RESUMED.observe(max(0.0, time.time() - entries[-1].at))
        return self._arrived(subscription)

    async def _from_log(self, channel: Channel, position: int) -> list[Entry]:
        """One slice of the log, which the ring takes too where it fits; empty after a wait when the log is behind."""
        page = await self.reads.page(channel.id, position)
        if page.entries and page.epoch == channel.epoch:
            channel.ring.backfill(page.entries, channel.seq or 0)
            above = take((entry for entry in page.entries if entry.seq > position), SLICE_BYTES)
            if above:
                return above
        await asyncio.sleep(hubs.REORDER_SECONDS)
        return []

    def _arrived(self, subscription: Subscription) -> bool:
        if subscription.closed or subscription.session.closed is not None:
            return True
        channel = subscription.channel
        if subscription.until is not None and subscription.position >= subscription.until:
            self.hub.drop(subscription)
            return True
        if channel.seq is None or subscription.position < channel.seq:
            return False
        channel.go_live(subscription)
        return True

    def _give(self, subscription: Subscription, entries: Iterable[Entry]) -> None:
        """Entries in order: what the user may not see is passed over, a removal of the user is the last."""
        session = subscription.session
        for entry in entries:
            if entry.seq <= subscription.position:
                continue
            if subscription.until is not None and entry.seq > subscription.until:
                subscription.position = subscription.until
                return
            if entry.seq > subscription.position + 1 and not _skipped(subscription, entry.seq - 1):
                session.put(hubs.gap(subscription.channel, subscription.position + 1, entry.seq - 1))
            subscription.position = entry.seq
            if _skipped(subscription, entry.seq):
                continue
            session.put(entry.frame)
            if entry.ends(session.user) and entry.seq > subscription.joined:
                subscription.until = entry.seq
                return

    # healing

    def heal(self, channel: Channel) -> None:
        """Reads what the channel lacks below its target; the hub saw to it that one heal runs at a time."""
        self.spawn(self._heal(channel), "channel-heal")

    async def _heal(self, channel: Channel) -> None:
        failures, healed = 0, 0
        try:
            while self._incomplete(channel):
                try:
                    taken = await self._heal_once(channel)
                except DependencyUnavailable:
                    taken = 0
                failures = 0 if taken else failures + 1
                healed += taken
                if failures:
                    await asyncio.sleep(lifecycle.full_jitter(failures, cap=RETRY_CAP_SECONDS))
        except Exception:
            log.exception("heal_failed", channel=str(channel.id))
        finally:
            channel.healing = False
        if healed:
            names.WS_GAPS_HEALED_TOTAL.inc()
            log.info("gap_healed", channel=str(channel.id), events=healed)

    def _incomplete(self, channel: Channel) -> bool:
        if self.hub.channels.get(channel.id) is not channel or channel.seq is None:
            return False
        return channel.suspect or channel.target > channel.seq

    async def _heal_once(self, channel: Channel) -> int:
        """One page; how many of its events nobody had brought before."""
        seq = channel.seq or 0
        if channel.suspect:
            head = (await self.reads.heads([channel.id])).get(channel.id)
            channel.suspect = False
            if head is not None and head.epoch > channel.epoch:
                self.hub.restart(channel, head.epoch, head.seq)
            return 1
        page = await self.reads.page(channel.id, seq)
        if page.entries and page.epoch != channel.epoch:
            channel.suspect = page.epoch > channel.epoch
            return 1
        above = [entry for entry in page.entries if entry.seq > seq]
        if above and above[0].seq > (channel.seq or 0) + 1:
            self.hub.jump(channel, above[0].seq - 1)
        return self.hub.take(channel, above)

    async def check_heads(self, channels: Iterable[Channel]) -> None:
        """Asks the log where these channels are. Raises DependencyUnavailable."""
        known = [channel.id for channel in channels if channel.seq is not None]
        for start in range(0, len(known), HEADS_AT_ONCE):
            heads = await self.reads.heads(known[start : start + HEADS_AT_ONCE])
            self.hub.on_heads((channel, head.epoch, head.seq) for channel, head in heads.items())


def _skipped(subscription: Subscription, seq: int) -> bool:
    return any(first <= seq <= last for first, last in subscription.skips)


def _jump_skipped(subscription: Subscription) -> None:
    """A range that the user may not see is not even read."""
    for first, last in subscription.skips:
        if first <= subscription.position + 1 <= last:
            subscription.position = last
