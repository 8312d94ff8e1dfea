"""Joining and resuming: from any position, with exactly what the user is entitled to, while posts go on."""

import asyncio
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from signalink_core import faults, ids
from signalink_core.client import SocketClient
from signalink_core.events import Position
from signalink_core.settings import RedisSettings
from signalink_core.testing import eventually
from signalink_gateway import recovery
from signalink_stacks.local.engines import ValkeyEngine
from signalink_stacks.local.testing.valkeys import ValkeyServer

pytestmark = pytest.mark.engine("postgres", "valkey")
ORIGIN = "http://127.0.0.1:8000"


async def test_a_resume_gives_what_is_above_every_boundary(platform: Any) -> None:
    ana = await platform.user()
    channel = await platform.channel(ana)
    await platform.post(channel, ana, 150)
    app = await platform.gateway()
    for after in (0, 1, 63, 64, 65, 127, 128, 149, 150):
        client = await platform.connect(app, ana)
        await client.subscribe(channel, after={channel: (1, after)})
        (subscribed,) = await client.got("subscribed")
        assert subscribed["position"] == {"epoch": 1, "seq": after}
        assert subscribed["recovered"] is True
        if after < 150:
            assert await client.saw(channel, 150) == list(range(after + 1, 151))
        await client.close()
        assert client.frames[1] == subscribed, "subscribed comes first"


async def test_resuming_while_posts_go_on_loses_and_repeats_nothing(platform: Any) -> None:
    ana = await platform.user()
    channel = await platform.channel(ana)
    app = await platform.gateway()
    await platform.post(channel, ana, 300)

    async def keep_posting() -> None:
        for _ in range(20):
            await platform.post(channel, ana, 10)

    posting = asyncio.create_task(keep_posting())
    clients = []
    for after in (0, 50, 299, 300, 0, 120):
        client = await platform.connect(app, ana)
        await client.subscribe(channel, after={channel: (1, after)})
        clients.append((after, client))
    await posting
    for after, client in clients:
        assert await client.saw(channel, 500) == list(range(after + 1, 501))


async def test_a_long_backlog_comes_in_slices_without_a_gap(platform: Any) -> None:
    ana = await platform.user()
    channel = await platform.channel(ana)
    for _ in range(4):
        await platform.post(channel, ana, 400, body="y" * 1500)
    app = await platform.gateway()
    client = await platform.connect(app, ana)
    await client.subscribe(channel, after={channel: (1, 0)})
    assert await client.saw(channel, 1600) == list(range(1, 1601))
    assert not client.of("gap")
    assert app.reads.page_reads >= 1600 * 1500 / recovery.SLICE_BYTES


async def test_positions_of_another_epoch_or_above_the_end_are_gaps(platform: Any) -> None:
    ana = await platform.user()
    channel = await platform.channel(ana)
    await platform.post(channel, ana, 5)
    app = await platform.gateway()
    for epoch, seq in ((7, 2), (0, 2), (1, 6)):
        client = await platform.connect(app, ana)
        await client.subscribe(channel, after={channel: (epoch, seq)})
        (gap,) = await client.got("gap")
        assert (gap["from"], gap["to"], gap["position"]) == (1, 5, {"epoch": 1, "seq": 5})
        (subscribed,) = client.of("subscribed")
        assert subscribed["recovered"] is False
    await platform.post(channel, ana)
    assert await client.saw(channel, 6) == [6]


async def test_below_the_floor_only_what_retention_took_is_a_gap(platform: Any) -> None:
    ana = await platform.user()
    channel = await platform.channel(ana)
    await platform.post(channel, ana, 10)
    admin = await platform.database.connect("admin")
    await admin.execute("UPDATE messaging.relay_cursors SET epoch = 1, xid = '9223372036854775807', event_id = 1000000")
    await admin.execute("SET ROLE signalink_retention")
    await admin.execute("SELECT messaging.delete_events($1, 4)", channel)
    await admin.close()
    client = await platform.connect(await platform.gateway(), ana)
    await client.subscribe(channel, after={channel: (1, 2)})
    assert await client.saw(channel, 10) == [5, 6, 7, 8, 9, 10]
    (gap,) = client.of("gap")
    assert (gap["from"], gap["to"]) == (3, 4)


