"""Every route x every role: the whole matrix of who gets which status. A route without a row fails."""

import asyncio
import itertools
from dataclasses import dataclass
from typing import Any

import pytest
from apiworld import Person, World

from signalink_api import app

ROLES = ("anonymous", "outside", "reader", "member", "moderator", "owner", "global_moderator", "admin")
_count = itertools.count(1)


@dataclass(frozen=True)
class Row:
    """A route's body and what each role gets, in the order of ROLES, for a public and a private channel."""

    body: Any
    public: tuple[int, ...]
    private: tuple[int, ...]


def row(body: Any, public: str, private: str | None = None) -> Row:
    def statuses(text: str) -> tuple[int, ...]:
        return tuple(int(word) for word in text.split())

    return Row(body, statuses(public), statuses(private or public))


OPEN = "200 200 200 200 200 200 200 200"
SIGNED = "401 200 200 200 200 200 200 200"
NOBODY = "401 401 401 401 401 401 401 401"  # for services with a token of their own: test_admin_rights.py
#                   anonymous outside reader member moderator owner global_moderator admin
MATRIX: dict[tuple[str, str], Row] = {
    ("POST", "/v1/auth/register"): row({}, "422 422 422 422 422 422 422 422"),
    ("POST", "/v1/auth/login"): row({}, "422 422 422 422 422 422 422 422"),
    ("POST", "/v1/auth/refresh"): row({}, "401 401 401 401 401 401 401 401"),
    ("POST", "/v1/auth/logout"): row(None, "401 204 204 204 204 204 204 204"),
    ("POST", "/v1/auth/logout-all"): row(None, "401 204 204 204 204 204 204 204"),
    ("GET", "/.well-known/jwks.json"): row(None, OPEN),
    ("GET", "/v1/users/me"): row(None, SIGNED),
    ("PATCH", "/v1/users/me"): row({"status": "x"}, SIGNED),
    ("GET", "/v1/users"): row(None, "401 200 200 200 200 200 200 200"),
    ("GET", "/v1/users/{user_id}"): row(None, SIGNED),
    ("GET", "/v1/users/me/devices"): row(None, SIGNED),
    ("PUT", "/v1/users/me/devices"): row({"push_token": "{fresh}"}, SIGNED),
    ("DELETE", "/v1/users/me/devices/{device_id}"): row(None, "401 204 204 204 204 204 204 204"),
    ("GET", "/v1/users/me/blocks"): row(None, SIGNED),
    ("PUT", "/v1/users/me/blocks/{user_id}"): row(None, "401 204 204 204 204 204 204 204"),
    ("DELETE", "/v1/users/me/blocks/{user_id}"): row(None, "401 204 204 204 204 204 204 204"),
    ("GET", "/v1/addresses"): row(None, OPEN),
    ("PUT", "/v1/admin/channels/{slug}"): row({"managed_by": "x"}, NOBODY),
    ("GET", "/v1/admin/channels/{slug}"): row(None, NOBODY),
    ("DELETE", "/v1/admin/channels/{slug}"): row(None, NOBODY),
    ("POST", "/v1/direct"): row({"user_id": "{newcomer}"}, SIGNED),
    ("POST", "/v1/ws-tickets"): row({}, "401 201 201 201 201 201 201 201"),
    ("POST", "/v1/channels"): row({"slug": "{fresh}", "name": "A"}, "401 201 201 201 201 201 201 201"),
    ("GET", "/v1/channels"): row(None, SIGNED),
    ("GET", "/v1/channels/mine"): row(None, SIGNED),
    ("GET", "/v1/channels/unread"): row(None, SIGNED),
    ("PUT", "/v1/channels/{channel_id}/read"): row(
        {"seq": 1}, "401 403 200 200 200 200 403 403", "401 404 200 200 200 200 404 403"
    ),
    ("PUT", "/v1/channels/{channel_id}/members/{user_id}/mute"): row(
        {"until": None}, "401 403 403 403 204 204 204 204", "401 404 403 403 204 204 404 403"
    ),
    ("GET", "/v1/channels/{channel_id}"): row(None, SIGNED, "401 404 200 200 200 200 404 200"),
    ("PATCH", "/v1/channels/{channel_id}"): row(
        {"name": "B"}, "401 403 403 403 403 200 403 200", "401 404 403 403 403 200 404 200"
    ),
    ("POST", "/v1/channels/{channel_id}/archive"): row(
        None, "401 403 403 403 403 200 403 200", "401 404 403 403 403 200 404 200"
    ),
    ("POST", "/v1/channels/{channel_id}/join"): row(None, SIGNED, "401 404 200 200 200 200 404 200"),
    ("POST", "/v1/channels/{channel_id}/leave"): row(
        None, "401 204 204 204 204 409 204 204", "401 404 204 204 204 409 404 204"
    ),
    ("GET", "/v1/channels/{channel_id}/members"): row(
        None, "401 403 200 200 200 200 200 200", "401 404 200 200 200 200 404 403"
    ),
    ("POST", "/v1/channels/{channel_id}/members"): row(
        {"user_id": "{newcomer}"}, "401 403 403 403 204 204 204 204", "401 404 403 403 204 204 404 204"
    ),
    ("PATCH", "/v1/channels/{channel_id}/members/{user_id}"): row(
        {"role": "reader"}, "401 403 403 403 403 204 403 204", "401 404 403 403 403 204 404 204"
    ),
    ("DELETE", "/v1/channels/{channel_id}/members/{user_id}"): row(
        None, "401 403 403 403 204 204 204 204", "401 404 403 403 204 204 404 204"
    ),
    ("POST", "/v1/channels/{channel_id}/messages"): row(
        {"client_id": "{fresh}", "body": "hello"},
        "401 403 403 201 201 201 201 201",
        "401 404 403 201 201 201 404 403",
    ),
    ("GET", "/v1/channels/{channel_id}/messages"): row(
        None, "401 403 200 200 200 200 200 200", "401 404 200 200 200 200 404 403"
    ),
    ("GET", "/v1/channels/{channel_id}/events"): row(
        None, "401 403 200 200 200 200 403 403", "401 404 200 200 200 200 404 403"
    ),
    ("GET", "/v1/messages/{message_id}"): row(
        None, "401 403 200 200 200 200 200 200", "401 404 200 200 200 200 404 403"
    ),
    ("GET", "/v1/messages/{message_id}/thread"): row(
        None, "401 403 200 200 200 200 200 200", "401 404 200 200 200 200 404 403"
    ),
    ("PATCH", "/v1/messages/{message_id}"): row(
        {"body": "forged"}, "401 403 403 403 403 403 403 403", "401 404 403 403 403 403 404 403"
    ),
    ("DELETE", "/v1/messages/{message_id}"): row(
        None, "401 403 403 403 204 204 204 204", "401 404 403 403 204 204 404 403"
    ),
}


