"""This node: channels, who is in them, and the order of their events. Every event is encoded once and given in order.

Takes what the bus and the log say and decides: next, duplicate, too early (held), hole (healed by `recovery`), another
epoch. Membership changes cut subscriptions here, by seq, whatever way the event came.
"""

import asyncio
import time
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Protocol
from uuid import UUID

import msgspec

from signalink_core import faults
from signalink_core.bus.keys import Head
from signalink_core.events import types
from signalink_core.telemetry import logging, names
from signalink_gateway import frames, telling
from signalink_gateway.channel import Channel, Subscription
from signalink_gateway.fanout import Fanout
from signalink_gateway.reads import CUTS, MEMBERSHIP
from signalink_gateway.ring import EVERYBODY, Entry

HELD_EVENTS = 1_000
REORDER_SECONDS = 0.05
LINGER_SECONDS = 30.0
"""An empty channel stays attached for a while: whoever reconnects finds its ring."""

log = logging.get_logger(__name__)


class Live(msgspec.Struct, frozen=True):
    """What the hub needs of a live frame; `data` stays bytes unless it is a membership change or a deletion."""

    epoch: int
    seq: int
    type: str
    time: datetime
    data: msgspec.Raw


class _Member(msgspec.Struct):
    user_id: UUID


class _Message(msgspec.Struct):
    sender_id: UUID


class Bus(Protocol):
    """What the hub asks of a subscriber."""

    @property
    def connected(self) -> bool: ...
    def attach(self, channel_id: UUID) -> None: ...
    def detach(self, channel_id: UUID) -> None: ...


class Aside(Protocol):
    """Who follows channels beside their events: presence and typing. Nothing here waits for it."""

    def opened(self, channel: Channel) -> None: ...
    def closed(self, channel: Channel) -> None: ...
    def members_changed(self, channel: Channel, left: UUID | None) -> None: ...
    def posted(self, channel: Channel, sender: UUID) -> None: ...


_DELIVERED_LIVE = names.DELIVERY_SECONDS.labels(path="live")
_DELIVERED_HEALED = names.DELIVERY_SECONDS.labels(path="healed")
_live = msgspec.json.Decoder(Live)
_member = msgspec.json.Decoder(_Member)
_message = msgspec.json.Decoder(_Message)


