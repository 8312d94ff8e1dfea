"""What stands for AWS around a process that signs in by its role: the pod's identity, TLS before engines, time.

The embedded Postgres and Valkey are built without TLS, so `tls_front` ends it before them, with a real certificate.
"""

import asyncio
import datetime
import json
import ssl
import struct
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final

import pytest

from signalink_core.signin import aws

REGION: Final = "eu-central-1"
LOOPBACK: Final = "127.0.0.1"
SSL_REQUEST: Final = struct.pack("!ii", 8, 80877103)


@dataclass
class Clock:
    """Virtual time, in seconds."""

    now: float = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now

    def moment(self, remove_tzinfo: bool = True) -> datetime.datetime:
        """As AWS's library asks for it when it signs."""
        found = datetime.datetime.fromtimestamp(self.now, datetime.UTC)
        return found.replace(tzinfo=None) if remove_tzinfo else found


@dataclass
class Identity:
    """What EKS Pod Identity answers at its address: keys of the role, to who shows the pod's token."""

    folder: Path
    asked: int = 0
    refuses: bool = False
    open: threading.Event = field(default_factory=threading.Event)
    """Unset: no answer is given."""
    keys: dict[str, str] = field(
        default_factory=lambda: {
            "AccessKeyId": "ASIASTANDIN",
            "SecretAccessKey": "not-a-secret",
            "Token": "session/token+of==the-role",
            "Expiration": "2099-01-01T00:00:00Z",
        }
    )

    secrets: dict[str, dict[str, str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.open.set()
        self.token_file = self.folder / "eks-pod-identity-token"
        self.token_file.write_text("the-pods-own-token")

    def environment(self, port: int) -> dict[str, str]:
        """As the agent of EKS sets it in a container; files of this machine's owner are not looked at."""
        return {
            "AWS_ENDPOINT_URL_SECRETS_MANAGER": f"http://{LOOPBACK}:{port}",
            "AWS_CONTAINER_CREDENTIALS_FULL_URI": f"http://{LOOPBACK}:{port}/v1/credentials",
            "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": str(self.token_file),
            "AWS_SHARED_CREDENTIALS_FILE": str(self.folder / "none"),
            "AWS_CONFIG_FILE": str(self.folder / "none"),
        }

    def answer(self, shown: str | None) -> tuple[int, bytes]:
        self.asked += 1
        self.open.wait(20)
        if self.refuses or shown != self.token_file.read_text():
            return 400, b'{"message": "no role for this pod"}'
        return 200, json.dumps(self.keys).encode()

    def secret(self, asked: dict[str, str], signed: str) -> tuple[int, bytes]:
        """Of AWS Secrets Manager, to who signs with the role's keys."""
        if self.keys["AccessKeyId"] not in signed or asked["SecretId"] not in self.secrets:
            return 400, b'{"__type": "AccessDeniedException", "message": "not for you"}'
        return 200, json.dumps({"SecretString": json.dumps(self.secrets[asked["SecretId"]])}).encode()


@contextmanager
def identity(folder: Path) -> Iterator[tuple[Identity, dict[str, str]]]:
    """The stand-in, and the environment that leads to it."""
    found = Identity(folder)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.reply(*found.answer(self.headers.get("Authorization")))

        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            self.reply(*found.secret(asked, self.headers.get("Authorization", "")))

        def reply(self, status: int, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Nothing is printed."""

    server = ThreadingHTTPServer((LOOPBACK, 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield found, found.environment(server.server_port)
    finally:
        found.open.set()
        server.shutdown()
        thread.join()
        server.server_close()


@contextmanager
def signed_at(clock: Clock) -> Iterator[None]:
    """AWS's library and this process's role live in virtual time, and no token of another test is left."""
    import botocore.auth

    kept = (aws.postgres, aws.redis, aws.kafka)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(botocore.auth, "get_current_datetime", clock.moment)
        made = aws.Role(clock)
        patch.setattr(aws, "role", lambda: made)
        for each in kept:
            each.cache_clear()
        try:
            yield
        finally:
            for each in kept:
                each.cache_clear()


@asynccontextmanager
async def tls_front(to_port: int, context: ssl.SSLContext, *, postgres: bool = False) -> AsyncIterator[int]:
    """A port that ends TLS and hands on to a port without. `postgres`: TLS begins when its client asks for it."""
    pipes: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            if postgres:
                if await reader.readexactly(8) != SSL_REQUEST:
                    return
                writer.write(b"S")
                await writer.start_tls(context)
            inner, outer = await asyncio.open_connection(LOOPBACK, to_port)
            async with asyncio.TaskGroup() as group:
                for source, sink in ((reader, outer), (inner, writer)):
                    group.create_task(_pipe(source, sink))
        except (OSError, asyncio.IncompleteReadError):
            pass  # a client that does not trust us goes away
        finally:
            writer.close()

    def accepted(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.get_running_loop().create_task(serve(reader, writer))
        pipes.add(task)
        task.add_done_callback(pipes.discard)

    server = await asyncio.start_server(accepted, LOOPBACK, 0, ssl=None if postgres else context)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for task in tuple(pipes):
            task.cancel()
        await asyncio.gather(*pipes, return_exceptions=True)


async def _pipe(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    try:
        while data := await source.read(65_536):
            sink.write(data)
            await sink.drain()
    except OSError:
        pass
    finally:
        sink.close()
