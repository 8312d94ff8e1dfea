"""The effect on a real store: what is in the tables equals a batch of SQL over the log, whatever breaks on the way."""

import random
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import oracle
import pytest
from counting import Counting, Crash
from happenings import Channel, at, fact, write

from signalink_core.clock import utc_now
from signalink_core.database.pool import Pool
from signalink_core.events import Event, types
from signalink_core.ids import uuid7
from signalink_core.kafka.errors import BadRecord

USERS = [UUID(int=n) for n in range(1, 8)]


def trace(seed: int, count: int, base: datetime) -> tuple[list[Event], list[Event]]:
    """Out of order by up to three minutes, of every kind; those of channels, and facts."""
    chance = random.Random(seed)
    channels = [Channel() for _ in range(4)]
    now, said, facts = 0.0, list[Event](), list[Event]()
    for _ in range(count):
        now += chance.choice((0.2, 1, 5, 20))
        back = chance.choice((0, 0, 0, 3, 20, 50, 100, 180))
        said.append(_in_channel(chance, chance.choice(channels), at(round(now - back, 3), base)))
        if chance.random() < 0.2:
            facts.append(_fact(chance, channels, at(round(now, 3), base)))
    return said, facts


def _in_channel(chance: random.Random, channel: Channel, time: datetime) -> Event:
    user, kind = chance.choice(USERS), chance.random()
    if kind < 0.7:
        body = "é" * chance.choice((1, 10, 11, 300, 4001))
        return channel.message(user, time, body, uuid7() if chance.random() < 0.3 else None)
    name, field = chance.choice(
        (
            (types.MESSAGE_EDITED, "edited_by"),
            (types.MESSAGE_DELETED, "deleted_by"),
            (types.MEMBER_JOINED, "user_id"),
            (types.MEMBER_LEFT, "user_id"),
            (types.MEMBER_REMOVED, "user_id"),
            (types.CHANNEL_UPDATED, "by"),
        )
    )
    return channel.event(name, time, **{field: user})


def _fact(chance: random.Random, channels: Sequence[Channel], time: datetime) -> Event:
    kind = chance.choice((types.USER_LOGGED_IN, types.USER_LOGGED_OUT, types.USER_REGISTERED, types.MESSAGE_READ))
    more = {"channel_id": chance.choice(channels).id, "seq": 1} if kind == types.MESSAGE_READ else {}
    return fact(kind, chance.choice(USERS), time, **more)


