"""One test per close code; `test_every_code_has_a_test` and the document's table keep this complete."""

import asyncio
import inspect
import sys
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from websockets.frames import Frame, Opcode

from signalink_core.bus import ticket_key
from signalink_core.clock import utc_now
from signalink_core.settings import RedisSettings
from signalink_core.testing import eventually
from signalink_gateway import disconnects
from signalink_gateway.app import App

pytestmark = pytest.mark.engine("postgres", "valkey")
DOCUMENT = Path(__file__).parents[2] / "docs/api/close-codes.md"


def masked(opcode: int, data: bytes = b"", *, fin: bool = True) -> bytes:
    return Frame(Opcode(opcode), data, fin).serialize(mask=True)


async def opened(platform: Any, raw: Any, app: App | None = None) -> tuple[Any, App]:
    """A bare connection of a welcomed session."""
    app = app or await platform.gateway()
    connection = await raw(app)
    ticket = await platform.ticket(await platform.user())
    await connection.send(connection.request(protocols=f"signalink.v1, ticket.{ticket}"))
    await connection.until(b'"welcome"')
    return connection, app


async def test_1000_answers_the_clients_own_close(platform: Any, raw: Any) -> None:
    connection, app = await opened(platform, raw)
    await connection.send(masked(8, (1000).to_bytes(2, "big") + b"bye"))
    assert await connection.end(within=1) == 1000
    await eventually(lambda: not app.gateway.sessions)


async def test_1002_ends_an_unmasked_frame(platform: Any, raw: Any) -> None:
    connection, _ = await opened(platform, raw)
    await connection.send(b"\x81\x02hi")
    assert await connection.end() == 1002


async def test_1003_ends_a_binary_frame(platform: Any, raw: Any) -> None:
    connection, _ = await opened(platform, raw)
    await connection.send(masked(2, b"\x00"))
    assert await connection.end() == 1003


async def test_1007_ends_text_that_is_not_utf8(platform: Any, raw: Any) -> None:
    connection, _ = await opened(platform, raw)
    await connection.send(masked(1, b'{"op":"\xff"}'))
    assert await connection.end() == 1007


async def test_1008_ends_a_flood_after_telling_the_rate(platform: Any, raw: Any) -> None:
    limits = platform.settings().limits.model_copy(update={"commands_per_second_per_socket": 20})
    connection, _ = await opened(platform, raw, await platform.gateway(limits=limits))
    await connection.send(masked(1, b'{"op":"ping","n":1}') * 400)
    assert await connection.end() == 1008
    assert b"rate_limited" in connection.received


async def test_1009_ends_a_message_above_64_kb_and_not_one_of_64_kb(platform: Any, raw: Any) -> None:
    connection, _ = await opened(platform, raw)
    head, tail = b'{"op":"ping","n":7,"ref":"', b'"}'
    await connection.send(masked(1, head + b"x" * (65_536 - len(head) - len(tail)) + tail))
    assert b'"validation"' in await connection.until(b'"error"')
    await connection.send(masked(1, b"x" * 65_537))
    assert await connection.end() == 1009


async def test_4000_follows_draining_when_the_node_stops(platform: Any) -> None:
    app = await platform.gateway()
    client = await platform.connect(app, await platform.user())
    await app.drain()
    assert await client.end() == 4000
    assert client.of("draining")[0]["reconnect_after_ms"] > 0


async def test_4001_ends_a_session_that_takes_nothing_for_10_seconds(platform: Any, raw: Any) -> None:
    ana, ben = await platform.user(), await platform.user()
    channel = await platform.channel(ana, ben)
    app = await platform.gateway()
    stalled = await raw(app, limit=4096)
    await stalled.send(stalled.request(protocols=f"signalink.v1, ticket.{await platform.ticket(ana)}"))
    await stalled.until(b'"welcome"')
    await stalled.send(masked(1, b'{"op":"subscribe","channels":[{"id":"%s"}]}' % str(channel).encode()))
    await stalled.until(b'"subscribed"')
    reader = await platform.connect(app, ben)
    await reader.subscribe(channel)
    await reader.got("subscribed")
    stalled.writer.transport.pause_reading()
    session = next(s for s in app.gateway.sessions.values() if s.user == ana)
    last = 1
    while not session.behind:
        last = (await platform.post(channel, ben, 50, body="x" * 4000))[-1]
    await reader.saw(channel, last)
    assert session.buffered() < 1_048_576, "events stop being queued"
    await eventually(lambda: session.closed, within=13)
    assert session.closed is disconnects.SLOW
    assert (await reader.saw(channel, last))[-1] == last
    await eventually(lambda: session.transport.is_closing(), within=2)


async def test_4002_ends_sockets_of_a_node_that_stops_without_a_drain(platform: Any) -> None:
    app = App(platform.settings())
    await app.start()
    await eventually(lambda: app.readiness.ready)
    client = await platform.connect(app, await platform.user())
    await app.stop()
    assert await client.end() == 4002


