"""What is judged before the 101, and the first bytes after it."""

import asyncio
from typing import Any

import pytest
from websockets.frames import Frame, Opcode

from signalink_core.telemetry import names

pytestmark = pytest.mark.engine("postgres", "valkey")


def masked(data: bytes) -> bytes:
    return Frame(Opcode.TEXT, data).serialize(mask=True)


REFUSED: dict[str, tuple[dict[str, Any], int]] = {
    "foreign origin": ({"origin": "http://evil.example"}, 403),
    "origin that begins like ours": ({"origin": "http://127.0.0.1:8000.evil.example"}, 403),
    "origin of another port": ({"origin": "http://127.0.0.1:8001"}, 403),
    "null origin": ({"origin": "null"}, 403),
    "no origin": ({"origin": None}, 403),
    "another host": ({"Host": "evil.example"}, 400),
    "another path": ({"path": "/v1/other"}, 404),
    "a token in the URL": ({"path": "/v1/socket?token=abc"}, 400),
    "a subprotocol nobody speaks": ({"protocols": "chat"}, 400),
    "an old version": ({"Sec_WebSocket_Version": "8"}, 400),
    "no key": ({"Sec_WebSocket_Key": ""}, 400),
    "large headers": ({"X_Padding": "x" * 17_000}, 413),
}


async def test_what_is_wrong_with_a_handshake_is_answered_before_the_101(platform: Any, raw: Any) -> None:
    app = await platform.gateway()
    for name, (changes, status) in REFUSED.items():
        connection = await raw(app)
        await connection.send(connection.request(**changes))
        assert await connection.status() == status, (name, connection.received)
        assert await connection.reader.read() is not None
        assert b"Upgrade: websocket" not in connection.received
    assert not app.gateway.sessions


async def test_a_host_name_that_was_named_is_served_too(platform: Any, raw: Any) -> None:
    """In compose and in a cluster others than people call it by another name."""
    edge = platform.settings().edge.model_copy(update={"gateway_hosts": ("Gateway",)})
    app = await platform.gateway(edge=edge)
    for host, status in (("gateway:8001", 101), ("evil.example", 400)):
        connection = await raw(app)
        await connection.send(connection.request(Host=host))
        assert await connection.status() == status


async def test_deflate_is_refused_and_the_subprotocol_answered_without_the_ticket(platform: Any, raw: Any) -> None:
    app = await platform.gateway()
    connection = await raw(app)
    ticket = await platform.ticket(await platform.user())
    request = connection.request(
        protocols=f"signalink.v1, ticket.{ticket}", Sec_WebSocket_Extensions="permessage-deflate"
    )
    await connection.send(request)
    head = (await connection.until(b"\r\n\r\n")).partition(b"\r\n\r\n")[0]
    assert b" 101 " in head
    assert b"Extensions" not in head
    assert b"Sec-WebSocket-Protocol: signalink.v1" in head
    assert ticket.encode() not in connection.received


async def test_commands_in_the_same_segment_as_the_handshake_are_obeyed_in_order(platform: Any, raw: Any) -> None:
    app = await platform.gateway()
    ticket = await platform.ticket(await platform.user())
    pings = b"".join(masked(b'{"op":"ping","n":%d}' % n) for n in range(50))
    connection = await raw(app)
    await connection.send(connection.request(protocols=f"signalink.v1, ticket.{ticket}") + pings)
    received = await connection.until(b'"n":49}')
    assert [received.index(b'"n":%d}' % n) for n in range(50)] == sorted(
        received.index(b'"n":%d}' % n) for n in range(50)
    )
    assert received.index(b'"welcome"') < received.index(b'"n":0}')


async def test_a_handshake_in_single_bytes_is_understood(platform: Any, raw: Any) -> None:
    app = await platform.gateway()
    connection = await raw(app)
    for byte in connection.request():
        await connection.send(bytes((byte,)))
        await asyncio.sleep(0)
    assert await connection.status() == 101


async def test_more_than_64_kb_while_being_authenticated_waits_and_is_read(platform: Any, raw: Any) -> None:
    app = await platform.gateway()
    ticket = await platform.ticket(await platform.user())
    connection = await raw(app)
    noise = masked(b'{"op":"ping","n":1}') * 400
    await connection.send(connection.request(protocols=f"signalink.v1, ticket.{ticket}") + noise * 8)
    await connection.until(b'"pong"')


async def test_connects_above_the_rate_of_an_address_are_answered_429(platform: Any, raw: Any) -> None:
    limits = platform.settings().limits.model_copy(update={"connects_per_second_per_ip": 5})
    app = await platform.gateway(limits=limits)
    statuses = []
    for _ in range(20):
        connection = await raw(app)
        await connection.send(connection.request())
        statuses.append(await connection.status())
    assert set(statuses) == {101, 429}
    assert statuses.count(101) >= 5
    assert statuses[-1] == 101 or b"retry-after: 1" in connection.received


async def test_open_sockets_above_the_number_of_an_address_are_answered_429(platform: Any, raw: Any) -> None:
    limits = platform.settings().limits.model_copy(update={"sockets_per_ip": 3})
    app = await platform.gateway(limits=limits)
    connections = [await raw(app) for _ in range(4)]
    for connection in connections:
        await connection.send(connection.request())
    assert sorted([await connection.status() for connection in connections]) == [101, 101, 101, 429]


async def test_a_draining_node_answers_503_and_then_accepts_nobody(platform: Any, raw: Any) -> None:
    app = await platform.gateway()
    before = await raw(app)
    app.gateway.draining = True
    await before.send(before.request())
    assert await before.status() == 503
    await app.drain()
    with pytest.raises(OSError):
        await raw(app)
    assert not app.readiness.ready


async def test_plain_http_on_the_public_port_is_a_problem_document_and_no_metrics(platform: Any, raw: Any) -> None:
    app = await platform.gateway()
    for path in ("/", "/v1/socket", "/metrics", "/docs"):
        connection = await raw(app)
        await connection.send(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n".encode())
        received = await connection.until(b"not_found")
        assert b"404" in received.split(b"\r\n")[0]
        assert b"application/problem+json" in received


async def test_rejected_handshakes_are_counted(platform: Any, raw: Any) -> None:
    app = await platform.gateway()
    counter = names.WS_REJECTED_TOTAL.labels(reason="origin")
    before = counter._value.get()
    connection = await raw(app)
    await connection.send(connection.request(origin="http://evil.example"))
    await connection.status()
    assert counter._value.get() == before + 1
