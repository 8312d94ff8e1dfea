"""Minutes, hours and days tell the same: before and after they are rolled up, in sums, series, ranks and users."""

import random
from datetime import timedelta
from typing import Any

from apiworld import Person
from figureworld import HOUR, NOW, FigureWorld, points

from signalink_analytics import rollup
from signalink_analytics.kinds import SHARED

RANGES = (
    {"interval": "1h", "start": NOW - timedelta(days=6)},
    {"interval": "1h", "start": NOW - timedelta(days=3), "end": NOW - timedelta(hours=5)},
    {"interval": "1d", "start": NOW - timedelta(days=6)},
    {"interval": "1d", "start": NOW - timedelta(days=4), "end": NOW - timedelta(days=2)},
)


async def spread(world: FigureWorld, people: list[Person], channels: list[str], seed: int) -> None:
    """Some hundred counts over six days, more of them recently."""
    chance = random.Random(seed)
    for _ in range(300):
        at = NOW - timedelta(minutes=int(chance.betavariate(1, 4) * 6 * 24 * 60))
        counters = {name: chance.randrange(4) for name in chance.sample(SHARED, 3)} | {"messages": chance.randrange(3)}
        await world.count(
            at,
            user=chance.choice(people).id,
            channel=chance.choice(channels),
            lengths=[chance.randrange(3) for _ in range(10)],
            responses=[chance.randrange(3) for _ in range(12)],
            response_ms=chance.randrange(10_000),
            part=chance.randrange(3),
            **counters,
        )


async def told(world: FigureWorld, people: list[Person], channels: list[str]) -> list[Any]:
    """Everything that can be asked, of an admin and of a member of some channels."""
    answers = []
    for person in people[:2]:
        answers.append(await world.ok(person, "/active-users"))
        for query in RANGES:
            paths = ("/summary", "/messages", "/channels", "/users/me", f"/channels/{channels[0]}")
            answers += [await world.ok(person, path, **query) for path in paths]
            answers.append(await world.ok(person, "/channels", by="reads", **query))
            answers.append(await world.ok(person, "/messages", channel=channels[1], **query))
    return answers


async def test_rolling_up_changes_no_answer(world: FigureWorld) -> None:
    people = [await world.api.ready_made(role=role) for role in ("admin", "member", "member", "member")]
    channels = [(await people[1].channel("private"))["id"] for _ in range(2)]
    channels += [(await people[2].channel("private"))["id"] for _ in range(2)]
    await spread(world, people, channels, seed=7)
    before = await told(world, people, channels)
    connection = await world.api.database.connect("analytics")
    try:
        for level, until in ((rollup.HOUR, HOUR - 2 * timedelta(hours=1)), (rollup.DAY, HOUR.replace(hour=0))):
            assert await rollup.catch_up(connection, level, until) > 4
    finally:
        await connection.close()
    assert await told(world, people, channels) == before
    assert before[1]["totals"]["messages"] > 100


async def test_series_add_up_to_the_summary_at_every_level(world: FigureWorld) -> None:
    admin = await world.api.ready_made(role="admin")
    channels = [(await admin.channel())["id"] for _ in range(3)]
    await spread(world, [admin], channels, seed=11)
    for query in (*RANGES, {"interval": "1m", "start": NOW - timedelta(hours=20)}):
        totals = (await world.ok(admin, "/summary", **query))["totals"]
        series = await world.ok(admin, "/messages", **query)
        each = [await world.ok(admin, "/messages", channel=channel, **query) for channel in channels]
        for name in SHARED:
            assert totals[name] == sum(points(series, name))
            assert totals[name] == sum(sum(points(one, name)) for one in each)
        ranked = (await world.ok(admin, "/channels", **query))["items"]
        assert totals["messages"] == sum(item["messages"] for item in ranked)
        assert totals["messages"] == (await world.ok(admin, "/users/me", **query))["totals"]["messages"]
