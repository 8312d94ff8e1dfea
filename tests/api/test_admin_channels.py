"""Channels that a service manages: a document is applied once, repeats change nothing, people keep theirs."""

import asyncio
import json
from typing import Any
from uuid import UUID

import pytest
from adminworld import HOLDER, Operator, events, fresh_slug, operator, told
from apiworld import World

from signalink_api.admin.schemas import ManagedChannelRequest
from signalink_core import bus
from signalink_core.events import types
from signalink_core.testing import eventually
from signalink_stacks.local.testing import ValkeyServer

WHOLE: dict[str, Any] = {
    "display_name": "General",
    "description": "Two\nlines",
    "visibility": "public",
    "quota": {"messages_per_second": 50, "slow_mode_seconds": 5, "retention_days": 30, "max_members": 10},
    "event_topic": "team.general",
}


@pytest.fixture
async def service(world: World) -> Operator:
    return await operator(world)


async def people(world: World, channel_id: str) -> dict[str, str]:
    rows = await world.execute(
        "SELECT u.username, m.role FROM messaging.channel_members m JOIN messaging.users u ON u.id = m.user_id "
        "WHERE m.channel_id = $1",
        channel_id,
    )
    return {row["username"]: row["role"] for row in rows}


async def count(world: World, table: str) -> int:
    return int((await world.execute(f"SELECT count(*) AS n FROM messaging.{table}"))[0]["n"])


async def traces(world: World) -> tuple[int, ...]:
    """Everything that a writing call leaves: rows of log, audit and members, and the transactions spent."""
    tables = [await count(world, table) for table in ("events", "audit_log", "channel_members", "memberships")]
    changed = await world.execute("SELECT max(xmin::text::bigint) AS n FROM messaging.channels")
    return (*tables, changed[0]["n"])


async def test_a_document_makes_the_channel_with_its_members_and_says_what_is(world: World, service: Operator) -> None:
    ann, bob = await world.ready_made(), await world.ready_made()
    slug = fresh_slug()
    made = await service.put(slug, f"{ann.username}=owner", f"{bob.id}=reader", **WHOLE)
    assert made.status_code == 201
    said = made.json()
    channel_id = said.pop("id")
    assert said == {
        **WHOLE,
        "slug": slug,
        "managed_by": HOLDER,
        "archived": False,
        "member_count": 2,
        "unresolved": [],
        "kept_owner": False,
        "changed": True,
    }
    assert await people(world, channel_id) == {ann.username: "owner", bob.username: "reader"}
    assert await told(world, channel_id) == ["member.joined", "member.joined"]
    facts = await world.execute("SELECT type FROM messaging.events WHERE aggregateid = $1 AND seq IS NULL", channel_id)
    assert [row["type"] for row in facts] == [types.CHANNEL_CREATED]
    assert (await ann.say(channel_id)).json()["seq"] == 3
    assert (await ann.get(f"/v1/channels/{channel_id}")).json()["name"] == "General"
    assert (await service.call("GET", slug)).json() == {"id": channel_id, **said, "changed": False}


async def test_a_bare_document_is_a_private_channel_named_like_its_slug(world: World, service: Operator) -> None:
    slug = fresh_slug()
    said = await service.made(slug)
    assert (said["display_name"], said["description"], said["visibility"]) == (slug, "", "private")
    assert set(said["quota"].values()) == {None}
    assert (said["event_topic"], said["member_count"]) == (None, 0)


async def test_c01_a_repeat_after_a_lost_answer_gives_the_same_channel_and_writes_nothing(
    world: World, service: Operator
) -> None:
    ann = await world.ready_made()
    slug = fresh_slug()
    first = await service.put(slug, f"{ann.username}=owner", **WHOLE)
    before = await traces(world)
    for _ in range(2):
        again = await service.put(slug, f"{ann.username.upper()}=owner", **WHOLE)
        assert (again.status_code, again.json()["id"]) == (200, first.json()["id"])
        assert again.json()["changed"] is False
    assert await traces(world) == before


