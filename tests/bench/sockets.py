"""The sink and the floor as Python sees them: compiled here, driven by lines on stdin, answering in JSON lines."""

import asyncio
import base64
import contextlib
import json
import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from machine import pinned

from signalink_core.testing import eventually

NATIVE = Path(__file__).parent / "native"
CONNECTIONS_PER_ADDRESS = 5_000
SETUP_SECONDS = 240


class NoCompiler(Exception):
    """There is no C compiler on this machine."""


@dataclass(frozen=True, slots=True)
class Planned:
    """One connection: its request, what follows the 101, and how many text frames that brings before it is set up."""

    request: bytes
    then: bytes = b""
    answers: int = 0


def compiled(name: str, folder: Path) -> Path:
    """The program, built with cc into `folder`. Raises NoCompiler."""
    cc = os.environ.get("CC") or shutil.which("cc") or shutil.which("gcc")
    if cc is None:
        raise NoCompiler("There is no C compiler (cc) on this machine; Debian, Ubuntu: apt-get install gcc libc6-dev.")
    program = folder / name
    subprocess.run([cc, "-O2", "-o", str(program), str(NATIVE / f"{name}.c")], check=True, timeout=60)
    return program


class Driven:
    """A program that answers each line with one JSON line."""

    def __init__(
        self, command: Sequence[str | Path], cpus: set[int], environment: Mapping[str, str] | None = None
    ) -> None:
        with pinned(cpus):
            self.process = subprocess.Popen(
                [str(part) for part in command],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                bufsize=1,
                env=None if environment is None else os.environ | dict(environment),
            )

    def ask(self, line: str) -> dict[str, Any]:
        self.tell(line)
        return self.answer()

    def tell(self, line: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def answer(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"{self.process.args!r} ended with {self.process.wait()}")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.process.kill()
        self.process.communicate()


class Sink(Driven):
    """Connects as planned and waits until every connection is set up; loopback source addresses as many as needed."""

    def __init__(
        self, program: Path, port: int, planned: Sequence[Planned], cpus: set[int], *, window: int = 64
    ) -> None:
        plan = program.with_name("plan")
        with plan.open("wb") as file:
            for n, each in enumerate(planned):
                source = f"127.0.0.{1 + n // CONNECTIONS_PER_ADDRESS}"
                file.write(b"%s %d %d %d\n" % (source.encode(), len(each.request), len(each.then), each.answers))
                file.write(each.request + each.then)
        super().__init__([program, "127.0.0.1", str(port), plan, str(window)], cpus)

    def connected(self) -> int:
        """Waits; how many sockets are open and set up."""
        return int(self.answer()["ready"])

    def reset(self) -> None:
        self.ask("reset")

    def settled(self, expected: int, within: float = 10.0) -> dict[str, Any]:
        """The report once `expected` deliveries were counted, or after `within` seconds without reaching it."""
        report: dict[str, Any] = {}

        def arrived() -> bool:
            report.update(self.ask("report"))
            return bool(report["counted"] >= expected)

        with contextlib.suppress(AssertionError, TimeoutError):  # what is missing is the report's to say
            asyncio.run(eventually(arrived, within=within, every=0.05))
        return report


def request(port: int, path: str, origin: str = "") -> bytes:
    """A WebSocket handshake without extensions."""
    key = base64.b64encode(os.urandom(16)).decode()
    head = [f"GET {path} HTTP/1.1", f"Host: 127.0.0.1:{port}", "Upgrade: websocket", "Connection: Upgrade"]
    head += [f"Sec-WebSocket-Key: {key}", "Sec-WebSocket-Version: 13"]
    head += [f"Origin: {origin}"] if origin else []
    return "\r\n".join([*head, "", ""]).encode()


def text_frame(payload: bytes) -> bytes:
    """A client's text frame; its mask is zero, which masks nothing and is allowed."""
    size = len(payload)
    head = bytes((0x81, 0x80 | size)) if size < 126 else bytes((0x81, 0xFE)) + size.to_bytes(2, "big")
    return head + bytes(4) + payload


def subscriber(port: int, origin: str, token: str, channels: Sequence[object]) -> Planned:
    """A connection to the gateway: authenticates by its first message, then subscribes."""
    auth = json.dumps({"op": "auth", "token": token}).encode()
    subscribe = json.dumps({"op": "subscribe", "channels": [{"id": str(channel)} for channel in channels]}).encode()
    return Planned(request(port, "/v1/socket", origin), text_frame(auth) + text_frame(subscribe), 1 + len(channels))
