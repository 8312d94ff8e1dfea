"""The writing function: verdicts in their order, seqs without gaps, repeats that change nothing."""

import asyncio
import random
from typing import Any
from uuid import UUID

import pytest

from signalink_api.writer import Draft
from signalink_core.events.types import MESSAGE_CREATED, MessageCreated
from signalink_core.ids import uuid7
from signalink_core.log import reads


def draft(channel: UUID, sender: UUID, client_id: str = "", **fields: Any) -> Draft:
    return Draft(channel, sender, client_id or str(uuid7()), **{"body": "hello", **fields})


async def test_the_first_post_of_a_creator_is_seq_one_and_is_in_the_feed(world: Any) -> None:
    owner = await world.user()
    channel = await world.channel(owner)
    (answer,) = await world.post(draft(channel, owner, "k", metadata={"mood": [1.5, None]}))
    assert (answer["verdict"], answer["seq"], answer["epoch"]) == ("created", 1, 1)
    (event,) = await reads.events_after(world.api, channel, 0)
    assert event.type == MESSAGE_CREATED
    assert MessageCreated(**event.data).metadata == {"mood": [1.5, None]}
    assert event.data["id"] == answer["id"]


async def test_a_repeat_gets_the_first_answer_and_writes_nothing(world: Any) -> None:
    owner = await world.user()
    channel = await world.channel(owner)
    (first,) = await world.post(draft(channel, owner, "k"))
    (again,) = await world.post(draft(channel, owner, "k"))
    assert again == {**first, "verdict": "replayed"}
    assert await world.seqs(channel) == [1]


@pytest.mark.parametrize(
    "other", [{"body": "other"}, {"format": "markdown"}, {"metadata": {"a": 1}}, {"channel_id": None}]
)
async def test_the_same_key_with_another_request_is_a_conflict(world: Any, other: dict[str, Any]) -> None:
    owner = await world.user()
    channel, elsewhere = await world.channel(owner), await world.channel(owner)
    await world.post(draft(channel, owner, "k"))
    changed = {name: value for name, value in other.items() if name != "channel_id"}
    target = elsewhere if "channel_id" in other else channel
    assert await world.verdicts(draft(target, owner, "k", **changed)) == ["conflict"]


async def test_another_senders_key_is_separate(world: Any) -> None:
    owner, guest = await world.user(), await world.user()
    channel = await world.channel(owner)
    await world.change("join_channel", channel_id=channel, actor_id=guest)
    assert await world.verdicts(draft(channel, owner, "k"), draft(channel, guest, "k")) == ["created", "created"]


async def test_an_edit_does_not_turn_a_repeat_into_a_conflict(world: Any) -> None:
    owner = await world.user()
    channel = await world.channel(owner)
    (first,) = await world.post(draft(channel, owner, "k"))
    await world.change("edit_message", message_id=first["id"], actor_id=owner, body="changed")
    await world.change("delete_message", message_id=first["id"], actor_id=owner)
    assert await world.verdicts(draft(channel, owner, "k"), draft(channel, owner, "k", body="changed")) == [
        "replayed",
        "conflict",
    ]


async def test_verdicts_come_in_order_replay_conflict_archived_forbidden_muted_limits(world: Any) -> None:
    owner, member = await world.user(), await world.user()
    channel = await world.channel(owner)
    await world.change("join_channel", channel_id=channel, actor_id=member)
    await world.post(draft(channel, member, "old"))
    old, other, new = draft(channel, member, "old"), draft(channel, member, "old", body="x"), draft(channel, member)
    unknown_reply = draft(channel, member, reply_to=uuid7())
    await world.admin.execute("UPDATE messaging.channels SET slow_mode_seconds = 3600")
    await world.admin.execute("UPDATE messaging.channel_members SET last_post_at = now() WHERE role = 'member'")
    assert await world.verdicts(old, other, new, unknown_reply) == ["replayed", "conflict", "too_fast", "reply_unknown"]
    await world.admin.execute("UPDATE messaging.channel_members SET muted_until = now() + interval '1h'")
    assert await world.verdicts(old, other, new, unknown_reply) == ["replayed", "conflict", "muted", "muted"]
    await world.admin.execute("UPDATE messaging.channel_members SET role = 'reader' WHERE user_id = $1", member)
    assert await world.verdicts(old, other, new) == ["replayed", "conflict", "forbidden"]
    await world.change("archive_channel", channel_id=channel, actor_id=owner)
    assert await world.verdicts(old, other, new) == ["replayed", "conflict", "archived"]


async def test_a_private_channel_does_not_exist_for_outsiders_even_when_archived(world: Any) -> None:
    owner, outsider = await world.user(), await world.user()
    channel = await world.channel(owner, kind="private")
    await world.change("archive_channel", channel_id=channel, actor_id=owner)
    assert await world.verdicts(draft(channel, outsider), draft(uuid7(), outsider)) == ["not_found", "not_found"]


async def test_an_outsider_of_a_public_channel_and_a_disabled_user_are_forbidden(world: Any) -> None:
    owner, outsider = await world.user(), await world.user()
    channel = await world.channel(owner)
    assert await world.verdicts(draft(channel, outsider)) == ["forbidden"]
    await world.api.execute("UPDATE messaging.users SET disabled_at = now() WHERE id = $1", owner)
    assert await world.verdicts(draft(channel, owner)) == ["forbidden"]


