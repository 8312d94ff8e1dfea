"""The writers of every other channel event: verdicts, events and the entitlement that follows from them."""

import asyncio
from typing import Any
from uuid import UUID

import pytest

from signalink_api.writer import Draft
from signalink_core.events import types
from signalink_core.ids import uuid7
from signalink_core.log import reads, rows


async def memberships(world: Any, channel: UUID, user: UUID) -> list[tuple[int, int | None]]:
    found = await world.api.fetch(
        "SELECT from_seq, to_seq FROM messaging.memberships WHERE channel_id = $1 AND user_id = $2 ORDER BY 1",
        channel,
        user,
    )
    return [tuple(row) for row in found]


async def test_every_event_that_a_function_answers_is_the_one_in_the_log_and_fits_its_model(world: Any) -> None:
    owner, guest, other = [await world.user() for _ in range(3)]
    channel = await world.channel(owner)
    (post,) = await world.post(Draft(channel, owner, "k", "hello"))
    common = {"channel_id": channel, "actor_id": owner, "traceparent": f"00-{'a' * 32}-{'b' * 16}-01"}
    answered = [
        await world.change("join_channel", **(common | {"actor_id": guest})),
        await world.change("add_member", user_id=other, role="reader", **common),
        await world.change("set_member_role", user_id=other, role="moderator", **common),
        await world.change("remove_member", user_id=other, **common),
        await world.change("edit_message", message_id=post["id"], body="changed", **common),
        await world.change("delete_message", message_id=post["id"], **common),
        await world.change("update_channel", changes={"name": "New", "slow_mode_seconds": 5}, **common),
        await world.change("leave_channel", **(common | {"actor_id": guest})),
        await world.change("archive_channel", **common),
    ]
    logged = await reads.events_after(world.admin, channel, 1)
    blank = {"body": ""}
    assert [event.position.seq for event in answered] == list(range(2, 11))
    for mine, theirs in zip(answered, logged, strict=True):
        expected = {**mine.data, **(blank if mine.type == types.MESSAGE_EDITED else {})}
        assert (mine.id, mine.type, mine.time, mine.traceparent) == (
            theirs.id,
            theirs.type,
            theirs.time,
            theirs.traceparent,
        )
        assert expected == theirs.data
        types.TYPES[mine.type].model_validate(mine.data)


async def test_creating_a_channel_records_a_fact_and_no_channel_event(world: Any) -> None:
    owner = await world.user()
    channel = await world.channel(owner, kind="private")
    assert await reads.events_after(world.api, channel, 0) == []
    fact = await world.admin.fetchrow("SELECT * FROM messaging.events")
    assert (fact["topic"], fact["channel_id"], fact["seq"], fact["aggregateid"]) == ("analytics", None, None, channel)
    event = rows.to_event(fact)
    assert (event.type, event.subject) == (types.CHANNEL_CREATED, str(channel))
    types.ChannelCreated.model_validate(event.data)
    assert await memberships(world, channel, owner) == [(1, None)]
    kept = await world.api.fetchrow("SELECT history, epoch, last_seq FROM messaging.channels")
    assert tuple(kept) == ("joined", 1, 0)


async def test_a_slug_is_taken_once_even_by_eight_at_the_same_time(world: Any) -> None:
    owner = await world.user()
    connections = [await world.database.connect("api") for _ in range(8)]
    commands = [
        {"slug": "same", "name": "x", "kind": "public", "actor_id": owner, "event_id": uuid7()} for _ in connections
    ]
    answers = await asyncio.gather(
        *(
            connection.fetchval("SELECT messaging.create_channel($1)", command)
            for connection, command in zip(connections, commands, strict=True)
        )
    )
    assert sorted(answer["verdict"] for answer in answers) == ["conflict"] * 7 + ["ok"]
    assert {answer["reason"] for answer in answers if answer["verdict"] == "conflict"} == {"slug_taken"}
    assert await world.admin.fetchval("SELECT count(*) FROM messaging.events") == 1
    for connection in connections:
        await connection.close()


