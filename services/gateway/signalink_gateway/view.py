"""How users are over all nodes, for those users about whom somebody here wants to know. Pure state, no I/O.

Owns the merge: this node's answer comes from `roster`, those of the others from batches on the bus and readings of
their hashes, ordered by batch number. Who wants to know is `watching`'s, when to read is `census`'s.
"""

from collections.abc import Callable, Iterable
from uuid import UUID

from signalink_core.bus.hints import Batch
from signalink_core.bus.presence import Reading
from signalink_core.events.types import PresenceState
from signalink_gateway.roster import strongest

Remote = dict[str, tuple[int, PresenceState]]
"""node -> (batch number, state there). `offline` stays until a later reading, so that an earlier one cannot undo it."""


class _Seen:
    __slots__ = ("remote", "told", "user")

    def __init__(self, user: UUID, told: PresenceState) -> None:
        self.user = user
        self.remote: Remote | None = None
        self.told = told


class View:
    """`local(user)` is this node's answer. `nodes`: the other nodes heard of, with their last batch number."""

    def __init__(self, node: str, local: Callable[[UUID], PresenceState]) -> None:
        self._node, self._local = node, local
        self._users: dict[UUID, _Seen] = {}
        self._changed: dict[UUID, None] = {}
        self.nodes: dict[str, int] = {}
        self.unread: dict[UUID, None] = {}
        """Wanted, but not read from the other nodes yet: what is known of them is this node's answer alone."""

    def __len__(self) -> int:
        return len(self._users)

    def __contains__(self, user: UUID) -> bool:
        return user in self._users

    @property
    def users(self) -> list[UUID]:
        return list(self._users)

    def want(self, user: UUID) -> None:
        if user not in self._users:
            self._users[user] = _Seen(user, self._local(user))
            self.unread[user] = None

    def same(self, user: UUID) -> UUID:
        """The one object that stands for this user: 100 channels of 100 members need not hold 10,000 of them."""
        seen = self._users.get(user)
        return user if seen is None else seen.user

    def drop(self, user: UUID) -> None:
        """Nobody here wants to know any more."""
        self._users.pop(user, None)
        self.unread.pop(user, None)
        self._changed.pop(user, None)

    def state(self, user: UUID) -> PresenceState:
        return strongest((self._local(user), self.elsewhere(user)))

    def elsewhere(self, user: UUID) -> PresenceState:
        """The user's state over all other nodes."""
        seen = self._users.get(user)
        if seen is None or seen.remote is None:
            return "offline"
        return strongest(state for _, state in seen.remote.values())

    def holders(self, user: UUID) -> list[str]:
        """The other nodes where the user is thought to be."""
        seen = self._users.get(user)
        remote = (seen.remote if seen is not None else None) or {}
        return [node for node, (_, state) in remote.items() if state != "offline"]

    # what is heard

    def moved(self, user: UUID) -> None:
        """This node's answer changed."""
        if user in self._users:
            self._changed[user] = None

    def hear(self, batch: Batch) -> bool:
        """Takes a batch of another node. True: batches before it were missed, its hash has to be read."""
        if batch.node == self._node:
            return False
        last = self.nodes.get(batch.node)
        self.nodes[batch.node] = max(batch.n, last or 0)
        for user, state in batch.users:
            self._set(user, batch.node, batch.n, state)
        return last is None or batch.n > last + 1

    def read(self, node: str, reading: Reading, asked: Iterable[UUID]) -> None:
        """Takes what a node's hash said about `asked`; what later batches said stays."""
        if node == self._node:
            return
        self.nodes[node] = max(reading.n, self.nodes.get(node, 0))
        for user in asked:
            here = reading.users.get(user)
            if here is not None:
                self._set(user, node, here.version, here.state)
                continue
            seen = self._users.get(user)
            if seen is not None and seen.remote and seen.remote.get(node, (reading.n + 1,))[0] <= reading.n:
                self._forget(user, seen, node)

    def gone(self, node: str) -> list[UUID]:
        """The node died. Returns who was there as far as is known."""
        self.nodes.pop(node, None)
        there = [user for user, seen in self._users.items() if seen.remote and node in seen.remote]
        for user in there:
            self._forget(user, self._users[user], node)
        return there

    def _set(self, user: UUID, node: str, n: int, state: PresenceState) -> None:
        seen = self._users.get(user)
        if seen is None:
            return
        if seen.remote is None:
            seen.remote = {}
        if seen.remote.get(node, (0, ""))[0] <= n:
            seen.remote[node] = (n, state)
            self._changed[user] = None

    def _forget(self, user: UUID, seen: _Seen, node: str) -> None:
        if seen.remote is not None:
            seen.remote.pop(node, None)
            if not seen.remote:
                seen.remote = None
            self._changed[user] = None

    # what is told

    def edges(self, *, patient: bool = True) -> list[tuple[UUID, PresenceState]]:
        """Users whose state is another than at the last call; while `patient`, those not read yet wait."""
        edges = []
        waiting: dict[UUID, None] = {}
        for user in self._changed:
            seen = self._users[user]
            if patient and user in self.unread:
                waiting[user] = None
                continue
            state = self.state(user)
            if state != seen.told:
                seen.told = state
                edges.append((user, state))
        self._changed = waiting
        return edges

    def known(self, users: Iterable[UUID]) -> None:
        """These were read from every node that lives."""
        for user in users:
            self.unread.pop(user, None)
