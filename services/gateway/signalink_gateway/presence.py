"""Presence of this node's users and of those whom its sessions want to know about: the loops around the pure parts.

Four loops, each with its own pace: the tick decides and tells sessions, the writer says it to Redis and Kafka, the
heart keeps this node alive, the look reads the others and clears the dead away. The tick waits for nobody, so sockets
see their own node's users with Redis away too; then everything is written and read anew when it returns.
"""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from uuid import UUID

from signalink_core import lifecycle
from signalink_core.bus import hints
from signalink_core.bus.presence import PresenceStore
from signalink_core.errors import DependencyUnavailable
from signalink_core.events.types import PresenceState
from signalink_core.telemetry import logging, names
from signalink_gateway.census import Census
from signalink_gateway.roster import Change, Roster, strongest
from signalink_gateway.session import Session
from signalink_gateway.transitions import Transitions
from signalink_gateway.view import View
from signalink_gateway.watching import Watching

KNOWN_SECONDS = 2.0
GATHER_SECONDS = 0.02
LAST_SECONDS = 2.0
MOST_TYPING_WAITING = 1_000

log = logging.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Timing:
    """Seconds. Dead after `ttl`, seen within `look`, told within `tick`: a crash shows in less than 10."""

    tick: float = 0.1
    beat: float = 3.0
    ttl: float = 9.0
    look: float = 0.4
    grace: float = 5.0
    typing_every: float = 3.0
    typing_lasts: float = 6.0