def test_every_route_has_a_row() -> None:
    routes = {(method, route.path) for route in app.routes() for method in route.methods or ()}
    assert routes == set(MATRIX)


@dataclass
class Stage:
    """A channel with a message by one more member, and one person per role."""

    world: World
    people: dict[str, Person]
    channel_id: str
    message_id: str
    third: Person
    newcomer: Person


async def staged(world: World, kind: str) -> Stage:
    owner, third, newcomer = await asyncio.gather(*(world.ready_made() for _ in range(3)))
    channel = await owner.channel(kind, history="all")
    path = f"/v1/channels/{channel['id']}/members"
    people = {"owner": owner, "outside": await world.ready_made()}
    for role in ("reader", "member", "moderator"):
        people[role] = await world.ready_made()
        assert (await owner.post(path, {"user_id": people[role].id, "role": role})).status_code == 204
    people["global_moderator"] = await world.ready_made(role="moderator")
    people["admin"] = await world.ready_made(role="admin")
    people["anonymous"] = Person(world.http, "", "", "", "")
    await owner.post(path, {"user_id": third.id})
    message = (await third.say(channel["id"])).json()
    return Stage(world, people, channel["id"], message["id"], third, newcomer)


def filled(value: Any, names: dict[str, str]) -> Any:
    if isinstance(value, dict):
        return {key: filled(inner, names) for key, inner in value.items()}
    return value.format(**names) if isinstance(value, str) else value


@pytest.mark.parametrize("kind", ["public", "private"])
@pytest.mark.parametrize(("method", "path"), sorted(MATRIX))
async def test_each_role_gets_what_the_matrix_says(world: World, kind: str, method: str, path: str) -> None:
    expected = MATRIX[method, path]
    stage = await staged(world, kind)
    statuses = expected.public if kind == "public" else expected.private
    found = {}
    # From the least right upwards, so that what one may do has not been done by one before who may not.
    for role in ROLES:
        found[role] = await attempt(stage, role, method, path, expected.body)
        if found[role] in {200, 204} and changes(method, path):
            stage = await staged(world, kind)
    assert found == dict(zip(ROLES, statuses, strict=True))


def changes(method: str, path: str) -> bool:
    """Whether an accepted call leaves less for the next role to do it to."""
    return method == "DELETE" or path.endswith(("archive", "leave", "join", "members", "{user_id}", "logout"))


async def attempt(stage: Stage, role: str, method: str, path: str, body: Any) -> int:
    names = {
        "channel_id": stage.channel_id,
        "message_id": stage.message_id,
        "user_id": stage.third.id,
        "newcomer": stage.newcomer.id,
        "fresh": f"f{next(_count)}",
        "device_id": stage.third.id,
        "slug": f"f{next(_count)}",
    }
    person = stage.people[role]
    more: dict[str, Any] = {} if body is None else {"json": filled(body, names)}
    if (method, path) == ("GET", "/v1/users"):
        more["params"] = {"q": "made"}
    if role == "anonymous":
        return (await stage.world.http.request(method, path.format(**names), **more)).status_code
    return (await person.call(method, path.format(**names), **more)).status_code
