"""Who types where: at most one notice per user and channel in 3 s, over after 6 s or with the message. Never stored.

Owns both sides: what a client says goes to the bus, what the bus says goes to the sessions that have the channel open.
A session that is behind misses it. Rights come from `members`; channels above 200 members have no typing at all.
"""

import time
from collections.abc import Callable
from typing import Literal
from uuid import UUID

from signalink_core.bus import hints
from signalink_core.telemetry import logging, names
from signalink_gateway import commands, frames
from signalink_gateway.channel import Channel
from signalink_gateway.members import Members
from signalink_gateway.session import Session, encode
from signalink_gateway.watching import audience

MOST_TYPING = 20_000
"""(channel, user) pairs of one node; what comes above is not shown."""
EARLY = 0.9
"""A notice of another node may come this part of its interval early: it travelled faster than the one before."""

Place = tuple[UUID, UUID]
"""(channel, user)"""
Verdict = Literal["sent", "coalesced", "refused", "dropped"]

log = logging.get_logger(__name__)


class Typing:
    """`say(channel id, user)` puts one notice on the bus; `expire` is called every tick."""

    def __init__(
        self,
        members: Members,
        *,
        channel: Callable[[UUID], Channel | None],
        say: Callable[[UUID, UUID], None],
        every_seconds: float,
        lasts_seconds: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._members, self._channel, self._say, self._clock = members, channel, say, clock
        self._every, self._lasts = every_seconds, lasts_seconds
        self._shown: dict[Place, float] = {}
        self._ends: dict[Place, float] = {}

    def __len__(self) -> int:
        return len(self._ends)

    # what a client says

    def command(self, session: Session, command: commands.Type) -> None:
        verdict = self._judge(session, command)
        names.TYPING_TOTAL.labels(verdict=verdict).inc()
        if verdict == "refused":
            why = "You may not type here: subscribe as a member who may post."
            session.say(op="error", ref=command.ref, code="forbidden", message=why, channel=command.channel)

    def _judge(self, session: Session, command: commands.Type) -> Verdict:
        """`dropped`: the channel is too large, or its members are not read yet."""
        user, subscription = session.user, session.subscriptions.get(command.channel)
        if user is None or subscription is None or not subscription.begun or subscription.until is not None:
            return "refused"
        may = self._members.may_type(command.channel, user)
        if may is None:
            return "dropped"
        if not may:
            return "refused"
        if not self._show(subscription.channel, user, self._every):
            return "coalesced"
        self._say(command.channel, user)
        return "sent"

    # what the bus says

    def hear(self, channel_id: UUID, payload: bytes) -> None:
        """A notice of any node, this one's own included."""
        channel = self._channel(channel_id)
        if channel is None:
            return
        try:
            user = hints.decode_typing(payload)
        except ValueError as exc:
            log.warning("typing_unreadable", channel=str(channel_id), reason=str(exc))
            return
        if self._members.may_type(channel_id, user):
            self._show(channel, user, self._every * EARLY)

    def _show(self, channel: Channel, user: UUID, every: float) -> bool:
        """False: it was shown less than `every` seconds ago, or there are too many."""
        place, now = (channel.id, user), self._clock()
        shown = self._shown.get(place)
        if shown is not None and now - shown < every:
            return False
        if place not in self._ends and len(self._ends) >= MOST_TYPING:
            return False
        self._ends.pop(place, None)
        self._ends[place] = now + self._lasts
        self._shown[place] = now
        channel.typists = channel.typists or {}
        channel.typists[user] = now
        self._tell(channel, user, "started")
        return True

    # the end

    def posted(self, channel: Channel, user: UUID) -> None:
        """The message is there: the notice ends with it."""
        if (channel.id, user) in self._ends:
            self._stop((channel.id, user), channel)

    def expire(self) -> None:
        """Ends what lasted too long. The ends are in order, since all last equally long."""
        now = self._clock()
        while self._ends:
            place, ends = next(iter(self._ends.items()))
            if ends > now:
                return
            self._stop(place, self._channel(place[0]))

    def _stop(self, place: Place, channel: Channel | None) -> None:
        del self._ends[place], self._shown[place]
        if channel is not None:
            if channel.typists is not None:
                channel.typists.pop(place[1], None)
            self._tell(channel, place[1], "stopped")

    def _tell(self, channel: Channel, user: UUID, state: Literal["started", "stopped"]) -> None:
        frame = frames.text_frame(encode({"op": "typing", "channel": channel.id, "user": user, "state": state}))
        for session in audience(channel, user):
            if not session.behind:
                session.put(frame)
