"""Presence on real Valkey and Postgres: devices, nodes, rights, outages, bounds. Intervals are short."""

import itertools
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from signalink_core import ids
from signalink_core.testing import eventually
from signalink_gateway.presence import Timing
from signalink_stacks.local.engines import ValkeyEngine
from signalink_stacks.local.testing.valkeys import ValkeyServer

pytestmark = pytest.mark.engine("postgres", "valkey")
FAST = Timing(tick=0.02, beat=0.3, ttl=9, look=0.05, grace=0.5, typing_every=0.3, typing_lasts=0.6)
SLOW_GRACE = Timing(tick=0.02, beat=0.3, ttl=9, look=0.05, grace=30, typing_every=0.3, typing_lasts=0.6)


def shown(client: Any, user: UUID) -> list[str]:
    """The states of the user that this client was told, in order, repeats left out."""
    states = [u["state"] for frame in client.of("presence") for u in frame["users"] if u["user"] == str(user)]
    return [state for state, _ in itertools.groupby(states)]


async def shows(client: Any, user: UUID, *states: str, within: float = 10) -> None:
    def told() -> bool:
        assert shown(client, user) == list(states)
        return True

    await eventually(told, within=within)


async def watch(client: Any, *users: UUID) -> dict[str, str]:
    """The snapshot that answers the watch."""
    ref = f"watch-{len(client.frames)}"
    await client.say(op="presence.watch", users=list(users), ref=ref)
    await eventually(lambda: any(frame.get("ref") == ref for frame in client.frames))
    (answer,) = [frame for frame in client.frames if frame.get("ref") == ref]
    assert answer["op"] == "presence", answer
    return {user["user"]: user["state"] for user in answer["users"]}


async def test_two_devices_and_the_last_one_decides(platform: Any, people: Any) -> None:
    ana, ben, _ = people
    app = await platform.gateway(presence=FAST)
    watcher = await platform.connect(app, ben)
    assert await watch(watcher, ana) == {str(ana): "offline"}
    phone, laptop = await platform.connect(app, ana), await platform.connect(app, ana)
    await shows(watcher, ana, "offline", "online")
    await phone.close()
    await eventually(lambda: app.people.roster.everyone()[ana] == ("online", 1) and not app.people.roster._ghosts)
    await shows(watcher, ana, "offline", "online")
    await laptop.close()
    await shows(watcher, ana, "offline", "online", "offline")


async def test_dnd_beats_online_and_online_beats_away(platform: Any, people: Any) -> None:
    ana, ben, _ = people
    one, two = await platform.gateway(presence=FAST), await platform.gateway(presence=FAST)
    watcher = await platform.connect(one, ben)
    await watch(watcher, ana)
    phone, laptop = await platform.connect(one, ana), await platform.connect(two, ana)
    await shows(watcher, ana, "offline", "online")
    await phone.say(op="presence", state="away")
    await laptop.say(op="presence", state="away")
    await shows(watcher, ana, "offline", "online", "away")
    await laptop.say(op="presence", state="dnd")
    await shows(watcher, ana, "offline", "online", "away", "dnd")
    await phone.say(op="presence", state="online")
    await eventually(lambda: one.people.roster.state(ana) == "online")
    await laptop.close()
    await shows(watcher, ana, "offline", "online", "away", "dnd", "online")


async def test_a_reconnect_within_the_grace_is_not_seen_even_on_another_node(platform: Any, people: Any) -> None:
    ana, ben, _ = people
    one, two = await platform.gateway(presence=SLOW_GRACE), await platform.gateway(presence=SLOW_GRACE)
    watcher = await platform.connect(one, ben)
    await watch(watcher, ana)
    first = await platform.connect(one, ana)
    await shows(watcher, ana, "offline", "online")
    await first.close()
    second = await platform.connect(two, ana)
    await eventually(lambda: one.people.view.elsewhere(ana) == "online")
    await second.close()
    third = await platform.connect(one, ana)
    await third.say(op="presence", state="dnd")
    await shows(watcher, ana, "offline", "online", "dnd")


async def test_two_nodes_see_each_other_and_a_late_watcher_gets_a_snapshot(platform: Any, people: Any) -> None:
    ana, ben, _ = people
    one, two = await platform.gateway(presence=FAST), await platform.gateway(presence=FAST)
    device = await platform.connect(one, ana)
    await device.say(op="presence", state="away")
    await eventually(lambda: one.people.view.state(ana) == "away")
    watcher = await platform.connect(two, ben)
    assert await watch(watcher, ana, ben) == {str(ana): "away", str(ben): "online"}
    await device.close()
    await shows(watcher, ana, "away", "offline")


