"""What an open socket can do besides reading: send, renew its credentials, keep alive, be revoked, leave no trace."""

import asyncio
import gc
from datetime import timedelta
from typing import Any

import pytest

from signalink_core import ids
from signalink_core.clock import utc_now
from signalink_core.telemetry import names
from signalink_core.testing import eventually

pytestmark = pytest.mark.engine("postgres", "valkey")


def answered_pings() -> float:
    (metric,) = names.WS_PING_SECONDS.collect()
    return next(sample.value for sample in metric.samples if sample.name.endswith("_count"))


async def test_sends_are_forwarded_in_order_per_channel_with_the_sockets_token(platform: Any) -> None:
    app = await platform.gateway()
    ana = await platform.user()
    client = await platform.connect(app, ana)
    first, second = ids.uuid7(), ids.uuid7()
    platform.api_delay = 0.005
    for number in range(20):
        for channel in (first, second):
            await client.say(op="send", channel=channel, client_id=f"{channel}-{number}", body=str(number), ref=number)
    acks = await client.got("ack", 40)
    for channel in (first, second):
        bodies = [message["body"] for name, message, _ in platform.posted if name == str(channel)]
        assert bodies == [str(number) for number in range(20)]
        seqs = [ack["seq"] for ack in acks if ack["client_id"].startswith(str(channel))]
        assert seqs == sorted(seqs) == list(range(1, 21))
    claims = await app.identity._verifier.verify(platform.posted[0][2].removeprefix("Bearer "), "signalink-socket")
    assert claims.sub == ana
    assert set(platform.forwarded_for) == {"127.0.0.1"}, "the api's limits count the client's address, not ours"
    assert {ack["ref"] for ack in acks} == set(range(20))