async def test_settings_change_in_one_event_that_names_only_what_people_may_see(
    world: World, service: Operator
) -> None:
    slug = fresh_slug()
    made = await service.made(slug, **WHOLE)
    changed = await service.made(slug, **{**WHOLE, "display_name": "Better", "quota": {"max_members": 10}})
    assert (changed["display_name"], changed["quota"]["messages_per_second"]) == ("Better", None)
    (event,) = await events(world, made["id"])
    assert event.type == types.CHANNEL_UPDATED
    assert {**event.data, "by": ""} == {
        "name": "Better",
        "messages_per_second": None,
        "slow_mode_seconds": 0,
        "retention_days": None,
        "by": "",
    }
    types.ChannelUpdated.model_validate(event.data)
    better = {**WHOLE, "display_name": "Better", "quota": {"max_members": 10}, "event_topic": None}
    hidden = await service.made(slug, **better)
    assert (hidden["changed"], hidden["event_topic"]) == (True, None)
    assert len(await events(world, made["id"])) == 1


async def test_visibility_can_change_and_nobody_reads_more_of_the_past_by_it(world: World, service: Operator) -> None:
    ann, eve = await world.ready_made(), await world.ready_made()
    slug = fresh_slug()
    channel = await service.made(slug, f"{ann.username}=owner")
    await ann.say(channel["id"], "secret")
    await service.made(slug, f"{ann.username}=owner", visibility="public")
    assert (await eve.post(f"/v1/channels/{channel['id']}/join")).status_code == 200
    assert (await eve.get(f"/v1/channels/{channel['id']}/messages")).json()["items"] == []


async def test_c02_ensure_adds_and_changes_and_exact_also_removes(world: World, service: Operator) -> None:
    ann, bob, eve = [await world.ready_made() for _ in range(3)]
    slug = fresh_slug()
    channel = await service.made(slug, f"{ann.username}=owner", f"{bob.username}=member")
    await ann.post(f"/v1/channels/{channel['id']}/members", {"user_id": eve.id})
    await service.made(slug, f"{bob.username}=moderator")
    assert await people(world, channel["id"]) == {
        ann.username: "owner", bob.username: "moderator", eve.username: "member",
    }  # fmt: skip
    await service.made(slug, f"{ann.username}=owner", f"{bob.username}=reader", members_policy="exact")
    assert await people(world, channel["id"]) == {ann.username: "owner", bob.username: "reader"}
    assert (await told(world, channel["id"]))[3:] == ["member.role_changed", "member.role_changed", "member.removed"]
    page = await eve.get(f"/v1/channels/{channel['id']}/events")
    assert page.status_code == 404


async def test_c02_the_last_owner_stays_whoever_is_listed(world: World, service: Operator) -> None:
    ann, bob, cid = [await world.ready_made() for _ in range(3)]
    slug = fresh_slug()
    channel = await service.made(slug, f"{ann.username}=owner")
    await service.made(slug, f"{ann.username}=owner", f"{bob.username}=owner")
    for _ in range(2):
        kept = await service.made(slug, f"{cid.username}=member", "nobody=owner", members_policy="exact")
        assert kept["kept_owner"] is True
        assert await people(world, channel["id"]) == {ann.username: "owner", cid.username: "member"}
    assert kept["changed"] is False
    demoted = await service.made(slug, f"{ann.username}=member")
    assert (demoted["kept_owner"], demoted["changed"]) == (True, False)
    replaced = await service.made(slug, f"{bob.username}=owner", members_policy="exact")
    assert replaced["kept_owner"] is False
    assert await people(world, channel["id"]) == {bob.username: "owner"}


async def test_at_no_seq_is_a_channel_without_its_owner(world: World, service: Operator) -> None:
    ann, bob = await world.ready_made(), await world.ready_made()
    slug = fresh_slug()
    channel = await service.made(slug, f"{ann.username}=owner")
    await service.made(slug, f"{bob.username}=owner", members_policy="exact")
    assert await told(world, channel["id"]) == ["member.joined", "member.joined", "member.removed"]


