"""Who holds a managed channel, how it ends, and what happens when several reach for it at once."""

import asyncio
from typing import Any

import pytest
from adminworld import HOLDER, Operator, events, fresh_slug, operator, told
from apiworld import MakeWorld, World

from signalink_api.admin.schemas import ManagedChannelRequest
from signalink_api.admin.service import AdminService
from signalink_core.auth.service_tokens import ServiceTokenVerifier
from signalink_core.errors import DependencyUnavailable
from signalink_core.events import Event, types


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


async def test_a_slug_that_somebody_holds_is_refused_with_the_holder_unless_adopted(
    world: World, service: Operator
) -> None:
    ann = await world.ready_made()
    theirs = await ann.channel()
    slug = fresh_slug()
    await service.made(slug)
    for held, holder in ((slug, HOLDER), (theirs["slug"], None)):
        refused = await service.put(held, holder="default/other/one")
        problem = refused.json()
        assert (refused.status_code, problem["code"], problem["reason"]) == (409, "conflict", "managed_elsewhere")
        assert problem["managed_by"] == holder
        for mode in ("archive", "delete"):
            kept = await service.delete(held, mode, "default/other/one")
            assert (kept.status_code, kept.json()["managed_by"]) == (409, holder)
        taken = await service.made(held, holder="default/other/one", adopt=True, visibility="public")
        assert taken["managed_by"] == "default/other/one"
    assert taken["id"] == theirs["id"]
    assert await people(world, theirs["id"]) == {ann.username: "owner"}


async def test_c08_an_archived_channel_is_readable_closed_and_nobodys(world: World, service: Operator) -> None:
    ann = await world.ready_made()
    slug = fresh_slug()
    channel = await service.made(slug, f"{ann.username}=owner")
    message = (await ann.say(channel["id"])).json()
    for _ in range(2):
        assert (await service.delete(slug, "archive")).status_code == 204
    assert await told(world, channel["id"]) == ["member.joined", "message.created", "channel.archived"]
    seen = (await service.call("GET", slug)).json()
    assert (seen["archived"], seen["managed_by"], seen["event_topic"]) == (True, None, None)
    listed = (await ann.get(f"/v1/channels/{channel['id']}/messages")).json()["items"]
    assert [found["id"] for found in listed] == [message["id"]]
    assert (await ann.say(channel["id"])).json()["code"] == "archived"
    for adopt in (False, True):
        refused = await service.put(slug, adopt=adopt)
        assert (refused.status_code, refused.json()["code"]) == (409, "archived")


async def test_c08_a_deleted_channel_is_gone_for_everybody_and_its_slug_is_free(
    world: World, service: Operator
) -> None:
    ann, bob, admin = await world.ready_made(), await world.ready_made(), await world.ready_made(role="admin")
    slug = fresh_slug()
    channel = await service.made(slug, f"{ann.username}=owner", f"{bob.username}=member", visibility="public")
    message = (await ann.say(channel["id"], "secret", client_id="first")).json()
    assert (await service.delete(slug, "delete")).status_code == 204
    assert (await service.delete(slug, "delete")).status_code == 404
    assert (await service.call("GET", slug)).status_code == 404
    base = f"/v1/channels/{channel['id']}"
    for person in (ann, admin):
        answers = [
            await person.get(base),
            await person.patch(base, {"name": "Mine"}),
            await person.post(f"{base}/join"),
            await person.post(f"{base}/leave"),
            await person.post(f"{base}/archive"),
            await person.get(f"{base}/members"),
            await person.post(f"{base}/members", {"user_id": bob.id}),
            await person.get(f"{base}/messages"),
            await person.get(f"{base}/events"),
            await person.get(f"/v1/messages/{message['id']}"),
            await person.get(f"/v1/messages/{message['id']}/thread"),
            await person.patch(f"/v1/messages/{message['id']}", {"body": "x"}),
            await person.delete(f"/v1/messages/{message['id']}"),
        ]
        assert [answer.status_code for answer in answers] == [404] * len(answers)
    assert (await ann.say(channel["id"])).status_code in {404, 409}
    assert (await ann.get("/v1/channels/mine")).json()["items"] == []
    assert (await ann.get("/v1/channels")).json()["items"] == []
    last = (await events(world, channel["id"]))[-1]
    assert last.type == types.CHANNEL_DELETED
    types.ChannelDeleted.model_validate(last.data)
    ends = await world.execute("SELECT DISTINCT to_seq FROM messaging.memberships WHERE channel_id = $1", channel["id"])
    assert [row["to_seq"] for row in ends] == [last.seq]
    kinds = await world.execute("SELECT FROM messaging.channel_kinds WHERE channel_id = $1", channel["id"])
    text = "SELECT body, deleted FROM messaging.message_texts WHERE channel_id = $1"
    texts = await world.execute(text, channel["id"])
    assert (kinds, [tuple(row) for row in texts]) == ([], [("", True)])
    again = await service.made(slug)
    assert again["id"] != channel["id"]


