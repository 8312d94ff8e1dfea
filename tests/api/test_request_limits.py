"""Rate limits of the api: each at its bound and one above, with Redis up and away."""

import asyncio
from collections import Counter

import httpx
import pytest
from apiworld import MakeWorld, World

from signalink_stacks.local.testing import ValkeyServer


def codes(answers: list[httpx.Response]) -> Counter[int]:
    for answer in answers:
        if answer.status_code == 429:
            assert answer.json()["code"] == "rate_limited"
            assert int(answer.headers["retry-after"]) >= 1
    return Counter(answer.status_code for answer in answers)


async def test_logins_of_one_account_are_slowed_whether_it_exists_or_not(make_world: MakeWorld) -> None:
    world: World = await make_world(limits={"logins_per_minute_per_account": 3})
    await world.register("ann")
    for name in ("ann", "nobody"):
        tried = [await world.login(name, "not the password") for _ in range(4)]
        assert [answer.status_code for answer in tried] == [401, 401, 401, 429]
    assert (await world.login("ANN")).status_code == 429  # the same account
    assert (await world.login("bob")).status_code == 401


async def test_logins_from_one_address_are_slowed_over_all_accounts(make_world: MakeWorld) -> None:
    world: World = await make_world(limits={"logins_per_minute_per_ip": 3})
    tried = [await world.login(f"user{n}") for n in range(4)]
    assert [answer.status_code for answer in tried] == [401, 401, 401, 429]


async def test_registrations_from_one_address_are_few(make_world: MakeWorld) -> None:
    world: World = await make_world(limits={"registrations_per_hour_per_ip": 2})
    made = [await world.register(f"user{n}") for n in range(3)]
    assert [answer.status_code for answer in made] == [201, 201, 429]


async def test_refreshes_of_one_session_are_few(make_world: MakeWorld) -> None:
    world: World = await make_world(limits={"refreshes_per_minute_per_family": 2})
    ann = await world.person()
    token, tried = ann.refresh, []
    for _ in range(3):
        tried.append(await world.http.post("/v1/auth/refresh", json={"refresh_token": token}))
        token = tried[-1].json().get("refresh_token", token)
    assert [answer.status_code for answer in tried] == [200, 200, 429]


@pytest.mark.parametrize("limit", ["posts_per_second_per_user", "posts_per_second_per_channel"])
async def test_posts_above_the_limit_are_refused_and_not_posted(make_world: MakeWorld, limit: str) -> None:
    world: World = await make_world(limits={limit: 5})
    ann = await world.person()
    channel = await ann.channel()
    found = codes(list(await asyncio.gather(*(ann.say(channel["id"]) for _ in range(20)))))
    assert set(found) == {201, 429}
    assert 5 <= found[201] <= 10  # the window may turn once
    (row,) = await world.execute("SELECT count(*) AS n FROM messaging.messages")
    assert row["n"] == found[201]


async def test_requests_of_one_user_are_limited_and_others_are_not(make_world: MakeWorld) -> None:
    world: World = await make_world(limits={"requests_per_second_per_user": 5})
    ann, bob = await world.person(), await world.person()
    found = codes(list(await asyncio.gather(*(ann.get("/v1/users/me") for _ in range(20)))))
    assert set(found) == {200, 429}
    assert (await bob.get("/v1/users/me")).status_code == 200


async def test_limits_hold_with_redis_away(make_world: MakeWorld, valkey: ValkeyServer) -> None:
    world: World = await make_world(limits={"registrations_per_hour_per_ip": 4, "logins_per_minute_per_account": 3})
    await world.register("ann")
    valkey.engine.stop()
    try:
        tried = [await world.login("ann", "not the password") for _ in range(4)]
        assert [answer.status_code for answer in tried] == [401, 401, 401, 429]
    finally:
        valkey.engine.start()