async def test_c03_unknown_and_disabled_users_are_named_and_the_others_applied(world: World, service: Operator) -> None:
    ann, gone, late = [await world.ready_made() for _ in range(3)]
    slug = fresh_slug()
    channel = await service.made(slug, f"{gone.username}=member")
    for user in (gone, late):
        await world.execute("UPDATE messaging.users SET disabled_at = now() WHERE id = $1", user.id)
    members = [f"{user}=member" for user in (ann.username, "nobody", late.id, gone.username, "service:operator")]
    partly = await service.made(slug, *members, members_policy="exact")
    assert partly["unresolved"] == sorted(["nobody", late.id, gone.username, "service:operator"])
    assert await people(world, channel["id"]) == {ann.username: "member", gone.username: "member"}
    await world.execute("UPDATE messaging.users SET disabled_at = NULL WHERE id = $1", late.id)
    healed = await service.made(slug, *members, members_policy="exact")
    assert late.username in await people(world, channel["id"])
    assert late.id not in healed["unresolved"]


async def test_a_user_named_twice_by_name_and_id_is_refused_with_nothing_done(world: World, service: Operator) -> None:
    ann = await world.ready_made()
    slug = fresh_slug()
    for other in (ann.username.upper(), ann.id):
        refused = await service.put(slug, f"{ann.username}=owner", f"{other}=member")
        assert (refused.status_code, refused.json()["code"]) == (422, "validation")
    assert (await service.call("GET", slug)).status_code == 404


async def test_c04_the_member_above_the_bound_is_refused_on_every_way_in(world: World, service: Operator) -> None:
    ann, bob, eve = [await world.ready_made() for _ in range(3)]
    slug = fresh_slug()
    two = {"visibility": "public", "quota": {"max_members": 2}}
    channel = await service.made(slug, f"{ann.username}=owner", f"{bob.username}=member", **two)
    answers = [
        await eve.post(f"/v1/channels/{channel['id']}/join"),
        await ann.post(f"/v1/channels/{channel['id']}/members", {"user_id": eve.id}),
        await service.put(slug, f"{eve.username}=member", display_name="Not applied", **two),
        await service.put(fresh_slug(), *(f"{p.username}=owner" for p in (ann, bob, eve)), **two),
    ]
    assert [(a.status_code, a.json()["reason"]) for a in answers] == [(409, "channel_full")] * 4
    assert (await service.call("GET", slug)).json()["display_name"] == slug
    swapped = await service.made(slug, f"{ann.username}=owner", f"{eve.username}=member", members_policy="exact", **two)
    assert (swapped["member_count"], swapped["changed"]) == (2, True)
    lowered = await service.made(slug, visibility="public", quota={"max_members": 1})
    assert lowered["member_count"] == 2, "a bound that is lowered removes nobody"


async def test_c04_the_message_above_the_quota_is_429_with_the_time_to_come_back(
    world: World, service: Operator
) -> None:
    ann = await world.ready_made()
    channel = await service.made(fresh_slug(), f"{ann.username}=owner", quota={"messages_per_second": 3})
    answers = await asyncio.gather(*(ann.say(channel["id"]) for _ in range(4)))
    assert sorted(answer.status_code for answer in answers) == [201, 201, 201, 429]
    refused = next(answer for answer in answers if answer.status_code == 429)
    problem = refused.json()
    assert (problem["code"], problem["scope"], refused.headers["retry-after"]) == ("rate_limited", "channel_quota", "1")

    async def accepted() -> bool:
        return (await ann.say(channel["id"])).status_code == 201

    await eventually(accepted, every=0.1)


async def test_who_is_online_hears_of_it_live(world: World, service: Operator, valkey: ValkeyServer) -> None:
    ann = await world.ready_made()
    slug = fresh_slug()
    channel = UUID((await service.made(slug))["id"])
    heard: list[tuple[UUID, str]] = []
    attached = asyncio.Event()
    subscriber = bus.Subscriber(
        valkey.settings("gateway"),
        on_event=lambda where, frame: heard.append((where, json.loads(frame)["type"])),
        on_attached=lambda _: attached.set(),
    )
    async with subscriber:
        subscriber.attach(channel)
        await asyncio.wait_for(attached.wait(), 10)
        await service.made(slug, f"{ann.username}=owner")
        await eventually(lambda: (channel, types.MEMBER_JOINED) in heard)