async def test_who_is_no_member_is_told_the_same_as_of_a_channel_that_is_not_there(platform: Any) -> None:
    ana, eve = await platform.user(), await platform.user()
    private = await platform.channel(ana, kind="private")
    client = await platform.connect(await platform.gateway(), eve)
    missing = ids.uuid7()
    await client.subscribe(private, ref="a")
    await client.subscribe(missing, ref="b", after={missing: (1, 0)})
    first, second = await client.got("error", 2)
    assert (first["code"], first["message"]) == (second["code"], second["message"]) == ("not_found", first["message"])
    await platform.post(private, ana, 3)
    await asyncio.sleep(0)
    assert not client.of("event")


async def test_history_from_joining_on_is_skipped_below_it(platform: Any) -> None:
    ana, ben = await platform.user(), await platform.user()
    channel = await platform.channel(ana, kind="private")
    await platform.post(channel, ana, 5)
    await platform.change("add_member", channel_id=channel, actor_id=ana, user_id=ben)
    await platform.post(channel, ana, 2)
    await platform.change("remove_member", channel_id=channel, actor_id=ana, user_id=ben)
    await platform.post(channel, ana, 3)
    await platform.change("add_member", channel_id=channel, actor_id=ana, user_id=ben)
    client = await platform.connect(await platform.gateway(), ben)
    await client.subscribe(channel, after={channel: (1, 0)})
    (subscribed,) = await client.got("subscribed")
    assert subscribed["skipped"] == [{"from": 1, "to": 5}, {"from": 10, "to": 12}]
    assert await client.saw(channel, 13) == [6, 7, 8, 9, 13]


async def test_the_removed_user_sees_the_removal_and_nothing_above_it(platform: Any) -> None:
    ana, ben = await platform.user(), await platform.user()
    channel = await platform.channel(ana, ben)
    nodes = [await platform.gateway(), await platform.gateway()]
    clients = [await platform.connect(node, ben) for node in nodes]
    witness = await platform.connect(nodes[0], ana)
    for client in (*clients, witness):
        await client.subscribe(channel)
        await client.got("subscribed")
    posting = asyncio.gather(*(platform.post(channel, ana, 5) for _ in range(4)))
    removal = await platform.change("remove_member", channel_id=channel, actor_id=ana, user_id=ben)
    await posting
    await platform.post(channel, ana, 20)
    await witness.saw(channel, 42)
    for client in clients:
        assert await client.saw(channel, removal.seq) == list(range(2, removal.seq + 1))
        assert client.of("event")[-1]["type"] == "dev.signalink.member.removed"
    assert witness.seqs(channel) == list(range(2, 43))


async def test_a_removal_that_the_bus_lost_cuts_just_the_same(platform: Any) -> None:
    ana, ben = await platform.user(), await platform.user()
    channel = await platform.channel(ana, ben)
    client = await platform.connect(await platform.gateway(), ben)
    await client.subscribe(channel)
    await client.got("subscribed")
    removal = await platform.change("remove_member", publish=False, channel_id=channel, actor_id=ana, user_id=ben)
    await platform.post(channel, ana, 5)
    assert await client.saw(channel, removal.seq) == [2]
    again = await platform.connect(await platform.gateway(), ben)
    await again.subscribe(channel, after={channel: (1, 1)})
    assert await again.saw(channel, 2) == [2], "also when it was away"
    await again.subscribe(channel, after={channel: (1, 2)})
    assert (await again.got("error"))[0]["code"] == "not_found"
    assert again.seqs(channel) == client.seqs(channel) == [2]


