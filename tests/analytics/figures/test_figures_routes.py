"""Every route x every role, as published: who gets which status. A route without a row fails."""

import asyncio
from dataclasses import dataclass
from typing import Any

from apiworld import Person
from figureworld import FigureWorld

from signalink_analytics import openapi, routes
from signalink_core.ids import uuid7

ROLES = ("anonymous", "outside", "reader", "member", "moderator", "owner", "global_moderator", "admin")
SIGNED = "401 200 200 200 200 200 200 200"
PRIVATE = "401 404 200 200 200 200 404 200"
#                                             anonymous outside reader member moderator owner global_moderator admin
PUBLIC = "401 403 200 200 200 200 200 200"
ADMIN = "401 403 403 403 403 403 403 200"


@dataclass(frozen=True)
class Row:
    """What each role gets, in the order of ROLES, where the channel is public, private, direct."""

    public: str
    private: str
    direct: str


def everywhere(statuses: str) -> Row:
    return Row(statuses, statuses, statuses)


# The roles of a direct channel: its two people are its owners; the other roles of channels are outside there.
DIRECT = "401 404 404 404 404 200 404 200"
MATRIX: dict[tuple[str, str], Row] = {
    ("/v1/analytics/summary", ""): everywhere(SIGNED),
    ("/v1/analytics/messages", ""): everywhere(SIGNED),
    ("/v1/analytics/messages", "channel={channel_id}"): Row(PUBLIC, PRIVATE, DIRECT),
    ("/v1/analytics/channels", ""): everywhere(SIGNED),
    ("/v1/analytics/channels/{channel_id}", ""): Row(PUBLIC, PRIVATE, DIRECT),
    ("/v1/analytics/active-users", ""): everywhere(SIGNED),
    ("/v1/analytics/users/me", ""): everywhere(SIGNED),
    ("/v1/analytics/users/{user_id}", ""): everywhere(ADMIN),
    ("/v1/analytics/presence", ""): everywhere(SIGNED),
    ("/v1/analytics/presence", "user={user_id}"): everywhere(ADMIN),
    ("/v1/analytics/presence", "user=all"): everywhere(ADMIN),
    ("/v1/analytics/freshness", ""): everywhere(SIGNED),
}


def test_every_route_and_every_way_to_ask_for_another_one_has_a_row() -> None:
    published = set(openapi.document()["paths"])
    assert published == {route.path for route in routes.routes()}
    assert len(published) == 8
    assert {path.replace("users/me", "users/{user_id}") for path, _ in MATRIX} == published
    assert all(route.methods == {"GET"} for route in routes.routes()), "nothing is changed here"
    asked = {
        (path, parameter["name"])
        for path, operations in openapi.document()["paths"].items()
        for parameter in operations["get"].get("parameters", [])
        if parameter["name"] in {"channel", "user", "channel_id", "user_id"}
    }
    assert asked == {
        ("/v1/analytics/messages", "channel"),
        ("/v1/analytics/channels/{channel_id}", "channel_id"),
        ("/v1/analytics/users/{user_id}", "user_id"),
        ("/v1/analytics/presence", "user"),
    }, "a new way to name a channel or a user needs a row in MATRIX"


@dataclass
class Stage:
    """A channel of each kind with its people, one per role, and one more user."""

    people: dict[str, Person | None]
    channels: dict[str, str]
    other: Person


async def staged(world: FigureWorld) -> Stage:
    names = ("outside", "reader", "member", "moderator", "owner")
    made = await asyncio.gather(*(world.api.ready_made() for _ in names))
    people: dict[str, Any] = dict(zip(names, made, strict=True))
    owner, other = people["owner"], await world.api.ready_made()
    channels = {}
    for kind in ("public", "private"):
        channels[kind] = (await owner.channel(kind))["id"]
        for role in ("reader", "member", "moderator"):
            path = f"/v1/channels/{channels[kind]}/members"
            assert (await owner.post(path, {"user_id": people[role].id, "role": role})).status_code == 204
    channels["direct"] = (await owner.post("/v1/direct", {"user_id": other.id})).json()["id"]
    people["global_moderator"] = await world.api.ready_made(role="moderator")
    people["admin"] = await world.api.ready_made(role="admin")
    return Stage({"anonymous": None, **people}, channels, other)


