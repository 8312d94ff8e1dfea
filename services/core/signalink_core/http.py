"""HTTP (and WebSocket) server as a Lifecycle: uvicorn on our socket, without its signal handlers, stopped in time."""

import asyncio
import contextlib
import errno
import socket
from collections.abc import Iterator
from typing import Any

import uvicorn

from signalink_core.errors import ConfigurationError, SignalinkError
from signalink_core.lifecycle import Lifecycle
from signalink_core.telemetry.logging import get_logger

log = get_logger(__name__)
FINISH_SECONDS = 10
HEADER_BYTES = 16 * 1024
KEEP_ALIVE_SECONDS = 75


class HttpServer(Lifecycle):
    """Serves an ASGI app. `ws` is uvicorn's option: "none" or a protocol class. Port 0 takes a free one: see `port`."""

    def __init__(
        self, app: Any, *, host: str, port: int, ws: str | type[asyncio.Protocol] = "none", backlog: int = 2048
    ) -> None:
        super().__init__()
        self._config = {
            "app": app,
            "ws": ws,
            "backlog": backlog,
            "log_config": None,
            "access_log": False,
            "server_header": False,
            "proxy_headers": False,
            "h11_max_incomplete_event_size": HEADER_BYTES,
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
        self._port = listening.getsockname()[1]
        self._server = server = _Server(uvicorn.Config(**self._config))
        self._serving = self.spawn(server.run_on(listening), f"http:{self._port}")
        ready = asyncio.ensure_future(server.accepting.wait())
        try:
            await asyncio.wait({ready, self._serving}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            ready.cancel()
        if self._serving.done():
            listening.close()
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