async def test_a_defect_in_a_command_ends_that_socket_with_a_code_and_no_other(
    platform: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = await platform.gateway()
    ana = await platform.user()
    first, second = await platform.connect(app, ana), await platform.connect(app, ana)
    with monkeypatch.context() as broken:
        broken.setattr(type(app.gateway), "command", None)
        await first.say(op="ping", n=1)
        assert await first.end() == 4002
    await second.say(op="ping", n=2)
    assert (await second.got("pong", 1))[0]["n"] == 2


async def test_refusals_of_the_api_become_nacks_and_unknown_outcomes_are_told_as_such(platform: Any) -> None:
    client = await platform.connect(await platform.gateway(), await platform.user())
    answers = {
        "forbidden": (403, "forbidden"),
        "conflict": (409, "idempotency_conflict"),
        "limited": (429, "rate_limited"),
        "down": (503, "unavailable"),
    }

    def answer(_: str, message: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        status, code = answers[message["client_id"]]
        return status, {"code": code, "detail": "because"}

    platform.answers = answer
    for client_id in answers:
        await client.say(op="send", channel=ids.uuid7(), client_id=client_id, body="x", metadata={"a": 1})
    nacks = {nack["client_id"]: nack for nack in await client.got("nack", 4)}
    assert nacks["forbidden"]["code"] == "forbidden"
    assert nacks["conflict"]["code"] == "idempotency_conflict"
    assert nacks["limited"]["retry_after_ms"] == 2000
    assert nacks["down"]["code"] == "unknown_outcome"
    assert platform.posted[0][1]["metadata"] == {"a": 1}
    await platform.api.stop()
    await client.say(op="send", channel=ids.uuid7(), client_id="gone", body="x")
    nack = (await client.got("nack", 5))[-1]
    assert (nack["client_id"], nack["code"]) == ("gone", "unavailable")


async def test_too_many_unanswered_sends_are_nacked_at_once(platform: Any) -> None:
    app = await platform.gateway()
    client = await platform.connect(app, await platform.user())
    platform.api_delay = 0.5
    channels = [ids.uuid7() for _ in range(8)]
    for number in range(70):
        await client.say(op="send", channel=channels[number % 8], client_id=str(number), body="x")
    nacks = await client.got("nack", 6, within=0.4)
    assert {nack["code"] for nack in nacks} == {"busy"}
    platform.api_delay = 0.0
    await client.got("ack", 64)
    await eventually(lambda: app.forwarder.pending == 0)


async def test_credentials_are_renewed_in_band(platform: Any) -> None:
    app = await platform.gateway()
    ana = await platform.user()
    client = await platform.connect(app, ana, ends=utc_now() - timedelta(seconds=28))
    renewed = platform.access(ana)
    await client.say(op="auth", token=renewed, ref="r")
    (frame,) = await client.got("authenticated")
    assert frame["ref"] == "r"
    await client.say(op="send", channel=ids.uuid7(), client_id="a", body="x")
    await client.got("ack")
    assert platform.posted[-1][2] == f"Bearer {renewed}"
    (session,) = app.gateway.sessions.values()
    assert session.claims.exp > utc_now() + timedelta(minutes=9)
    app.gateway._due(session.number, "expiry")
    await client.say(op="ping", n=1)
    await client.got("pong")
    assert client.closed is None


async def test_a_revoked_session_ends_at_once_by_the_hint_and_only_that_one(platform: Any) -> None:
    app = await platform.gateway()
    ana, kept, ended = await platform.user(), ids.uuid7(), ids.uuid7()
    stays = await platform.connect(app, ana, session_id=kept)
    goes = await platform.connect(app, ana, session_id=ended)
    await platform.sql.execute(
        "INSERT INTO messaging.revocations (subject_kind, subject_id, reason) VALUES ('session', $1, 'logout')", ended
    )
    platform.publisher.hint_revocations()
    assert await goes.end(within=1) == 4401
    assert stays.closed is None
    again = await platform.connect(app, ana, session_id=ended)
    assert await again.end() == 4401


async def test_heartbeats_say_where_channels_are_when_they_moved(platform: Any) -> None:
    ana = await platform.user()
    channel = await platform.channel(ana)
    app = await platform.gateway(ping_seconds=0.3)
    client = await platform.connect(app, ana)
    await client.subscribe(channel)
    await client.got("subscribed")
    await platform.post(channel, ana, 4)
    await eventually(lambda: [[str(channel), 1, 4]] in [frame["channels"] for frame in client.of("heads")])
    told = len(client.of("heads"))
    pings = answered_pings()
    await eventually(lambda: answered_pings() >= pings + 2)
    assert len(client.of("heads")) == told, "only when they moved"
    assert client.closed is None, "the library answers pings"


async def test_wrong_fields_are_told_with_their_ref_and_the_socket_goes_on(platform: Any) -> None:
    client = await platform.connect(await platform.gateway(), await platform.user())
    wrong: list[dict[str, Any]] = [
        {"op": "subscribe", "channels": ["x"]},
        {"op": "subscribe", "channels": [{"id": ids.uuid7(), "after": {"epoch": 1, "seq": -1}}]},
        {"op": "send", "channel": ids.uuid7(), "client_id": "x" * 65, "body": ""},
        {"op": "send", "channel": ids.uuid7(), "client_id": "a", "body": "b", "sender_id": ids.uuid7()},
        {"op": "auth"},
        {"op": "auth", "ticket": "a", "token": "b"},
    ]
    for number, command in enumerate(wrong):
        await client.say(**command, ref=number)
    errors = await client.got("error", len(wrong))
    assert [(error["ref"], error["code"]) for error in errors] == [(n, "validation") for n in range(len(wrong))]
    await client.say(op="ping", n=5, ref="still")
    assert (await client.got("pong"))[0] == {"op": "pong", "n": 5, "ref": "still"}


async def test_one_subscription_too_many_is_refused_and_unsubscribing_makes_space(platform: Any) -> None:
    limits = platform.settings().limits.model_copy(update={"subscriptions_per_socket": 2})
    app = await platform.gateway(limits=limits)
    ana = await platform.user()
    channels = [await platform.channel(ana) for _ in range(3)]
    client = await platform.connect(app, ana)
    await client.subscribe(*channels, ref=1)
    (error,) = await client.got("error")
    assert (error["code"], error["channel"]) == ("too_many_subscriptions", str(channels[2]))
    await client.got("subscribed", 2)
    await client.say(op="unsubscribe", channels=[channels[0]], ref=2)
    await client.got("unsubscribed")
    await client.subscribe(channels[2])
    await client.got("subscribed", 3)
    await asyncio.gather(*(platform.post(channel, ana, 3) for channel in channels))
    assert await client.saw(channels[2], 3) == [1, 2, 3]
    assert client.seqs(channels[0]) == []


async def test_a_hundred_sockets_that_come_and_go_leave_nothing_behind(platform: Any) -> None:
    ana = await platform.user()
    channel = await platform.channel(ana)
    app = await platform.gateway()
    for _ in range(4):
        clients = await asyncio.gather(*(platform.connect(app, ana) for _ in range(25)))
        for client in clients:
            await client.subscribe(channel, after={channel: (1, 0)})
            await client.got("subscribed")
        await platform.post(channel, ana, 2)
        for number, client in enumerate(clients):
            if number % 2:
                await client.close()
            else:
                client.connection.transport.abort()
    await eventually(lambda: not app.gateway.sessions)
    hub = app.recovery.hub
    assert not app.gateway._per_ip
    assert not app.gateway._per_user
    assert not app.gateway._behind
    assert not hub.channels[channel].subscriptions
    assert not hub.channels[channel].live
    await eventually(lambda: len(app.gateway._tasks) == 0 and len(app.recovery._tasks) == 0)
    hub.sweep(hub.channels[channel].idle_since + 31)
    assert not hub.channels
    assert not app.bus.attached(channel)
    from signalink_gateway.session import Session

    def alive() -> int:
        gc.collect()
        mine = (each for each in gc.get_objects() if isinstance(each, Session) and each.gateway is app.gateway)
        return sum(each.number > 0 for each in mine)  # the node's own socket has no number

    await eventually(lambda: alive() == 0, within=5, every=0.3)


async def test_a_drain_finishes_answers_flushes_and_spreads_the_reconnects(platform: Any) -> None:
    ana = await platform.user()
    channel = await platform.channel(ana)
    app = await platform.gateway()
    clients = await asyncio.gather(*(platform.connect(app, ana) for _ in range(60)))
    for client in clients:
        await client.subscribe(channel)
        await client.got("subscribed")
    platform.api_delay = 0.5
    await clients[0].say(op="send", channel=channel, client_id="last", body="x")
    await eventually(lambda: platform.posted)
    await platform.post(channel, ana, 10)
    await app.drain()
    assert [await client.end() for client in clients] == [4000] * 60
    assert clients[0].of("ack")[0]["client_id"] == "last"
    delays = {client.of("draining")[0]["reconnect_after_ms"] for client in clients}
    assert len(delays) > 30
    for client in clients:
        assert client.seqs(channel) == list(range(1, 11))
    assert not app.gateway.sessions
