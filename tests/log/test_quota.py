"""The quota of a channel: at most N messages in any second, by all processes together."""

import asyncio
from typing import Any
from uuid import UUID

import pytest

from signalink_api.writer import Draft
from signalink_core.ids import uuid7


def draft(channel: UUID, sender: UUID, key: str | None = None, body: str = "hello") -> Draft:
    return Draft(channel, sender, key or str(uuid7()), body)


@pytest.fixture
async def bounded(world: Any) -> tuple[UUID, UUID]:
    """(channel with a quota of 3, its owner)"""
    owner = await world.user()
    channel = await world.channel(owner)
    await world.admin.execute("UPDATE messaging.channels SET messages_per_second = 3 WHERE id = $1", channel)
    return channel, owner


async def age(world: Any, seconds: float) -> None:
    """Time passes for what was posted."""
    await world.admin.execute(
        "UPDATE messaging.messages SET created_at = created_at - make_interval(secs => $1)", seconds
    )


async def test_the_message_above_the_quota_is_refused_and_takes_no_seq(world: Any, bounded: tuple[UUID, UUID]) -> None:
    channel, owner = bounded
    batch = [draft(channel, owner) for _ in range(5)]
    assert await world.verdicts(*batch) == ["created"] * 3 + ["over_quota"] * 2
    assert await world.verdicts(batch[4], batch[0]) == ["over_quota", "replayed"]
    await age(world, 1.0)
    assert await world.verdicts(batch[3], batch[4]) == ["created", "created"]
    assert await world.seqs(channel) == [1, 2, 3, 4, 5]


async def test_any_second_counts_not_only_whole_ones(world: Any, bounded: tuple[UUID, UUID]) -> None:
    channel, owner = bounded
    for _ in range(2):
        assert await world.verdicts(draft(channel, owner)) == ["created"]
    await age(world, 0.7)
    assert await world.verdicts(draft(channel, owner), draft(channel, owner)) == ["created", "over_quota"]
    await age(world, 0.3)
    assert await world.verdicts(*(draft(channel, owner) for _ in range(3))) == ["created", "created", "over_quota"]


async def test_other_events_and_other_channels_cost_none_of_it(world: Any, bounded: tuple[UUID, UUID]) -> None:
    channel, owner = bounded
    other = await world.channel(owner)
    (first,) = await world.post(draft(channel, owner))
    for n in range(4):
        await world.change("edit_message", message_id=first["id"], actor_id=owner, body=f"edit {n}")
    mixed = [draft(one, owner) for one in (channel, other) for _ in range(4)]
    assert await world.verdicts(*mixed) == ["created"] * 2 + ["over_quota"] * 2 + ["created"] * 4


async def test_moderators_are_bound_too_and_slow_mode_comes_first(world: Any, bounded: tuple[UUID, UUID]) -> None:
    channel, owner = bounded
    member = await world.user()
    await world.change("join_channel", channel_id=channel, actor_id=member)
    await world.admin.execute("UPDATE messaging.channels SET slow_mode_seconds = 60 WHERE id = $1", channel)
    rows = [draft(channel, member), draft(channel, member), *(draft(channel, owner) for _ in range(3))]
    assert await world.verdicts(*rows) == ["created", "too_fast", "created", "created", "over_quota"]


async def test_repeats_in_one_batch_share_the_refusal(world: Any, bounded: tuple[UUID, UUID]) -> None:
    channel, owner = bounded
    await world.admin.execute("UPDATE messaging.channels SET messages_per_second = 1 WHERE id = $1", channel)
    rows = [
        draft(channel, owner),
        draft(channel, owner, "k"),
        draft(channel, owner, "k"),
        draft(channel, owner, "k", "x"),
    ]
    assert await world.verdicts(*rows) == ["created", "over_quota", "over_quota", "over_quota"]
    assert await world.seqs(channel) == [1]


async def test_many_processes_at_once_stay_within_it_together(world: Any, bounded: tuple[UUID, UUID]) -> None:
    channel, owner = bounded
    connections = [await world.database.connect("api") for _ in range(8)]
    answers = await asyncio.gather(
        *(world.post(*(draft(channel, owner) for _ in range(3)), connection=one) for one in connections)
    )
    posted = [answer["verdict"] for batch in answers for answer in batch]
    assert set(posted) == {"created", "over_quota"}
    worst = await world.admin.fetchval(
        "SELECT max(n) FROM (SELECT count(*) OVER (ORDER BY created_at "
        "RANGE BETWEEN CURRENT ROW AND interval '999 milliseconds' FOLLOWING) AS n FROM messaging.messages) w"
    )
    assert worst == 3
    for connection in connections:
        await connection.close()
