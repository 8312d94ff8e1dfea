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


class _Cell:
    """One channel in one window: its counters, and those of each user in it. `whole`: the window's own counters."""

    __slots__ = ("row", "users", "whole", "window")

    def __init__(self, window: int, whole: Counters) -> None:
        self.window, self.whole = window, whole
        self.row: Counters = [0] * _CHANNEL_SIZE
        self.users: dict[str, Counters] = {}


class Tally:
    """`messages`: window -> counters. Columns are those of `kinds`."""

    def __init__(self) -> None:
        self.messages: dict[int, Counters] = {}
        self._cells: dict[tuple[int, str], _Cell] = {}
        self._last: dict[str, _Cell] = {}
        self._elsewhere: dict[int, dict[str, Counters]] = {}

    @property
    def channels(self) -> dict[tuple[int, str], Counters]:
        """(window, channel) -> counters, then lengths, then responses (`channel_row`)."""
        return {at: cell.row for at, cell in self._cells.items()}

    @property
    def users(self) -> dict[tuple[int, str, str], Counters]:
        """(window, user, channel) -> counters; sorted by window, channel, user: the order in which rows are locked.

        Sorted in small parts: sorting all keys cost 1 us for each event of a batch.
        """
        parts = [(at, cell.users) for at, cell in self._cells.items()]
        parts += [((window, NO_CHANNEL), users) for window, users in self._elsewhere.items()]
        parts.sort(key=lambda part: part[0])
        return {
            (window, user, channel): row for (window, channel), users in parts for user, row in sorted(users.items())
        }

    def message(
        self, window: int, channel: str, sender: str, characters: int, reply: bool, response_ms: int | None
    ) -> None:
        """One `message.created`. `response_ms`: how long it let another user's message wait; None: it answered none."""
        cell = self._last.get(channel)
        if cell is None or cell.window != window:
            cell = self._cell(window, channel)
        theirs = cell.users.get(sender)
        if theirs is None:
            theirs = cell.users[sender] = [0] * len(USER_COLUMNS)
        whole, here = cell.whole, cell.row
        whole[0] += 1
        whole[1 + _MESSAGES] += 1
        whole[1 + _CHARACTERS] += characters
        here[_MESSAGES] += 1
        here[_CHARACTERS] += characters
        here[_LENGTHS_AT + length_index(characters)] += 1
        theirs[_MESSAGES] += 1
        theirs[_CHARACTERS] += characters
        if response_ms is not None:
            here[_RESPONSE_MS] += response_ms
            here[_RESPONSES_AT + response_index(response_ms)] += 1
        if reply:
            whole[1 + _REPLIES] += 1
            here[_REPLIES] += 1
            theirs[_REPLIES] += 1

    def other(self, window: int, kind: Kind, channel: str | None, user: str | None, data: Mapping[str, Any]) -> None:
        """One event of any other kind, done by `user`. Errors as `kinds.user_of`; nothing is counted then."""
        if channel is None and kind.channel is not None:
            channel = canonical(data[kind.channel])
        whole = self._whole(window)
        whole[0] += 1
        column = kind.column
        if column is None:
            return
        whole[_MESSAGE[column]] += 1
        cell = None if channel is None else self._cell(window, channel)
        if cell is not None:
            cell.row[_CHANNEL[column]] += 1
        if user is not None:
            zeros = [0] * len(USER_COLUMNS)
            theirs = (
                self._elsewhere.setdefault(window, {}).setdefault(user, zeros)
                if cell is None
                else cell.users.setdefault(user, zeros)
            )
            theirs[_USER[column]] += 1

    def _whole(self, window: int) -> Counters:
        row = self.messages.get(window)
        if row is None:
            row = self.messages[window] = [0] * len(MESSAGE_COLUMNS)
        return row

    def _cell(self, window: int, channel: str) -> _Cell:
        cell = self._cells.get((window, channel))
        if cell is None:
            cell = self._cells[window, channel] = _Cell(window, self._whole(window))
        self._last[channel] = cell
        return cell


def channel_row(counters: Counters) -> tuple[Counters, Counters, Counters]:
    """A channel's counters, its histogram of lengths and that of responses."""
    return counters[:_LENGTHS_AT], counters[_LENGTHS_AT:_RESPONSES_AT], counters[_RESPONSES_AT:]