async def test_members_of_a_small_channel_that_is_open_are_told_without_a_watch(platform: Any, people: Any) -> None:
    ana, ben, channel = people
    one, two = await platform.gateway(presence=FAST), await platform.gateway(presence=FAST)
    reader = await platform.connect(one, ben)
    await reader.subscribe(channel)
    await eventually(lambda: one.people.members.small(channel))
    await platform.connect(two, ana)
    await shows(reader, ana, "online")
    assert shown(reader, ben) == [], "a user's own sessions know"


async def test_a_stranger_is_left_out_and_cannot_tell_from_an_unknown_user(platform: Any, people: Any) -> None:
    ana, ben, _ = people
    stranger = await platform.user()
    app = await platform.gateway(presence=FAST)
    client, friend = await platform.connect(app, stranger), await platform.connect(app, ben)
    assert await watch(client, ana, ids.uuid7(), stranger) == {str(stranger): "online"}
    await watch(friend, ana)
    await platform.connect(app, ana)
    await shows(friend, ana, "offline", "online")
    assert shown(client, ana) == []


async def test_who_is_removed_from_the_last_common_channel_watches_no_more(platform: Any, people: Any) -> None:
    ana, ben, channel = people
    app = await platform.gateway(presence=FAST)
    watcher, device = await platform.connect(app, ben), await platform.connect(app, ana)
    await watcher.subscribe(channel)
    await watcher.got("subscribed")
    assert await watch(watcher, ana) == {str(ana): "online"}
    await platform.change("remove_member", channel_id=channel, actor_id=ana, user_id=ben)
    await shows(watcher, ana, "online", "offline")
    await eventually(lambda: not app.people.watching.watched)
    await device.say(op="presence", state="dnd")
    await eventually(lambda: app.people.view.state(ana) == "dnd")
    await shows(watcher, ana, "online", "offline")


async def test_a_watch_of_too_many_or_of_no_user_id_is_refused(platform: Any, people: Any) -> None:
    app = await platform.gateway(presence=FAST)
    client = await platform.connect(app, people[0])
    await client.say(op="presence.watch", users=[ids.uuid7() for _ in range(1_001)], ref="many")
    await client.say(op="presence.watch", users=["x"], ref="bad")
    await client.say(op="presence", state="offline", ref="state")
    errors = await client.got("error", 3)
    assert {(error["ref"], error["code"]) for error in errors} == {
        ("many", "validation"), ("bad", "validation"), ("state", "validation"),
    }  # fmt: skip


async def test_a_thousand_watched_users_cost_few_reads_and_small_frames(platform: Any, admin: Any) -> None:
    ana = await platform.user()
    channel = await platform.channel(ana)
    users = [ids.uuid7() for _ in range(999)]
    await platform.sql.executemany(
        "INSERT INTO messaging.users (id, username, email, password_hash, role) VALUES ($1, $2, $3, 'x', 'member')",
        [(user, f"u{user}", f"{user}@example.org") for user in users],
    )
    await platform.sql.executemany(
        "INSERT INTO messaging.channel_members (channel_id, user_id, role) VALUES ($1, $2, 'member')",
        [(channel, user) for user in users],
    )
    one, two = await platform.gateway(presence=FAST), await platform.gateway(presence=FAST)
    watcher = await platform.connect(one, ana)
    await watcher.subscribe(channel)
    for user in users[:20]:
        await platform.connect(two, user)
    await eventually(lambda: len(two.people.roster) == 20)
    snapshot = await watch(watcher, *users)
    assert len(snapshot) == 999
    await eventually(lambda: sum(one.people.view.state(user) == "online" for user in users) == 20)
    assert len(one.people.view) == 1_000, "the members of the large channel come from the watch alone"
    assert not one.people.members.small(channel)
    before = await admin.info("commandstats")
    device = await platform.connect(two, users[500])
    await shows(watcher, users[500], "offline", "online")
    after = await admin.info("commandstats")
    read = after["cmdstat_hmget"]["calls"] - before["cmdstat_hmget"]["calls"]
    assert read <= 3, "one more user is not a thousand reads"
    told = [len(frame["users"]) for frame in watcher.of("presence") if "ref" not in frame]
    assert told and max(told) <= 21, "beside the answer to the watch, frames hold who changed"
    await device.close()


async def test_a_session_that_does_not_read_gets_no_presence_until_it_drained(platform: Any, people: Any) -> None:
    ana, ben, channel = people
    app = await platform.gateway(presence=FAST)
    slow, device = await platform.connect(app, ben), await platform.connect(app, ana)
    await slow.subscribe(channel)
    assert await watch(slow, ana) == {str(ana): "online"}
    slow.connection.transport.pause_reading()
    (session,) = [session for session in app.gateway.sessions.values() if session.user == ben]
    while not session.behind:
        await platform.post(channel, ana, 100, body="x" * 4000)
    frames = len(slow.of("presence"))
    for state in ["dnd", "away"] * 10:
        await device.say(op="presence", state=state)
        await eventually(lambda state=state: app.people.view.state(ana) == state)
    await eventually(lambda: app.people.watching.waiting == 1)
    slow.connection.transport.resume_reading()
    await shows(slow, ana, "online", "away")
    assert len(slow.of("presence")) == frames + 1


