"""What follows from a look at the registry of nodes: whose hash to read, whom to clear away, whom to forget. Pure.

Owns the two caution rules: after an outage of Redis every heartbeat is missing for a while, and an emptied registry
fills again within a heartbeat; neither means that anybody died.
"""

from collections.abc import Mapping
from typing import NamedTuple

from signalink_core.bus.presence import Mark


class Plan(NamedTuple):
    """`read`: they said more than was heard. `reap`: dead, for who gets the lease. `forget`: cleared away unheard."""

    read: frozenset[str] = frozenset()
    reap: frozenset[str] = frozenset()
    forget: frozenset[str] = frozenset()


class Census:
    """One node's memory of what it saw in the registry. `ttl_seconds`: how long a heartbeat lasts."""

    def __init__(self, node: str, ttl_seconds: float) -> None:
        self._node, self._ttl = node, ttl_seconds
        self._reached_at: float | None = None
        self._missing_since: dict[str, float] = {}

    def lost(self) -> None:
        """Redis is not in reach."""
        self._reached_at = None
        self._missing_since.clear()

    def judge(self, now: float, registry: Mapping[str, Mark], heard: Mapping[str, int]) -> Plan:
        """`heard`: the other nodes of the view with their last batch number."""
        if self._reached_at is None:
            self._reached_at = now
        others = {node: mark for node, mark in registry.items() if node != self._node}
        long_enough = now - self._reached_at >= self._ttl
        absent = heard.keys() - others.keys()
        self._missing_since = {node: self._missing_since.get(node, now) for node in absent}
        return Plan(
            read=frozenset(
                node
                for node, mark in others.items()
                if mark.alive and mark.n is not None and mark.n > heard.get(node, -1)
            ),
            reap=frozenset(node for node, mark in others.items() if not mark.alive and long_enough),
            forget=frozenset(node for node, since in self._missing_since.items() if now - since >= self._ttl),
        )
