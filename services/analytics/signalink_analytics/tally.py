"""Counters of one batch by window, channel and user, added up in plain dictionaries. Pure; knows neither SQL nor Kafka.

A window is a number here: minutes since 1970. `planning` says which event goes into which window; `rebuild` adds up the
log with the same methods, so both count alike.
"""

from collections.abc import Mapping
from typing import Any, Final, TypeAlias

from signalink_analytics.histograms import LENGTHS, RESPONSES, length_index, response_index
from signalink_analytics.kinds import (
    CHANNEL_COLUMNS,
    MESSAGE_COLUMNS,
    NO_CHANNEL,
    USER_COLUMNS,
    Kind,
    canonical,
)

Counters: TypeAlias = list[int]
_MESSAGE: Final = {name: place for place, name in enumerate(MESSAGE_COLUMNS)}
_CHANNEL: Final = {name: place for place, name in enumerate(CHANNEL_COLUMNS)}
_USER: Final = {name: place for place, name in enumerate(USER_COLUMNS)}
_LENGTHS_AT: Final = len(CHANNEL_COLUMNS)
_RESPONSES_AT: Final = _LENGTHS_AT + len(LENGTHS) + 1
_CHANNEL_SIZE: Final = _RESPONSES_AT + len(RESPONSES) + 1
_RESPONSE_MS: Final = _CHANNEL["response_ms"]
# A message's counters stand first, in this order, in rows of channels and users, and behind `events` in the windows'.
_MESSAGES, _REPLIES, _CHARACTERS = range(3)


class Tally:
    """`messages`: window -> counters; `channels`: (window, channel) -> counters, then lengths, then responses;
    `users`: (window, user, channel) -> counters. Columns are those of `kinds`."""

    def __init__(self) -> None:
        self.messages: dict[int, Counters] = {}
        self.channels: dict[tuple[int, str], Counters] = {}
        self.users: dict[tuple[int, str, str], Counters] = {}

    def message(
        self, window: int, channel: str, sender: str, characters: int, reply: bool, response_ms: int | None
    ) -> None:
        """One `message.created`. `response_ms`: how long it let another user's message wait; None: it answered none."""
        row = self.messages.get(window)
        if row is None:
            row = self.messages[window] = [0] * len(MESSAGE_COLUMNS)
        row[0] += 1
        row[1 + _MESSAGES] += 1
        row[1 + _CHARACTERS] += characters
        at = window, channel
        here = self.channels.get(at)
        if here is None:
            here = self.channels[at] = [0] * _CHANNEL_SIZE
        here[_MESSAGES] += 1
        here[_CHARACTERS] += characters
        here[_LENGTHS_AT + length_index(characters)] += 1
        if response_ms is not None:
            here[_RESPONSE_MS] += response_ms
            here[_RESPONSES_AT + response_index(response_ms)] += 1
        key = window, sender, channel
        theirs = self.users.get(key)
        if theirs is None:
            theirs = self.users[key] = [0] * len(USER_COLUMNS)
        theirs[_MESSAGES] += 1
        theirs[_CHARACTERS] += characters
        if reply:
            row[1 + _REPLIES] += 1
            here[_REPLIES] += 1
            theirs[_REPLIES] += 1

    def other(self, window: int, kind: Kind, channel: str | None, user: str | None, data: Mapping[str, Any]) -> None:
        """One event of any other kind, done by `user`. Errors as `kinds.user_of`; nothing is counted then."""
        if channel is None and kind.channel is not None:
            channel = canonical(data[kind.channel])
        row = self.messages.setdefault(window, [0] * len(MESSAGE_COLUMNS))
        row[0] += 1
        if kind.column is None:
            return
        row[_MESSAGE[kind.column]] += 1
        if channel is not None:
            self.channels.setdefault((window, channel), [0] * _CHANNEL_SIZE)[_CHANNEL[kind.column]] += 1
        if user is not None:
            key = window, user, channel or NO_CHANNEL
            self.users.setdefault(key, [0] * len(USER_COLUMNS))[_USER[kind.column]] += 1


def channel_row(counters: Counters) -> tuple[Counters, Counters, Counters]:
    """A channel's counters, its histogram of lengths and that of responses."""
    return counters[:_LENGTHS_AT], counters[_LENGTHS_AT:_RESPONSES_AT], counters[_RESPONSES_AT:]