# outages


class OwnValkey:
    """A server that a test may stop."""

    def __init__(self, folder: Path) -> None:
        self.engine = ValkeyEngine(folder)
        self.engine.start()
        self.server = ValkeyServer(self.engine)


@pytest.fixture
async def own(tmp_path: Path) -> AsyncIterator[OwnValkey]:
    valkey = OwnValkey(tmp_path / "own")
    yield valkey
    valkey.engine.stop()


@pytest.fixture
async def moved(platform: Any, own: OwnValkey) -> Callable[[], Any]:
    """A platform whose Redis is the test's own."""
    platform.redis_settings = own.server.settings
    platform.redis = own.server.settings("api").client()
    platform.stack.push_async_callback(platform.redis.aclose)
    return lambda: own.server.settings("gateway")


async def test_a_restart_of_redis_shows_nobody_offline_and_everything_is_there_again(
    platform: Any, people: Any, own: OwnValkey, moved: Callable[[], Any]
) -> None:
    ana, ben, _ = people
    one = await platform.gateway(redis=moved(), presence=FAST)
    two = await platform.gateway(redis=moved(), presence=FAST)
    watcher, device = await platform.connect(one, ben), await platform.connect(two, ana)
    await watch(watcher, ana)
    await shows(watcher, ana, "online")
    own.engine.stop()
    await eventually(lambda: not one.people.presence.reached and not two.people.presence.reached)
    assert await watch(watcher, ana, ben) == {str(ana): "online", str(ben): "online"}
    await device.say(op="presence", state="dnd")
    own.engine.start()
    await shows(watcher, ana, "online", "dnd")
    store = two.people.store
    await eventually(lambda: two.people.presence.reached)

    async def written() -> bool:
        return ana in await store.users_of(store.node)

    await eventually(written)
    await device.close()
    await shows(watcher, ana, "online", "dnd", "offline")


async def test_an_emptied_redis_fills_again_without_a_flap(
    platform: Any, people: Any, own: OwnValkey, moved: Callable[[], Any]
) -> None:
    ana, ben, _ = people
    one = await platform.gateway(redis=moved(), presence=FAST)
    two = await platform.gateway(redis=moved(), presence=FAST)
    watcher = await platform.connect(one, ben)
    await platform.connect(two, ana)
    await eventually(lambda: one.people.view.nodes and two.people.view.nodes)
    await watch(watcher, ana)
    own.server.flush()

    async def written() -> bool:
        return ana in await two.people.store.users_of(two.people.store.node)

    await eventually(written)
    late = await platform.connect(one, ana)
    assert await watch(late, ben, ana) == {str(ben): "online", str(ana): "online"}
    await shows(watcher, ana, "online")


async def test_without_redis_the_own_nodes_users_are_seen(
    platform: Any, people: Any, own: OwnValkey, moved: Callable[[], Any]
) -> None:
    ana, ben, _ = people
    app = await platform.gateway(redis=moved(), presence=FAST)
    watcher = await platform.connect(app, ben)
    await watch(watcher, ana)
    device = await platform.connect(app, ana)
    await shows(watcher, ana, "offline", "online")
    own.engine.stop()
    await eventually(lambda: not app.people.presence.reached)
    await device.close()
    await shows(watcher, ana, "offline", "online", "offline")


async def test_nothing_is_kept_of_sessions_that_left(platform: Any, people: Any) -> None:
    ana, ben, channel = people
    app = await platform.gateway(presence=FAST)
    for _ in range(5):
        clients = [await platform.connect(app, user) for user in (ana, ben)]
        for client in clients:
            await client.subscribe(channel)
            await watch(client, ana, ben)
            await client.say(op="typing", channel=channel)
        for client in clients:
            await client.close()
    watching = app.people.watching
    await eventually(lambda: len(app.people.roster) == 0)
    app.people.members.closed(channel)
    await eventually(lambda: len(app.people.view) == 0)
    kept = (watching.watched, watching._watchers, watching._members, watching._channels, watching._pending)
    assert [len(each) for each in kept] == [0] * 5
    assert app.people.watches._wishes == app.people.watches._checked == {}
    await eventually(lambda: len(app.people.typing) == 0)
    assert await app.people.store.users_of(app.people.store.node) == {}
