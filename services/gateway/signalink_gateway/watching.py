"""Who of this node's sessions wants to know about whom, and telling them: one frame per session and tick. No I/O.

A session knows of a user because it watches the user, or because it is in a channel of at most 200 members with them.
What a session was not told yet is kept as the latest state per user; a session that is behind gets it when it drained.
"""

from collections.abc import Callable, Collection, Iterable, Iterator
from uuid import UUID

from signalink_core.events.types import PresenceState
from signalink_gateway import frames
from signalink_gateway.channel import Channel, Subscription
from signalink_gateway.session import Session, encode
from signalink_gateway.view import View

MOST_WANTED = 200_000
"""Users about whom one node knows; more are refused."""
FRAME_USERS = 1_000
"""About 75 KB. What is above goes with the next tick."""
SESSIONS_PER_SLICE = 128


class Watching:
    """`here(user)`: the user has sessions on this node, so the view keeps them without anybody watching."""

    def __init__(self, view: View, *, channel: Callable[[UUID], Channel | None], here: Callable[[UUID], bool]) -> None:
        self._view, self._channel, self._here = view, channel, here
        self.watched: dict[Session, frozenset[UUID]] = {}
        self._watchers: dict[UUID, set[Session]] = {}
        self._members: dict[UUID, Collection[UUID]] = {}
        self._channels: dict[UUID, tuple[UUID, ...]] = {}
        self._pending: dict[Session, dict[UUID, PresenceState]] = {}

    @property
    def waiting(self) -> int:
        """Sessions that were not told everything yet."""
        return len(self._pending)

    def space_for(self, users: Iterable[UUID]) -> bool:
        """Whether the node can know about these too."""
        return len(self._view) + sum(user not in self._view for user in users) <= MOST_WANTED

    # who wants to know

    def watch(self, session: Session, users: frozenset[UUID]) -> None:
        """The session watches exactly these."""
        before = self.watched.pop(session, frozenset())
        if users:
            self.watched[session] = users
        for user in users - before:
            self._view.want(user)
            self._watchers.setdefault(user, set()).add(session)
        for user in before - users:
            watchers = self._watchers[user]
            watchers.discard(session)
            if not watchers:
                del self._watchers[user]
            self.release(user)

    def leave(self, session: Session) -> None:
        self.watch(session, frozenset())
        self._pending.pop(session, None)

    def members(self, channel_id: UUID, users: Collection[UUID]) -> None:
        """These are the members of a small channel; none: nobody there is told of anybody."""
        before, after = frozenset(self._members.pop(channel_id, ())), frozenset(users)
        if users:
            self._members[channel_id] = users
        for user in after - before:
            self._view.want(user)
            self._channels[user] = (*self._channels.get(user, ()), channel_id)
        for user in before - after:
            self._channels[user] = tuple(each for each in self._channels[user] if each != channel_id)
            if not self._channels[user]:
                del self._channels[user]
            self.release(user)

    def release(self, user: UUID) -> None:
        """Lets go of a user about whom nobody wants to know."""
        if user not in self._watchers and user not in self._channels and not self._here(user):
            self._view.drop(user)

    def concerned(self, user: UUID) -> list[Session]:
        """The sessions whose watches a change of this user's memberships touches."""
        return [*self._watchers.get(user, ()), *(session for session in self.watched if session.user == user)]

    # telling

    def tell(self, session: Session, states: Iterable[tuple[UUID, PresenceState]]) -> None:
        """For the next tick; a later state replaces an earlier one."""
        self._pending.setdefault(session, {}).update(states)

    def deliver(self, edges: Iterable[tuple[UUID, PresenceState]]) -> None:
        for user, state in edges:
            for session in self._watchers.get(user, ()):
                self.tell(session, [(user, state)])
            for channel_id in self._channels.get(user, ()):
                self._deliver_in(channel_id, user, state)

    def _deliver_in(self, channel_id: UUID, user: UUID, state: PresenceState) -> None:
        """A user's own sessions are not told by a channel: they know."""
        channel = self._channel(channel_id)
        if channel is not None:
            for session in audience(channel, user):
                self.tell(session, [(user, state)])

    def flush(self) -> Iterator[int]:
        """One frame to each session that has space; yields after each slice how many it told."""
        encoded: dict[tuple[tuple[UUID, PresenceState], ...], bytes] = {}
        told = 0
        for session in list(self._pending):
            if session.closed is not None:
                self._pending.pop(session, None)
            elif not session.behind:
                told += 1
                session.put(self._frame(session, encoded))
            if told == SESSIONS_PER_SLICE:
                yield told
                told = 0
        yield told

    def _frame(self, session: Session, encoded: dict[tuple[tuple[UUID, PresenceState], ...], bytes]) -> bytes:
        pending = self._pending[session]
        states = tuple(pending.items())[:FRAME_USERS]
        if len(states) == len(pending):
            del self._pending[session]
        else:
            for user, _ in states:
                del pending[user]
        if states not in encoded:
            encoded[states] = frames.text_frame(encode({"op": "presence", "users": listed(states)}))
        return encoded[states]


def listed(states: Iterable[tuple[UUID, PresenceState]]) -> list[dict[str, object]]:
    """The `users` of a presence frame."""
    return [{"user": user, "state": state} for user, state in states]


def audience(channel: Channel, user: UUID) -> Iterator[Session]:
    """The sessions that have the channel open, the user's own excepted."""
    for subscription in channel.subscriptions:
        if _open(subscription) and subscription.session.user != user:
            yield subscription.session


def _open(subscription: Subscription) -> bool:
    return subscription.begun and not subscription.closed and subscription.until is None
