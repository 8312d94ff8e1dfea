"""Others and oneself through the api: people, devices, direct channels, read positions, mutes, threads, addresses."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from apiworld import MakeWorld, Person, World

from signalink_core.ids import uuid7


async def joined(world: World, owner: Person, channel: dict[str, Any]) -> Person:
    member = await world.person()
    assert (await member.post(f"/v1/channels/{channel['id']}/join")).status_code == 200
    return member


async def facts(world: World, kind: str) -> list[Any]:
    rows = await world.execute(
        "SELECT payload FROM messaging.events WHERE type = $1 ORDER BY id", f"dev.signalink.{kind}"
    )
    return [row["payload"] for row in rows]


async def test_people_are_found_by_how_their_name_begins_and_show_no_address(world: World) -> None:
    ann = await world.person("anna")
    await world.person("annabel")
    await world.person("bob")
    found = (await ann.get("/v1/users", q="ANN")).json()["items"]
    assert [person["username"] for person in found] == ["anna", "annabel"]
    assert set(found[0]) == {"id", "username", "display_name", "status"}
    assert (await ann.get(f"/v1/users/{found[1]['id']}")).json() == found[1]
    assert (await ann.get("/v1/users", q="ann", limit=1)).json()["items"] == found[:1]


@pytest.mark.parametrize("letters", ["100%", "a_b", "\\"])
async def test_a_search_takes_letters_as_they_are(world: World, letters: str) -> None:
    ann = await world.person("axb")
    assert (await ann.get("/v1/users", q=letters)).json()["items"] == []


async def test_an_unknown_or_disabled_user_is_not_there(world: World) -> None:
    ann, bob = await world.person(), await world.person()
    await world.execute("UPDATE messaging.users SET disabled_at = now() WHERE id = $1", bob.id)
    for user in (bob.id, str(uuid7())):
        assert (await ann.get(f"/v1/users/{user}")).status_code == 404


async def test_searches_have_a_limit_of_their_own(make_world: MakeWorld) -> None:
    world: World = await make_world(limits={"searches_per_second_per_user": 2})
    ann = await world.person()
    statuses = [(await ann.get("/v1/users", q="x")).status_code for _ in range(3)]
    assert statuses == [200, 200, 429]


async def test_a_push_token_is_one_device_of_whoever_registered_it_last(world: World) -> None:
    ann, bob = await world.person(), await world.person()
    path = "/v1/users/me/devices"
    first = (await ann.call("PUT", path, json={"push_token": "t1", "name": "phone"})).json()
    again = (await ann.call("PUT", path, json={"push_token": "t1", "name": "Ann's phone"})).json()
    assert (again["id"], again["name"]) == (first["id"], "Ann's phone")
    assert "push_token" not in first
    taken = (await bob.call("PUT", path, json={"push_token": "t1"})).json()
    assert taken["id"] == first["id"]
    assert (await ann.get(path)).json()["items"] == []
    assert (await ann.delete(f"{path}/{first['id']}")).status_code == 204
    assert len((await bob.get(path)).json()["items"]) == 1
    assert (await bob.delete(f"{path}/{first['id']}")).status_code == 204
    assert (await bob.get(path)).json()["items"] == []


async def test_of_too_many_devices_the_ones_not_seen_longest_go(world: World) -> None:
    ann = await world.person()
    for n in range(22):
        assert (await ann.call("PUT", "/v1/users/me/devices", json={"push_token": f"t{n}"})).status_code == 200
    rows = await world.execute("SELECT push_token FROM messaging.devices WHERE user_id = $1", ann.id)
    assert {row["push_token"] for row in rows} == {f"t{n}" for n in range(2, 22)}


@pytest.mark.parametrize("body", [{}, {"push_token": ""}, {"push_token": "a b"}, {"push_token": "t", "kind": "apns"}])
async def test_a_device_that_is_none_is_refused(world: World, body: dict[str, Any]) -> None:
    ann = await world.person()
    assert (await ann.call("PUT", "/v1/users/me/devices", json=body)).status_code == 422


async def test_two_people_have_one_direct_channel(world: World) -> None:
    ann, bob, eve = await world.person(), await world.person(), await world.person()
    opened = (await ann.post("/v1/direct", {"user_id": bob.id})).json()
    assert (opened["kind"], opened["slug"], opened["membership"]["role"]) == ("direct", None, "member")
    assert (await bob.post("/v1/direct", {"user_id": ann.id})).json()["id"] == opened["id"]
    assert (await bob.say(opened["id"])).json()["seq"] == 1
    assert (await eve.get(f"/v1/channels/{opened['id']}")).status_code == 404
    assert (await ann.post("/v1/direct", {"user_id": ann.id})).status_code == 422
    assert (await ann.post("/v1/direct", {"user_id": str(uuid7())})).status_code == 404


async def test_reading_moves_the_position_and_empties_the_count(world: World) -> None:
    ann = await world.person()
    channel = await ann.channel()
    bob = await joined(world, ann, channel)
    for _ in range(3):
        await ann.say(channel["id"])
    path = f"/v1/channels/{channel['id']}/read"
    (unread,) = (await bob.get("/v1/channels/unread")).json()["items"]
    assert (unread["channel_id"], unread["unread"], unread["last_read_seq"]) == (channel["id"], 3, 1)
    assert (await bob.call("PUT", path, json={"seq": 3})).json()["last_read_seq"] == 3
    assert (await bob.call("PUT", path, json={"seq": 2})).json()["last_read_seq"] == 3
    assert (await bob.call("PUT", path, json={"seq": 99})).json() == {
        "channel_id": channel["id"],
        "last_read_seq": 4,
        "last_seq": 4,
    }
    assert (await bob.get("/v1/channels/unread")).json()["items"] == []
    assert [fact["seq"] for fact in await facts(world, "message.read")] == [3, 4]


async def test_a_mute_keeps_a_member_from_posting_until_it_ends(world: World) -> None:
    ann = await world.person()
    channel = await ann.channel()
    bob = await joined(world, ann, channel)
    path = f"/v1/channels/{channel['id']}/members/{bob.id}/mute"
    until = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    assert (await ann.call("PUT", path, json={"until": until})).status_code == 204
    assert (await bob.say(channel["id"])).json()["code"] == "muted"
    assert (await ann.call("PUT", path, json={"until": None})).status_code == 204
    assert (await bob.say(channel["id"])).status_code == 201
    assert (await ann.call("PUT", path, json={"until": "tomorrow"})).status_code == 422
    assert (await ann.call("PUT", path, json={"until": "2999-01-01T00:00:00"})).status_code == 422


async def test_a_thread_is_its_replies_whoever_of_them_is_asked(world: World) -> None:
    ann = await world.person()
    channel = await ann.channel()
    root = (await ann.say(channel["id"], "root")).json()
    await ann.say(channel["id"], "beside")
    reply = (await ann.say(channel["id"], "reply", reply_to=root["id"])).json()
    deeper = (await ann.say(channel["id"], "deeper", reply_to=reply["id"])).json()
    assert (reply["thread_root"], deeper["thread_root"]) == (root["id"], root["id"])
    for message in (root, reply, deeper):
        page = (await ann.get(f"/v1/messages/{message['id']}/thread")).json()
        assert [item["body"] for item in page["items"]] == ["reply", "deeper"]
    first = (await ann.get(f"/v1/messages/{root['id']}/thread", limit=1)).json()
    assert ([item["body"] for item in first["items"]], first["after"]) == (["reply"], reply["seq"])
    rest = (await ann.get(f"/v1/messages/{root['id']}/thread", after=first["after"])).json()
    assert [item["body"] for item in rest["items"]] == ["deeper"]


async def test_signing_out_is_a_fact_once(world: World) -> None:
    ann = await world.person()
    assert (await ann.post("/v1/auth/logout")).status_code == 204
    await world.http.post("/v1/auth/logout", json={"refresh_token": ann.refresh})
    assert await facts(world, "user.logged_out") == [{"user_id": ann.id}]


async def test_addresses_are_told_without_signing_in(world: World) -> None:
    answer = await world.http.get("/v1/addresses")
    assert answer.json() == {
        "gateway": world.api.settings.edge.gateway_url,
        "analytics": None,
        "notifications": None,
    }
    assert answer.headers["cache-control"] == "public, max-age=60"


async def test_people_block_others_and_see_whom_and_nobody_else_does(world: World) -> None:
    ann, bob = await world.person(), await world.person()
    path = "/v1/users/me/blocks"
    for _ in range(2):
        assert (await ann.call("PUT", f"{path}/{bob.id}")).status_code == 204
    items = (await ann.get(path)).json()["items"]
    assert [(item["user_id"], item["username"]) for item in items] == [(bob.id, bob.username)]
    assert (await bob.get(path)).json()["items"] == []
    for _ in range(2):
        assert (await ann.delete(f"{path}/{bob.id}")).status_code == 204
    assert (await ann.get(path)).json()["items"] == []


async def test_nobody_blocks_themselves_or_who_is_not_there(world: World) -> None:
    ann = await world.person()
    assert (await ann.call("PUT", f"/v1/users/me/blocks/{ann.id}")).status_code == 422
    assert (await ann.call("PUT", f"/v1/users/me/blocks/{uuid7()}")).status_code == 404
