"""Lists: complete, stable under change, and cursors nobody can make or move."""

from typing import Any

import pytest
from apiworld import Person, World


async def everything(person: Person, path: str, limit: int, **query: Any) -> list[dict[str, Any]]:
    """Every item of a list, page by page."""
    items: list[dict[str, Any]] = []
    cursor: dict[str, str] = {}
    while True:
        page = (await person.get(path, limit=limit, **query, **cursor)).json()
        assert len(page["items"]) <= limit
        items += page["items"]
        if page["next"] is None:
            return items
        assert len(page["items"]) == limit
        cursor = {"cursor": page["next"]}


@pytest.mark.parametrize("limit", [1, 3, 7, 8])
async def test_pages_of_channels_are_complete_and_without_repeats(world: World, limit: int) -> None:
    ann = await world.person()
    made = [await ann.channel() for _ in range(7)]
    slugs = sorted(channel["slug"] for channel in made)
    assert [channel["slug"] for channel in await everything(ann, "/v1/channels", limit)] == slugs
    mine = await everything(ann, "/v1/channels/mine", limit)
    assert [channel["id"] for channel in mine] == [channel["id"] for channel in made]


async def test_pages_of_members_follow_their_joining(world: World) -> None:
    ann = await world.person()
    channel = await ann.channel()
    people = [await world.person() for _ in range(5)]
    for person in people:
        await person.post(f"/v1/channels/{channel['id']}/join")
    found = await everything(ann, f"/v1/channels/{channel['id']}/members", 2)
    assert [member["user_id"] for member in found] == [ann.id, *(person.id for person in people)]


async def test_what_comes_and_goes_between_pages_moves_nothing_else(world: World) -> None:
    ann = await world.person()
    for name in ("b", "d", "f", "h"):
        await ann.post("/v1/channels", {"slug": name, "name": name})
    first = (await ann.get("/v1/channels", limit=2)).json()
    await ann.post("/v1/channels", {"slug": "a", "name": "a"})
    await ann.post("/v1/channels", {"slug": "e", "name": "e"})
    gone = next(channel for channel in first["items"] if channel["slug"] == "d")
    await ann.post(f"/v1/channels/{gone['id']}/archive")
    rest = (await ann.get("/v1/channels", limit=10, cursor=first["next"])).json()
    assert [channel["slug"] for channel in rest["items"]] == ["e", "f", "h"]


async def test_a_cursor_is_good_for_its_list_its_caller_and_its_filter_only(world: World) -> None:
    ann, bob = await world.person(), await world.person()
    for _ in range(3):
        await ann.channel()
    cursor = (await ann.get("/v1/channels", limit=1)).json()["next"]
    altered = cursor[:-2] + ("AA" if not cursor.endswith("AA") else "BB")
    answers = [
        await ann.get("/v1/channels/mine", cursor=cursor),
        await bob.get("/v1/channels", cursor=cursor),
        await ann.get("/v1/channels", cursor=cursor, q="c"),
        await ann.get("/v1/channels", cursor=altered),
        await ann.get("/v1/channels", cursor="' OR 1=1"),
    ]
    assert [(answer.status_code, answer.json()["code"]) for answer in answers] == [(422, "invalid_cursor")] * 5
    assert (await ann.get("/v1/channels", cursor=cursor)).status_code == 200


@pytest.mark.parametrize("query", [{"limit": 0}, {"limit": 201}, {"limit": "x"}, {"sort": "name"}, {"cursor": ""}])
async def test_a_list_refuses_what_it_does_not_know(world: World, query: dict[str, Any]) -> None:
    ann = await world.person()
    assert (await ann.get("/v1/channels", **query)).json()["code"] == "validation"


async def test_messages_are_paged_in_both_directions_by_seq(world: World) -> None:
    ann = await world.person()
    channel = await ann.channel()
    for n in range(1, 11):
        await ann.say(channel["id"], f"message {n}")
    path = f"/v1/channels/{channel['id']}/messages"

    async def page(**query: Any) -> tuple[list[int], int | None, int | None]:
        found = (await ann.get(path, **query)).json()
        return [message["seq"] for message in found["items"]], found["before"], found["after"]

    assert await page(limit=4) == ([7, 8, 9, 10], 7, None)
    assert await page(limit=4, before=7) == ([3, 4, 5, 6], 3, 6)
    assert await page(limit=4, before=3) == ([1, 2], None, 2)
    assert await page(limit=4, after=0) == ([1, 2, 3, 4], None, 4)
    assert await page(limit=4, after=8) == ([9, 10], 9, None)
    assert await page(limit=4, around=5) == ([3, 4, 5, 6], 3, 6)
    assert await page(limit=4, around=10) == ([8, 9, 10], 8, None)
    assert await page(limit=1, around=5) == ([5], 5, 5)
    assert await page(limit=4, after=10) == ([], 11, None)
    assert await page(limit=4, before=1) == ([], None, 0)
    assert (await ann.get(path, before=3, after=1)).json()["code"] == "validation"