async def test_each_role_gets_what_the_matrix_says(world: FigureWorld) -> None:
    stage = await staged(world)
    for (path, query), row in MATRIX.items():
        for kind, expected in (("public", row.public), ("private", row.private), ("direct", row.direct)):
            names = {"channel_id": stage.channels[kind], "user_id": stage.other.id}
            asked = dict([query.format(**names).split("=")] if query else [])
            found = [
                (
                    await world.get(stage.people[role], path.format(**names).removeprefix("/v1/analytics"), **asked)
                ).status_code
                for role in ROLES
            ]
            assert found == [int(status) for status in expected.split()], (path, query, kind)


async def test_a_private_channel_is_no_oracle(world: FigureWorld) -> None:
    """What one may not know of and what does not exist are told in the same words."""
    ann, bob = await world.api.ready_made(), await world.api.ready_made()
    hidden = (await bob.channel("private"))["id"]
    names = (hidden, str(uuid7()))
    answers = [await world.get(ann, f"/channels/{name}") for name in names]
    answers += [await world.get(ann, "/messages", channel=name) for name in names]
    bodies = [{**answer.json(), "instance": ""} for answer in answers]
    assert bodies == bodies[:1] * 4
    assert bodies[0]["code"] == "not_found"


async def test_a_refusal_says_whose_figures_it_was_about(world: FigureWorld) -> None:
    ann, bob = await world.api.ready_made(), await world.api.ready_made()
    public = (await bob.channel())["id"]
    asked = (("/presence", {"user": "all"}), ("/presence", {"user": bob.id}), (f"/channels/{public}", {}))
    said = [(await world.get(ann, path, **query)).json() for path, query in asked]
    assert [found["detail"].split(" are for")[0] for found in said] == [
        "Figures of everybody together",
        "Figures of another user",
        "Figures of a channel",
    ]
    assert all(found["next_step"] for found in said)


async def test_a_closed_account_is_no_oracle_either(world: FigureWorld) -> None:
    ann, bob, admin = [await world.api.ready_made(role=role) for role in ("member", "member", "admin")]
    assert (await world.get(ann, f"/users/{bob.id}")).json()["code"] == "forbidden"
    await world.sql("UPDATE messaging.users SET disabled_at = now() WHERE id = $1::text::uuid", bob.id)
    answers = [await world.get(ann, f"/users/{name}") for name in (bob.id, str(uuid7()))]
    assert {(answer.json()["code"], answer.json()["detail"]) for answer in answers} == {
        ("not_found", "There is no such user.")
    }
    assert (await world.get(admin, f"/users/{bob.id}")).status_code == 200
    assert (await world.get(bob, "/summary")).json()["reason"] == "revoked"


async def test_who_leaves_a_private_channel_sees_nothing_of_it_at_once(world: FigureWorld) -> None:
    ann, bob = await world.api.ready_made(), await world.api.ready_made()
    channel = (await bob.channel("private"))["id"]
    assert (await bob.post(f"/v1/channels/{channel}/members", {"user_id": ann.id})).status_code == 204
    await world.count(world.now, user=bob.id, channel=channel, messages=3)
    assert (await world.ok(ann, "/summary"))["totals"]["messages"] == 3
    assert (await bob.delete(f"/v1/channels/{channel}/members/{ann.id}")).status_code == 204
    assert (await world.ok(ann, "/summary"))["totals"]["messages"] == 0
    assert (await world.get(ann, f"/channels/{channel}")).status_code == 404


async def test_a_socket_token_and_a_revoked_session_are_no_way_in(world: FigureWorld) -> None:
    ann = await world.api.person()
    assert (await world.get(ann, "/summary")).status_code == 200
    assert (await ann.post("/v1/auth/logout")).status_code == 204
    await world.side.revocations.read()
    answer = await world.get(ann, "/summary")
    assert (answer.status_code, answer.json()["reason"]) == (401, "revoked")
