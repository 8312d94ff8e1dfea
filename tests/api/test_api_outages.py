"""The api while Valkey or Postgres is away: honest answers, and back by itself."""

import asyncio
import time

from apiworld import MakeWorld, World

from signalink_core.testing import eventually
from signalink_stacks.local.testing import Database, ValkeyServer


def state(world: World, dependency: str) -> str:
    return str(world.api.readiness.snapshot()["dependencies"][dependency]["state"])


async def test_posts_succeed_while_valkey_is_stopped(world: World, valkey: ValkeyServer) -> None:
    ann = await world.person()
    channel = await ann.channel()
    valkey.engine.stop()
    try:
        answers = [await ann.say(channel["id"], f"message {n}") for n in range(5)]
        assert [(answer.status_code, answer.json()["seq"]) for answer in answers] == [(201, n) for n in range(1, 6)]
        await eventually(lambda: state(world, "redis") == "degraded", within=5)
        world.api.readiness.start()
        assert world.api.readiness.ready
        ticket = await ann.post("/v1/ws-tickets")
        assert (ticket.status_code, ticket.json()["code"]) == (503, "unavailable")
        assert ticket.headers["retry-after"] == "1"
        assert "access token" in ticket.json()["next_step"]
        assert (await ann.post("/v1/auth/logout")).status_code == 204
    finally:
        valkey.engine.start()
    bob = await world.person()
    await eventually(lambda: state(world, "redis") == "ok", within=5)

    async def has_ticket() -> bool:
        return (await bob.post("/v1/ws-tickets")).status_code == 201

    await eventually(has_ticket, within=5)


async def test_without_postgres_answers_are_fast_503_and_end_when_it_is_back(world: World, database: Database) -> None:
    ann = await world.person()
    channel = await ann.channel()
    await asyncio.gather(*(ann.get("/v1/users/me") for _ in range(20)))  # fills the pool with connections that will die
    database.engine.stop()
    try:
        began = time.monotonic()
        answers = [
            await ann.get("/v1/users/me"),
            await ann.get("/v1/channels"),
            await ann.say(channel["id"]),
            await ann.post(f"/v1/channels/{channel['id']}/join"),
            await world.login(ann.username),
            await world.http.post("/v1/auth/refresh", json={"refresh_token": ann.refresh}),
            await ann.post("/v1/auth/logout"),
        ]
        assert time.monotonic() - began < 7
        assert {answer.status_code for answer in answers} == {503}
        assert {answer.json()["code"] for answer in answers} <= {"unavailable", "unknown_outcome"}
        assert all(int(answer.headers["retry-after"]) >= 1 for answer in answers)
        assert (await world.http.get("/.well-known/jwks.json")).status_code == 200
        await eventually(lambda: state(world, "postgres") == "down", within=5)
        world.api.readiness.start()
        assert world.api.readiness.ready, "every replica sees the same outage: clients must hear 503, not be refused"
        assert not world.api.readiness.whole
    finally:
        database.engine.start()
    await eventually(lambda: state(world, "postgres") == "ok", within=10)
    assert (await ann.get("/v1/users/me")).status_code == 200
    assert (await ann.say(channel["id"], client_id="after")).status_code == 201


async def test_a_restart_of_postgres_between_two_requests_costs_nobody_an_error(
    world: World, database: Database
) -> None:
    ann = await world.person()
    channel = await ann.channel()
    await asyncio.gather(*(ann.get("/v1/users/me") for _ in range(20)))
    database.engine.stop()
    database.engine.start()
    answers = await asyncio.gather(*(ann.get("/v1/users/me") for _ in range(20)))
    assert {answer.status_code for answer in answers} == {200}
    assert (await ann.post(f"/v1/channels/{channel['id']}/join")).status_code == 200
    assert (await ann.say(channel["id"])).status_code == 201


async def test_more_readers_than_connections_wait_their_turn(make_world: MakeWorld) -> None:
    world: World = await make_world(read_connections=2, command_connections=2)
    ann = await world.person()
    answers = await asyncio.gather(*(ann.get("/v1/users/me") for _ in range(50)))
    assert {answer.status_code for answer in answers} == {200}
