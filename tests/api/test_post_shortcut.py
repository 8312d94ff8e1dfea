"""The short way of a post answers as the long way does, byte for byte, and steps aside for everything unusual."""

from collections.abc import Mapping
from typing import Any

import pytest
from apiworld import MakeWorld, Person, World

from signalink_api.messages import shortcut
from signalink_core.telemetry import metrics, names

LONG_WAY = {"content-type": "application/json; charset=utf-8"}
"""A header that the short way does not know."""


@pytest.fixture
def ways(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What went the short way."""
    taken: list[str] = []
    post = shortcut.PostShortcut._post

    async def noted(self: shortcut.PostShortcut, *arguments: Any) -> None:
        taken.append("short")
        await post(self, *arguments)

    monkeypatch.setattr(shortcut.PostShortcut, "_post", noted)
    return taken


async def answered(person: Person, channel: Mapping[str, Any], body: Any, **headers: str) -> tuple[Any, ...]:
    path = f"/v1/channels/{channel['id']}/messages"
    answer = await person.call("POST", path, json=body, headers=headers)
    shown = {name: value for name, value in answer.headers.items() if name != "x-request-id"}
    content = answer.json()
    content.pop("instance", None)
    return answer.status_code, shown, content


@pytest.mark.parametrize(
    "body",
    [
        {"client_id": "k", "body": "hello"},
        {"client_id": "k", "body": "é\r\nzwei  ", "metadata": {"b": [1, 2.5, None], "a": {"ä": True}}},
        {"client_id": "k", "body": "*x*", "format": "markdown", "reply_to": None},
    ],
)
async def test_both_ways_answer_the_same(world: World, ways: list[str], body: dict[str, Any]) -> None:
    ann = await world.person()
    channel = await ann.channel()
    first = await answered(ann, channel, body)
    assert (first[0], ways) == (201, ["short"])
    replayed = await answered(ann, channel, body)
    the_long_way = await answered(ann, channel, body, **LONG_WAY)
    assert ways == ["short", "short"]
    assert replayed == the_long_way
    assert first[1:] == replayed[1:]


@pytest.mark.parametrize(
    "body",
    [
        {"client_id": "k", "body": ""},
        {"client_id": "k", "body": "x" * 4001},
        {"client_id": "k", "body": "hello", "surprise": 1},
        {"client_id": "k\x00", "body": "hello"},
        {"client_id": "k", "body": "hello", "metadata": {"deep": "x" * 9000}},
        {"body": "no key"},
        {"client_id": 7, "body": "hello"},
        [],
    ],
)
async def test_what_is_not_valid_goes_the_long_way(world: World, ways: list[str], body: Any) -> None:
    ann = await world.person()
    channel = await ann.channel()
    answer = await answered(ann, channel, body)
    assert (answer[0], ways) == (422, [])
    assert answer == await answered(ann, channel, body, **LONG_WAY)


async def test_refusals_of_the_service_are_the_same(world: World, ways: list[str]) -> None:
    ann, eve = await world.person(), await world.person()
    channel = await ann.channel("private")
    body = {"client_id": "k", "body": "hello"}
    assert (await answered(eve, channel, body))[0] == 404
    assert await answered(eve, channel, body) == await answered(eve, channel, body, **LONG_WAY)
    await answered(ann, channel, body)
    other = {**body, "body": "other"}
    assert await answered(ann, channel, other) == await answered(ann, channel, other, **LONG_WAY)
    assert len(ways) == 4


async def test_a_page_of_an_allowed_origin_may_read_a_refusal(world: World, ways: list[str]) -> None:
    ann = await world.person()
    answer = await ann.call(
        "POST",
        f"/v1/channels/{ann.id}/messages",
        json={"client_id": "k", "body": "hello"},
        headers={"origin": "http://127.0.0.1:8000"},
    )
    assert (answer.status_code, ways) == (404, ["short"])
    assert answer.headers["access-control-allow-origin"] == "http://127.0.0.1:8000"


@pytest.mark.parametrize("token", ["Bearer nonsense", "Basic abc", "Bearer"])
async def test_a_bad_token_is_refused_as_ever(world: World, ways: list[str], token: str) -> None:
    ann = await world.person()
    channel = await ann.channel()
    answer = await ann.call(
        "POST",
        f"/v1/channels/{channel['id']}/messages",
        json={"client_id": "k", "body": "x"},
        headers={"Authorization": token},
    )
    assert (answer.status_code, ways) == (401, [])


async def test_a_revoked_session_is_refused(world: World, ways: list[str]) -> None:
    ann = await world.person()
    channel = await ann.channel()
    await ann.say(channel["id"])
    assert (await ann.post("/v1/auth/logout")).status_code == 204
    assert (await ann.say(channel["id"])).status_code == 401
    assert ways == ["short"]


async def test_the_limits_are_counted_once_and_in_order(make_world: MakeWorld, ways: list[str]) -> None:
    world: World = await make_world(limits={"posts_per_second_per_user": 2})
    ann = await world.person()
    channel = await ann.channel()
    statuses = [(await ann.say(channel["id"])).status_code for _ in range(4)]
    assert statuses[:2] == [201, 201]
    assert 429 in statuses
    assert len(ways) == 4


async def test_it_is_measured_as_the_route_it_is(world: World) -> None:
    ann = await world.person()
    channel = await ann.channel()
    await ann.say(channel["id"])
    page, _ = metrics.page("text/plain")
    name = names.HTTP_SERVER_REQUEST_DURATION_SECONDS._name
    assert (
        f'{name}_count{{http_route="/v1/channels/{{channel_id}}/messages",method="POST",status="201"}}' in page.decode()
    )


async def statuses(world: World, count: int, **headers: str) -> list[int]:
    """Of posts to a channel by somebody who has posted before, one after the other."""
    ann = await world.ready_made()
    path = f"/v1/channels/{ann.id}/messages"
    bodies = [{"client_id": f"k{n}", "body": "hello"} for n in range(count)]
    return [(await ann.call("POST", path, json=body, headers=headers)).status_code for body in bodies]


@pytest.mark.parametrize(
    "headers",
    [{}, LONG_WAY, {"Authorization": "Bearer nonsense"}, {"Authorization": "Basic abc"}],
    ids=["short", "long", "no token of ours", "no token"],
)
async def test_the_address_is_counted_once_whichever_way_a_post_goes(
    make_world: MakeWorld, headers: dict[str, str]
) -> None:
    world: World = await make_world(limits={"requests_per_second_per_ip": 3})
    found = await statuses(world, 4, **headers)
    assert found[3] == 429
    assert 429 not in found[:3]


async def test_a_short_post_above_the_address_limit_is_refused_like_any_request(make_world: MakeWorld) -> None:
    world: World = await make_world(limits={"requests_per_second_per_ip": 1})
    ann = await world.ready_made()
    path, body = f"/v1/channels/{ann.id}/messages", {"client_id": "k", "body": "hello"}
    answers = [await ann.call("POST", path, json=body) for _ in range(2)]
    refused = answers[1].json()
    assert (answers[1].status_code, refused["code"]) == (429, "rate_limited")
    assert int(answers[1].headers["retry-after"]) >= 1
    other = await ann.get("/v1/users/me")
    assert {key: other.json()[key] for key in ("code", "title", "type")} == {
        key: refused[key] for key in ("code", "title", "type")
    }