def late_of(events: Sequence[Event], base: datetime) -> list[UUID]:
    """By the words of the design, of one partition beside others that are ahead: 30 s after 5 s after the newest."""
    newest, late = None, []
    for event in events:
        seconds = (event.time - base).total_seconds()
        if newest is not None and (seconds // 60 + 1) * 60 + 30 <= newest - 5:
            late.append(event.id)
        newest = seconds if newest is None else max(newest, seconds)
    return late


def base_of(days: int = 1) -> datetime:
    return utc_now().replace(second=0, microsecond=0) - timedelta(days=days)


@pytest.mark.parametrize("seed", range(4))
async def test_any_batches_crashes_and_repeats_give_what_the_oracle_says(pool: Pool, admin: Any, seed: int) -> None:
    base, chance = base_of(), random.Random(seed)
    said, facts = trace(seed, 400, base)
    await write(admin, said)
    await write(admin, facts, "analytics")
    counting = Counting(pool)
    await counting.idle("analytics")  # the other partition is ahead
    place = 0
    while place < len(said):
        batch = said[place : place + chance.choice((1, 7, 60))]
        if chance.random() < 0.3:
            with pytest.raises(Crash):
                await counting.take(batch, crash=True)
            continue
        if chance.random() < 0.2:
            batch = said[max(0, place - 5) : place] + batch  # the relay repeats
        await counting.take(batch)
        place = said.index(batch[-1]) + 1
    await counting.take(facts, "analytics")
    late = late_of(said, base)
    assert len(late) > 10
    over = max((event.time - base).total_seconds() for event in said) - 5  # the other partition is ahead of it
    behind = [event.id for event in facts if ((event.time - base).total_seconds() // 60 + 1) * 60 + 30 <= over]
    assert 10 < len(behind) < len(facts)
    assert await oracle.differences(admin, late + behind) == []


async def test_the_oracle_sees_one_event_that_is_counted_twice_or_not_at_all(pool: Pool, admin: Any) -> None:
    base = base_of()
    said, _ = trace(9, 60, base)
    await write(admin, said)
    counting = Counting(pool, partitions=1)
    await counting.take(said)
    late = late_of(said, base)
    assert await oracle.differences(admin, late) == []
    for harm, seen in (
        ("UPDATE analytics.user_metrics SET messages = messages + 1 WHERE ctid = '(0,1)'", {"users"}),
        ("UPDATE analytics.channel_metrics SET lengths = '{1}' WHERE ctid = '(0,1)'", {"lengths"}),
        ("UPDATE analytics.channel_metrics SET response_ms = 1 WHERE ctid = '(0,1)'", {"responses"}),
        ("DELETE FROM analytics.message_metrics WHERE ctid = '(0,1)'", {"messages"}),
        ("DELETE FROM analytics.late_events", {"late"}),
    ):
        undone = admin.transaction()
        await undone.start()
        await admin.execute(harm)
        assert {line.split(":")[0] for line in await oracle.differences(admin, late)} == seen
        await undone.rollback()


async def test_nothing_is_late_while_a_partition_has_told_nothing(pool: Pool, admin: Any) -> None:
    base, channel = base_of(), Channel()
    counting = Counting(pool, partitions=3)
    await counting.take([channel.message(USERS[0], at(900, base)), channel.message(USERS[1], at(0, base))])
    await counting.idle("messages", 1)
    await counting.take([channel.message(USERS[0], at(1, base))])
    assert await admin.fetchval("SELECT count(*) FROM analytics.late_events") == 0
    await counting.idle("messages", 2)
    await counting.take([channel.message(USERS[0], at(1, base))])
    row = await admin.fetchrow("SELECT * FROM analytics.late_events")
    assert (row["user_id"], row["window_start"], row["watermark"]) == (USERS[0], base, at(895, base))
    assert row["late_seconds"] == 895 - 60


async def test_an_event_from_the_future_is_counted_now_kept_and_told(
    pool: Pool, admin: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    channel, ahead = Channel(), utc_now() + timedelta(hours=3)
    counting = Counting(pool, partitions=1)
    event = channel.message(USERS[0], ahead.replace(microsecond=0))
    await write(admin, [event])
    await counting.take([event])
    row = await admin.fetchrow("SELECT * FROM analytics.clamped_events")
    assert (row["event_id"], row["event_time"]) == (event.id, event.time)
    assert abs((row["counted_at"] - utc_now()).total_seconds()) < 30
    watermark = await admin.fetchval("SELECT watermark FROM analytics.offsets")
    assert watermark == row["counted_at"] - timedelta(seconds=5)
    assert await oracle.differences(admin, []) == []
    assert "events_from_the_future" in capsys.readouterr().out


async def test_bad_data_leave_nothing_behind_and_name_their_record(pool: Pool, admin: Any) -> None:
    channel = Channel()
    good = channel.message(USERS[0], at(0, base_of()))
    bad = Event(uuid7(), types.MESSAGE_CREATED, good.time, 1, {"sender_id": "x", "body": "secret"}, channel.id, 2)
    with pytest.raises(BadRecord) as caught:
        await Counting(pool, partitions=1).take([good, bad])
    assert (caught.value.offset, caught.value.reason) == (1, "bad_data")
    assert await oracle.events(admin) == 0


async def test_presence_keeps_the_newest_state_every_change_and_the_windows(pool: Pool, admin: Any) -> None:
    counting, base = Counting(pool, partitions=1), base_of()

    def change(user: UUID, state: str, seconds: float) -> Event:
        return fact(types.PRESENCE_CHANGED, user, at(seconds, base), state=state)

    await counting.take(
        [change(USERS[0], "online", 0), change(USERS[1], "dnd", 5), change(USERS[0], "away", 70)], "presence"
    )
    await counting.take([change(USERS[0], "offline", 30)], "presence")
    rows = await admin.fetch("SELECT user_id, state FROM analytics.presence_now ORDER BY user_id")
    assert [tuple(row) for row in rows] == [(USERS[0], "away"), (USERS[1], "dnd")]
    assert await admin.fetchval("SELECT count(*) FROM analytics.presence_changes") == 4
    first = await admin.fetchrow("SELECT * FROM analytics.presence_by_minute WHERE window_start = $1", base)
    assert tuple(first)[1:] == (1, 0, 1, 1)
    with pytest.raises(BadRecord):
        await counting.take([change(USERS[0], "asleep", 80)], "presence")
