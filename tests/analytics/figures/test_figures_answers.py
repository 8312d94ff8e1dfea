"""The eight answers over real windows: totals, series without holes, ranks, histograms, users, presence, freshness."""

from datetime import timedelta
from uuid import UUID

import pytest
from figureworld import HOUR, MINUTE, NOW, FigureWorld, points

from signalink_analytics import distinct
from signalink_core.clock import isoformat
from signalink_core.ids import uuid7

HOURS = timedelta(hours=1)
DAYS = timedelta(days=1)


async def test_a_summary_adds_up_the_range_and_says_how_far_it_is_complete(world: FigureWorld) -> None:
    ann, bob = await world.api.ready_made(role="admin"), await world.api.ready_made()
    channel = await ann.channel()
    await world.count(HOUR, user=ann.id, channel=channel["id"], messages=3, replies=1, characters=30, part=0)
    await world.count(HOUR, user=bob.id, channel=channel["id"], messages=2, edits=1, part=1)
    await world.count(HOUR - HOURS, user=bob.id, logins=1, registrations=1)
    await world.count(HOUR - 30 * HOURS, user=bob.id, channel=channel["id"], messages=7)
    await world.watermark(HOUR + 34 * MINUTE)
    found = await world.ok(ann, "/summary")
    assert found["scope"] == "platform"
    assert found["totals"] == {
        "messages": 5, "replies": 1, "characters": 30, "edits": 1, "deletions": 0, "joins": 0, "departures": 0,
        "reads": 0,
    }  # fmt: skip
    assert (found["active_channels"], found["active_users"]) == (1, {"value": 2, "exact": True, "error": None})
    assert (found["logins"], found["registrations"], found["channels_created"]) == (1, 1, 0)
    assert found["range"] == {
        "interval": "1h",
        "from": "2026-03-09T13:00:00.000Z",
        "to": "2026-03-10T13:00:00.000Z",
        "kept_from": "2025-12-10T13:00:00.000Z",
        "cut": False,
        "complete_until": "2026-03-10T12:00:00.000Z",
    }


async def test_a_member_gets_the_sum_of_their_channels_and_no_facts_of_the_platform(world: FigureWorld) -> None:
    ann, bob = await world.api.ready_made(), await world.api.ready_made()
    mine, other = await ann.channel("private"), await bob.channel("private")
    await world.count(HOUR, user=ann.id, channel=mine["id"], messages=3)
    await world.count(HOUR, user=bob.id, channel=other["id"], messages=5)
    await world.count(HOUR, user=bob.id, logins=1)
    found = await world.ok(ann, "/summary")
    assert (found["scope"], found["totals"]["messages"], found["active_channels"]) == ("channels", 3, 1)
    assert found["active_users"]["value"] == 1
    assert (found["logins"], found["registrations"], found["channels_created"]) == (None, None, None)
    assert points(await world.ok(ann, "/messages"), "messages")[-1] == 3


async def test_a_member_of_no_channel_gets_zeros(world: FigureWorld) -> None:
    ann = await world.api.ready_made()
    await world.count(HOUR, user=str(uuid7()), channel=str(uuid7()), messages=3)
    assert (await world.ok(ann, "/summary"))["totals"]["messages"] == 0
    assert set(points(await world.ok(ann, "/messages"), "messages")) == {0}
    assert (await world.ok(ann, "/channels"))["items"] == []


@pytest.mark.parametrize(
    ("interval", "number", "last"),
    [
        ("1m", 60, "2026-03-10T12:34:00.000Z"),
        ("1h", 24, "2026-03-10T12:00:00.000Z"),
        ("1d", 30, "2026-03-10T00:00:00.000Z"),
    ],
)
async def test_a_series_has_every_window_zero_where_nothing_happened(
    world: FigureWorld, interval: str, number: int, last: str
) -> None:
    ann = await world.api.ready_made(role="admin")
    channel = await ann.channel()
    await world.count(NOW, user=ann.id, channel=channel["id"], messages=2)
    await world.watermark(NOW)
    for found in (
        await world.ok(ann, "/messages", interval=interval),
        await world.ok(ann, "/messages", interval=interval, channel=channel["id"]),
    ):
        assert points(found, "messages") == [0] * (number - 1) + [2]
        assert found["points"][-1]["at"] == last
        times = points(found, "at")
        assert times == sorted(set(times))
        assert points(found, "complete") == [True] * (number - 1) + [False]
        assert found["range"]["complete_until"] == last


