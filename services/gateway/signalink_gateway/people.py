"""The parts of presence and typing put together: what the hub tells them, and in which order they start and stop.

Decides nothing; `presence`, `watches`, `typing_notices` and `members` do. To the hub this is who stands aside.
"""

from collections.abc import Collection
from uuid import UUID

from signalink_core import ids, lifecycle
from signalink_core.bus.presence import PresenceStore
from signalink_core.kafka.records import Producer
from signalink_core.settings import RedisSettings
from signalink_gateway.channel import Channel
from signalink_gateway.hub import Hub
from signalink_gateway.members import Members
from signalink_gateway.presence import Presence, Timing
from signalink_gateway.reads import LogReads
from signalink_gateway.ring import EVERYBODY
from signalink_gateway.roster import Roster
from signalink_gateway.transitions import Transitions
from signalink_gateway.typing_notices import Typing
from signalink_gateway.view import View
from signalink_gateway.watches import Watches
from signalink_gateway.watching import Watching


class People(lifecycle.Lifecycle):
    """Every run of a process is a node of its own, so that a restart does not inherit the users of a crash."""

    def __init__(
        self, *, node: str, redis: RedisSettings, reads: LogReads, hub: Hub, producer: Producer | None, timing: Timing
    ) -> None:
        super().__init__()
        self.store = PresenceStore(redis, f"{node}.{ids.uuid7().hex}", name=node)
        self.roster = Roster(timing.grace)
        self.view = View(self.store.node, self.roster.state)
        self.watching = Watching(self.view, channel=hub.channels.get, here=self.roster.__contains__)
        self.transitions = Transitions(producer)
        self.presence = Presence(self.store, self.roster, self.view, self.watching, self.transitions, timing)
        self.watches = Watches(reads, self.view, self.watching, known=self.presence.known)
        self.members = Members(reads, changed=self._members, same=self.view.same)
        self.typing = Typing(
            self.members,
            channel=hub.channels.get,
            say=self.presence.say_typing,
            every_seconds=timing.typing_every,
            lasts_seconds=timing.typing_lasts,
        )
        self.presence.on_tick = self.typing.expire
        hub.aside = self

    async def _start(self) -> None:
        for part in (self.transitions, self.store, self.members, self.watches, self.presence):
            await self.enter(part)

    def _members(self, channel_id: UUID, members: Collection[UUID]) -> None:
        """A node that knows too many already has no presence by this channel."""
        self.watching.members(channel_id, members if self.watching.space_for(members) else frozenset())
        self.presence.read_soon()

    # what the hub says

    def opened(self, channel: Channel) -> None:
        self.members.opened(channel.id)

    def closed(self, channel: Channel) -> None:
        self.members.closed(channel.id)

    def members_changed(self, channel: Channel, left: UUID | None) -> None:
        self.members.stale(channel.id)
        if left is None:
            return
        concerned = self.watching.concerned(left)
        if left == EVERYBODY:
            here = {subscription.session for subscription in channel.subscriptions}
            concerned = [session for session in here if session in self.watching.watched]
        for session in concerned:
            self.watches.check(session)

    def posted(self, channel: Channel, sender: UUID) -> None:
        self.typing.posted(channel, sender)
