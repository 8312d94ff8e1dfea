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
from signalink_analytics.passing import Passing
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


def plan(events: Sequence[Delivered], marks: Marks, rules: Rules, said: Mapping[str, Said]) -> Plan:
    """What a batch of one partition counts. `said`: the last message before it of each channel that had one.

    Raises BadRecord for the first event whose data are not those of its type.
    """
    planner = _Planner(marks, rules, said)
    for delivered in events:
        event_type = delivered.type
        try:
            if event_type == MESSAGE_CREATED:
                planner.message(delivered)
            elif (kind := KINDS.get(event_type)) is not None:
                planner.other(delivered, kind)
        except _WRONG as error:
            detail = f"The data of a {event_type} do not name what it is about: {type(error).__name__}."
            raise BadRecord("bad_data", delivered.offset, detail) from None
    return Plan(planner.tally, {channel: planner.said[channel] for channel in planner.changed}, planner.passing)


class _Planner:
    def __init__(self, marks: Marks, rules: Rules, said: Mapping[str, Said]) -> None:
        self.tally, self.passing = Tally(), Passing(marks, rules)
        self.said = dict(said)
        self.changed: set[str] = set()

    def other(self, delivered: Delivered, kind: Kind) -> None:
        user = user_of(kind, delivered.values)
        counted = self.passing.take(delivered, user)
        if counted is not None:
            channel = None if delivered.channel is None else channel_key(delivered.channel)
            self.tally.other(counted // WINDOW_MS, kind, channel, user, delivered.values)

    def message(self, delivered: Delivered) -> None:
        data, seq, at = delivered.values, delivered.seq, delivered.at_ms
        sender, body = canonical(data["sender_id"]), data["body"]
        if delivered.channel is None or seq is None or type(body) is not str:
            raise ValueError("no body, or a message outside of any channel")
        channel = _keys.get(delivered.channel.int) or channel_key(delivered.channel)
        before, response = self.said.get(channel), None
        # A redriven message comes out of order: it answers none, and the next one does not answer it.
        if before is None or (delivered.epoch, seq) > before[:2]:
            self.said[channel] = (delivered.epoch, seq, sender, at)
            self.changed.add(channel)
            if before is not None and before[2] != sender:
                response = at - before[3] if at > before[3] else 0
        counted: int | None = at
        passing = self.passing
        if not passing.plain_from <= at < passing.plain_until:
            counted = passing.take(delivered, sender)
        elif at > passing.newest:
            passing.newest = at
        if counted is not None:
            self.tally.message(
                counted // WINDOW_MS, channel, sender, len(body), data.get("reply_to") is not None, response
            )
