"""From a batch of events to what is counted for it. Pure.

Which window an event is in, and whether it came in time, is `passing`'s; what is counted of it `tally`'s; the SQL is in
`statements`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple
from uuid import UUID

from signalink_analytics.kinds import KINDS, Kind, canonical, user_of
from signalink_analytics.marks import WINDOW_MS, Marks, Rules
from signalink_analytics.passing import Passing, moment
from signalink_analytics.tally import Tally
from signalink_core.events.types import MESSAGE_CREATED
from signalink_core.kafka.delivery import Delivered
from signalink_core.kafka.errors import BadRecord

KEYS_REMEMBERED: Final = 65_536
_WRONG: Final = (KeyError, ValueError, TypeError, AttributeError)
_keys: dict[int, str] = {}


class Said(NamedTuple):
    """The last message of a channel; its time is the event's own."""

    epoch: int
    seq: int
    sender: str
    at: int


@dataclass(frozen=True, slots=True)
class Plan:
    """`said`: channels whose last message is another one now."""

    tally: Tally
    said: Mapping[str, Said]
    passing: Passing


def channel_key(channel: UUID) -> str:
    """As Postgres writes it; writing a UUID costs ten times as much as finding it again."""
    key = _keys.get(channel.int)
    if key is None:
        if len(_keys) >= KEYS_REMEMBERED:
            _keys.clear()
        key = _keys[channel.int] = str(channel)
    return key


def plan(events: Sequence[Delivered], marks: Marks, rules: Rules, said: Mapping[str, Said]) -> Plan:
    """What a batch of one partition counts. `said`: the last message before it of each channel that had one.

    Raises BadRecord for the first event whose data are not those of its type.
    """
    planner = _Planner(marks, rules, said)
    for delivered in events:
        kind = KINDS.get(delivered.event.type)
        if kind is None:
            continue
        try:
            planner.take(delivered, kind)
        except _WRONG as error:
            detail = f"The data of a {delivered.event.type} do not name what it is about: {type(error).__name__}."
            raise BadRecord("bad_data", delivered.record.offset, detail) from None
    return Plan(planner.tally, planner.said, planner.passing)


class _Planner:
    def __init__(self, marks: Marks, rules: Rules, said: Mapping[str, Said]) -> None:
        self.tally, self.passing = Tally(), Passing(marks, rules)
        self.said: dict[str, Said] = {}
        self._before = dict(said)

    def take(self, delivered: Delivered, kind: Kind) -> None:
        event = delivered.event
        at = moment(event.time)
        if event.type == MESSAGE_CREATED:
            self._message(delivered, at)
            return
        user = user_of(kind, event.data)
        counted = self.passing.counted_at(delivered, at)
        if self.passing.passed(delivered, counted, user):
            channel = None if event.channel is None else channel_key(event.channel)
            self.tally.other(counted // WINDOW_MS, kind, channel, user, event.data)

    def _message(self, delivered: Delivered, at: int) -> None:
        event = delivered.event
        data = event.data
        sender, body = canonical(data["sender_id"]), data["body"]
        if not isinstance(body, str) or event.channel is None or event.seq is None:
            raise ValueError("no body, or a message outside of any channel")
        channel = channel_key(event.channel)
        response = self._answered(channel, Said(event.epoch, event.seq, sender, at))
        counted = self.passing.counted_at(delivered, at)
        if self.passing.passed(delivered, counted, sender):
            reply = data.get("reply_to") is not None
            self.tally.message(counted // WINDOW_MS, channel, sender, len(body), reply, response)

    def _answered(self, channel: str, said: Said) -> int | None:
        """How long the message before it waited, where that was another user's. A redriven one comes out of order."""
        before = self._before.get(channel)
        if before is not None and (said.epoch, said.seq) <= (before.epoch, before.seq):
            return None
        self._before[channel] = self.said[channel] = said
        return None if before is None or before.sender == said.sender else max(0, said.at - before.at)
