"""Typing on real Valkey and Postgres, over two nodes: what readers see, who may, and how large a channel."""

from typing import Any

import pytest

from signalink_core import ids
from signalink_core.testing import eventually
from signalink_gateway.presence import Timing

pytestmark = pytest.mark.engine("postgres", "valkey")
FAST = Timing(tick=0.02, beat=0.3, ttl=9, look=0.05, grace=0.5, typing_every=0.3, typing_lasts=0.6)


async def test_typing_is_shown_once_and_ends_by_itself_or_with_the_message(
    platform: Any, people: Any, admin: Any
) -> None:
    ana, ben, channel = people
    one, two = await platform.gateway(presence=FAST), await platform.gateway(presence=FAST)
    writer, reader = await platform.connect(one, ana), await platform.connect(two, ben)
    for client, app in ((writer, one), (reader, two)):
        await client.subscribe(channel)
        await client.got("subscribed")
        await eventually(lambda app=app: app.people.members.small(channel))
    for _ in range(5):
        await writer.say(op="typing", channel=channel)
    await reader.got("typing", 2)
    frame = {"op": "typing", "channel": str(channel), "user": str(ana)}
    assert reader.of("typing") == [frame | {"state": "started"}, frame | {"state": "stopped"}]
    await writer.say(op="typing", channel=channel)
    await reader.got("typing", 3)
    two.people.typing._lasts = 60
    await platform.post(channel, ana)
    await reader.got("typing", 4)
    assert [frame["state"] for frame in reader.of("typing")] == ["started", "stopped", "started", "stopped"]
    assert writer.of("typing") == []
    assert await admin.keys("*typing*") == [], "never stored"


async def test_a_reader_may_not_type_until_the_role_changes(platform: Any, people: Any) -> None:
    ana, ben, channel = people
    await platform.change("set_member_role", channel_id=channel, actor_id=ana, user_id=ben, role="reader")
    app = await platform.gateway(presence=FAST)
    other, reader = await platform.connect(app, ana), await platform.connect(app, ben)
    for client in (other, reader):
        await client.subscribe(channel)
        await client.got("subscribed")
    await eventually(lambda: app.people.members.small(channel))
    await reader.say(op="typing", channel=channel, ref=1)
    (error,) = await reader.got("error")
    assert (error["ref"], error["code"], error["channel"]) == (1, "forbidden", str(channel))
    await platform.change("set_member_role", channel_id=channel, actor_id=ana, user_id=ben, role="member")
    await eventually(lambda: app.people.members.may_type(channel, ben))
    await reader.say(op="typing", channel=channel)
    await other.got("typing")
    stranger = await platform.connect(app, await platform.user())
    await stranger.say(op="typing", channel=channel)
    (error,) = await stranger.got("error")
    assert error["code"] == "forbidden"


async def test_a_channel_above_200_members_has_no_typing_and_no_presence_by_itself(platform: Any, people: Any) -> None:
    ana, _, channel = people
    users = [ids.uuid7() for _ in range(199)]
    await platform.sql.executemany(
        "INSERT INTO messaging.users (id, username, email, password_hash, role) VALUES ($1, $2, $3, 'x', 'member')",
        [(user, f"u{user}", f"{user}@example.org") for user in users],
    )
    await platform.sql.executemany(
        "INSERT INTO messaging.channel_members (channel_id, user_id, role) VALUES ($1, $2, 'member')",
        [(channel, user) for user in users],
    )
    app = await platform.gateway(presence=FAST)
    client = await platform.connect(app, ana)
    await client.subscribe(channel)
    await eventually(lambda: app.people.members.reads_done)
    assert not app.people.members.small(channel)
    await client.say(op="typing", channel=channel)
    await platform.change("remove_member", channel_id=channel, actor_id=ana, user_id=users[0])
    await eventually(lambda: app.people.members.small(channel))
    assert client.of("error") == []
    assert len(app.people.typing) == 0
