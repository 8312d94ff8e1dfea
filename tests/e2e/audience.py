"""Readers who follow all channels over WebSocket: `python audience.py` with its orders as JSON lines on stdin.

Owns one process's share of the readers and its history file. Everything it records comes from the bytes that the
sockets received, before the client drops anything. First line in: what to follow (see `Orders`); then
`{"drain": {channel: last seq}, "within": seconds}`. Lines out: `{"ready": true, ..}`, `{"behind": {view: n}, ..}`.
"""

import asyncio
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import msgspec
import orjson
import uvloop

from signalink_core.client import ApiClient, SocketClient
from signalink_core.client.api import TIMEOUT
from signalink_core.events import Position
from signalink_core.testing import eventually
from signalink_labs.history import Recorder, event_fields

READY_SECONDS = 30.0
POLL_SECONDS = 0.05


class Orders(msgspec.Struct):
    """`readers`: [view, username, password]; `channels`: channel id -> epoch; `follows`: view -> ids, if not all."""

    api: str
    gateway: str
    proc: str
    path: str
    readers: list[tuple[str, str, str]]
    channels: dict[str, int]
    follows: dict[str, list[str]] = {}


class Socket(SocketClient):
    """Tells when a connection is over."""

    def __init__(self, lost: Callable[[], None], *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self._lost = lost

    async def _serve(self, connection: Any) -> Any:
        try:
            return await super()._serve(connection)
        finally:
            self._lost()


class Absence:
    """What a socket does between its end and the first channel that the next one resumed, in seconds."""

    def __init__(self) -> None:
        self.began = self._mark = time.monotonic()
        self.parts = {"tries": 0.0, "paused": 0.0, "ticket": 0.0, "handshake": 0.0, "resumed": 0.0}

    def step(self, part: str) -> None:
        """What went on since the last step was this part."""
        now = time.monotonic()
        self.parts[part] += now - self._mark
        self._mark = now

    def told(self) -> dict[str, float]:
        """The parts and all of it; a handshake that failed is in `paused` of the next try."""
        return {name: round(each, 2) for name, each in self.parts.items()} | {"away": round(self._mark - self.began, 2)}


class Reader:
    """One view: records each frame and follows its channels from seq 0."""

    def __init__(self, view: str, client: ApiClient, orders: Orders, recorder: Recorder) -> None:
        self.view = view
        self._record = recorder.record
        self._user = ""
        self._node = ""
        self._client = client
        self._origin = orders.api  # readers come from the page that the api serves
        self.socket = Socket(
            self._lost, orders.gateway, self._ticket, on_frame=self._take, origin=self._origin, proxy=False
        )
        followed = orders.follows.get(view, list(orders.channels))
        self.channels = {channel: Position(orders.channels[channel], 0) for channel in followed}
        self.begun: set[str] = set()
        self.away: list[dict[str, float]] = []
        """Times without a socket, each from its end to the first channel that the next one resumed."""
        self._absence: Absence | None = None

    async def begin(self, username: str, password: str) -> None:
        self._user = str((await self._client.login(username, password))["id"])
        for channel in self.channels:
            self._record("ok", "member", user=self._user, ch=channel, seq=1)
        await self.socket.start()
        await self.socket.subscribe(self.channels)

    async def _ticket(self) -> str:
        if absence := self._absence:
            absence.step("paused")
            absence.parts["tries"] += 1
        try:
            return await self._client.ticket(self._origin)
        finally:
            if absence:
                absence.step("ticket")

    def _take(self, raw: bytes) -> None:
        frame = orjson.loads(raw)
        match frame["op"]:
            case "event":
                fields = event_fields(frame["id"], frame["type"], frame["data"])
                self._note("ok", "recv", frame["channel"], seq=frame["seq"], **fields)
            case "subscribed":
                self._note("ok", "resume", frame["channel"], seq=frame["position"]["seq"])
                self.begun.add(frame["channel"])
                if self._absence:
                    self._absence.step("resumed")
                    self.away.append(self._absence.told())
                    self._absence = None
            case "gap":
                self._note("info", "resume", frame["channel"], seq=frame["position"]["seq"], code="gap")
            case "welcome":
                self._node = frame["node"]
                if self._absence:
                    self._absence.step("handshake")

    def _lost(self) -> None:
        if self._absence is None and self.begun:
            self._absence = Absence()

    def _note(self, outcome: Any, subject: Any, channel: str, **fields: Any) -> None:
        self._record(outcome, subject, user=self._user, view=self.view, ch=channel, node=self._node, **fields)

    def behind(self, lasts: Mapping[str, int]) -> int:
        """Answer how many of its channels have not reached their last seq."""
        reached = {channel: (self.socket.position(channel) or Position(0, 0)).seq for channel in self.channels}
        return sum(1 for channel, seq in reached.items() if seq < lasts.get(channel, 0))


async def until(condition: Any, within: float) -> bool:
    """Answer whether the condition became true in time."""
    with suppress(AssertionError):
        return bool(await eventually(condition, within=within, every=POLL_SECONDS))
    return False


async def drain(readers: list[Reader], recorder: Recorder, lasts: Mapping[str, int], within: float) -> dict[str, Any]:
    """Wait until every reader has the last event of every channel."""
    for reader in readers:
        recorder.record("invoke", "drain", view=reader.view)
    await until(lambda: not any(reader.behind(lasts) for reader in readers), within)
    behind = {reader.view: reader.behind(lasts) for reader in readers}
    for view, count in behind.items():
        recorder.record("info" if count else "ok", "drain", view=view)
    return {"behind": {view: count for view, count in behind.items() if count}, **sockets(readers)}


def sockets(readers: list[Reader]) -> dict[str, Any]:
    """Answer what became of the sockets."""
    every = [reader.socket for reader in readers]
    return {
        "connects": sum(socket.connects for socket in every),
        "holes": sum(socket.holes for socket in every),
        "ended": [str(socket.ended) for socket in every if socket.ended],
        "away": sorted((each for reader in readers for each in reader.away), key=lambda each: each["away"]),
    }


def tell(**answer: Any) -> None:
    sys.stdout.buffer.write(orjson.dumps(answer) + b"\n")
    sys.stdout.buffer.flush()


async def ask() -> bytes:
    return await asyncio.to_thread(sys.stdin.buffer.readline)


async def main() -> None:
    orders = msgspec.json.decode(await ask(), type=Orders)
    with Recorder(Path(orders.path), orders.proc) as recorder:
        async with httpx.AsyncClient(timeout=TIMEOUT, trust_env=False) as http:
            readers = [
                Reader(view, ApiClient(orders.api, http=http), orders, recorder) for view, _, _ in orders.readers
            ]
            try:
                for reader, (_, username, password) in zip(readers, orders.readers, strict=True):
                    await reader.begin(username, password)
                began = await until(
                    lambda: all(len(reader.begun) == len(reader.channels) for reader in readers), READY_SECONDS
                )
                tell(ready=began, begun=[len(reader.begun) for reader in readers], **sockets(readers))
                request = orjson.loads(await ask() or b"{}")
                if "drain" in request:
                    tell(**await drain(readers, recorder, request["drain"], request["within"]))
            finally:
                for reader in readers:
                    await reader.socket.stop()


if __name__ == "__main__":
    uvloop.run(main())
