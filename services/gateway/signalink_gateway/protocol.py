"""The socket's transport, from the upgrade to the end: the class that uvicorn's `ws=` option takes.

Owns the phases (handshake, authentication, open, closing) and the bytes in; `session` owns the bytes out. The request's
head is bounded by `signalink_core.http`, which also feeds on what came in one read with it.
"""

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Any, ClassVar, cast

from uvicorn.config import Config
from uvicorn.server import ServerState

from signalink_core.telemetry import logging
from signalink_gateway import disconnects, frames, handshake
from signalink_gateway.disconnects import Disconnect
from signalink_gateway.session import Session

if TYPE_CHECKING:
    from signalink_gateway.gateway import Gateway

HELD_BYTES = frames.MAX_BYTES + 16
"""What a client may send while it is being authenticated; then reading pauses."""
_VIOLATIONS = {d.code: d for d in disconnects.ALL}
log = logging.get_logger(__name__)


class SocketProtocol(asyncio.Protocol):
    """One connection. `gateway` is set on the subclass that `protocol_for` makes."""

    __slots__ = ("connections", "held", "holding", "lost", "reader", "session", "transport", "upgraded", "waiting")
    gateway: ClassVar["Gateway"]

    def __init__(self, config: Config, server_state: ServerState, app_state: dict[str, Any]) -> None:
        self.connections = cast(set[asyncio.Protocol], server_state.connections)
        self.reader = frames.FrameReader()
        self.session: Session | None = None
        self.transport: asyncio.Transport = cast(asyncio.Transport, None)
        self.upgraded = self.holding = self.lost = False
        self.held = b""
        self.waiting: deque[frames.Frame] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.connections.add(self)

    def data_received(self, data: bytes) -> None:
        if not self.upgraded:
            self.upgraded = self.holding = True
            self._judge(data)
        elif self.holding:
            self.held += data
            if len(self.held) > HELD_BYTES:
                self.transport.pause_reading()  # release resumes
        elif self.session is not None:
            self._read(self.session, data)

    def _judge(self, request: bytes) -> None:
        """uvicorn hands the whole request over in one call."""
        peer = self.transport.get_extra_info("peername")
        seen = handshake.view(request, peer[0] if peer else "")
        gateway = self.gateway
        try:
            gateway.accepts()
            upgrade = handshake.judge(request, seen, origins=gateway.origins, hosts=gateway.hosts)
        except handshake.Refused as refused:
            self.refuse(refused)
            return
        gateway.open(self, upgrade, seen.peer)

    def refuse(self, refused: handshake.Refused) -> None:
        """Answers before the 101 and ends the connection."""
        self.gateway.count_rejected(refused.reason)
        self.transport.write(refused.answer)
        self.transport.close()

    def accept(self, answer: bytes, session: Session) -> None:
        """Sends the 101; what the client sends waits until `release`."""
        self.session = session
        self.transport.write(answer)

    def hold(self) -> None:
        """Nothing more is read until `release`: credentials are being checked."""
        self.holding = True

    def release(self) -> None:
        """Reads on, beginning with what waited; that may be another `auth`, which holds again."""
        self.holding = False
        if self.session is None or self.transport.is_closing():
            return
        while self.waiting and not self.holding:
            self._take(self.session, *self.waiting.popleft())
        if not self.holding:
            held, self.held, self.waiting = self.held, b"", None
            self.transport.resume_reading()
            self._read(self.session, held)

    def _read(self, session: Session, data: bytes) -> None:
        session.missed = 0
        for frame in self.reader.feed(data):
            if not self.holding:
                self._take(session, *frame)
            elif self.waiting is None:
                self.waiting = deque([frame])  # bound: what one read and HELD_BYTES contain
            else:
                self.waiting.append(frame)

    def _take(self, session: Session, opcode: int, payload: bytes, code: int) -> None:
        if opcode == frames.CLOSE:
            self._closed_by_client(session, code)
        elif session.closed is not None:
            return
        elif opcode == frames.VIOLATION:
            session.close(_VIOLATIONS.get(code, disconnects.PROTOCOL_ERROR), payload.decode())
        elif opcode == frames.TEXT:
            self._command(session, payload)
        elif opcode == frames.PONG:
            self.gateway.pong(session)
        elif session.spend():
            session.put(frames.control_frame(frames.PONG, payload))

    def _command(self, session: Session, payload: bytes) -> None:
        """A defect costs this client a reconnect, and says so, instead of a connection cut without a word."""
        try:
            self.gateway.command(self, session, payload)
        except Exception:
            log.exception("command_failed", session=str(session.id))
            session.close(disconnects.NODE_RESTART, "the command failed here")

    def _closed_by_client(self, session: Session, code: int) -> None:
        """Echoes the code, or takes the answer to our own close."""
        if session.closed is None:
            session.close(Disconnect(code, "client", "", "the client closed"), "")
        self.transport.close()

    def pause_writing(self) -> None:
        if self.session is not None:
            self.session.fall_behind()

    def resume_writing(self) -> None:
        if self.session is not None:
            self.session.drain()

    def eof_received(self) -> bool:
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost = True
        self.connections.discard(self)
        if self.session is not None:
            self.gateway.lost(self.session)

    def shutdown(self) -> None:
        """uvicorn asks all connections at once when it stops; whoever drained before has none left."""
        if self.session is None:
            self.transport.close()
        else:
            self.session.close(disconnects.NODE_RESTART)


def protocol_for(gateway: "Gateway") -> type[SocketProtocol]:
    """The class to give to uvicorn."""
    return type("GatewaySocketProtocol", (SocketProtocol,), {"__slots__": (), "gateway": gateway})
