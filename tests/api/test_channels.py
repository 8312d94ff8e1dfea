"""Channels and members through the api, on a real Postgres."""

import asyncio
from typing import Any

import pytest
from apiworld import Person, World

from signalink_core.ids import uuid7


async def types(world: World, channel_id: str) -> list[tuple[int, str]]:
    rows = await world.execute("SELECT seq, type FROM messaging.events WHERE channel_id = $1 ORDER BY seq", channel_id)
    return [(row["seq"], row["type"].removeprefix("dev.signalink.")) for row in rows]


async def added(owner: Person, channel: dict[str, Any], member: Person, role: str = "member") -> None:
    answer = await owner.post(f"/v1/channels/{channel['id']}/members", {"user_id": member.id, "role": role})
    assert answer.status_code == 204, answer.text


async def test_the_creator_owns_the_channel_from_its_beginning(world: World) -> None:
    ann = await world.person()
    channel = await ann.channel(description="Two\nlines")
    assert channel["membership"]["role"] == "owner"
    assert (channel["last_seq"], channel["epoch"]) == (0, 1)
    assert channel["history"] == "all"
    assert channel["description"] == "Two\nlines"
    assert (await ann.say(channel["id"])).json()["seq"] == 1


async def test_a_private_channel_shows_later_members_what_follows_their_joining(world: World) -> None:
    ann, bob = await world.person(), await world.person()
    channel = await ann.channel("private")
    assert channel["history"] == "joined"
    await ann.say(channel["id"], "before")
    await added(ann, channel, bob)
    after = (await ann.say(channel["id"], "after")).json()
    listed = (await bob.get(f"/v1/channels/{channel['id']}/messages")).json()
    assert [message["body"] for message in listed["items"]] == ["after"]
    page = (await bob.get(f"/v1/channels/{channel['id']}/events")).json()
    assert page["skipped"] == [{"first": 1, "last": 1}]
    assert [event["seq"] for event in page["events"]] == [2, after["seq"]]
    first = (await ann.get(f"/v1/channels/{channel['id']}/messages")).json()["items"][0]
    assert (await bob.get(f"/v1/messages/{first['id']}")).status_code == 404
    assert (await bob.get(f"/v1/messages/{after['id']}")).status_code == 200


async def test_a_taken_slug_is_a_conflict(world: World) -> None:
    ann = await world.person()
    channel = await ann.channel()
    again = await ann.post("/v1/channels", {"slug": channel["slug"], "name": "Other"})
    assert (again.status_code, again.json()["reason"]) == (409, "slug_taken")


async def test_joining_and_leaving_are_events_and_repeat_without_effect(world: World) -> None:
    ann, bob = await world.person(), await world.person()
    channel = await ann.channel()
    for _ in range(2):
        joined = await bob.post(f"/v1/channels/{channel['id']}/join")
        assert joined.json()["membership"]["role"] == "member"
    for _ in range(2):
        assert (await bob.post(f"/v1/channels/{channel['id']}/leave")).status_code == 204
    assert await types(world, channel["id"]) == [(1, "member.joined"), (2, "member.left")]
    assert (await bob.get(f"/v1/channels/{channel['id']}")).json()["membership"] is None


async def test_many_join_at_once_and_each_gets_a_seq_of_their_own(world: World) -> None:
    ann = await world.person()
    channel = await ann.channel()
    people = [await world.person() for _ in range(8)]
    answers = await asyncio.gather(*(person.post(f"/v1/channels/{channel['id']}/join") for person in people))
    assert {answer.status_code for answer in answers} == {200}
    assert [seq for seq, _ in await types(world, channel["id"])] == list(range(1, 9))


async def test_a_private_channel_is_unknown_to_outsiders_on_every_path(world: World) -> None:
    ann, eve = await world.person(), await world.person()
    channel = await ann.channel("private")
    message = (await ann.say(channel["id"])).json()
    base = f"/v1/channels/{channel['id']}"
    answers = [
        await eve.get(base),
        await eve.patch(base, {"name": "Mine"}),
        await eve.post(f"{base}/join"),
        await eve.post(f"{base}/leave"),
        await eve.post(f"{base}/archive"),
        await eve.get(f"{base}/members"),
        await eve.get(f"{base}/messages"),
        await eve.get(f"{base}/events"),
        await eve.say(channel["id"]),
        await eve.get(f"/v1/messages/{message['id']}"),
        await eve.patch(f"/v1/messages/{message['id']}", {"body": "mine"}),
        await eve.delete(f"/v1/messages/{message['id']}"),
    ]
    nowhere = await eve.get(f"/v1/channels/{uuid7()}")
    details = {answer.json()["detail"] for answer in answers}
    assert {answer.status_code for answer in answers} == {404}
    assert details == {nowhere.json()["detail"]}