async def test_without_a_watermark_nothing_is_complete(world: FigureWorld) -> None:
    ann = await world.api.ready_made(role="admin")
    found = await world.ok(ann, "/messages", interval="1m")
    assert found["range"]["complete_until"] is None
    assert not any(points(found, "complete"))
    await world.watermark(NOW, "messages")
    await world.watermark(None, "presence")
    assert (await world.ok(ann, "/messages"))["range"]["complete_until"] is None


async def test_a_range_over_the_edge_of_retention_begins_where_figures_are_kept(world: FigureWorld) -> None:
    ann = await world.api.ready_made(role="admin")
    found = await world.ok(ann, "/messages", interval="1m", start=NOW - 9 * DAYS, end=NOW - 7 * DAYS + HOURS)
    assert found["range"]["cut"] is True
    assert found["range"]["kept_from"] == found["points"][0]["at"] == "2026-03-03T12:35:00.000Z"
    assert len(found["points"]) == 60


async def test_hours_and_days_are_the_sums_of_their_minutes_rolled_up_or_not(world: FigureWorld) -> None:
    ann = await world.api.ready_made(role="admin")
    channel = await ann.channel()
    for minute in (0, 1, 59):
        await world.count(HOUR - HOURS + minute * MINUTE, user=ann.id, channel=channel["id"], messages=1)
    assert points(await world.ok(ann, "/messages"), "messages")[-2:] == [3, 0]
    await world.sql(
        "INSERT INTO analytics.message_hours (window_start, generation, messages) VALUES ($1, 7, 3), ($1, 8, 100)",
        HOUR - HOURS,
    )
    await world.sql(
        "INSERT INTO analytics.rollups (level, window_start, generation, active_users, exact, sketch)"
        " VALUES ('hour', $1, 7, 1, true, NULL)",
        HOUR - HOURS,
    )
    await world.sql("UPDATE analytics.progress SET reached = $1 WHERE name IN ('hour', 'final')", HOUR)
    assert points(await world.ok(ann, "/messages"), "messages")[-2:] == [3, 0]
    assert points(await world.ok(ann, "/messages", interval="1d"), "messages")[-1] == 3


