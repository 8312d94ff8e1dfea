"""Hours and days: equal to what the views summed before, closed against late counting, forgotten in their turn."""

import asyncio
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import oracle
import pytest
from counting import Counting
from happenings import Channel, at, delivered, write
from test_effect import USERS, late_of, trace

from signalink_analytics import GROUP, retention, rollup
from signalink_analytics.settings import Retention
from signalink_core.clock import utc_now
from signalink_core.database.pool import Pool
from signalink_core.kafka.delivery import Batch
from signalink_core.kafka.store import Step
from signalink_core.testing import eventually

LATENESS = timedelta(seconds=30)
VIEWS = ("message_by_hour", "message_by_day", "channel_by_hour", "channel_by_day", "user_by_hour", "user_by_day")


def midnight(days: int) -> datetime:
    return utc_now().replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=days)


async def shown(admin: Any) -> dict[str, set[Any]]:
    found = {}
    for view in VIEWS:
        rows = await admin.fetch(f"SELECT * FROM analytics.{view}")
        found[view] = {tuple(tuple(trimmed(v)) if isinstance(v, list) else v for v in row) for row in rows}
    return found


def trimmed(histogram: list[int]) -> list[int]:
    return histogram[: max((n for n, count in enumerate(histogram, 1) if count), default=0)]


async def roll_up(pool: Pool, partitions: int = 1) -> datetime | None:
    async with pool.acquire() as conn:
        until = await rollup.close(conn, GROUP, partitions, LATENESS)
        for level in rollup.LEVELS:
            if until is not None:
                await rollup.catch_up(conn, level, until)
    return until


async def two_days(pool: Pool, admin: Any) -> tuple[Counting, list[UUID]]:
    """Hours apart, over more than a day, so that hours and days are complete."""
    counting, late, base = Counting(pool, partitions=1), list[UUID](), midnight(3)
    for hour in (0, 1, 5, 23, 24, 30):
        said, _ = trace(hour, 80, base + timedelta(hours=hour))
        said = [event for event in said if event.time >= base + timedelta(hours=hour)]
        await write(admin, said)
        await counting.take(said)
        late += late_of(said, base + timedelta(hours=hour))
    return counting, late


@pytest.mark.parametrize("piece_rows", [50_000, 7])
async def test_views_show_the_same_before_and_after_a_rollup(
    pool: Pool, admin: Any, monkeypatch: pytest.MonkeyPatch, piece_rows: int
) -> None:
    monkeypatch.setattr(rollup, "PIECE_ROWS", piece_rows)
    await two_days(pool, admin)
    before = await shown(admin)
    until = await roll_up(pool)
    assert until == midnight(3) + timedelta(hours=30)
    assert await shown(admin) == before
    levels = await admin.fetch("SELECT level, count(*) AS n FROM analytics.rollups GROUP BY 1 ORDER BY 1")
    assert [tuple(row) for row in levels] == [("day", 1), ("hour", 5)]
    await admin.execute("TRUNCATE analytics.message_metrics, analytics.channel_metrics, analytics.user_metrics")
    left = await shown(admin)
    assert len(left["user_by_hour"]) > 10 and left["user_by_day"]


async def test_a_period_tells_its_distinct_users_and_senders(pool: Pool, admin: Any) -> None:
    counting, base, channel, other = Counting(pool, partitions=1), midnight(2), Channel(), Channel()
    said = [channel.message(USERS[n % 3], at(n * 60, base)) for n in range(9)] + [
        other.message(USERS[5], at(600, base))
    ]
    await counting.take([*said, channel.message(USERS[0], at(90_000, base))])
    await roll_up(pool)
    rows = await admin.fetch("SELECT level, active_users, exact, sketch FROM analytics.rollups ORDER BY 1")
    assert [tuple(row) for row in rows] == [("day", 4, True, None), ("hour", 4, True, None)]
    for table in ("channel_hours", "channel_days"):
        found = await admin.fetch(f"SELECT channel_id, senders FROM analytics.{table}")
        assert {row["channel_id"]: row["senders"] for row in found} == {channel.id: 3, other.id: 1}


async def test_who_counts_while_an_hour_is_closed_is_in_the_hour_or_late(pool: Pool, admin: Any) -> None:
    counting, base = Counting(pool, partitions=2), midnight(1)
    channel, slow = Channel(), Channel()
    await counting.take([channel.message(USERS[0], at(10, base))], partition=0)
    await counting.take([slow.message(USERS[0], at(20, base))], partition=1)
    go_on, inside = asyncio.Event(), asyncio.Event()

    async def apply(tx: Any, batch: Batch) -> None:
        await counting.effect.apply(tx, batch)
        inside.set()
        await go_on.wait()

    place = ("messages", 1)
    events = delivered([slow.message(USERS[1], at(30, base)), slow.message(USERS[1], at(7300, base))], *place, 1)
    counting_slowly = asyncio.create_task(counting.store.settle(Step(place, 1, 3, events), apply))
    await inside.wait()
    await counting.take([channel.message(USERS[0], at(7300, base))], partition=0)
    async with pool.acquire() as conn:
        closing = asyncio.create_task(rollup.finish(conn, base + timedelta(hours=1)))
        await eventually(lambda: _waits(admin), within=5)
        assert not closing.done()
        go_on.set()
        await counting_slowly
        await closing
        await rollup.catch_up(conn, rollup.HOUR, base + timedelta(hours=1))
    rolled = await admin.fetchval("SELECT messages FROM analytics.message_by_hour WHERE window_start = $1", base)
    assert rolled == 3
    await counting.take([channel.message(USERS[0], at(40, base))], partition=0)
    assert await admin.fetchval("SELECT count(*) FROM analytics.late_events") == 1


async def _waits(admin: Any) -> bool:
    return bool(await admin.fetchval("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"))


async def test_retention_takes_what_is_old_and_rolled_up_and_nothing_else(pool: Pool, admin: Any) -> None:
    await two_days(pool, admin)
    kept = Retention(keep_minutes_days=1, keep_hours_days=1, keep_days_days=365)
    async with pool.acquire() as conn:
        assert await retention.forget(conn, kept, utc_now()) == {}, "nothing is rolled up yet"
        before = await shown(admin)
        await roll_up(pool)
        gone = await retention.forget(conn, kept, utc_now())
    assert {"message_metrics", "user_metrics", "channel_metrics", "message_hours", "rollups"} <= gone.keys()
    after = await shown(admin)
    assert after["message_by_day"] == before["message_by_day"]
    assert after["user_by_day"] == before["user_by_day"]
    assert len(after["message_by_hour"]) == 2, "the second day is not whole yet, so its hours stay"
    assert await oracle.events(admin) > 0, "the last hour is not rolled up"