async def test_a_channel_is_changed_field_by_field(world: World) -> None:
    ann = await world.person()
    channel = await ann.channel()
    path = f"/v1/channels/{channel['id']}"
    changed = (await ann.patch(path, {"name": "Better", "max_members": 5})).json()
    assert (changed["name"], changed["max_members"], changed["version"]) == ("Better", 5, 2)
    assert (await ann.patch(path, {"max_members": None})).json()["max_members"] is None
    assert (await ann.patch(path, {"name": None})).status_code == 422
    assert (await ann.patch(path, {})).status_code == 422
    assert [kind for _, kind in await types(world, channel["id"])] == ["channel.updated"] * 2


async def test_an_archived_channel_can_be_read_but_not_changed(world: World) -> None:
    ann, bob = await world.person(), await world.person()
    channel = await ann.channel()
    message = (await ann.say(channel["id"])).json()
    for _ in range(2):
        archived = await ann.post(f"/v1/channels/{channel['id']}/archive")
        assert archived.json()["archived_at"] is not None
    answers = [
        await ann.say(channel["id"]),
        await ann.patch(f"/v1/messages/{message['id']}", {"body": "other"}),
        await ann.patch(f"/v1/channels/{channel['id']}", {"name": "Other"}),
        await bob.post(f"/v1/channels/{channel['id']}/join"),
    ]
    assert [(answer.status_code, answer.json()["code"]) for answer in answers] == [(409, "archived")] * 4
    listed = await ann.get(f"/v1/channels/{channel['id']}/messages")
    assert [found["id"] for found in listed.json()["items"]] == [message["id"]]
    assert (await bob.get("/v1/channels")).json()["items"] == []


async def test_members_are_handled_by_those_above_them(world: World) -> None:
    ann, mod, bob, eve = [await world.person() for _ in range(4)]
    channel = await ann.channel()
    path = f"/v1/channels/{channel['id']}/members"
    await added(ann, channel, mod, "moderator")
    await added(mod, channel, bob)
    assert (await mod.post(path, {"user_id": eve.id, "role": "owner"})).status_code == 403
    assert (await mod.delete(f"{path}/{ann.id}")).status_code == 403
    assert (await bob.delete(f"{path}/{mod.id}")).status_code == 403
    assert (await mod.call("PATCH", f"{path}/{bob.id}", json={"role": "owner"})).status_code == 403
    assert (await ann.call("PATCH", f"{path}/{bob.id}", json={"role": "reader"})).status_code == 204
    assert (await bob.say(channel["id"])).status_code == 403
    assert (await mod.delete(f"{path}/{bob.id}")).status_code == 204
    assert (await mod.delete(f"{path}/{bob.id}")).status_code == 404
    assert (await ann.post(path, {"user_id": str(uuid7())})).status_code == 404


async def test_the_last_owner_can_neither_leave_nor_step_down(world: World) -> None:
    ann, bob = await world.person(), await world.person()
    channel = await ann.channel()
    await added(ann, channel, bob)
    left = await ann.post(f"/v1/channels/{channel['id']}/leave")
    assert (left.status_code, left.json()["reason"]) == (409, "last_owner")
    path = f"/v1/channels/{channel['id']}/members/{ann.id}"
    assert (await ann.call("PATCH", path, json={"role": "member"})).status_code == 409


async def test_a_full_channel_takes_nobody_in(world: World) -> None:
    ann, bob = await world.person(), await world.person()
    channel = await ann.channel()
    await ann.patch(f"/v1/channels/{channel['id']}", {"max_members": 1})
    refused = await bob.post(f"/v1/channels/{channel['id']}/join")
    assert (refused.status_code, refused.json()["reason"]) == (409, "channel_full")


async def test_browsing_finds_by_a_part_of_slug_or_name_and_takes_wildcards_literally(world: World) -> None:
    ann = await world.person()
    await ann.channel(name="Rust and iron")
    await ann.channel(name="100% wool")
    await ann.channel("private", name="Rust in secret")
    found = (await ann.get("/v1/channels", q="RUST")).json()["items"]
    assert [channel["name"] for channel in found] == ["Rust and iron"]
    assert [channel["name"] for channel in (await ann.get("/v1/channels", q="%")).json()["items"]] == ["100% wool"]
    assert (await ann.get("/v1/channels", q="' OR 1=1 --")).json()["items"] == []


@pytest.mark.parametrize("slug", ["", "Upper", "-x", "a b", "ä", "x" * 101, "a/b", "a\n"])
async def test_a_slug_is_lower_case_and_plain(world: World, slug: str) -> None:
    ann = await world.person()
    refused = await ann.post("/v1/channels", {"slug": slug, "name": "A"})
    assert (refused.status_code, refused.json()["errors"][0]["field"]) == (422, "body.slug")


@pytest.mark.parametrize(
    "more",
    [{"kind": "direct"}, {"created_by": "x"}, {"epoch": 3}, {"name": "a\u202eb"}, {"name": " "}, {"name": "a\nb"}],
)
async def test_a_channel_takes_no_forged_or_hidden_field(world: World, more: dict[str, Any]) -> None:
    ann = await world.person()
    assert (await ann.post("/v1/channels", {"slug": "s", "name": "A", **more})).status_code == 422