@pytest.mark.parametrize("publish", [True, False])
async def test_the_deletion_of_a_channel_is_the_last_that_anybody_sees_of_it(platform: Any, publish: bool) -> None:
    ana, ben = await platform.user(), await platform.user()
    channel = await platform.channel(ana, ben)
    app = await platform.gateway()
    clients = [await platform.connect(app, user) for user in (ana, ben)]
    for client in clients:
        await client.subscribe(channel)
        await client.got("subscribed")
    await platform.sql.execute("UPDATE messaging.channels SET slug = 'gone', managed_by = 'x' WHERE id = $1", channel)
    asks = {"slug": "gone", "managed_by": "x", "mode": "delete", "actor_id": ana, "token": None}
    deletion = await platform.change("remove_managed_channel", publish=publish, **asks)
    if not publish:  # nothing follows in a deleted channel: the heads tell of it
        app.recovery.hub.on_heads([(channel, 1, deletion.seq)])
    for client in clients:
        assert await client.saw(channel, deletion.seq) == [deletion.seq]
        assert client.of("event")[-1]["type"] == "dev.signalink.channel.deleted"
    assert [session.subscriptions for session in app.gateway.sessions.values()] == [{}, {}]
    again = await platform.connect(app, ben)
    await again.subscribe(channel, after={channel: (1, deletion.seq - 1)})
    assert await again.saw(channel, deletion.seq) == [deletion.seq], "also who was away"
    await again.subscribe(channel, after={channel: (1, deletion.seq)})
    assert (await again.got("error"))[0]["code"] == "not_found"


async def test_a_deleted_body_is_not_shown_to_who_resumes_from_the_ring(platform: Any) -> None:
    ana = await platform.user()
    channel = await platform.channel(ana)
    app = await platform.gateway()
    witness = await platform.connect(app, ana)
    await witness.subscribe(channel)
    await witness.got("subscribed")
    await platform.post(channel, ana, 3, body="secret")
    await witness.saw(channel, 3)
    message = witness.of("event")[1]["data"]["id"]
    await platform.change("delete_message", message_id=message, actor_id=ana)
    await witness.saw(channel, 4)
    client = await platform.connect(app, ana)
    await client.subscribe(channel, after={channel: (1, 0)})
    await client.saw(channel, 4)
    assert [frame["data"].get("body") for frame in client.of("event")] == ["secret", "", "secret", None]


async def test_a_slow_reader_recovers_from_the_log_while_others_are_not_delayed(platform: Any, raw: Any) -> None:
    ana, ben = await platform.user(), await platform.user()
    channel = await platform.channel(ana, ben)
    app = await platform.gateway()
    slow = await platform.connect(app, ana)
    reader = await platform.connect(app, ben)
    for client in (slow, reader):
        await client.subscribe(channel)
        await client.got("subscribed")
    session = next(s for s in app.gateway.sessions.values() if s.user == ana)
    slow.connection.transport.pause_reading()
    last = 1
    while not session.behind:
        last = (await platform.post(channel, ben, 200, body="x" * 4000))[-1]
    for _ in range(3):
        last = (await platform.post(channel, ben, 100, body="x" * 4000))[-1]
    assert await reader.saw(channel, last) == list(range(2, last + 1))
    assert session.behind
    slow.connection.transport.resume_reading()
    assert await slow.saw(channel, last) == list(range(2, last + 1))
    await platform.post(channel, ben, 1)
    assert (await slow.saw(channel, last + 1))[-1] == last + 1


async def test_a_storm_of_200_resumes_shares_its_reads(platform: Any) -> None:
    ana = await platform.user()
    channels = [await platform.channel(ana) for _ in range(3)]
    for channel in channels:
        await platform.post(channel, ana, 200)
    app = await platform.gateway()
    clients = await asyncio.gather(*(platform.connect(app, ana) for _ in range(200)))
    before = (app.reads.page_reads, app.reads.standing_reads)
    for number, client in enumerate(clients):
        await client.subscribe(*channels, after=dict.fromkeys(channels, (1, 200 - number % 50)))
    for number, client in enumerate(clients):
        for channel in channels:
            if number % 50:
                await client.saw(channel, 200, within=20)
            assert client.seqs(channel) == list(range(200 - number % 50 + 1, 201))
        assert not client.of("gap")
    pages, standings = app.reads.page_reads - before[0], app.reads.standing_reads - before[1]
    assert pages <= 12, "600 resumes"
    assert standings < 300