async def test_joining_twice_changes_nothing(world: Any) -> None:
    owner, guest = await world.user(), await world.user()
    channel = await world.channel(owner)
    await world.change("join_channel", channel_id=channel, actor_id=guest)
    again = await world.call("join_channel", channel_id=channel, actor_id=guest)
    assert (again["verdict"], again["changed"], again["events"]) == ("ok", False, [])
    assert await world.seqs(channel) == [1]


async def test_entitlement_begins_with_the_join_and_ends_with_the_removal(world: Any) -> None:
    owner, guest = await world.user(), await world.user()
    channel = await world.channel(owner)
    await world.change("join_channel", channel_id=channel, actor_id=guest)  # 1
    await world.post(Draft(channel, guest, "k", "hello"))  # 2
    await world.change("remove_member", channel_id=channel, actor_id=owner, user_id=guest)  # 3
    await world.change("join_channel", channel_id=channel, actor_id=guest)  # 4
    assert await memberships(world, channel, guest) == [(1, 3), (4, None)]


@pytest.mark.parametrize(
    ("function", "fields"),
    [
        ("join_channel", {}),
        ("leave_channel", {}),
        ("add_member", {"user_id": str(uuid7()), "role": "member"}),
        ("remove_member", {"user_id": str(uuid7())}),
        ("set_member_role", {"user_id": str(uuid7()), "role": "reader"}),
        ("update_channel", {"changes": {"name": "x"}}),
        ("archive_channel", {}),
    ],
)
async def test_a_private_channel_and_none_at_all_look_alike_to_outsiders(
    world: Any, function: str, fields: dict[str, Any]
) -> None:
    owner, outsider = await world.user(), await world.user()
    private = await world.channel(owner, kind="private")
    answers = [
        await world.call(function, channel_id=channel, actor_id=outsider, **fields) for channel in (private, uuid7())
    ]
    assert answers[0] == answers[1] == {"verdict": "not_found", "events": []}


async def test_an_admin_joins_a_private_channel_on_record(world: Any) -> None:
    owner, admin = await world.user(), await world.user("admin")
    channel = await world.channel(owner, kind="private")
    await world.change("join_channel", channel_id=channel, actor_id=admin)
    record = await world.admin.fetchrow("SELECT actor_id, action, target FROM messaging.audit_log")
    assert tuple(record) == (admin, "channel.join_private", str(channel))


async def test_moderators_handle_only_members_below_their_own_role(world: Any) -> None:
    owner, moderator, reader, guest = [await world.user() for _ in range(4)]
    channel = await world.channel(owner)
    asks = {"channel_id": channel, "actor_id": owner}
    await world.change("add_member", user_id=moderator, role="moderator", **asks)
    await world.change("add_member", user_id=reader, role="reader", **asks)
    asks["actor_id"] = moderator

    async def verdict(function: str, **fields: Any) -> str:
        return str((await world.call(function, **asks, **fields))["verdict"])

    assert await verdict("add_member", user_id=guest, role="moderator") == "forbidden"
    assert await verdict("add_member", user_id=guest, role="member") == "ok"
    assert await verdict("remove_member", user_id=owner) == "forbidden"
    assert await verdict("remove_member", user_id=reader) == "ok"
    assert await verdict("set_member_role", user_id=guest, role="reader") == "forbidden"
    assert await verdict("update_channel", changes={"name": "x"}) == "forbidden"
    assert await verdict("update_channel", changes={"slow_mode_seconds": 3}) == "ok"
    assert await verdict("add_member", user_id=uuid7(), role="member") == "not_found"


async def test_the_last_owner_can_neither_go_nor_become_less(world: Any) -> None:
    owner, guest = await world.user(), await world.user()
    channel = await world.channel(owner)
    await world.change("join_channel", channel_id=channel, actor_id=guest)
    refused = {"verdict": "conflict", "reason": "last_owner", "events": []}
    asks = {"channel_id": channel, "actor_id": owner}
    assert await world.call("leave_channel", **asks) == refused
    assert await world.call("set_member_role", user_id=owner, role="member", **asks) == refused
    await world.change("set_member_role", user_id=guest, role="owner", **asks)
    await world.change("leave_channel", **asks)


