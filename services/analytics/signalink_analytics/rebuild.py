"""Figures made anew from the log while the consumer counts and readers read (docs/decisions/0051).

One window is one short transaction: the window's lock alone (who counts in it waits, others do not), the log's events
that were counted so far, the new rows instead of the old ones. Readers see the window as it was or as it is, and what
is counted afterwards is added to the new rows. Hours and days that have such windows are rolled up anew, beside those
that are shown, and then shown at once. Windows that were right are not written.
"""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import asyncpg

from signalink_analytics import GROUP, keeper, logreads, rollup, writing
from signalink_analytics.kinds import CHANNEL_COLUMNS, KINDS, MESSAGE_COLUMNS, USER_COLUMNS, canonical, user_of
from signalink_analytics.settings import Retention
from signalink_analytics.tally import Tally, channel_row
from signalink_core.errors import SignalinkError
from signalink_core.events.types import MESSAGE_CREATED
from signalink_core.lifecycle import full_jitter

WINDOW: Final = timedelta(minutes=1)
HOUR: Final = timedelta(hours=1)
DAY: Final = timedelta(days=1)
WAIT_SECONDS: Final = 30.0
ATTEMPTS: Final = 10
TABLES: Final = ("user_metrics", "channel_metrics", "message_metrics")


class RebuildRefused(SignalinkError):
    """Nothing was changed."""

    code = "rebuild_refused"
    status = 409


@dataclass(slots=True)
class Progress:
    """`changed`: windows whose figures were others before; `events`: of the log, that were counted."""

    start: datetime
    until: datetime
    at: datetime
    windows: int = 0
    changed: int = 0
    events: int = 0
    rolled_up: int = 0


Told = Callable[[Progress], None]


async def rebuild(
    conn: asyncpg.Connection,
    since: datetime,
    kept: Retention,
    *,
    told: Told = lambda progress: None,
    group: str = GROUP,
) -> Progress:
    """Make every window from `since` up to now anew; `conn` is the service's role and does nothing else meanwhile.

    Raises RebuildRefused when the log does not reach back so far, or another rebuild runs.
    """
    now: datetime = await conn.fetchval(keeper.NOW)
    start = _start(since.astimezone(UTC), now, kept)
    if since > now:
        raise RebuildRefused(
            f"{since.isoformat()} is in the future.", next_step="name a moment of the past with --from."
        )
    await _check_log(conn, start, group)
    await _alone(conn)
    try:
        return await _Rebuild(conn, Progress(start, _floor(now, WINDOW) + WINDOW, start), told, group).run()
    finally:
        if not conn.is_closed():
            await conn.fetchval(keeper.NOT_ALONE)


def _start(since: datetime, now: datetime, kept: Retention) -> datetime:
    """A whole hour, or day where hours are gone: what is rolled up is made of all of its parts."""
    day = _floor(since, DAY)
    return day if day < now - timedelta(days=kept.keep_hours_days) else _floor(since, HOUR)


def _floor(moment: datetime, step: timedelta) -> datetime:
    epoch = datetime.fromtimestamp(0, UTC)
    return epoch + (moment - epoch) // step * step


async def _check_log(conn: asyncpg.Connection, start: datetime, group: str) -> None:
    gone: datetime | None = await conn.fetchval(logreads.GONE, "messages", group)
    if gone is not None and start <= gone:
        first = _floor(gone, HOUR) + HOUR
        raise RebuildRefused(
            f"The log lacks events before {gone.isoformat()}: retention removed them, so figures would be too small.",
            next_step=f"rebuild --from {first.strftime('%Y-%m-%dT%H:%M:%SZ')} or later.",
        )


async def _alone(conn: asyncpg.Connection) -> None:
    """Neither another rebuild nor rollups and retention; the keeper's pass in hand is waited for."""
    try:
        async with asyncio.timeout(WAIT_SECONDS):
            while not await conn.fetchval(keeper.TRY_ALONE):  # noqa: ASYNC110 - the holder is another process
                await asyncio.sleep(full_jitter(3))
    except TimeoutError as error:
        raise RebuildRefused(
            "Another rebuild runs, or a rollup that takes long.",
            next_step="look at analytics.rebuilds, and try again when it has ended.",
        ) from error


