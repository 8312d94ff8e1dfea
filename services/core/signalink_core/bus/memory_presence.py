"""The twin of `presence.PresenceStore` in memory: the same face, hashes and hints over a `MemoryBus`, no Redis.

Owns the keys and their lives; `forget` plays an emptied Redis, `MemoryBus.lose` one that is away.
"""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from uuid import UUID

from signalink_core import lifecycle
from signalink_core.bus import hints, keys
from signalink_core.bus.memory import MemoryBus
from signalink_core.bus.presence import LEASE_MS, Here, Mark, Reading
from signalink_core.errors import DependencyUnavailable
from signalink_core.events.types import PresenceState


class MemoryKeys:
    """What all stores of one bus share."""

    def __init__(self, bus: MemoryBus, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.bus, self.clock = bus, clock
        self.forget()

    def forget(self) -> None:
        self.nodes: set[str] = set()
        self.ends: dict[tuple[str, str], float] = {}
        self.hashes: dict[str, tuple[int, dict[UUID, Here]]] = {}

    def alive(self, kind: str, node: str) -> bool:
        return self.ends.get((kind, node), 0.0) > self.clock()

    def keep(self, kind: str, node: str, ms: int) -> None:
        self.ends[kind, node] = self.clock() + ms / 1000


class MemoryPresenceStore(lifecycle.Lifecycle):
    """Same face as `PresenceStore`."""

    def __init__(self, shared: MemoryKeys, node: str) -> None:
        super().__init__()
        self.node, self._shared = node, shared

    def _keys(self) -> MemoryKeys:
        if not self._shared.bus.up:
            raise DependencyUnavailable("Presence is not in reach: the memory bus is away.", retry_after=1)
        return self._shared

    async def beat(self, ttl_ms: int) -> bool:
        shared = self._keys()
        kept = shared.alive("node", self.node) and self.node in shared.hashes
        shared.keep("node", self.node, ttl_ms)
        shared.nodes.add(self.node)
        return kept

    async def put_all(self, n: int, users: Mapping[UUID, tuple[PresenceState, int]]) -> None:
        here = {user: Here(state, sessions, n) for user, (state, sessions) in users.items()}
        self._keys().hashes[self.node] = (n, here)
        self._publish(hints.Batch(self.node, n))

    async def write(
        self, n: int, users: Mapping[UUID, tuple[PresenceState, int]], edges: Sequence[tuple[UUID, PresenceState]]
    ) -> None:
        _, here = self._keys().hashes.get(self.node, (0, {}))
        for user, (state, sessions) in users.items():
            here[user] = Here(state, sessions, n)
            if state == "offline":
                del here[user]
        self._shared.hashes[self.node] = (n, here)
        self._publish(hints.Batch(self.node, n, edges))

    async def say_typing(self, typing: Iterable[tuple[UUID, UUID]]) -> None:
        for channel, user in typing:
            self._keys().bus.deliver(keys.typing_key(channel), hints.encode_typing(user))

    async def census(self) -> dict[str, Mark]:
        shared = self._keys()
        return {
            node: Mark(shared.alive("node", node), shared.hashes[node][0] if node in shared.hashes else None)
            for node in shared.nodes
        }

    async def read(self, nodes: Iterable[str], users: Sequence[UUID]) -> dict[str, Reading]:
        hashes = self._keys().hashes
        return {
            node: Reading(hashes[node][0], {user: hashes[node][1][user] for user in users if user in hashes[node][1]})
            for node in nodes
            if users and node in hashes
        }

    async def users_of(self, node: str) -> dict[UUID, Here]:
        return dict(self._keys().hashes.get(node, (0, {}))[1])

    async def lease(self, node: str) -> bool:
        shared = self._keys()
        if shared.alive("reap", node):
            return False
        shared.keep("reap", node, LEASE_MS)
        return not shared.alive("node", node)

    async def bury(self, node: str) -> None:
        shared = self._keys()
        self._publish(hints.Gone(node))
        shared.hashes.pop(node, None)
        shared.nodes.discard(node)

    def _publish(self, hint: hints.Batch | hints.Gone) -> None:
        self._shared.bus.deliver(keys.PRESENCE, hints.encode_presence(hint))
