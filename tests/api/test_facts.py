"""Facts for analytics: each is written once, in the transaction of what it tells of, and reaches topic `analytics`."""

import inspect
from collections import Counter
from typing import Any

import pytest
from apiworld import Person, World

from signalink_core.database.pool import open_pool
from signalink_core.events import from_record, types
from signalink_core.kafka import reader
from signalink_core.kafka.producer import KafkaProducer
from signalink_core.log.relay import OutboxRelay
from signalink_operator import apply
from signalink_operator.adapters import manifests
from signalink_operator.adapters.kafka import KafkaTopics
from signalink_stacks.local.testing import Topics

pytestmark = pytest.mark.engine("postgres", "valkey")
DECLARED = {
    name for name, model in types.TYPES.items() if (inspect.getdoc(model) or "").startswith("Fact for analytics")
}
TOLD_OF_BY = {
    types.USER_REGISTERED: "messaging.users",
    types.USER_LOGGED_IN: "messaging.sessions",
    types.USER_LOGGED_OUT: "messaging.sessions",
    types.CHANNEL_CREATED: "messaging.channels",
    types.MESSAGE_READ: "messaging.channel_members",
}
"""Fact -> the table with a row that its transaction wrote."""


async def facts(world: World) -> list[Any]:
    """All of them in the order of the log; `xmin` is what rows of the same transaction carry."""
    return await world.execute(
        "SELECT type, topic, seq, payload, (xid::text::bigint % 4294967296)::text AS xmin "
        "FROM messaging.events WHERE channel_id IS NULL ORDER BY id"
    )


async def counted(world: World) -> Counter[str]:
    return Counter(row["type"].removeprefix(types.PREFIX) for row in await facts(world))


async def everything(world: World) -> tuple[Person, Person, dict[str, Any]]:
    """Two people, one with two sessions, a channel, a direct channel, a read message, and they sign out."""
    ann, bob = await world.person("ann"), await world.person("bob")
    channel = await ann.channel()
    await bob.post(f"/v1/channels/{channel['id']}/join")
    await ann.post("/v1/direct", {"user_id": bob.id})
    await ann.say(channel["id"])
    await bob.call("PUT", f"/v1/channels/{channel['id']}/read", json={"seq": 2})
    return ann, bob, channel


async def test_every_declared_fact_is_written_with_the_row_that_it_tells_of(world: World) -> None:
    ann, bob, _ = await everything(world)
    assert (await ann.post("/v1/auth/logout")).status_code == 204
    found = await facts(world)
    assert {row["type"] for row in found} == DECLARED == set(TOLD_OF_BY)
    assert {(row["topic"], row["seq"]) for row in found} == {("analytics", None)}
    for row in found:
        types.TYPES[row["type"]].model_validate(row["payload"])
    for kind, table in TOLD_OF_BY.items():
        latest = [row["xmin"] for row in found if row["type"] == kind][-1]
        assert await world.execute(f"SELECT FROM {table} WHERE xmin::text = $1", latest), kind
    assert [row["payload"]["user_id"] for row in found if row["type"] == types.USER_LOGGED_OUT] == [ann.id]
    assert [row["payload"]["user_id"] for row in found if row["type"] == types.MESSAGE_READ] == [bob.id]


async def test_what_is_repeated_or_refused_is_no_fact(world: World) -> None:
    ann, bob, channel = await everything(world)
    before = await counted(world)
    assert before == {
        "user.registered": 2,
        "user.logged_in": 2,
        "channel.created": 2,
        "message.read": 1,
    }
    assert (await world.register("ann")).status_code == 409
    assert (await world.login("ann", "not the password")).status_code == 401
    body = {"slug": channel["slug"], "name": "again", "kind": "public"}
    assert (await ann.post("/v1/channels", body)).status_code == 409
    for person, other in ((ann, bob), (bob, ann)):
        assert (await person.post("/v1/direct", {"user_id": other.id})).status_code == 200
    assert (await bob.call("PUT", f"/v1/channels/{channel['id']}/read", json={"seq": 2})).status_code == 200
    assert (await world.http.post("/v1/auth/refresh", json={"refresh_token": ann.refresh})).status_code == 200
    assert await counted(world) == before


async def test_signing_out_everywhere_is_one_fact_per_session_that_ended(world: World) -> None:
    ann = await world.person("ann")
    other, third = await world.session("ann"), await world.session("ann")
    assert (await other.post("/v1/auth/logout")).status_code == 204
    assert (await ann.post("/v1/auth/logout-all")).status_code == 204
    assert (await third.post("/v1/auth/logout-all")).status_code == 401
    assert (await world.http.post("/v1/auth/logout", json={"refresh_token": third.refresh})).status_code == 204
    assert (await counted(world))["user.logged_out"] == 3


async def test_a_session_that_ran_out_long_ago_is_not_signed_out(world: World) -> None:
    ann = await world.person("ann")
    await world.execute("UPDATE messaging.sessions SET expires_at = now() - interval '1 day'")
    again = await world.session("ann")
    assert (await again.post("/v1/auth/logout-all")).status_code == 204
    assert (await counted(world))["user.logged_out"] == 1
    assert (await ann.get("/v1/users/me")).status_code == 200


@pytest.mark.engine("kafka")
async def test_every_fact_reaches_topic_analytics_once_in_the_order_of_its_subject(
    world: World, topics: Topics
) -> None:
    ann, _, _ = await everything(world)
    await ann.post("/v1/auth/logout")
    apply.run(manifests.load([manifests.SHIPPED]), KafkaTopics(topics.settings("operator")))
    pool = await open_pool(world.database.settings("relay"), max_size=4)
    async with KafkaProducer(topics.settings("relay")) as producer:
        relay = OutboxRelay(pool, producer, node="facts")
        await relay.leases.refresh()
        while await relay.turn():
            await relay.leases.refresh()
        await relay.leases.release()
    await pool.close()
    records = await reader.read_topic(topics.settings("prober"), "analytics")
    events = [from_record(record.headers, record.value or b"") for record in records]
    assert Counter(event.type for event in events) == Counter(row["type"] for row in await facts(world))
    assert {event.type for event in events} == DECLARED
    assert {event.channel for event in events} == {None}
    for event in events:
        types.TYPES[event.type].model_validate(event.data)
    of_ann = [event.type for event in events if event.subject == ann.id]
    assert of_ann == [types.USER_REGISTERED, types.USER_LOGGED_IN, types.USER_LOGGED_OUT]
