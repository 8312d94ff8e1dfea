"""The WebSocket side of the client: one socket that is kept open, and resumed where it stood.

Owns connecting with a fresh ticket, subscribing after the last contiguous seq, reconnecting by close code with full
jitter, and answering `send`. Every frame goes to `on_frame` as the bytes that were received, before duplicates are
dropped; `on_event` gets each event once and in order. It stores no messages.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any

import orjson
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus
from websockets.typing import Origin, Subprotocol

from signalink_core.client.closes import Advice, advice, handshake_advice
from signalink_core.client.errors import ApiProblem, ClientError, OutcomeUnknown, SendRefused, SocketRefused
from signalink_core.client.positions import Arrival, Positions
from signalink_core.events import Position
from signalink_core.lifecycle import Lifecycle, full_jitter
from signalink_core.telemetry.logging import get_logger

TicketSource = Callable[[], Awaitable[str]]
Frame = Mapping[str, Any]
PROTOCOL = "signalink.v1"
OPEN_SECONDS = 5.0
CLOSE_SECONDS = 2.0
WELCOME_SECONDS = 10.0
BATCH = 200
"""Channels in one `subscribe`: about 25 KB of the 64 KB that a frame may have."""
BACKOFF_CAP_SECONDS = 5.0
STEADY_SECONDS = 10.0
"""A connection that lasted so long starts the backoff anew; one that is closed at once each time does not."""
log = get_logger(__name__)


class SocketClient(Lifecycle):
    """A socket to `url`; `ticket_source` is asked before every connection. `ended` says why it stopped for good."""

    def __init__(
        self,
        url: str,
        ticket_source: TicketSource,
        *,
        on_frame: Callable[[bytes], None] | None = None,
        on_event: Callable[[Frame], None] | None = None,
        origin: str | None = None,
        proxy: bool = True,
    ) -> None:
        super().__init__()
        self._url = url
        self._ticket_source = ticket_source
        self._on_frame = on_frame or (lambda raw: None)
        self._on_event = on_event or (lambda frame: None)
        self._origin = origin
        self._proxy = proxy
        self._positions = Positions()
        self._connection: ClientConnection | None = None
        self._welcomed = asyncio.Event()
        self._sends: dict[str, asyncio.Future[Frame]] = {}
        self._pause: float | None = None
        self.ended: SocketRefused | None = None
        self.connects = 0
        """Handshakes that succeeded."""
        self.holes = 0
        """Events that came beyond a hole; each made the socket resume."""

    async def _start(self) -> None:
        self.spawn(self._keep_open(), "socket-client")

    async def _stop(self) -> None:
        if self._connection is not None:
            await self._connection.close()

    @property
    def connected(self) -> bool:
        """Whether the gateway welcomed the current connection."""
        return self._welcomed.is_set()

    def position(self, channel: str) -> Position | None:
        """Answer where the channel stands; None before its `subscribed`."""
        return self._positions[channel]

    async def subscribe(self, channels: Mapping[str, Position | None]) -> None:
        """Follow channels after a position each (None: from now on), now and after every reconnect."""
        self._positions.follow(channels)
        if self.connected:
            await self._subscribe(list(channels.items()))

    async def unsubscribe(self, channels: Sequence[str]) -> None:
        for channel in channels:
            self._positions.forget(channel)
        await self._say({"op": "unsubscribe", "channels": list(channels)})

    async def send(
        self, channel: str, client_id: str, body: str, *, reply_to: str | None = None, within: float = 10.0
    ) -> Frame:
        """Post through the socket; answers the `ack` frame. Raises SendRefused, or OutcomeUnknown: repeat it then."""
        command = {"op": "send", "channel": channel, "client_id": client_id, "body": body}
        if reply_to is not None:
            command["reply_to"] = reply_to
        answer: asyncio.Future[Frame] = asyncio.get_running_loop().create_future()
        self._sends[client_id] = answer
        try:
            async with asyncio.timeout(within):
                await self._welcomed.wait()
                await self._say(command)
                return await answer
        except TimeoutError as exc:
            raise OutcomeUnknown("timeout", f"no answer within {within} s") from exc
        finally:
            self._sends.pop(client_id, None)

    async def _keep_open(self) -> None:
        attempt = 0
        loop = asyncio.get_running_loop()
        while self.ended is None:
            self._pause = None
            began = loop.time()
            verdict = await self._connect_once()
            attempt = 1 if loop.time() - began > STEADY_SECONDS else attempt + 1
            if verdict is not Advice.STOP:
                await asyncio.sleep(
                    full_jitter(attempt, cap=BACKOFF_CAP_SECONDS) if self._pause is None else self._pause
                )

    async def _connect_once(self) -> Advice:
        """Open a connection and read it to its end; answers what to do then."""
        try:
            ticket = await self._ticket_source()
            async with self._open(ticket) as connection:
                self.connects += 1
                return await self._serve(connection)
        except InvalidStatus as exc:
            status = exc.response.status_code
            return self._judge(handshake_advice(status), status, "handshake refused")
        except ApiProblem as problem:
            hopeless = problem.status in (401, 403)
            return self._judge(Advice.STOP if hopeless else Advice.BACKOFF, problem.status, problem.code)
        except (OSError, TimeoutError, InvalidHandshake, ConnectionClosed, ClientError):
            return Advice.BACKOFF

    def _open(self, ticket: str) -> connect:
        return connect(
            self._url,
            subprotocols=[Subprotocol(PROTOCOL), Subprotocol(f"ticket.{ticket}")],
            origin=Origin(self._origin) if self._origin else None,
            compression=None,
            open_timeout=OPEN_SECONDS,
            close_timeout=CLOSE_SECONDS,
            proxy=True if self._proxy else None,
        )

    async def _serve(self, connection: ClientConnection) -> Advice:
        """Read until the connection ends."""
        self._connection = connection
        try:
            async with asyncio.timeout(WELCOME_SECONDS) as limit:
                while True:
                    raw = await connection.recv(decode=False)
                    if await self._take(bytes(raw)):
                        limit.reschedule(None)  # from here on websockets' own pings notice a dead peer
        except ConnectionClosed as exc:
            closed = exc.rcvd
            code, reason = (closed.code, closed.reason) if closed else (1006, "connection lost")
            return self._judge(advice(code), code, reason)
        finally:
            self._connection = None
            self._welcomed.clear()
            self._fail_sends()

    def _judge(self, verdict: Advice, code: int, reason: str) -> Advice:
        if verdict is Advice.STOP:
            self.ended = SocketRefused(code, reason)
        return verdict

    def _fail_sends(self) -> None:
        for answer in self._sends.values():
            if not answer.done():
                answer.set_exception(OutcomeUnknown("disconnected", "the socket closed before an answer"))

    async def _take(self, raw: bytes) -> bool:
        """Handle one frame; answers whether it was the welcome."""
        self._on_frame(raw)
        frame: Frame = orjson.loads(raw)
        match frame["op"]:
            case "welcome":
                self._welcomed.set()
                await self._subscribe(list(self._positions.wanted()))
                return True
            case "event":
                await self._arrive(frame)
            case "subscribed":
                skipped = [(held["from"], held["to"]) for held in frame.get("skipped", ())]
                self._positions.begin(frame["channel"], Position(**frame["position"]), skipped)
            case "gap":
                self._positions.begin(frame["channel"], Position(**frame["position"]))
            case "ack" | "nack":
                self._answer(frame)
            case "draining":
                self._pause = frame["reconnect_after_ms"] / 1000
            case "error":
                log.warning("socket_command_refused", code=frame["code"], detail=frame.get("message", ""))
        return False

    async def _arrive(self, frame: Frame) -> None:
        arrival = self._positions.arrive(frame["channel"], Position(frame["epoch"], frame["seq"]))
        if arrival is Arrival.FRESH:
            self._on_event(frame)
        elif arrival is Arrival.HOLE and self._connection is not None:
            self.holes += 1
            await self._connection.close()  # resume from the last contiguous seq

    def _answer(self, frame: Frame) -> None:
        answer = self._sends.get(frame.get("client_id", ""))
        if answer is None or answer.done():
            return
        if frame["op"] == "ack":
            answer.set_result(frame)
        else:
            answer.set_exception(SendRefused(frame["code"], frame.get("detail", "")))

    async def _subscribe(self, wanted: Sequence[tuple[str, Position | None]]) -> None:
        for batch in _batches(wanted):
            channels = [
                {"id": channel} if after is None else {"id": channel, "after": {"epoch": after.epoch, "seq": after.seq}}
                for channel, after in batch
            ]
            await self._say({"op": "subscribe", "channels": channels})

    async def _say(self, command: Mapping[str, Any]) -> None:
        """Send; on a connection that is closing nothing is lost by silence, since the reader sees its end next."""
        if self._connection is not None:
            with suppress(ConnectionClosed):
                await self._connection.send(orjson.dumps(command), text=True)


def _batches(wanted: Sequence[tuple[str, Position | None]]) -> Iterator[Sequence[tuple[str, Position | None]]]:
    for start in range(0, len(wanted), BATCH):
        yield wanted[start : start + BATCH]