class _Rebuild:
    def __init__(self, conn: asyncpg.Connection, progress: Progress, told: Told, group: str) -> None:
        self._conn, self._progress, self._told, self._group = conn, progress, told, group

    async def run(self) -> Progress:
        progress, conn = self._progress, self._conn
        number = await conn.fetchval(BEGIN, progress.start, progress.until)
        try:
            while progress.at < progress.until:
                await self._day()
                await conn.execute(HEARD, number, progress.at, progress.windows, progress.changed, progress.events)
                self._told(progress)
        except BaseException:
            if not conn.is_closed():
                await conn.execute(END, number, "failed")
            raise
        await conn.execute(END, number, "done")
        self._told(progress)
        return progress

    async def _day(self) -> None:
        """Up to the end of a day, of which only windows that hold anything are looked at."""
        progress, changed = self._progress, set[datetime]()
        end = min(_floor(progress.at, DAY) + DAY, progress.until)
        for row in await self._conn.fetch(logreads.WINDOWS, progress.at, end):
            progress.at = row["start"] + WINDOW
            if await self._window_in_time(row["start"]):
                changed.add(_floor(row["start"], HOUR))
            self._told(progress)
        for hour in sorted(changed):
            await self._roll(rollup.HOUR, hour)
        if changed:
            await self._roll(rollup.DAY, _floor(min(changed), DAY))
        progress.at = end

    async def _roll(self, level: rollup.Level, start: datetime) -> None:
        """Only what is shown from its rollup; the rest is summed from below."""
        if await self._conn.fetchval("SELECT $1::timestamptz < analytics.reached($2)", start, level.name):
            await rollup.roll(self._conn, level, start)
            self._progress.rolled_up += 1

    async def _window_in_time(self, start: datetime) -> bool:
        """A busy window's lock may have to be asked for more than once. Whether its figures were others."""
        for attempt in range(1, ATTEMPTS):
            try:
                return await self._window(start)
            except (asyncpg.LockNotAvailableError, asyncpg.DeadlockDetectedError):
                await asyncio.sleep(full_jitter(attempt))
        return await self._window(start)

    async def _window(self, start: datetime) -> bool:
        """Everything is read before the first write: only from then on the transaction holds up the relay."""
        conn, window = self._conn, int(start.timestamp()) // 60
        async with conn.transaction():
            await writing.enter(conn, [window], alone=True)
            rows = await conn.fetch(logreads.EVENTS, self._group, start, start + WINDOW)
            tally = await self._tally(window, rows)
            changed: bool = await self._now(start) != _shape(tally)
            if changed:
                for table in TABLES:
                    await conn.execute(f"DELETE FROM analytics.{table} WHERE window_start = $1", start)
                await writing.add(conn, tally, 0)
        self._progress.windows += 1
        self._progress.changed += changed
        self._progress.events += len(rows)
        return changed

    async def _tally(self, window: int, rows: Sequence[Any]) -> Tally:
        tally = Tally()
        before = await self._before(rows)
        for row in rows:
            kind, data = KINDS.get(row["type"]), row["data"]
            if kind is None:
                continue
            if row["type"] != MESSAGE_CREATED:
                tally.other(window, kind, row["channel"], user_of(kind, data), data)
                continue
            sender, last = canonical(data["sender_id"]), before.get((row["channel"], row["seq"]))
            response = None if last is None or last[0] == sender else max(0, row["at"] - last[1])
            reply = data.get("reply_to") is not None
            tally.message(window, row["channel"], sender, row["characters"], reply, response)
        return tally

    async def _before(self, rows: Sequence[Any]) -> dict[tuple[str, int], tuple[str, int]]:
        """(channel, seq) -> sender and time of the message before it. Most have theirs in the window itself."""
        said = [row for row in rows if row["type"] == MESSAGE_CREATED]
        here = {(row["channel"], row["seq"]): (canonical(row["data"]["sender_id"]), row["at"]) for row in said}
        found = {(channel, seq): here[channel, seq - 1] for channel, seq in here if (channel, seq - 1) in here}
        asked = [place for place in here if place not in found]
        if asked:
            channels, seqs = zip(*asked, strict=True)
            rows = await self._conn.fetch(logreads.BEFORE, self._group, MESSAGE_CREATED, channels, seqs)
            found |= {(row["channel"], row["seq"]): (canonical(row["sender"]), row["at"]) for row in rows}
        return found

    async def _now(self, start: datetime) -> Any:
        """The figures of the window as they are, in the shape of `_shape`."""
        conn = self._conn
        sums = ", ".join(f"sum({column})::bigint AS {column}" for column in MESSAGE_COLUMNS)
        total = await conn.fetchrow(f"SELECT {sums} FROM analytics.message_metrics WHERE window_start = $1", start)
        channels = await conn.fetch(
            f"SELECT channel_id::text, {', '.join(CHANNEL_COLUMNS)}, lengths, responses "
            "FROM analytics.channel_metrics WHERE window_start = $1",
            start,
        )
        users = await conn.fetch(
            f"SELECT user_id::text, channel_id::text, {', '.join(USER_COLUMNS)} "
            "FROM analytics.user_metrics WHERE window_start = $1",
            start,
        )
        return (
            None if total["events"] is None else tuple(total),
            {row[0]: (*row[1:-2], *_trimmed(row[-2]), "|", *_trimmed(row[-1])) for row in map(tuple, channels)},
            {row[:2]: row[2:] for row in map(tuple, users)},
        )


def _shape(tally: Tally) -> Any:
    """Of one window: the platform's counters, those per channel, those per user and channel."""
    total = next((tuple(row) for row in tally.messages.values()), None)
    channels: dict[str, Any] = defaultdict(tuple)
    for (_, channel), row in tally.channels.items():
        counters, lengths, responses = channel_row(row)
        channels[channel] = (*counters, *_trimmed(lengths), "|", *_trimmed(responses))
    return total, dict(channels), {(user, channel): tuple(row) for (_, user, channel), row in tally.users.items()}


def _trimmed(histogram: Sequence[int]) -> list[int]:
    """Without zeros at the end: '{}' is the empty histogram as well."""
    trimmed = list(histogram)
    while trimmed and not trimmed[-1]:
        trimmed.pop()
    return trimmed


BEGIN: Final = """
INSERT INTO analytics.rebuilds (from_window, until_window, next_window) VALUES ($1, $2, $1) RETURNING id
"""
# $1 number, $2 next window, $3 windows, $4 changed, $5 events
HEARD: Final = """
UPDATE analytics.rebuilds SET next_window = $2, windows = $3, changed = $4, events = $5, heard_at = clock_timestamp()
WHERE id = $1
"""
END: Final = "UPDATE analytics.rebuilds SET state = $2, ended_at = clock_timestamp() WHERE id = $1"