async def test_each_change_is_on_record_with_service_token_and_holder(world: World, service: Operator) -> None:
    slug = fresh_slug()
    await service.made(slug)
    await service.made(slug)
    await service.made(slug, holder="default/b/c", adopt=True)
    await service.delete(slug, "archive", "default/b/c")
    rows = await world.execute("SELECT * FROM messaging.audit_log WHERE action LIKE 'channel.%' ORDER BY id")
    assert [row["action"] for row in rows] == ["channel.put", "channel.put", "channel.archive"]
    first, adopted, _ = (row["details"] for row in rows)
    assert (first["created"], first["token"], first["slug"]) == (True, str(service.issued.id), slug)
    assert (adopted["before"], adopted["managed_by"]) == (HOLDER, "default/b/c")
    account = await world.execute("SELECT id FROM messaging.users WHERE username = 'service:operator'")
    assert {row["actor_id"] for row in rows} == {account[0]["id"]}


@pytest.mark.parametrize("slug", ["Upper", "-x", "a b", "x" * 101, "__a", ".a", "a."])
async def test_a_slug_is_what_people_may_choose_too(world: World, service: Operator, slug: str) -> None:
    for method in ("GET", "DELETE", "PUT"):
        refused = await service.call(method, slug, **({"json": {"managed_by": "x"}} if method == "PUT" else {}))
        assert (refused.status_code, refused.json()["errors"][0]["field"]) == (422, "path.slug")


@pytest.mark.parametrize(
    "wrong",
    [
        {"managed_by": ""},
        {"managed_by": "x" * 601},
        {"managed_by": "a\nb"},
        {"visibility": "direct"},
        {"members": [{"user": "a", "role": "admin"}]},
        {"members": [{"user": "a", "role": "owner", "x": 1}]},
        {"members": [{"user": f"u{n}", "role": "member"} for n in range(501)]},
        {"members_policy": "Exact"},
        {"quota": {"messages_per_second": 0}},
        {"quota": {"max_members": 0}},
        {"quota": {"retention_days": 0}},
        {"quota": {"slow_mode_seconds": -1}},
        {"event_topic": "messages"},
        {"event_topic": "dlq.x"},
        {"event_topic": "__offsets"},
        {"event_topic": ".."},
        {"event_topic": "a/b"},
        {"id": "1"},
    ],
)
async def test_a_document_that_is_not_one_is_refused_by_field(
    world: World, service: Operator, wrong: dict[str, Any]
) -> None:
    slug = fresh_slug()
    refused = await service.call("PUT", slug, json={"managed_by": "x", **wrong})
    assert (refused.status_code, refused.json()["code"]) == (422, "validation")
    assert refused.json()["errors"][0]["field"].startswith(f"body.{next(iter(wrong))}")
    assert (await service.call("GET", slug)).status_code == 404


async def test_what_people_may_do_in_a_managed_channel_is_what_their_role_allows(
    world: World, service: Operator
) -> None:
    ann, bob = await world.ready_made(), await world.ready_made()
    slug = fresh_slug()
    channel = await service.made(slug, f"{ann.username}=owner", f"{bob.username}=member")
    base = f"/v1/channels/{channel['id']}"
    assert (await ann.patch(base, {"name": "Ours"})).status_code == 200
    assert (await bob.patch(base, {"name": "Mine"})).status_code == 403
    reverted = await service.made(slug, f"{ann.username}=owner", f"{bob.username}=member")
    assert (reverted["display_name"], reverted["changed"]) == (slug, True)


def test_c11_the_roles_of_members_are_those_of_the_document() -> None:
    schema = ManagedChannelRequest.model_json_schema()
    assert set(schema["$defs"]["WantedMember"]["properties"]["role"]["enum"]) == {
        "owner", "moderator", "member", "reader",
    }  # fmt: skip