class Presence(lifecycle.Lifecycle):
    def __init__(
        self,
        store: PresenceStore,
        roster: Roster,
        view: View,
        watching: Watching,
        transitions: Transitions,
        timing: Timing,
    ) -> None:
        super().__init__()
        self._store, self._roster, self._view, self._watching = store, roster, view, watching
        self._transitions, self._timing = transitions, timing
        self._census = Census(store.node, timing.ttl)
        self._n = 0
        self._outbox: dict[UUID, Change] = {}
        self._typing: dict[tuple[UUID, UUID], None] = {}
        self._filled, self._beat_now, self._look_now = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self._writing = asyncio.Lock()
        self._rewrite = True
        self._reached = False
        self._missed: set[str] = set()
        self._looked = asyncio.Condition()
        self._looked_at = 0.0
        self._ending = False
        self.on_tick: Callable[[], None] = lambda: None

    @property
    def reached(self) -> bool:
        """Whether Redis answered the last look."""
        return self._reached

    # sessions

    def opened(self, session: Session) -> None:
        if session.user is not None:
            self.want([session.user])
            self._roster.opened(session.user, session.number)

    def said(self, session: Session, state: PresenceState) -> None:
        if session.user is not None:
            self._roster.said(session.user, session.number, state)

    def closed(self, session: Session) -> None:
        self._watching.leave(session)
        if session.user is not None:
            self._roster.closed(session.user, session.number, time.monotonic())

    def say_typing(self, channel_id: UUID, user: UUID) -> None:
        """For the next write; with too many waiting it is dropped."""
        if len(self._typing) < MOST_TYPING_WAITING:
            self._typing[channel_id, user] = None
            self._filled.set()

    def want(self, users: Iterable[UUID]) -> None:
        """The view is to know about these."""
        for user in users:
            self._view.want(user)
        self.read_soon()

    def read_soon(self) -> None:
        """Whoever is not read yet is read now instead of at the next look."""
        if self._view.unread:
            self._look_now.set()

    async def known(self, users: frozenset[UUID]) -> None:
        """Returns once these were read from the other nodes; without Redis, or after 2 s, with what is known here."""
        self.read_soon()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(KNOWN_SECONDS if self._reached else 0), self._looked:
                await self._looked.wait_for(lambda: not (users & self._view.unread.keys()))

    # what the bus says

    def hear(self, payload: bytes) -> None:
        try:
            hint = hints.decode_presence(payload)
        except ValueError as exc:
            log.warning("presence_unreadable", reason=str(exc))
            return
        if isinstance(hint, hints.Gone):
            if hint.node == self._store.node:
                self._beat_now.set()
            else:
                self._view.gone(hint.node)
        elif self._view.hear(hint):
            self._missed.add(hint.node)
            self._look_now.set()

    def following(self) -> None:
        """The bus is followed (again): what was said before is lost, perhaps with everything Redis held."""
        self._missed.update(self._view.nodes)
        self._beat_now.set()
        self._look_now.set()

    # the tick

    async def _start(self) -> None:
        self._ending = False
        self._loops = [
            self.spawn(self._forever(self._tick), "presence-tick"),
            self.spawn(self._forever(self._drain_outbox), "presence-writer"),
            self.spawn(self._forever(self._heart), "presence-heart"),
            self.spawn(self._forever(self._look_and_read), "presence-look"),
        ]

    async def _stop(self) -> None:
        """Leaves with the grace of a reconnect: the others clear this node away when it is over.

        The loops end by themselves: a command of redis-py that is cancelled half-way may leave its socket open.
        """
        self._ending = True
        for waking in (self._filled, self._beat_now, self._look_now):
            waking.set()
        await asyncio.wait(self._loops, timeout=LAST_SECONDS)
        with contextlib.suppress(DependencyUnavailable):
            await self._store.beat(int(self._timing.grace * 1000))

    async def _forever(self, once: Callable[[], Awaitable[None]]) -> None:
        """Presence is a hint: an error in it is logged and ends neither the loop nor the process."""
        while not self._ending:
            try:
                await once()
            except Exception:
                log.exception("presence_failed", part=once.__name__)
                await asyncio.sleep(1.0)

    async def _tick(self) -> None:
        await asyncio.sleep(self._timing.tick)
        self.turn(time.monotonic())
        for _ in self._watching.flush():
            await asyncio.sleep(0)

    def turn(self, now: float) -> None:
        """Takes what changed since the last one and hands it to the sessions' frames and to the writer."""
        self._roster.expire(now)
        for change in self._roster.changes():
            if change.before != change.state:
                self._view.moved(change.user)
            earlier = self._outbox.get(change.user)
            self._outbox[change.user] = change if earlier is None else change._replace(before=earlier.before)
            self._filled.set()
        self.on_tick()
        self._watching.deliver(self._view.edges(patient=self._reached))
        names.PRESENCE_USERS.set(len(self._roster))
        names.PRESENCE_KNOWN.set(len(self._view))

    # the writer

    async def _drain_outbox(self) -> None:
        await self._filled.wait()
        self._filled.clear()
        while self._outbox or self._typing:
            changes = [self._outbox.pop(user) for user in list(self._outbox)[: hints.BATCH_USERS]]
            typing, self._typing = self._typing, {}
            try:
                await self._write(changes, list(typing))
            except DependencyUnavailable as exc:
                self._fail(exc)
                self._rewrite = True
                self._beat_now.set()
            await self._settle(changes)

    async def _write(self, changes: list[Change], typing: list[tuple[UUID, UUID]]) -> None:
        if typing:
            await self._store.say_typing(typing)
        edges = [(change.user, change.state) for change in changes if change.before != change.state]
        async with self._writing:
            if changes and not self._rewrite:  # else the heart writes everything
                self._n += 1
                await self._store.write(self._n, {c.user: (c.state, c.sessions) for c in changes}, edges)

    async def _settle(self, changes: list[Change]) -> None:
        """Which changes here changed the user over all nodes. Where another node has the user too, it is asked again.

        Of two nodes that lose the user's last two sessions at once, the one that wrote last sees both losses.
        """
        edges = [change for change in changes if change.before != change.state]
        before = {change.user: self._view.elsewhere(change.user) for change in edges}
        fresh = {change.user for change in edges if change.user in self._view.unread}
        users = [user for user in before if user in fresh or self._view.holders(user)]
        nodes = set(self._view.nodes) if fresh else {node for user in users for node in self._view.holders(user)}
        if users and nodes and self._reached:
            with contextlib.suppress(DependencyUnavailable):
                await self._read(nodes, users)
        for change in edges:
            after = self._view.elsewhere(change.user)
            rest = after if change.user in fresh else before[change.user]
            state = strongest((change.state, after))
            if strongest((change.before, rest)) != state:
                self._transitions.add(change.user, state)
            if change.user not in self._roster:
                self._watching.release(change.user)

    # the heart

    async def _heart(self) -> None:
        wait = self._timing.beat
        try:
            await self._beat()
        except DependencyUnavailable as exc:
            self._fail(exc)
            wait = min(1.0, wait)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(wait):
                await self._beat_now.wait()
        self._beat_now.clear()

    async def _beat(self) -> None:
        kept = await self._store.beat(int(self._timing.ttl * 1000))
        if kept and not self._rewrite:
            return
        async with self._writing:
            self._n += 2  # readers see that something is left out, and read the hash
            await self._store.put_all(self._n, self._roster.everyone())
            self._rewrite = False

    # the look

    async def _look_and_read(self) -> None:
        try:
            if time.monotonic() - self._looked_at >= self._timing.look:
                await self._look()
                self._looked_at = time.monotonic()
            await self._read_missed()
            self._reached = True
        except DependencyUnavailable as exc:
            self._fail(exc)
            self._census.lost()
            self._looked_at = 0.0
            await asyncio.sleep(lifecycle.full_jitter(3))
        async with self._looked:
            self._looked.notify_all()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._timing.look):
                await self._look_now.wait()
        self._look_now.clear()
        await asyncio.sleep(GATHER_SECONDS)

    async def _look(self) -> None:
        registry = await self._store.census()
        plan = self._census.judge(time.monotonic(), registry, self._view.nodes)
        for node in plan.forget:
            self._view.gone(node)
        alive = [node for node, mark in registry.items() if mark.alive and node != self._store.node]
        for node in plan.reap:
            await self._reap(node, alive)
        self._missed |= plan.read
        names.PRESENCE_NODES.set(len(alive) + 1)

    async def _read_missed(self) -> None:
        """Everyone on nodes that said more than was heard; whoever is not read yet, on all nodes."""
        missed, self._missed = self._missed, set()
        try:
            if missed:
                await self._read(missed, self._view.users)
            unread = list(self._view.unread)
            if unread:
                await self._read(set(self._view.nodes), unread)
                self._view.known(unread)
        except DependencyUnavailable:
            self._missed |= missed
            raise

    async def _read(self, nodes: set[str], users: list[UUID]) -> None:
        for node, reading in (await self._store.read(nodes, users)).items():
            self._view.read(node, reading, users)

    async def _reap(self, node: str, alive: list[str]) -> None:
        """Clears a dead node away, if this node gets the lease: one hint for all its users."""
        if not await self._store.lease(node):
            return
        users = await self._store.users_of(node)
        await self._store.bury(node)
        self._view.gone(node)
        names.PRESENCE_REAPED_TOTAL.inc()
        log.warning("node_reaped", dead=node, users=len(users))
        readings = await self._store.read(alive, list(users))
        for user, here in users.items():
            others = [reading.users[user].state for reading in readings.values() if user in reading.users]
            rest = strongest((self._roster.state(user), *others))
            if strongest((here.state, rest)) != rest:
                self._transitions.add(user, rest)

    def _fail(self, exc: DependencyUnavailable) -> None:
        if self._reached:
            log.warning("presence_unreachable", reason=exc.detail)
        self._reached = False
