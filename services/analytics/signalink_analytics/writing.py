"""Writing a tally: increments to the windows' tables, in the caller's transaction. The consumer's and the rebuild's."""

from collections.abc import Iterable, Sequence
from typing import Any

import asyncpg

from signalink_analytics import statements
from signalink_analytics.tally import Counters, Tally, channel_row


async def add(conn: asyncpg.Connection, tally: Tally, part: int) -> None:
    """Add to what is there. `part`: of the platform's rows."""
    users = sorted(tally.users.items())
    if users:
        keys = zip(*(key for key, _ in users), strict=True)
        await conn.execute(statements.COUNT_USERS, *keys, *_columns(row for _, row in users))
    channels = sorted(tally.channels.items())
    if channels:
        counters, lengths, responses = zip(*(channel_row(row) for _, row in channels), strict=True)
        await conn.execute(
            statements.COUNT_CHANNELS,
            *zip(*(key for key, _ in channels), strict=True),
            *_columns(counters),
            [_array(each) for each in lengths],
            [_array(each) for each in responses],
        )
    if tally.messages:
        windows = sorted(tally.messages)
        columns = _columns(tally.messages[window] for window in windows)
        await conn.execute(statements.COUNT_MESSAGES, windows, [part] * len(windows), *columns)


def _columns(rows: Iterable[Counters]) -> Sequence[Sequence[int]]:
    return list(zip(*rows, strict=True))


def _array(counters: Counters) -> str:
    return "{" + ",".join(map(str, counters)) + "}"


def slots(windows: Iterable[int]) -> list[int]:
    """The locks that these windows share, in the order in which they are taken."""
    return sorted({window % statements.SLOTS for window in windows})


async def enter(conn: asyncpg.Connection, windows: Iterable[int], *, alone: bool = False) -> None:
    """Until the transaction ends: count in these windows together with others, or `alone`."""
    await conn.fetchval(statements.ENTER_ALONE if alone else statements.ENTER, slots(windows))


def ids(values: Iterable[Any]) -> list[str | None]:
    """Ids as text, for arrays."""
    return [None if value is None else str(value) for value in values]
