"""From a batch of events to what is counted for it. Pure.

Which window an event is in, and whether it came in time, is `passing`'s; what is counted of it `tally`'s; the SQL is in
`statements`. The loop over messages is the one that bounds records per second: it calls little and makes little.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final
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

Said = tuple[int, int, str, int]
"""The last message of a channel: epoch, seq, sender, and when, by the event's own time."""


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


def moments(events: Sequence[Delivered]) -> list[int]:
    """When each happened."""
    return [moment(delivered.event.time) for delivered in events]


def plan(
    events: Sequence[Delivered],
    marks: Marks,
    rules: Rules,
    said: Mapping[str, Said],
    times: Sequence[int] | None = None,
) -> Plan:
    """What a batch of one partition counts. `said`: the last message before it of each channel that had one.

    `times`: `moments` of the events, where they are known. Raises BadRecord for the first event whose data are not
    those of its type.
    """
    planner = _Planner(marks, rules, said)
    for delivered, at in zip(events, moments(events) if times is None else times, strict=True):
        event_type = delivered.event.type
        try:
            if event_type == MESSAGE_CREATED:
                planner.message(delivered, at)
            elif (kind := KINDS.get(event_type)) is not None:
                planner.other(delivered, at, kind)
        except _WRONG as error:
            detail = f"The data of a {event_type} do not name what it is about: {type(error).__name__}."
            raise BadRecord("bad_data", delivered.record.offset, detail) from None
    return Plan(planner.tally, {channel: planner.said[channel] for channel in planner.changed}, planner.passing)


class _Planner:
    def __init__(self, marks: Marks, rules: Rules, said: Mapping[str, Said]) -> None:
        self.tally, self.passing = Tally(), Passing(marks, rules)
        self.said = dict(said)
        self.changed: set[str] = set()

    def other(self, delivered: Delivered, at: int, kind: Kind) -> None:
        event = delivered.event
        user = user_of(kind, event.data)
        counted = self.passing.take(delivered, at, user)
        if counted is not None:
            channel = None if event.channel is None else channel_key(event.channel)
            self.tally.other(counted // WINDOW_MS, kind, channel, user, event.data)

    def message(self, delivered: Delivered, at: int) -> None:
        event = delivered.event
        data = event.data
        sender, body, seq = canonical(data["sender_id"]), data["body"], event.seq
        if event.channel is None or seq is None or type(body) is not str:
            raise ValueError("no body, or a message outside of any channel")
        channel = _keys.get(event.channel.int) or channel_key(event.channel)
        before, response = self.said.get(channel), None
        # A redriven message comes out of order: it answers none, and the next one does not answer it.
        if before is None or (event.epoch, seq) > before[:2]:
            self.said[channel] = (event.epoch, seq, sender, at)
            self.changed.add(channel)
            if before is not None and before[2] != sender:
                response = at - before[3] if at > before[3] else 0
        counted = self.passing.take(delivered, at, sender)
        if counted is not None:
            self.tally.message(
                counted // WINDOW_MS, channel, sender, len(body), data.get("reply_to") is not None, response
            )