async def test_two_that_put_one_new_slug_at_once_get_one_channel(world: World) -> None:
    services = [await operator(world, f"operator-{n}") for n in range(2)]
    ann = await world.ready_made()
    for _ in range(8):
        slug = fresh_slug()
        answers = await asyncio.gather(*(one.put(slug, f"{ann.username}=owner") for one in services for _ in range(3)))
        assert sorted(answer.status_code for answer in answers) == [200] * 5 + [201]
        assert len({answer.json()["id"] for answer in answers}) == 1
        assert await told(world, answers[0].json()["id"]) == ["member.joined"]
        racing = await asyncio.gather(
            *(one.put(fresh, holder=one.issued.name) for fresh in [fresh_slug()] for one in services)
        )
        assert sorted(answer.status_code for answer in racing) == [201, 409]


async def test_joins_beside_an_exact_document_leave_a_gapless_log_that_says_who_is_in(
    world: World, service: Operator
) -> None:
    ann = await world.ready_made()
    guests = [await world.ready_made() for _ in range(6)]
    slug = fresh_slug()
    channel = await service.made(slug, f"{ann.username}=owner", visibility="public")
    calls = [guest.post(f"/v1/channels/{channel['id']}/join") for guest in guests]
    calls += [service.put(slug, f"{ann.username}=owner", visibility="public", members_policy="exact") for _ in range(4)]
    answers = await asyncio.gather(*calls)
    assert {answer.status_code for answer in answers} == {200}
    logged = await events(world, channel["id"])
    assert [event.seq for event in logged] == list(range(1, len(logged) + 1))
    inside: set[str] = set()
    for event in logged:
        user = str(event.data["user_id"])
        inside = inside | {user} if event.type == types.MEMBER_JOINED else inside - {user}
    rows = await world.execute("SELECT user_id FROM messaging.channel_members WHERE channel_id = $1", channel["id"])
    assert {str(row["user_id"]) for row in rows} == inside
    assert ann.id in inside


async def test_a_channel_deleted_beside_a_put_is_made_anew_or_goes(world: World, service: Operator) -> None:
    for _ in range(6):
        slug = fresh_slug()
        await service.made(slug)
        gone, put = await asyncio.gather(service.delete(slug, "delete"), service.put(slug, display_name="New"))
        assert gone.status_code == 204
        assert put.status_code in {200, 201}
        assert (await service.call("GET", slug)).status_code == (200 if put.status_code == 201 else 404)


async def test_many_members_are_changed_in_bounded_steps_and_a_late_one_goes_on(
    make_world: MakeWorld, world: World
) -> None:
    service = await operator(world)
    everyone = [await world.ready_made() for _ in range(7)]
    slug = fresh_slug()
    published: list[Event] = []
    asked = ManagedChannelRequest.model_validate(
        {"managed_by": HOLDER, "members": [{"user": p.username, "role": "member"} for p in everyone]}
    )
    verifier = ServiceTokenVerifier(world.api.keys, world.api.settings.auth.issuer)

    def steps(**more: Any) -> AdminService:
        return AdminService(world.api.database, verifier, published.extend, batch=3, **more)

    by = await steps().identify(service.issued.token)
    with pytest.raises(DependencyUnavailable, match="Not all members"):
        await steps(deadline_seconds=0).put(slug, asked, by)
    assert len(published) == 3
    channel, created = await steps().put(slug, asked, by)
    assert (channel.member_count, created, channel.changed) == (7, False, True)
    assert [event.seq for event in published] == list(range(1, 8))
    channel, _ = await steps().put(slug, asked, by)
    assert channel.changed is False
