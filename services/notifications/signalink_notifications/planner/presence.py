"""Who is on no gateway although their last state says that they are here: asked of Redis, since the topic may lose one.

A transition that never reached Kafka would otherwise silence a user for ever. What cannot be known changes nothing:
while Redis is away, or has not heard of any gateway, the last state from the topic stands.
"""

from collections.abc import Collection
from uuid import UUID

from signalink_core.bus.presence import PresenceStore
from signalink_core.errors import DependencyUnavailable
from signalink_core.lifecycle import Lifecycle
from signalink_core.settings import RedisSettings


class Absent(Lifecycle):
    """`await absent(users)`: those of them that no living gateway has; bounded by Redis's time-outs of 0.5 s."""

    def __init__(self, redis: RedisSettings, node: str) -> None:
        super().__init__()
        self._store = PresenceStore(redis, node)

    async def _start(self) -> None:
        await self.enter(self._store)

    async def __call__(self, users: Collection[UUID]) -> frozenset[UUID]:
        asked = sorted(users)
        try:
            nodes = await self._store.census()
            alive = [node for node, mark in nodes.items() if mark.alive]
            found = await self._store.read(alive, asked)
        except DependencyUnavailable:
            return frozenset()
        if not nodes or found.keys() != set(alive):  # a hash that is just being written says nothing
            return frozenset()
        return frozenset(asked).difference(*(reading.users for reading in found.values()))