class Hub:
    """`heal(channel)`: read the log until `channel.target`. `lagging(subscription)`: it left the feed, the log is next.

    Everything here is synchronous and runs on the loop.
    """

    def __init__(self, *, heal: Callable[[Channel], None], lagging: Callable[[Subscription], None]) -> None:
        self.channels: dict[UUID, Channel] = {}
        self.fanout = Fanout(ended=self.drop, lagging=lagging)
        self.bus: Bus | None = None
        self.aside: Aside | None = None
        self._heal = heal
        self.duplicates = 0

    # subscriptions

    def channel(self, channel_id: UUID) -> Channel:
        """The channel, attached from now on."""
        channel = self.channels.get(channel_id)
        if channel is None:
            channel = self.channels[channel_id] = Channel(channel_id)
            if self.bus is not None:
                self.bus.attach(channel_id)
        return channel

    def add(self, subscription: Subscription) -> None:
        channel = subscription.channel
        channel.apart.add(subscription)
        channel.idle_since = None

    def drop(self, subscription: Subscription) -> None:
        """The session gets nothing more of this channel through this subscription."""
        if subscription.closed:
            return
        subscription.closed = True
        channel = subscription.channel
        channel.leave_live(subscription)
        channel.apart.discard(subscription)
        if channel.empty:
            channel.idle_since = time.monotonic()
        if subscription.session.subscriptions.get(channel.id) is subscription:
            del subscription.session.subscriptions[channel.id]

    def sweep(self, now: float) -> None:
        """Lets go of channels that nobody has been in for a while."""
        for channel in [c for c in self.channels.values() if c.idle_since is not None]:
            if channel.empty and now - (channel.idle_since or now) > LINGER_SECONDS and not channel.healing:
                del self.channels[channel.id]
                if self.aside is not None:
                    self.aside.closed(channel)
                if self.bus is not None:
                    self.bus.detach(channel.id)

    # what the bus says

    def on_event(self, channel_id: UUID, payload: bytes) -> None:
        channel = self.channels.get(channel_id)
        if channel is None:
            return
        if faults.here.active and _dropped(channel_id):
            return
        try:
            live = _live.decode(payload)
        except msgspec.DecodeError as exc:
            log.warning("event_unreadable", channel=str(channel_id), reason=str(exc))
            return
        if channel.seq is None:
            self._hold(channel, live.seq, payload, live.epoch)
        elif live.epoch != channel.epoch:
            self._other_epoch(channel, live.epoch)
        elif live.seq == channel.seq + 1:
            self._take_live(channel, live, payload)
            if channel.held:
                self._take_held(channel)
        elif live.seq > channel.seq:
            self._hold(channel, live.seq, payload, live.epoch)
            self.expect(channel, live.seq)
        else:
            self.duplicates += 1

    def on_heads(self, heads: Iterable[Head]) -> None:
        for channel_id, epoch, seq in heads:
            channel = self.channels.get(channel_id)
            if channel is None or channel.seq is None:
                continue
            if epoch != channel.epoch:
                self._other_epoch(channel, epoch)
            elif seq > channel.seq:
                self.expect(channel, seq)

    def on_attached(self, channel_id: UUID) -> None:
        channel = self.channels.get(channel_id)
        if channel is not None:
            channel.attached = True
            channel.confirm()

    def on_lost(self) -> None:
        for channel in self.channels.values():
            channel.attached = False
            channel.confirm()

    # order

    def learn(self, channel: Channel, epoch: int, last_seq: int) -> None:
        """The log says where the channel is: the beginning for a new one, a hint for the others."""
        if channel.seq is None:
            channel.epoch, channel.seq, channel.target = epoch, last_seq, last_seq
            self._take_held(channel)
            if self.aside is not None:
                self.aside.opened(channel)
        elif epoch != channel.epoch:
            self._other_epoch(channel, epoch)
        elif last_seq > channel.seq:
            self.expect(channel, last_seq)

    def expect(self, channel: Channel, seq: int) -> None:
        """Events up to `seq` exist. What does not come within 50 ms is read from the log."""
        channel.target = max(channel.target, seq)
        if not channel.healing:
            channel.healing = True
            asyncio.get_running_loop().call_later(REORDER_SECONDS, self._late, channel)

    def _late(self, channel: Channel) -> None:
        if channel.seq is not None and channel.target > channel.seq and self.channels.get(channel.id) is channel:
            self._heal(channel)
        else:
            channel.healing = False

    def take(self, channel: Channel, entries: Iterable[Entry]) -> int:
        """Entries read from the log, ascending; those that are next are taken. Returns how many. Then what was held."""
        taken = 0
        for entry in entries:
            if channel.seq is not None and entry.seq == channel.seq + 1:
                self._take(channel, entry)
                telling.taken(channel, entry, "healed")
                taken += 1
                _DELIVERED_HEALED.observe(max(0.0, time.time() - entry.at))
        self._take_held(channel)
        return taken

    def jump(self, channel: Channel, seq: int) -> None:
        """Events up to `seq` are gone from the log by retention: everyone is told, the order goes on behind."""
        if channel.seq is None or seq <= channel.seq:
            return
        frame = gap(channel, channel.seq + 1, seq)
        channel.seq = seq
        channel.ring.forget()
        channel.fresh.append(Entry(seq, frame))
        self.fanout.add(channel)

    def restart(self, channel: Channel, epoch: int, last_seq: int) -> None:
        """The log began a new epoch: positions of the old one mean nothing; clients load anew."""
        channel.epoch, channel.seq, channel.target, channel.suspect = epoch, last_seq, last_seq, False
        channel.ring.forget()
        channel.held.clear()
        channel.fresh.clear()
        frame = gap(channel, 1, last_seq)
        for subscription in channel.subscriptions:
            subscription.position = subscription.since = last_seq
            subscription.skips = ()
            if subscription.begun:
                subscription.session.put(frame)

    def _other_epoch(self, channel: Channel, epoch: int) -> None:
        """A lower epoch is an old message; a higher one is looked up before anything of it is shown."""
        if epoch > channel.epoch:
            channel.suspect = True
            if not channel.healing:
                channel.healing = True
                self._heal(channel)

    def _hold(self, channel: Channel, seq: int, payload: bytes, epoch: int) -> None:
        """Too early. The furthest goes when there are too many: the log has it."""
        channel.held[seq] = (payload, epoch)
        if len(channel.held) > HELD_EVENTS:
            del channel.held[max(channel.held)]

    def _take_held(self, channel: Channel) -> None:
        while channel.held and channel.seq is not None:
            payload, epoch = channel.held.pop(channel.seq + 1, (b"", 0))
            if payload and epoch == channel.epoch:
                self._take_live(channel, _live.decode(payload), payload)
                continue
            for seq in [seq for seq in channel.held if seq <= channel.seq]:
                del channel.held[seq]
            break
        if channel.held and channel.seq is not None:
            self.expect(channel, max(channel.held))

    def _take_live(self, channel: Channel, live: Live, payload: bytes) -> None:
        cut = _cut_of(live)
        at, wipes = live.time.timestamp(), live.type == types.MESSAGE_DELETED
        entry = Entry(live.seq, frames.text_frame(payload), cut, wipes, at, live.type in MEMBERSHIP)
        self._take(channel, entry)
        telling.taken(channel, entry, "live")
        _DELIVERED_LIVE.observe(max(0.0, time.time() - at))
        if channel.typists and live.type == types.MESSAGE_CREATED and self.aside is not None:
            self.aside.posted(channel, _message.decode(live.data).sender_id)

    def _take(self, channel: Channel, entry: Entry) -> None:
        channel.seq = entry.seq
        channel.ring.append(entry)
        channel.fresh.append(entry)
        if entry.cut is not None:
            self._cut(channel, entry)
        if entry.members and self.aside is not None:
            self.aside.members_changed(channel, entry.cut)
        self.fanout.add(channel)

    def _cut(self, channel: Channel, entry: Entry) -> None:
        """The removed user gets the removal itself and nothing above it."""
        for subscription in channel.live:
            if entry.ends(subscription.session.user) and subscription.joined < entry.seq:
                subscription.until = entry.seq
                subscription.odd = True

    def positions(self, subscriptions: Iterable[Subscription]) -> Sequence[tuple[UUID, int, int]]:
        """(channel, epoch, last seq) of those whose head moved since they were last told."""
        moved = []
        for subscription in subscriptions:
            seq = subscription.channel.seq
            if seq is not None and seq > subscription.told:
                subscription.told = seq
                moved.append((subscription.channel.id, subscription.channel.epoch, seq))
        return moved


def _cut_of(live: Live) -> UUID | None:
    if live.type in CUTS:
        return _member.decode(live.data).user_id
    return EVERYBODY if live.type == types.CHANNEL_DELETED else None


def gap(channel: Channel, first: int, last: int) -> bytes:
    """The frame that tells that `first`..`last` cannot be recovered; what follows begins at the position."""
    position = {"epoch": channel.epoch, "seq": last}
    frame = {"op": "gap", "channel": channel.id, "from": first, "to": last, "position": position}
    return frames.text_frame(msgspec.json.encode(frame))


def _dropped(channel_id: UUID) -> bool:
    fired = faults.fires("gateway.drop_publish", channel=str(channel_id))
    return fired is not None and fired.action == "drop"