async def test_top_channels_are_ranked_over_all_pages_with_one_range(world: FigureWorld) -> None:
    ann, bob = await world.api.ready_made(role="admin"), await world.api.ready_made()
    channels = [await ann.channel() for _ in range(5)]
    for number, channel in enumerate(channels):
        await world.count(HOUR, user=ann.id, channel=channel["id"], messages=10 * (number // 2 + 1), joins=number)
        await world.count(HOUR, user=bob.id, channel=channel["id"], messages=1)
    whole = await world.ok(ann, "/channels")
    expected = sorted(channels, key=lambda c: (-(10 * (channels.index(c) // 2 + 1)), UUID(c["id"])))
    assert [item["channel_id"] for item in whole["items"]] == [channel["id"] for channel in expected]
    assert [item["rank"] for item in whole["items"]] == [1, 2, 3, 4, 5]
    assert {item["senders"] for item in whole["items"]} == {2}
    assert whole["items"][0]["slug"] == expected[0]["slug"]
    assert whole["next"] is None
    paged, cursor = [], None
    while True:
        page = await world.ok(ann, "/channels", limit=2, **({"cursor": cursor} if cursor else {}))
        paged += page["items"]
        assert page["range"]["to"] == whole["range"]["to"]
        world.now += HOURS
        if (cursor := page["next"]) is None:
            break
    assert paged == whole["items"]
    world.now = NOW
    by_joins = await world.ok(ann, "/channels", by="joins")
    assert [item["joins"] for item in by_joins["items"]] == [4, 3, 2, 1]


async def test_a_member_sees_only_their_own_channels_among_the_top(world: FigureWorld) -> None:
    ann, bob = await world.api.ready_made(), await world.api.ready_made()
    mine, hidden, public = await ann.channel("private"), await bob.channel("private"), await bob.channel()
    for channel in (mine, hidden, public):
        await world.count(HOUR, user=bob.id, channel=channel["id"], messages=2)
    assert [item["channel_id"] for item in (await world.ok(ann, "/channels"))["items"]] == [mine["id"]]
    moderator = await world.api.ready_made(role="moderator")
    assert [item["channel_id"] for item in (await world.ok(moderator, "/channels"))["items"]] == [public["id"]]


async def test_one_channel_tells_lengths_and_response_times(world: FigureWorld) -> None:
    ann = await world.api.ready_made()
    channel = await ann.channel("private", name="Ships")
    await world.count(HOUR, user=ann.id, channel=channel["id"], messages=4, characters=120, lengths=[1, 1, 2],
                      responses=[0, 3], response_ms=4500)  # fmt: skip
    await world.count(HOUR - HOURS, user=str(uuid7()), channel=channel["id"], messages=1, characters=5000,
                      lengths=[0] * 9 + [1])  # fmt: skip
    found = await world.ok(ann, f"/channels/{channel['id']}")
    assert found["channel"] == {
        "channel_id": channel["id"], "kind": "private", "slug": channel["slug"], "name": "Ships", "archived": False,
    }  # fmt: skip
    assert (found["totals"]["messages"], found["senders"]["value"]) == (5, 2)
    lengths = found["message_length"]
    assert [(bucket["up_to"], bucket["count"]) for bucket in lengths["buckets"] if bucket["count"]] == [
        (10, 1), (25, 1), (50, 2), (None, 1),
    ]  # fmt: skip
    assert (lengths["count"], lengths["mean"], lengths["p50_up_to"], lengths["p95_up_to"]) == (5, 1024.0, 50, None)
    response = found["response_time"]
    assert (response["unit"], response["count"], response["mean"], response["p50_up_to"]) == ("seconds", 3, 1.5, 2)
    assert points(found, "messages")[-2:] == [1, 4]


async def test_active_users_of_a_day_a_week_and_a_month(world: FigureWorld) -> None:
    ann = await world.api.ready_made(role="admin")
    people = [str(uuid7()) for _ in range(6)]
    for user, ago in zip(people, (0 * HOURS, 23 * HOURS, 26 * HOURS, 6 * DAYS, 8 * DAYS, 29 * DAYS), strict=True):
        await world.count(NOW - ago, user=user, logins=1)
        await world.count(NOW - ago, user=user, channel=str(uuid7()), messages=1)
    await world.count(NOW - 32 * DAYS, user=str(uuid7()), logins=1)
    await world.presence(people[0], (NOW, "online"))
    await world.presence(people[1], (NOW, "dnd"))
    await world.presence(people[2], (NOW, "offline"))
    found = await world.ok(ann, "/active-users")
    assert found["now"] == 2
    assert [found[name]["users"] for name in ("day", "week", "month")] == [
        {"value": value, "exact": True, "error": None} for value in (2, 4, 6)
    ]
    assert (found["day"]["from"], found["day"]["to"]) == ("2026-03-09T12:00:00.000Z", isoformat(NOW))
    assert found["month"]["from"] == "2026-02-08T12:00:00.000Z"
    assert not found["month"]["cut"]


async def test_a_member_counts_those_active_in_their_channels(world: FigureWorld) -> None:
    ann, bob, eve = [await world.api.ready_made() for _ in range(3)]
    channel, other = await ann.channel("private"), await eve.channel()
    assert (await ann.post(f"/v1/channels/{channel['id']}/members", {"user_id": bob.id})).status_code == 204
    await world.count(NOW, user=bob.id, channel=channel["id"], messages=1)
    await world.count(NOW, user=eve.id, channel=other["id"], messages=1)
    for person in (bob, eve):
        await world.presence(person.id, (NOW, "online"))
    found = await world.ok(ann, "/active-users")
    assert (found["scope"], found["now"], found["day"]["users"]["value"]) == ("channels", 1, 1)


async def test_a_user_sees_what_they_did(world: FigureWorld) -> None:
    ann = await world.api.ready_made()
    channel, other = await ann.channel(), await ann.channel()
    await world.count(HOUR, user=ann.id, channel=channel["id"], messages=2, characters=9)
    await world.count(HOUR - 2 * HOURS, user=ann.id, channel=other["id"], reads=1)
    await world.count(HOUR - 2 * HOURS, user=ann.id, logins=1, channels=1)
    await world.count(HOUR, user=str(uuid7()), channel=channel["id"], messages=50)
    found = await world.ok(ann, "/users/me")
    assert found == await world.ok(ann, f"/users/{ann.id}")
    assert (found["user_id"], found["totals"]["messages"], found["totals"]["reads"]) == (ann.id, 2, 1)
    assert (found["logins"], found["logouts"], found["channels_created"]) == (1, 0, 1)
    assert (found["active_channels"], found["active_windows"]) == (2, 2)
    assert found["last_active"] == isoformat(HOUR)
    assert points(found, "messages")[-3:] == [0, 0, 2]


async def test_the_presence_of_a_user_is_shared_out_over_the_windows(world: FigureWorld) -> None:
    ann = await world.api.ready_made()
    await world.presence(
        ann.id,
        (HOUR - 2 * HOURS, "online"),
        (HOUR - HOURS + 15 * MINUTE, "away"),
        (HOUR - HOURS + 30 * MINUTE, "offline"),
        (HOUR + 20 * MINUTE, "dnd"),
    )
    await world.watermark(NOW)
    found = await world.ok(ann, "/presence")
    assert (found["scope"], found["user_id"]) == ("user", ann.id)
    shown = [(p["online"], p["away"], p["dnd"], p["most"]) for p in found["points"][-4:]]
    assert shown[:3] == [(None, None, None, None), (1.0, 0.0, 0.0, 1), (0.25, 0.25, 0.0, 1)]
    assert shown[3][:2] == (0.0, 0.0)
    assert shown[3][2] == pytest.approx(14.9465 / 34.9465, abs=0.001)
    assert [change["state"] for change in found["changes"]] == ["online", "away", "offline", "dnd"]
    later = await world.ok(ann, "/presence", start=HOUR, interval="1m")
    assert [change["state"] for change in later["changes"]] == ["dnd"]
    assert points(later, "online")[0] == 0.0
    assert points(later, "dnd")[-1] == 1.0


async def test_the_presence_of_everybody_is_a_mean_and_a_peak_and_unknown_where_nobody_looked(
    world: FigureWorld,
) -> None:
    ann = await world.api.ready_made(role="admin")
    for minute, online in enumerate((2, 4)):
        await world.sql(
            "INSERT INTO analytics.presence_levels (at, online, away, dnd) VALUES ($1, $2, 1, 0)",
            HOUR - HOURS + minute * MINUTE,
            online,
        )
    found = await world.ok(ann, "/presence", user="all")
    assert (found["scope"], found["user_id"], found["changes"]) == ("platform", None, [])
    before, measured, _ = found["points"][-3:]
    assert (before["online"], before["most"]) == (None, None)
    assert (measured["online"], measured["away"], measured["dnd"], measured["most"]) == (3.0, 1.0, 0.0, 5)


async def test_freshness_tells_watermark_lag_and_what_came_too_late(world: FigureWorld) -> None:
    ann = await world.api.ready_made()
    await world.watermark(NOW - timedelta(seconds=7), "messages")
    await world.watermark(NOW - timedelta(seconds=5), "analytics", "presence")
    world.lag = {"messages": 12, "analytics": 0, "presence": 1}
    for ago in ("1 minute", "3 hours", "2 days"):
        await world.sql(
            "INSERT INTO analytics.late_events (event_id, topic, partition, record_offset, type, event_time,"
            " window_start, watermark, late_seconds, recorded_at)"
            f" VALUES (gen_random_uuid(), 'messages', 0, 1, 't', now(), now(), now(), 31, now() - interval '{ago}')"
        )
    await world.sql("UPDATE analytics.progress SET reached = $1 WHERE name = 'final'", HOUR)
    found = await world.ok(ann, "/freshness")
    assert (found["watermark"], found["delay_seconds"]) == ("2026-03-10T12:34:49.789Z", 7.0)
    assert (found["lag"], found["final_until"]) == (13, isoformat(HOUR))
    assert [(t["topic"], t["delay_seconds"], t["lag"]) for t in found["topics"]] == [
        ("analytics", 5.0, 0), ("messages", 7.0, 12), ("presence", 5.0, 1),
    ]  # fmt: skip
    assert (found["late_last_hour"], found["late_last_day"], found["future_last_day"]) == (1, 2, 0)
    assert found["rebuild"] is None
    world.lag = None
    unknown = await world.ok(ann, "/freshness")
    assert (unknown["lag"], {topic["lag"] for topic in unknown["topics"]}) == (None, {None})


async def test_a_running_rebuild_is_told(world: FigureWorld) -> None:
    ann = await world.api.ready_made()
    await world.sql(
        "INSERT INTO analytics.rebuilds (from_window, until_window, next_window) VALUES ($1, $2, $3)",
        HOUR - DAYS,
        HOUR,
        HOUR - HOURS,
    )
    found = (await world.ok(ann, "/freshness"))["rebuild"]
    assert (found["from"], found["to"], found["reached"]) == tuple(
        isoformat(moment) for moment in (HOUR - DAYS, HOUR, HOUR - HOURS)
    )


async def test_before_anything_was_read_freshness_is_unknown(world: FigureWorld) -> None:
    ann = await world.api.ready_made()
    found = await world.ok(ann, "/freshness")
    assert (found["watermark"], found["delay_seconds"], found["final_until"], found["topics"]) == (None, None, None, [])


async def test_beyond_the_exact_sets_users_are_estimated_from_sketches_and_the_error_is_stated(
    world: FigureWorld,
) -> None:
    ann = await world.api.ready_made(role="admin")
    people = [str(uuid7()) for _ in range(24_000)]
    today = HOUR.replace(hour=0)
    for ago, users in ((3, people[:15_000]), (2, people[9_000:])):
        made = distinct.Distinct()
        made.update(users)
        await world.sql(
            "INSERT INTO analytics.rollups (level, window_start, generation, active_users, exact, sketch)"
            " VALUES ('day', $1, 1, $2, false, $3)",
            today - ago * DAYS,
            made.count,
            made.sketch(),
        )
    await world.sql("UPDATE analytics.progress SET reached = $1", today - DAYS)
    await world.sql(
        "INSERT INTO analytics.user_metrics (window_start, user_id, channel_id, logins)"
        " SELECT $1, gen_random_uuid(), gen_random_uuid(), 1 FROM generate_series(1, 4000)",
        HOUR - 2 * HOURS,
    )
    await world.count(NOW - 6 * DAYS, user=str(uuid7()), logins=1)
    await world.count(NOW, user=people[0], logins=1)
    found = await world.ok(ann, "/active-users")
    week = found["week"]["users"]
    assert (week["exact"], week["error"]) == (False, 0.0081)
    assert week["value"] == pytest.approx(28_001, rel=4 * week["error"])
    assert found["day"]["users"] == {"value": 4_001, "exact": True, "error": None}
    summary = await world.ok(ann, "/summary", interval="1d", start=today - 3 * DAYS, end=today - 2 * DAYS)
    assert summary["active_users"]["value"] == pytest.approx(15_000, rel=4 * 0.0081)
