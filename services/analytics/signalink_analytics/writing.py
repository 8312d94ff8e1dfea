"""Writing a tally: increments to the windows' tables, in the caller's transaction. The consumer's and the rebuild's."""

from collections.abc import Iterable, Sequence
from typing import Any

import asyncpg

from signalink_analytics import statements
from signalink_analytics.tally import Counters, Tally, channel_row


async def add(conn: asyncpg.Connection, tally: Tally, part: int) -> None:
    """Add to what is there. `part`: of the platform's rows."""
    users = tally.users
    if users:
        await _add(conn, statements.USERS, zip(*users, strict=True), list(users.values()))
    channels = sorted(tally.channels.items())
    if channels:
        counters, lengths, responses = zip(*(channel_row(row) for _, row in channels), strict=True)
        arrays = [_array(each) for each in lengths], [_array(each) for each in responses]
        await _add(conn, statements.CHANNELS, zip(*(key for key, _ in channels), strict=True), counters, arrays)
    if tally.messages:
        windows = sorted(tally.messages)
        rows = [tally.messages[window] for window in windows]
        await _add(conn, statements.MESSAGES, (windows, [part] * len(windows)), rows)


async def _add(
    conn: asyncpg.Connection,
    counts: statements.Counts,
    keys: Iterable[Sequence[Any]],
    rows: Sequence[Counters],
    arrays: Sequence[Sequence[str]] = (),
) -> None:
    """Columns in which nobody counted anything are left out: most are, and each would be sent for every row."""
    columns = [
        (name, values) for name, values in zip(counts.columns, zip(*rows, strict=True), strict=True) if any(values)
    ]
    statement = counts.add(tuple(name for name, _ in columns))
    await conn.execute(statement, *map(_array, keys), *(_array(values) for _, values in columns), *arrays)


def _array(values: Iterable[int | str]) -> str:
    """Numbers and ids, which need no quotes."""
    return "{" + ",".join(map(str, values)) + "}"


def slots(windows: Iterable[int]) -> list[int]:
    """The locks that these windows share, in the order in which they are taken."""
    return sorted({window % statements.SLOTS for window in windows})


async def enter(conn: asyncpg.Connection, windows: Iterable[int], *, alone: bool = False) -> None:
    """Until the transaction ends: count in these windows together with others, or `alone`."""
    await conn.fetchval(statements.ENTER_ALONE if alone else statements.ENTER, slots(windows))


def ids(values: Iterable[Any]) -> list[str | None]:
    """Ids as text, for arrays."""
    return [None if value is None else str(value) for value in values]
