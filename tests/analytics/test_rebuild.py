"""A rebuild makes figures equal to the log again, while others count and read, and refuses what it cannot do."""

import asyncio
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import oracle
import pytest
from counting import Counting
from happenings import Channel, at, fact, write
from test_effect import USERS, base_of, late_of, trace
from test_rollup import roll_up, shown

from signalink_analytics import GROUP, rebuild
from signalink_analytics.settings import Retention
from signalink_core.clock import utc_now
from signalink_core.database import pool as pools
from signalink_core.database.pool import Pool
from signalink_core.events import types
from signalink_stacks.local.testing import Database

_FIRST = "WHERE ctid IN (SELECT min(ctid) FROM analytics."
HARM = (
    f"UPDATE analytics.message_metrics SET messages = messages + 5 {_FIRST}message_metrics)",
    f"DELETE FROM analytics.user_metrics {_FIRST}user_metrics)",
    f"UPDATE analytics.channel_metrics SET lengths = '{{9}}' {_FIRST}channel_metrics)",
)


async def rebuilt(figured: Database, since: datetime, **more: Any) -> rebuild.Progress:
    conn = await pools.connect(figured.settings("analytics"))
    try:
        return await rebuild.rebuild(conn, since, Retention(), **more)
    finally:
        await conn.close()


async def counted(pool: Pool, admin: Any, seed: int = 1, count: int = 200) -> tuple[Counting, list[UUID], datetime]:
    base = base_of()
    said, _ = trace(seed, count, base)
    await write(admin, said)
    counting = Counting(pool, partitions=1)
    for start in range(0, len(said), 40):
        await counting.take(said[start : start + 40])
    return counting, late_of(said, base), base - timedelta(minutes=5)


async def test_it_repairs_what_was_wrong_and_writes_nothing_where_nothing_was(
    figured: Database, pool: Pool, admin: Any
) -> None:
    _, late, base = await counted(pool, admin)
    first = await rebuilt(figured, base)
    assert (first.changed, first.windows > 5) == (0, True)
    for harm in HARM:
        await admin.execute(harm)
    assert await oracle.differences(admin, late) != []
    again = await rebuilt(figured, base)
    assert 1 <= again.changed <= 3
    assert await oracle.differences(admin, late) == []
    await admin.execute("TRUNCATE analytics.message_metrics, analytics.channel_metrics, analytics.user_metrics")
    await rebuilt(figured, base)
    assert await oracle.differences(admin, late) == []
    states = await admin.fetch("SELECT state, next_window = until_window AS whole FROM analytics.rebuilds")
    assert {tuple(row) for row in states} == {("done", True)}


async def test_facts_parked_clamped_and_deleted_ones_count_as_they_did(
    figured: Database, pool: Pool, admin: Any
) -> None:
    counting, channel, base = Counting(pool, partitions=2), Channel(), utc_now().replace(microsecond=0)
    said = [channel.message(USERS[0], base, "a text"), channel.message(USERS[1], base + timedelta(hours=2), "future")]
    gone = channel.message(USERS[2], base, "parked")
    unread = channel.message(USERS[3], base, "not read yet")
    facts = [fact(types.USER_LOGGED_IN, USERS[0], base), fact(types.USER_LOGGED_IN, USERS[1], base)]
    await write(admin, [*said, gone, unread])
    await write(admin, facts, "analytics")
    await counting.take(said)
    await counting.take(facts[:1], "analytics")
    await admin.execute("UPDATE analytics.positions SET seq = 3")
    await admin.execute(
        "INSERT INTO analytics.parked (consumer_group, topic, partition, record_offset, event_id, error, attempts, "
        "first_at, last_at, dlq_confirmed_at) VALUES ($1, 'messages', 0, 2, $2, 'x', 1, now(), now(), now())",
        GROUP,
        gone.id,
    )
    before = await figures(admin)
    assert (await rebuilt(figured, base)).changed == 0
    assert await figures(admin) == before
    await admin.execute("TRUNCATE analytics.message_metrics, analytics.channel_metrics, analytics.user_metrics")
    await rebuilt(figured, base)
    assert await figures(admin) == before
    assert sum(row["messages"] for row in before["message_metrics"]) == 2


async def figures(admin: Any) -> dict[str, list[Any]]:
    found = {}
    for table in ("message_metrics", "channel_metrics", "user_metrics"):
        rows = await admin.fetch(f"SELECT * FROM analytics.{table} ORDER BY 1, 2, 3")
        found[table] = [dict(row) | {"part": 0} for row in rows]
    return found


