"""A process that posts messages to the api over kept HTTP connections: closed loop for throughput, open for latency.

Reads JSON lines {"mode": "closed", "clients", "seconds", "channels"} or {"mode": "open", "rate", "seconds", "first",
"channels"}, tokens and address come with the first line {"port", "tokens", "connections"}. Answers what became of it.
Requests are written and answers read with as little work as possible, so that the api is what is measured.
"""

import asyncio
import itertools
import json
import sys
import time
from typing import Any, cast

import uvloop
from publisher import stamp

Outcome = tuple[int, float]
"""(status, seconds)"""


class Connection(asyncio.Protocol):
    """One request at a time on a kept connection."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._answer: asyncio.Future[int] | None = None
        self._read = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def post(self, request: bytes) -> asyncio.Future[int]:
        """The status of the answer."""
        assert self._transport is not None
        self._answer = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        return self._answer

    def data_received(self, data: bytes) -> None:
        self._read += data
        head, found, body = self._read.partition(b"\r\n\r\n")
        if not found or self._answer is None:
            return
        length = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0] or 0)
        if len(body) >= length:
            self._read = b""
            self._answer.set_result(int(head[9:12]))

    def connection_lost(self, exc: Exception | None) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_result(0)


class Posting:
    def __init__(self, port: int, tokens: list[str], connections: int) -> None:
        self._port = port
        self._tokens = tokens
        self._count = connections
        self._names = itertools.count()
        self._run = time.monotonic_ns()
        self._idle: list[tuple[Connection, str]] = []

    async def open(self) -> None:
        loop = asyncio.get_running_loop()
        for n in range(self._count):
            _, connection = await loop.create_connection(Connection, "127.0.0.1", self._port)
            self._idle.append((connection, self._tokens[n % len(self._tokens)]))

    def request(self, token: str, channel: str, body: str) -> bytes:
        content = json.dumps({"client_id": f"{self._run}-{next(self._names)}", "body": body}).encode()
        head = (
            f"POST /v1/channels/{channel}/messages HTTP/1.1\r\nHost: 127.0.0.1:{self._port}\r\n"
            f"Authorization: Bearer {token}\r\nContent-Type: application/json\r\nContent-Length: {len(content)}\r\n\r\n"
        )
        return head.encode() + content

    async def closed(self, clients: int, seconds: float, channels: list[str]) -> dict[str, Any]:
        """Each client posts, waits for the answer, posts again, in channels taken in turn."""
        until = time.monotonic() + seconds
        found: list[Outcome] = []
        turns = itertools.cycle(channels)

        async def client(connection: Connection, token: str) -> None:
            while (began := time.monotonic()) < until:
                status = await connection.post(self.request(token, next(turns), stamp(0, 0, 0)))
                found.append((status, time.monotonic() - began))
                if status == 0:
                    return

        began = time.monotonic()
        await asyncio.gather(*(client(*each) for each in self._idle[:clients]))
        return {**_summary(found), "elapsed": time.monotonic() - began}

    async def open_loop(self, rate: float, seconds: float, first: int, channels: list[str]) -> dict[str, Any]:
        """A post at each intended time, on a free connection; the stamp in the body is the intended time."""
        began, late = time.monotonic_ns() + 50_000_000, []
        found: list[Outcome] = []
        tasks = set()

        async def one(request: bytes, due: int, connection: Connection, token: str) -> None:
            status = await connection.post(request)
            found.append((status, (time.monotonic_ns() - due) / 1e9))
            self._idle.append((connection, token))

        for n in range(int(rate * seconds)):
            due = began + int(n / rate * 1e9)
            await asyncio.sleep(max(0.0, (due - time.monotonic_ns()) / 1e9 - 0.0005))
            while time.monotonic_ns() < due:  # noqa: ASYNC110 - a clock sets no event
                await asyncio.sleep(0)
            late.append((time.monotonic_ns() - due) / 1000)
            connection, token = self._idle.pop(0)
            request = self.request(token, channels[n % len(channels)], stamp(0, first + n, due))
            tasks.add(asyncio.ensure_future(one(request, due, connection, token)))
        await asyncio.gather(*tasks)
        late.sort()
        return {**_summary(found), "sent": len(late), "late_p99_us": late[int(0.99 * (len(late) - 1))]}


def _summary(found: list[Outcome]) -> dict[str, Any]:
    times = sorted(seconds * 1000 for _, seconds in found)
    quantiles = {f"p{q}_ms": times[int(q / 100 * (len(times) - 1))] for q in (50, 95, 99)}
    created = sum(status == 201 for status, _ in found)
    return {"posted": created, "refused": len(found) - created, **quantiles}


async def main() -> None:
    loop = asyncio.get_running_loop()
    posting: Posting | None = None
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        asked = json.loads(line)
        mode = asked.pop("mode", "")
        if posting is None:
            posting = Posting(**asked)
            await posting.open()
            answer: dict[str, Any] = {"ready": True}
        elif mode == "closed":
            answer = await posting.closed(**asked)
        else:
            answer = await posting.open_loop(**asked)
        print(json.dumps(answer), flush=True)  # noqa: T201 - the answer to who drives it


if __name__ == "__main__":
    uvloop.run(main())
