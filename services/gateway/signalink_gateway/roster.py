"""Who is online on this node: sessions, what each says about its user, and the grace of those who left. Pure.

Owns one node's answer to "how is this user"; the answer over all nodes is `view`'s. Time is passed in.
"""

from collections.abc import Iterable
from typing import NamedTuple
from uuid import UUID

from signalink_core.events.types import PresenceState

RANK: dict[PresenceState, int] = {"offline": 0, "away": 1, "online": 2, "dnd": 3}
"""The highest of all devices counts: who does not want to be disturbed says it once for all of them."""


def strongest(states: Iterable[PresenceState]) -> PresenceState:
    """dnd > online > away > offline; nothing at all is offline."""
    return max(states, key=RANK.__getitem__, default="offline")


class Change(NamedTuple):
    """One user of this node since the last look. `before` and `state` are this node's answers."""

    user: UUID
    before: PresenceState
    state: PresenceState
    sessions: int


class _Here:
    """`ghost`: the state of sessions that left less than a grace ago. `told`: as of the last look.

    Nearly everybody has one session, so that one is held in place (`number` None: none): a dictionary for each user
    took 300 bytes per socket.
    """

    __slots__ = ("ghost", "more", "number", "said", "told")

    def __init__(self) -> None:
        self.number: int | None = None
        self.said: PresenceState = "offline"
        self.more: dict[int, PresenceState] | None = None
        self.ghost: PresenceState = "offline"
        self.told: PresenceState = "offline"

    def __len__(self) -> int:
        return (self.number is not None) + len(self.more or ())

    def get(self, session: int) -> PresenceState | None:
        return self.said if session == self.number else (self.more or {}).get(session)

    def put(self, session: int, state: PresenceState) -> None:
        if self.number in (None, session) and not (self.more and session in self.more):
            self.number, self.said = session, state
        else:
            self.more = {**(self.more or {}), session: state}

    def remove(self, session: int) -> None:
        if session == self.number:
            self.number, self.said = None, "offline"
        elif self.more is not None:
            self.more = {number: state for number, state in self.more.items() if number != session} or None

    def state(self) -> PresenceState:
        return strongest((self.said, *(self.more or {}).values(), self.ghost))


class Roster:
    """As many users as the node has sessions, and those who left within the last `grace_seconds`."""

    def __init__(self, grace_seconds: float) -> None:
        self._grace = grace_seconds
        self._users: dict[UUID, _Here] = {}
        self._ghosts: dict[UUID, float] = {}
        self._changed: dict[UUID, None] = {}

    def __len__(self) -> int:
        return len(self._users)

    def __contains__(self, user: UUID) -> bool:
        return user in self._users

    def opened(self, user: UUID, session: int) -> None:
        """A session begins online. A ghost stays until its time, or until a session says how the user is."""
        here = self._users.get(user)
        if here is None:
            here = self._users[user] = _Here()
        here.put(session, "online")
        self._changed[user] = None

    def said(self, user: UUID, session: int, state: PresenceState) -> None:
        here = self._users.get(user)
        before = None if here is None else here.get(session)
        if here is None or before is None or (before == state and user not in self._ghosts):
            return
        here.put(session, state)
        here.ghost = "offline"
        self._ghosts.pop(user, None)
        self._changed[user] = None

    def closed(self, user: UUID, session: int, now: float) -> None:
        """What the session said stays for the grace: a reconnect changes nothing."""
        here = self._users.get(user)
        last = None if here is None else here.get(session)
        if here is None or last is None:
            return
        here.ghost = strongest((here.ghost, last))
        here.remove(session)
        self._ghosts.pop(user, None)
        self._ghosts[user] = now + self._grace
        self._changed[user] = None

    def expire(self, now: float) -> None:
        """Ends the graces that are over. They are in order of their end, since all are equally long."""
        while self._ghosts:
            user, until = next(iter(self._ghosts.items()))
            if until > now:
                return
            del self._ghosts[user]
            self._users[user].ghost = "offline"
            self._changed[user] = None

    def state(self, user: UUID) -> PresenceState:
        here = self._users.get(user)
        return "offline" if here is None else here.state()

    def everyone(self) -> dict[UUID, tuple[PresenceState, int]]:
        """Every user's state and number of sessions, for writing all of it anew."""
        return {user: (here.state(), len(here)) for user, here in self._users.items()}

    def changes(self) -> list[Change]:
        """What changed since the last call, also in the number of sessions alone; forgets who is gone."""
        changes = []
        for user in self._changed:
            here = self._users[user]
            state = here.state()
            changes.append(Change(user, here.told, state, len(here)))
            here.told = state
            if state == "offline" and not len(here):
                del self._users[user]
        self._changed.clear()
        return changes