async def test_repeats_inside_one_batch_share_the_first_ones_fate(world: Any) -> None:
    owner = await world.user()
    channel, elsewhere = await world.channel(owner), await world.channel(owner)
    batch = [draft(channel, owner, "k"), draft(channel, owner, "k"), draft(elsewhere, owner, "k")]
    answers = await world.post(*batch, draft(channel, owner, "k2"))
    assert [answer["verdict"] for answer in answers] == ["created", "replayed", "conflict", "created"]
    assert {**answers[1], "n": 0, "verdict": "created"} == answers[0]
    assert await world.seqs(channel) == [1, 2]


async def test_a_refused_first_leaves_the_key_to_a_later_row_of_the_batch(world: Any) -> None:
    owner, sender = await world.user(), await world.user()
    closed, channel = await world.channel(owner), await world.channel(sender)
    batch = [draft(closed, sender, "k"), draft(channel, sender, "k"), draft(closed, sender, "k")]
    assert await world.verdicts(*batch) == ["forbidden", "created", "conflict"]


async def test_slow_mode_lets_one_through_and_never_slows_moderators(world: Any) -> None:
    owner, member = await world.user(), await world.user()
    channel = await world.channel(owner)
    await world.change("join_channel", channel_id=channel, actor_id=member)
    await world.change("update_channel", channel_id=channel, actor_id=owner, changes={"slow_mode_seconds": 60})
    mine = [draft(channel, member, "a"), draft(channel, member, "b"), draft(channel, member, "b")]
    assert await world.verdicts(*mine) == ["created", "too_fast", "too_fast"]
    assert await world.verdicts(draft(channel, member), draft(channel, owner), draft(channel, owner)) == [
        "too_fast",
        "created",
        "created",
    ]


async def test_a_reply_must_be_to_a_message_of_the_channel_and_inherits_the_thread(world: Any) -> None:
    owner = await world.user()
    channel, elsewhere = await world.channel(owner), await world.channel(owner)
    (root,) = await world.post(draft(channel, owner))
    (reply,) = await world.post(draft(channel, owner, reply_to=UUID(root["id"])))
    (deep,) = await world.post(draft(channel, owner, reply_to=UUID(reply["id"])))
    assert (root["thread_root"], reply["thread_root"], deep["thread_root"]) == (None, root["id"], root["id"])
    assert await world.verdicts(draft(elsewhere, owner, reply_to=UUID(root["id"]))) == ["reply_unknown"]


async def test_two_hundred_concurrent_posts_to_one_channel_get_seqs_1_to_200(world: Any) -> None:
    owner = await world.user()
    channel = await world.channel(owner)
    connections = [await world.database.connect("api") for _ in range(16)]
    drafts = [draft(channel, owner) for _ in range(200)]

    async def client(n: int) -> list[int]:
        return [(await world.post(post, connection=connections[n]))[0]["seq"] for post in drafts[n :: len(connections)]]

    answers = await asyncio.gather(*(client(n) for n in range(len(connections))))
    assert sorted(seq for seqs in answers for seq in seqs) == list(range(1, 201))
    assert await world.seqs(channel) == list(range(1, 201))
    for connection in connections:
        await connection.close()


async def test_one_key_from_eight_connections_is_one_row_and_eight_equal_answers(world: Any) -> None:
    owner = await world.user()
    channel = await world.channel(owner)
    connections = [await world.database.connect("api") for _ in range(8)]
    post = draft(channel, owner, "once")
    answers = [answer for (answer,) in await asyncio.gather(*(world.post(post, connection=one) for one in connections))]
    assert sorted(answer.pop("verdict") for answer in answers) == ["created"] + ["replayed"] * 7
    assert all(answer == answers[0] for answer in answers)
    assert await world.seqs(channel) == [1]
    for connection in connections:
        await connection.close()


async def test_a_shuffled_batch_of_many_channels_is_in_seq_order_by_id(world: Any) -> None:
    owner = await world.user()
    channels = [await world.channel(owner) for _ in range(5)]
    batch = [draft(channel, owner) for channel in channels for _ in range(20)]
    random.Random(7).shuffle(batch)
    answers = await world.post(*batch)
    for channel in channels:
        mine = [answer["seq"] for answer, post in zip(answers, batch, strict=True) if post.channel_id == channel]
        assert mine == list(range(1, 21)), "seqs follow the order of the batch"
        assert await world.seqs(channel) == list(range(1, 21))


async def test_rows_of_a_busy_channel_are_busy_and_the_others_go_through(world: Any) -> None:
    owner = await world.user()
    busy, free = await world.channel(owner), await world.channel(owner)
    await world.post(draft(busy, owner, "known"))
    other = await world.database.connect("api")
    async with other.transaction():
        await other.execute("SELECT messaging.lock_channels($1, true)", [busy])
        batch = [draft(busy, owner), draft(free, owner), draft(busy, owner, "known"), draft(busy, owner)]
        assert await world.verdicts(*batch, wait=False) == ["busy", "created", "busy", "busy"]
    assert await world.verdicts(*batch, wait=False) == ["created", "replayed", "replayed", "created"]
    await other.close()


async def test_a_replay_also_writes_a_commit_record_so_that_it_waits_for_the_standby(world: Any) -> None:
    owner = await world.user()
    channel = await world.channel(owner)
    await world.post(draft(channel, owner, "k"))
    lsn = "SELECT pg_current_wal_insert_lsn()"
    before = await world.admin.fetchval(lsn)
    assert await world.verdicts(draft(channel, owner, "k")) == ["replayed"]
    assert await world.admin.fetchval(lsn) != before
