"""HttpServer over real sockets: ports, graceful stop, failed starts, bounds on a request's head, upgrades."""

import asyncio
import socket
import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import httpx
import pytest

from signalink_core import http
from signalink_core.errors import ConfigurationError, SignalinkError
from signalink_core.http import HttpServer, bind
from signalink_core.testing import eventually

Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


class App:
    """Answers `ok`; `/slow` waits for `release`."""

    def __init__(self) -> None:
        self.release = asyncio.Event()
        self.entered = asyncio.Event()

    async def __call__(self, scope: MutableMapping[str, Any], receive: Any, send: Send) -> None:
        if scope["type"] != "http":
            raise RuntimeError("no lifespan")
        if scope["path"] == "/slow":
            self.entered.set()
            await self.release.wait()
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
        await send({"type": "http.response.body", "body": b"ok"})


async def passed(seconds: float) -> None:
    """The deadline under test is well over."""
    over = time.monotonic() + seconds
    await eventually(lambda: time.monotonic() > over)


async def test_it_serves_on_a_free_port_and_tells_which() -> None:
    async with HttpServer(App(), host="127.0.0.1", port=0) as server, httpx.AsyncClient() as client:
        assert (await client.get(f"http://127.0.0.1:{server.port}/")).text == "ok"


async def test_a_taken_port_is_an_error_that_says_what_to_do() -> None:
    async with HttpServer(App(), host="127.0.0.1", port=0) as first:
        second = HttpServer(App(), host="127.0.0.1", port=first.port)
        with pytest.raises(ConfigurationError, match=f"127.0.0.1:{first.port}.*another process") as caught:
            await second.start()
        assert str(first.port) in (caught.value.next_step or "")


@pytest.mark.parametrize("host", ["192.0.2.1", "256.1.1.1"])
def test_a_foreign_address_is_an_error_that_says_what_to_do(host: str) -> None:
    with pytest.raises(ConfigurationError, match="SIGNALINK_HOST"):
        bind(host, 0)


async def test_stop_lets_a_running_request_finish_and_refuses_new_ones() -> None:
    app = App()
    server = HttpServer(app, host="127.0.0.1", port=0)
    await server.start()
    async with httpx.AsyncClient() as client:
        running = asyncio.create_task(client.get(f"http://127.0.0.1:{server.port}/slow"))
        await app.entered.wait()
        stopping = asyncio.create_task(server.stop())

        def refused() -> bool:
            with socket.socket() as probe:
                return probe.connect_ex(("127.0.0.1", server.port)) != 0

        await eventually(refused)
        assert not stopping.done()
        app.release.set()
        assert (await running).text == "ok"
        await asyncio.wait_for(stopping, 5)


async def test_stop_and_start_keep_the_port() -> None:
    server = HttpServer(App(), host="127.0.0.1", port=0)
    await server.stop()
    async with server:
        port = server.port
    async with server, httpx.AsyncClient() as client:
        assert server.port == port
        assert (await client.get(f"http://127.0.0.1:{port}/")).status_code == 200


async def test_an_app_that_cannot_start_is_an_error_and_frees_the_port() -> None:
    async def broken(scope: MutableMapping[str, Any], receive: Any, send: Send) -> None:
        await receive()
        await send({"type": "lifespan.startup.failed", "message": "no database"})

    server = HttpServer(broken, host="127.0.0.1", port=0)
    with pytest.raises(SignalinkError, match="failed while starting"):
        await server.start()
    bind("127.0.0.1", server.port).close()


async def test_a_head_that_never_ends_is_refused_before_it_fills_the_memory() -> None:
    async with HttpServer(App(), host="127.0.0.1", port=0) as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(b"GET / HTTP/1.1\r\nHost: x\r\nX-Big: ")
        writer.write(b"a" * 16 * 1024)
        answer = await asyncio.wait_for(reader.read(200), 5)
        assert answer.split()[1] == b"431"
        writer.close()


@pytest.mark.parametrize("sent", [b"", b"GET / HT", b"GET / HTTP/1.1\r\nHost: x\r\nX-Slow: "])
async def test_a_head_that_does_not_arrive_in_time_is_refused(sent: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "HEAD_SECONDS", 0.05)
    async with HttpServer(App(), host="127.0.0.1", port=0) as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(sent)
        assert (await asyncio.wait_for(reader.read(200), 5)).startswith(b"HTTP/1.1 408")
        writer.close()


async def test_the_deadline_is_for_the_head_not_for_the_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "HEAD_SECONDS", 0.05)
    app = App()
    async with HttpServer(app, host="127.0.0.1", port=0) as server, httpx.AsyncClient() as client:
        address = f"http://127.0.0.1:{server.port}"
        for _ in range(2):  # the second on the same connection, after an idle time
            slow = asyncio.create_task(client.get(f"{address}/slow"))
            await app.entered.wait()
            await passed(0.1)
            app.release.set()
            assert (await slow).text == "ok"
            await passed(0.1)


class Echo(asyncio.Protocol):
    """Stands for a WebSocket protocol class: answers 101 and then what it is fed."""

    def __init__(self, **_arguments: Any) -> None:
        self.accepted = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.transport.write(data if self.accepted else b"HTTP/1.1 101 Switching Protocols\r\n\r\n")
        self.accepted = True


async def test_bytes_behind_a_websocket_handshake_reach_the_protocol() -> None:
    async with HttpServer(App(), host="127.0.0.1", port=0, ws=Echo) as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        head = b"GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
        writer.write(head + b"early frames")
        answer = await asyncio.wait_for(reader.readuntil(b"early frames"), 5)
        assert answer == b"HTTP/1.1 101 Switching Protocols\r\n\r\nearly frames"
        writer.close()


class Written:
    """What a transport was asked to do, in order."""

    def __init__(self) -> None:
        self.asked: list[bytes | str] = []
        self.closing = False

    def write(self, data: bytes) -> None:
        self.asked.append(data)

    def close(self) -> None:
        self.asked.append("close")

    def is_closing(self) -> bool:
        return self.closing

    def get_extra_info(self, name: str, default: object = None) -> object:
        return name


def joined(transport: Written) -> http.JoinedWrites:
    return http.JoinedWrites(transport, asyncio.get_running_loop())  # type: ignore[arg-type]


async def test_head_and_body_leave_in_one_write() -> None:
    transport = Written()
    writes = joined(transport)
    writes.write(b"head")
    writes.write(b"body")
    assert transport.asked == []
    await eventually(lambda: bool(transport.asked))
    writes.write(b"next")
    await eventually(lambda: len(transport.asked) == 2)
    assert transport.asked == [b"headbody", b"next"]


async def test_a_close_writes_what_was_said_before_it() -> None:
    transport = Written()
    writes = joined(transport)
    writes.write(b"last words")
    writes.close()
    assert transport.asked == [b"last words", "close"]


async def test_nothing_is_written_to_a_transport_that_is_gone() -> None:
    transport = Written()
    writes = joined(transport)
    writes.write(b"late")
    transport.closing = True
    turns: list[None] = []
    asyncio.get_running_loop().call_soon(turns.append, None)
    await eventually(lambda: bool(turns))
    assert transport.asked == []
    assert writes.get_extra_info("peername") == "peername"
    assert writes.get_extra_info("sockname") is None