async def test_a_restart_of_redis_heals_without_a_reconnect(platform: Any, tmp_path: Path) -> None:
    engine = ValkeyEngine(tmp_path / "own")
    engine.start()
    try:
        await _restart(platform, engine)
    finally:
        engine.stop()


async def _restart(platform: Any, engine: ValkeyEngine) -> None:
    from signalink_api.writer import MessageWriter
    from signalink_core.bus import Publisher

    server = ValkeyServer(engine)
    platform.redis_settings = server.settings
    platform.redis = await platform.stack.enter_async_context(server.settings("api").client())
    platform.publisher = await platform.stack.enter_async_context(Publisher(server.settings("api")))
    platform.writer = await platform.stack.enter_async_context(
        MessageWriter(platform.database.settings("api"), on_committed=platform.publisher.publish)
    )
    ana = await platform.user()
    channel = await platform.channel(ana)
    app = await platform.gateway()
    client = await platform.connect(app, ana)
    await client.subscribe(channel)
    await client.got("subscribed")
    await platform.post(channel, ana, 5)
    await client.saw(channel, 5)
    engine.stop()
    await eventually(lambda: app.readiness.snapshot()["dependencies"]["redis"]["state"] == "degraded", within=5)
    assert app.readiness.ready
    await platform.post(channel, ana, 5)
    assert await client.saw(channel, 10, within=6) == list(range(1, 11))
    other = await platform.channel(ana)
    await platform.post(other, ana, 2)
    await client.subscribe(other, after={other: (1, 0)})
    assert await client.saw(other, 2) == [1, 2], "subscribing works without Redis"
    engine.start()
    await eventually(lambda: app.bus.attached(channel) and app.bus.attached(other))
    await platform.post(channel, ana, 5)
    assert await client.saw(channel, 15) == list(range(1, 16))
    assert client.closed is None
    await eventually(lambda: app.readiness.snapshot()["dependencies"]["redis"]["state"] == "ok", within=5)


async def test_failing_log_reads_delay_a_resume_and_lose_nothing(platform: Any) -> None:
    ana = await platform.user()
    channel = await platform.channel(ana)
    await platform.post(channel, ana, 30)
    client = await platform.connect(await platform.gateway(), ana)
    faults.here.enabled = True
    try:
        faults.here.put({"point": "gateway.log_read", "action": "error", "count": 4})
        await client.subscribe(channel, after={channel: (1, 0)})
        assert await client.saw(channel, 30) == list(range(1, 31))
    finally:
        faults.here.clear()
        faults.here.enabled = False


async def test_with_redis_away_an_access_token_opens_a_socket(platform: Any) -> None:
    app = await platform.gateway()
    app.identity._client = RedisSettings(url="redis://gateway@127.0.0.1:1/0").client()
    connection = await platform.open(app)
    user: UUID = await platform.user()
    await connection.send(f'{{"op":"auth","token":"{platform.access(user)}"}}')
    assert b'"welcome"' in await connection.recv(decode=False)
    await connection.close()


async def test_the_client_library_resumes_over_what_it_may_not_see(platform: Any) -> None:
    ana, ben = await platform.user(), await platform.user()
    channel = await platform.channel(ana, kind="private")
    await platform.post(channel, ana, 5)
    await platform.change("add_member", channel_id=channel, actor_id=ana, user_id=ben)
    await platform.change("remove_member", channel_id=channel, actor_id=ana, user_id=ben)
    await platform.post(channel, ana, 5)
    await platform.change("add_member", channel_id=channel, actor_id=ana, user_id=ben)
    app = await platform.gateway()
    seen: list[int] = []

    async def ticket() -> str:
        value: str = await platform.ticket(ben)
        return value

    client = SocketClient(
        f"ws://127.0.0.1:{app.server.port}/v1/socket", ticket, origin=ORIGIN, proxy=False,
        on_event=lambda frame: seen.append(frame["seq"]),
    )  # fmt: skip
    async with client:
        await client.subscribe({str(channel): Position(1, 0)})
        await eventually(lambda: 13 in seen)
    assert (seen, client.connects, client.holes) == ([6, 7, 13], 1, 0)