async def test_hours_and_days_that_were_wrong_are_rolled_up_anew(figured: Database, pool: Pool, admin: Any) -> None:
    counting, _, base = await counted(pool, admin, count=150)
    channel = Channel()
    last = channel.message(USERS[0], utc_now() - timedelta(minutes=5))
    await write(admin, [last])
    right = await shown(admin)
    await admin.execute("UPDATE analytics.user_metrics SET messages = messages + 100")
    await counting.take([last])
    await roll_up(pool)
    assert await admin.fetchval("SELECT max(messages) FROM analytics.user_hours") > 100
    progress = await rebuilt(figured, base)
    assert progress.rolled_up >= 1
    after = await shown(admin)
    assert right["user_by_hour"] <= after["user_by_hour"]
    assert (
        await admin.fetchval("SELECT count(DISTINCT generation) FROM analytics.user_hours GROUP BY window_start") == 1
    )


async def test_readers_see_each_window_as_it_was_or_as_it_is_and_traffic_loses_nothing(
    figured: Database, pool: Pool, admin: Any
) -> None:
    counting, late, base = await counted(pool, admin, count=300)
    for statement in HARM:
        await admin.execute(statement)
    wrong = await admin.fetch(TORN)
    done, harming = asyncio.Event(), asyncio.Lock()

    async def traffic(partition: int) -> int:
        sent, mine = 0, Channel()
        while not done.is_set():
            now = utc_now()
            batch = [mine.message(USERS[n % 7], now, "x" * n) for n in range(20)]
            await write(own[partition], batch)
            await counting.take(batch, partition=partition)
            sent += len(batch)
        return sent

    async def watch() -> int:
        looks = 0
        while not done.is_set():
            async with harming:
                torn = [row for row in await reader.fetch(TORN) if row not in wrong]
            assert torn == []
            await asyncio.sleep(0)
            looks += 1
        return looks

    own = {partition: await figured.connect() for partition in (3, 4, 5)}
    reader = await figured.connect()
    working = [asyncio.create_task(traffic(partition)) for partition in own]
    watching = asyncio.create_task(watch())
    for _ in range(3):
        async with harming:
            await admin.execute(
                "DELETE FROM analytics.user_metrics WHERE user_id = $1 AND window_start < $2",
                USERS[0],
                base + timedelta(hours=12),
            )
            wrong = await admin.fetch(TORN) + wrong
        await rebuilt(figured, base)
    done.set()
    sent = sum(await asyncio.gather(*working))
    assert sent > 60
    assert await watching > 3
    assert await oracle.differences(admin, late) == []
    for connection in (*own.values(), reader):
        await connection.close()


# Windows in which the platform's messages are not those of its users.
TORN = """
SELECT window_start, m.messages AS said, u.messages AS by_users FROM analytics.message_by_minute m
LEFT JOIN (SELECT window_start, sum(messages) AS messages FROM analytics.user_metrics GROUP BY 1) u USING (window_start)
WHERE m.messages <> coalesce(u.messages, 0)
"""


async def test_it_refuses_what_the_log_does_not_hold_any_more_and_says_from_when_it_can(
    figured: Database, pool: Pool, admin: Any
) -> None:
    counting, channel, base = Counting(pool, partitions=1), Channel(), base_of(2)
    said = [channel.message(USERS[0], at(n * 3600, base)) for n in range(4)]
    await write(admin, said)
    await counting.take(said)
    await admin.execute("SET session_replication_role = replica")
    await admin.execute("DELETE FROM messaging.events WHERE seq < 3")
    before = await figures(admin)
    with pytest.raises(rebuild.RebuildRefused) as caught:
        await rebuilt(figured, base)
    assert "retention removed them" in caught.value.detail
    assert "rebuild --from" in str(caught.value.next_step)
    assert await figures(admin) == before
    await rebuilt(figured, said[3].time)
    assert await figures(admin) == before


async def test_two_rebuilds_at_once_and_a_moment_in_the_future_are_refused(
    figured: Database, pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rebuild, "WAIT_SECONDS", 0.2)
    async with pool.acquire() as conn, rebuild.keeper.alone(conn) as mine:
        assert mine
        with pytest.raises(rebuild.RebuildRefused, match="Another rebuild"):
            await rebuilt(figured, utc_now())
    with pytest.raises(rebuild.RebuildRefused, match="future"):
        await rebuilt(figured, utc_now() + timedelta(days=1))


def test_it_begins_with_whole_hours_and_with_whole_days_where_hours_are_gone() -> None:
    now, kept = at(0), Retention(keep_hours_days=90)
    assert rebuild._start(at(-100), now, kept) == at(-3600)
    assert rebuild._start(at(-91 * 86400 + 5), now, kept).hour == 0
