"""HTTP (and WebSocket) server as a Lifecycle: uvicorn on our socket, without its signal handlers, stopped in time."""

import asyncio
import contextlib
import errno
import socket
import sys
from collections.abc import Iterator
from typing import Any, cast

import httptools
import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from signalink_core.errors import ConfigurationError, SignalinkError
from signalink_core.lifecycle import Lifecycle
from signalink_core.telemetry.logging import get_logger

log = get_logger(__name__)
FINISH_SECONDS = 10
HEAD_BYTES = 16 * 1024
HEAD_SECONDS = 5.0
KEEP_ALIVE_SECONDS = 75


class HttpServer(Lifecycle):
    """Serves an ASGI app. `ws` is uvicorn's option: "none" or a protocol class. Port 0 takes a free one: see `port`."""

    def __init__(
        self,
        app: Any,
        *,
        host: str,
        port: int,
        ws: str | type[asyncio.Protocol] = "none",
        http: type[asyncio.Protocol] | None = None,
        backlog: int = 2048,
    ) -> None:
        super().__init__()
        self._config: dict[str, Any] = {
            "app": app,
            "ws": ws,
            "http": http or BoundedHttp,
            "backlog": backlog,
            "log_config": None,
            "access_log": False,
            "server_header": False,
            "proxy_headers": False,
            "timeout_graceful_shutdown": FINISH_SECONDS,
            "timeout_keep_alive": KEEP_ALIVE_SECONDS,
        }
        self._host = host
        self._wanted_port = port
        self._port: int | None = None
        self._server: _Server | None = None
        self._serving: asyncio.Task[None] | None = None

    @property
    def port(self) -> int:
        """The port it accepts on; known after start, and kept by a later start."""
        if self._port is None:
            raise RuntimeError("the server has not been started")
        return self._port

    async def _start(self) -> None:
        listening = bind(self._host, self._port or self._wanted_port)
        self._resources.callback(listening.close)
        self._port = listening.getsockname()[1]
        self._server = server = _Server(uvicorn.Config(**self._config))
        self._serving = self.spawn(server.run_on(listening), f"http:{self._port}")
        ready = asyncio.ensure_future(server.accepting.wait())
        try:
            await asyncio.wait({ready, self._serving}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            ready.cancel()
        if self._serving.done():
            self._serving.result()
            raise SignalinkError("The application failed while starting; its error is in the log above.")
        log.info("http_accepting", host=self._host, port=self._port)

    async def _stop(self) -> None:
        """Stop accepting, let requests finish for at most 10 s."""
        if self._server is None or self._serving is None:
            return
        self._server.should_exit = True
        await asyncio.wait({self._serving}, timeout=FINISH_SECONDS + 2)


class _Server(uvicorn.Server):
    """uvicorn's server in our hands: signals belong to process.run, and a failed start is an error, not an exit."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.accepting = asyncio.Event()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.accepting.set()

    async def run_on(self, listening: socket.socket) -> None:
        try:
            await self.serve(sockets=[listening])
        except SystemExit as error:
            raise SignalinkError("The application failed while starting; its error is in the log above.") from error


class JoinedWrites:
    """A transport that writes once per turn of the loop. uvicorn writes head and body of an answer one after the other,
    and uvloop makes a system call of each: a tenth of a short request.
    """

    __slots__ = ("_loop", "_waiting", "transport")

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self.transport = transport
        self._loop = loop
        self._waiting: list[bytes] = []

    def write(self, data: bytes) -> None:
        """The transport's own bounds on what waits hold from the next turn on."""
        if not self._waiting:
            self._loop.call_soon(self._flush)
        self._waiting.append(data)

    def close(self) -> None:
        """What was written before goes out."""
        self._flush()
        self.transport.close()

    def _flush(self) -> None:
        waiting, self._waiting = self._waiting, []
        if waiting and not self.transport.is_closing():
            self.transport.write(waiting[0] if len(waiting) == 1 else b"".join(waiting))

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """Without what nobody here asks for: uvloop keeps every answer, 150 bytes for the own address of a socket."""
        return default if name in {"socket", "sockname"} else self.transport.get_extra_info(name, default)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.transport, name)


class BoundedHttp(HttpToolsProtocol):
    """uvicorn's HTTP protocol with bounds it lacks: a request's head is complete within 5 s, or, once it takes more
    than one read, 16 KB; and bytes that follow a WebSocket handshake in the same read reach the WebSocket protocol.
    """

    _head_deadline: asyncio.TimerHandle | None = None
    _head_bytes = 0
    _read = b""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(cast(asyncio.Transport, JoinedWrites(transport, self.loop)))
        self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._head_done()
        super().connection_lost(exc)

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._await_head()

    def on_headers_complete(self) -> None:
        self._head_done()
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        super().on_message_complete()
        self._head_bytes = 0

    def data_received(self, data: bytes) -> None:
        self._read = data
        self._head_bytes += len(data)
        super().data_received(data)
        self._read = b""
        if self._head_deadline is not None and self._head_bytes > HEAD_BYTES and not self.transport.is_closing():
            self._refuse_head(b"431 Request Header Fields Too Large")

    def handle_websocket_upgrade(self) -> None:
        upgrade = sys.exception()
        self.transport = cast(JoinedWrites, self.transport).transport
        super().handle_websocket_upgrade()
        if isinstance(upgrade, httptools.HttpParserUpgrade) and (rest := self._read[upgrade.args[0] :]):
            protocol = self.transport.get_protocol()
            if isinstance(protocol, asyncio.Protocol):
                protocol.data_received(rest)

    def _await_head(self) -> None:
        self._head_done()
        self._head_deadline = self.loop.call_later(HEAD_SECONDS, self._refuse_head, b"408 Request Timeout")

    def _head_done(self) -> None:
        if self._head_deadline is not None:
            self._head_deadline.cancel()
            self._head_deadline = None

    def _refuse_head(self, status: bytes) -> None:
        self._head_done()
        self.transport.write(b"HTTP/1.1 " + status + b"\r\nconnection: close\r\ncontent-length: 0\r\n\r\n")
        self.transport.close()


def bind(host: str, port: int) -> socket.socket:
    """A bound TCP socket, closed by whoever asked. A taken port or foreign address is a ConfigurationError."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    bound = socket.socket(family, socket.SOCK_STREAM)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind((host, port))
    except OSError as error:
        bound.close()
        raise _refused(host, port, error) from error
    bound.setblocking(False)
    return bound


def _refused(host: str, port: int, error: OSError) -> ConfigurationError:
    if error.errno == errno.EADDRINUSE:
        why, step = "another process uses it", f"stop that process (ss -ltnp 'sport = :{port}') or set another port."
    elif error.errno in {errno.EACCES, errno.EPERM}:
        why, step = "this user may not bind it", "choose a port above 1023."
    else:
        why, step = error.strerror or str(error), "set SIGNALINK_HOST to an address of this machine."
    return ConfigurationError(f"Cannot accept connections on {host}:{port}: {why}.", next_step=step)
