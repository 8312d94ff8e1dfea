"""Heads: every channel that moved, each second, about ten times, whatever Kafka and the relay do."""

import contextlib
from collections import Counter
from collections.abc import Sequence
from typing import Any
from uuid import UUID

import pytest

from signalink_core.database.pool import Pool
from signalink_core.log.heads import Head, Heads, Window
from signalink_core.testing import eventually

pytestmark = pytest.mark.engine("postgres")


def ignore(_: Sequence[Head]) -> None:
    """Nobody hears it."""


class Clock:
    """Seconds that pass when told."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_the_window_gives_the_newest_xmin_that_is_ten_seconds_old() -> None:
    clock = Clock()
    window = Window(10, clock)
    found = []
    for tick in range(15):
        clock.now = 100.0 + tick
        found.append(window.since())
        window.add(1, 1000 + tick)
    assert found[:10] == [None] * 10
    assert found[10:] == [1000, 1001, 1002, 1003, 1004]


def test_a_pause_makes_the_window_longer_and_never_shorter() -> None:
    clock = Clock()
    window = Window(10, clock)
    window.add(1, 1000)
    clock.now += 120
    assert window.since() == 1000
    window.add(1, 5000)
    clock.now += 1
    assert window.since() == 1000


def test_another_epoch_starts_the_window_anew() -> None:
    clock = Clock()
    window = Window(10, clock)
    window.add(1, 1000)
    clock.now += 20
    window.add(2, 7)
    assert window.since() is None


async def test_a_head_is_the_last_seq_of_its_channel(log: Any, pool: Pool) -> None:
    channels = await log.channels(3)
    await log.post(*channels, *channels[:1])
    heads = Heads(pool, ignore)
    assert sorted(await heads.read()) == sorted([(channels[0], 1, 2), (channels[1], 1, 1), (channels[2], 1, 1)])


async def test_a_committed_post_is_among_the_heads_about_ten_times_and_then_no_more(log: Any, pool: Pool) -> None:
    quiet = await log.channel()
    published: Counter[UUID] = Counter()

    def publish(heads: Sequence[Head]) -> None:
        published.update(channel for channel, _, _ in heads)
        rounds.append(len(heads))

    rounds: list[int] = []
    async with Heads(pool, publish, every=0.05, window=0.5):
        await eventually(lambda: len(rounds) > 12)
        published.clear()
        await log.post(quiet)
        await eventually(lambda: published[quiet] > 0, within=2)
        mark = len(rounds)
        await eventually(lambda: len(rounds) > mark + 20)
        repeated = published[quiet]
        assert 8 <= repeated <= 14
        await eventually(lambda: len(rounds) > mark + 30)
        assert published[quiet] == repeated


async def test_a_transaction_that_commits_late_still_shows_its_head(log: Any, pool: Pool) -> None:
    channel = await log.channel()
    heads: list[Sequence[Head]] = []
    late = await log.database.connect("api")
    async with Heads(pool, heads.append, every=0.05, window=0.3), contextlib.AsyncExitStack() as stack:
        stack.push_async_callback(late.close)
        await eventually(lambda: len(heads) > 10)
        transaction = late.transaction()
        await transaction.start()
        await log.post(channel, connection=late)
        mark = len(heads)
        await eventually(lambda: len(heads) > mark + 15)
        await transaction.commit()
        heads.clear()
        await eventually(lambda: any((channel, 1, 1) in said for said in heads), within=2)


async def test_a_fresh_start_repeats_the_last_minute_so_that_a_crash_hides_nothing(log: Any, pool: Pool) -> None:
    channel = await log.channel()
    await log.post(channel)
    first = Heads(pool, ignore)
    assert [await first.read() for _ in range(3)] == [[(channel, 1, 1)]] * 3


async def test_after_a_new_epoch_heads_are_of_that_epoch_alone(log: Any, pool: Pool) -> None:
    channels = await log.channels(2)
    await log.post(*channels)
    await log.admin.execute("SELECT messaging.new_epoch()")
    await log.post(channels[0])
    assert await Heads(pool, ignore).read() == [(channels[0], 2, 2)]


async def test_an_unreachable_server_is_a_pause_and_not_an_end(log: Any, pool: Pool) -> None:
    heads: list[Sequence[Head]] = []
    async with Heads(pool, heads.append, every=0.05) as running:
        await eventually(lambda: len(heads) > 1)
        await log.admin.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'signalink_relay'"
        )
        mark = len(heads)
        await eventually(lambda: len(heads) > mark + 2)
        assert not running.failed.done()