async def test_a_full_channel_takes_nobody_in(world: Any) -> None:
    owner, guest = await world.user(), await world.user()
    channel = await world.channel(owner)
    await world.change("update_channel", channel_id=channel, actor_id=owner, changes={"max_members": 1})
    answer = await world.call("join_channel", channel_id=channel, actor_id=guest)
    assert (answer["verdict"], answer["reason"]) == ("conflict", "channel_full")


async def test_an_archived_channel_takes_no_changes_but_lets_people_go_and_delete(world: Any) -> None:
    owner, guest = await world.user(), await world.user()
    channel = await world.channel(owner)
    await world.change("join_channel", channel_id=channel, actor_id=guest)
    (post,) = await world.post(Draft(channel, guest, "k", "hello"))
    await world.change("archive_channel", channel_id=channel, actor_id=owner)
    asks = {"channel_id": channel, "actor_id": guest, "message_id": post["id"], "body": "changed"}
    assert (await world.call("edit_message", **asks))["verdict"] == "archived"
    assert (await world.call("join_channel", **asks))["verdict"] == "archived"
    await world.change("delete_message", **asks)
    await world.change("leave_channel", **asks)
    again = await world.call("archive_channel", channel_id=channel, actor_id=owner)
    assert (again["verdict"], again["changed"]) == ("ok", False)


async def test_only_the_sender_edits_and_moderators_delete(world: Any) -> None:
    owner, guest, outsider = [await world.user() for _ in range(3)]
    channel = await world.channel(owner)
    await world.change("join_channel", channel_id=channel, actor_id=guest)
    (mine,) = await world.post(Draft(channel, guest, "k", "hello"))
    (theirs,) = await world.post(Draft(channel, owner, "k", "hello"))

    async def verdict(function: str, actor: UUID, message: Any) -> str:
        answer = await world.call(function, actor_id=actor, message_id=message, body="changed")
        return str(answer["verdict"])

    assert await verdict("edit_message", owner, mine["id"]) == "forbidden"
    assert await verdict("edit_message", outsider, mine["id"]) == "forbidden"
    assert await verdict("edit_message", guest, uuid7()) == "not_found"
    assert await verdict("delete_message", guest, theirs["id"]) == "forbidden"
    assert await verdict("delete_message", owner, mine["id"]) == "ok"
    assert await verdict("delete_message", owner, mine["id"]) == "ok"
    assert await verdict("edit_message", guest, mine["id"]) == "conflict"
    assert await world.seqs(channel) == [1, 2, 3, 4]


async def test_an_edit_to_the_same_body_changes_nothing(world: Any) -> None:
    owner = await world.user()
    channel = await world.channel(owner)
    (post,) = await world.post(Draft(channel, owner, "k", "hello"))
    answer = await world.call("edit_message", actor_id=owner, message_id=post["id"], body="hello")
    assert (answer["verdict"], answer["changed"]) == ("ok", False)


async def test_an_update_tells_only_what_changed(world: Any) -> None:
    owner = await world.user()
    channel = await world.channel(owner)
    changes = {"name": "Channel", "description": "new", "kind": "private", "last_seq": 99}
    event = await world.change("update_channel", channel_id=channel, actor_id=owner, changes=changes)
    assert event.data == {"description": "new", "by": str(owner)}
    row = await world.api.fetchrow("SELECT kind, description, version, last_seq FROM messaging.channels")
    assert tuple(row) == ("public", "new", 2, 1)


async def test_a_fact_of_the_api_joins_its_transaction(world: Any) -> None:
    user = await world.user()
    fact = {
        "type": "user.registered",
        "aggregatetype": "user",
        "aggregateid": user,
        "payload": {"user_id": user},
        "event_id": uuid7(),
    }
    async with world.api.transaction():
        await world.api.execute("UPDATE messaging.users SET status = 'new'")
        await world.api.execute("SELECT messaging.record_fact($1)", fact)
    row = await world.admin.fetchrow("SELECT * FROM messaging.events")
    assert (row["type"], row["topic"], row["shard"]) == (types.USER_REGISTERED, "analytics", user.bytes[15] % 64)