async def test_4003_ends_a_client_that_answers_no_pings(platform: Any, raw: Any) -> None:
    app = await platform.gateway(ping_seconds=0.3)
    connection, _ = await opened(platform, raw, app)
    assert await connection.end(within=5) == 4003


async def test_4004_tells_that_tickets_cannot_be_read(platform: Any) -> None:
    app = await platform.gateway()
    away = RedisSettings(url="redis://gateway@127.0.0.1:1/0")
    app.identity._client = away.client()
    client = await platform.connect(app, await platform.user())
    assert await client.end() == 4004
    assert "access token" in client.closed[1]


async def test_4100_ends_an_expired_token_and_a_token_that_runs_out(platform: Any) -> None:
    app = await platform.gateway()
    late = await platform.connect(app, await platform.user(), ends=utc_now() - timedelta(seconds=60))
    assert await late.end() == 4100
    soon = await platform.connect(app, await platform.user(), ends=utc_now() - timedelta(seconds=29))
    assert soon.of("welcome")
    assert await soon.end() == 4100


async def test_4101_ends_a_ticket_that_was_used_or_never_issued(platform: Any) -> None:
    app = await platform.gateway()
    ticket = await platform.ticket(await platform.user())
    for value, welcomed in ((ticket, True), (ticket, False), ("never-issued", False)):
        connection = await platform.open(app, protocols=("signalink.v1", f"ticket.{value}"))
        if welcomed:
            assert b'"welcome"' in await connection.recv(decode=False)
            await connection.close()
        else:
            await connection.wait_closed()
            assert connection.close_code == 4101


async def test_4400_ends_what_is_no_command(platform: Any, raw: Any) -> None:
    app = await platform.gateway()
    for text in (b"", b"hello", b"[]", b"{}", b'{"op":"fly"}', b'{"op":7}', b"\x00", b"[" * 30_000):
        connection, _ = await opened(platform, raw, app)
        await connection.send(masked(1, text))
        assert await connection.end() == 4400, text


async def test_4401_ends_silence_commands_before_auth_and_wrong_tokens(platform: Any, raw: Any) -> None:
    app = await platform.gateway()
    silent = await raw(app)
    await silent.send(silent.request())
    began = asyncio.get_running_loop().time()
    hasty = await raw(app)
    await hasty.send(hasty.request() + masked(1, b'{"op":"ping"}'))
    assert await hasty.end() == 4401
    wrong = await raw(app)
    await wrong.send(wrong.request() + masked(1, b'{"op":"auth","token":"e30.e30.e30"}'))
    assert await wrong.end() == 4401
    assert await silent.end() == 4401
    assert 4.5 < asyncio.get_running_loop().time() - began < 7


async def test_4403_ends_a_ticket_of_another_origin_and_credentials_of_another_user(platform: Any) -> None:
    app = await platform.gateway()
    ana = await platform.user()
    foreign = await platform.ticket(ana, origin="https://other.example")
    async with platform.redis_settings("admin").client() as admin:  # no service may rename a ticket
        await admin.rename(ticket_key(foreign), ticket_key("moved"))
    connection = await platform.open(app, protocols=("signalink.v1", "ticket.moved"))
    await connection.wait_closed()
    assert connection.close_code == 4403
    client = await platform.connect(app, ana)
    await client.say(op="auth", token=platform.access(await platform.user()))
    assert await client.end() == 4403


async def test_4409_ends_one_socket_too_many_of_a_user(platform: Any) -> None:
    limits = platform.settings().limits.model_copy(update={"sockets_per_user": 2})
    app = await platform.gateway(limits=limits)
    ana = await platform.user()
    first, _kept, third = [await platform.connect(app, ana) for _ in range(3)]
    assert await third.end() == 4409
    assert first.closed is None
    await first.close()
    await eventually(lambda: len(app.gateway.sessions) == 1)
    assert (await platform.connect(app, ana)).closed is None


async def test_4410_ends_the_sockets_of_a_disabled_user_within_5_seconds(platform: Any) -> None:
    app = await platform.gateway()
    ana = await platform.user()
    client = await platform.connect(app, ana)
    await platform.sql.execute(
        "INSERT INTO messaging.revocations (subject_kind, subject_id, reason) VALUES ('user', $1, 'disabled')", ana
    )
    assert await client.end(within=5) == 4410
    earlier = await platform.connect(app, ana, ends=utc_now() + timedelta(minutes=9))
    assert await earlier.end() == 4410, "a token bought before the revocation stays refused"


def test_every_code_has_a_test_and_a_row_in_the_document() -> None:
    tests = [name for name, _ in inspect.getmembers(sys.modules[__name__], inspect.isfunction)]
    for disconnect in disconnects.ALL:
        assert any(name.startswith(f"test_{disconnect.code}_") for name in tests), disconnect
    assert disconnects.table() in DOCUMENT.read_text()


def test_the_range_of_a_code_is_its_advice() -> None:
    assert replace(disconnects.SLOW, code=4099).advice == "reconnect with backoff"
    assert disconnects.TOKEN_EXPIRED.advice.startswith("get new credentials")
    assert disconnects.BANNED.advice == disconnects.TOO_LARGE.advice == "do not reconnect"
