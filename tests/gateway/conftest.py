"""A platform around real Postgres and Valkey for the gateway: an api that posts and publishes, nodes, raw clients."""

import asyncio
import contextlib
import itertools
from collections import defaultdict
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import orjson
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.client import ClientProtocol
from websockets.exceptions import ConnectionClosed
from websockets.protocol import State
from websockets.typing import Origin, Subprotocol
from websockets.uri import parse_uri

from signalink_api.writer import Draft, MessageWriter
from signalink_core import ids
from signalink_core.auth.keys import KeyRing
from signalink_core.auth.tokens import TokenSigner
from signalink_core.bus import Publisher, ticket_key
from signalink_core.clock import utc_now
from signalink_core.database import pool
from signalink_core.events import Event
from signalink_core.http import HttpServer
from signalink_core.log import rows
from signalink_core.settings import AuthSettings, EdgeSettings, LimitSettings, ProcessSettings, RedisSettings
from signalink_core.testing import eventually
from signalink_gateway.app import App, Settings
from signalink_stacks.local.testing import Database
from signalink_stacks.local.testing.valkeys import ValkeyServer

ORIGIN = "http://127.0.0.1:8000"
Frame = dict[str, Any]
LIMITS = LimitSettings(
    connects_per_second_per_ip=10_000,
    sockets_per_ip=10_000,
    sockets_per_user=1_000,
    commands_per_second_per_socket=1_000,
)


class Client:
    """One socket of the `websockets` library; keeps every frame in order of arrival."""

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection
        self.frames: list[Frame] = []
        self.closed: tuple[int, str] | None = None
        self._reader = asyncio.create_task(self._read())

    async def _read(self) -> None:
        try:
            async for message in self.connection:
                self.frames.append(orjson.loads(message))
        except ConnectionClosed:
            pass
        code = self.connection.close_code
        self.closed = (1006 if code is None else code, self.connection.close_reason or "")

    async def say(self, **frame: Any) -> None:
        await self.connection.send(orjson.dumps(frame, default=str).decode())

    async def subscribe(
        self, *channels: UUID, after: dict[UUID, tuple[int, int]] | None = None, ref: Any = None
    ) -> None:
        wanted = []
        for channel in channels:
            start = (after or {}).get(channel)
            wanted.append({"id": channel} | ({"after": {"epoch": start[0], "seq": start[1]}} if start else {}))
        await self.say(op="subscribe", channels=wanted, **({} if ref is None else {"ref": ref}))

    def of(self, op: str) -> list[Frame]:
        return [frame for frame in self.frames if frame["op"] == op]

    def seqs(self, channel: UUID) -> list[int]:
        return [frame["seq"] for frame in self.of("event") if frame["channel"] == str(channel)]

    async def got(self, op: str, count: int = 1, within: float = 10) -> list[Frame]:
        await eventually(lambda: len(self.of(op)) >= count, within=within)
        return self.of(op)

    async def saw(self, channel: UUID, last: int, within: float = 15) -> list[int]:
        """The seqs shown, once `last` is among them."""
        await eventually(lambda: last in self.seqs(channel), within=within)
        return self.seqs(channel)

    async def end(self, within: float = 10) -> int:
        """The code it was closed with."""
        await eventually(lambda: self.closed, within=within)
        assert self.closed is not None
        return self.closed[0]

    async def close(self) -> None:
        await self.connection.close()
        await self._reader


class Platform:
    """The api's part is played by the writer and the SQL functions; its HTTP side by `self.answers`."""

    def __init__(self, database: Database, valkey: ValkeyServer, keys: KeyRing, stack: AsyncExitStack) -> None:
        self.database, self.valkey, self.stack = database, valkey, stack
        self.keys = keys
        self.signer = TokenSigner(keys, "signalink")
        self.redis_settings = valkey.settings
        self.posted: list[tuple[str, dict[str, Any], str]] = []
        self.forwarded_for: list[str] = []
        self.answers: Callable[[str, dict[str, Any]], tuple[int, dict[str, Any]]] = self._created
        self.api_delay = 0.0
        self._few = asyncio.Semaphore(16)
        self._numbers = itertools.count(1)
        self.seqs: defaultdict[str, itertools.count[int]] = defaultdict(lambda: itertools.count(1))

    async def start(self) -> None:
        self.api = await self.stack.enter_async_context(HttpServer(self, host="127.0.0.1", port=0))
        self.publisher = await self.stack.enter_async_context(Publisher(self.redis_settings("api")))
        self.writer = await self.stack.enter_async_context(
            MessageWriter(self.database.settings("api"), on_committed=self.publisher.publish)
        )
        self.sql = await pool.connect(self.database.settings("api"))
        self.stack.push_async_callback(self.sql.close)
        self.redis = self.redis_settings("api").client(max_connections=500)
        self.stack.push_async_callback(self.redis.aclose)

    def settings(self, redis: RedisSettings | None = None, **overrides: Any) -> Settings:
        limits = overrides.pop("limits", LIMITS)
        settings = Settings(
            process=ProcessSettings(http_port=0, metrics_port=0, node=f"gateway-{next(self._numbers)}"),
            postgres=self.database.settings("gateway"),
            redis=redis or self.redis_settings("gateway"),
            auth=AuthSettings(jwks_url=f"http://127.0.0.1:{self.api.port}/.well-known/jwks.json"),
            edge=EdgeSettings(
                api_url=f"http://127.0.0.1:{self.api.port}", ws_origins=(ORIGIN, "https://other.example")
            ),
            limits=limits,
        )
        return replace(settings, **overrides)

    async def gateway(self, **overrides: Any) -> App:
        """A node that is ready."""
        app = await self.stack.enter_async_context(App(self.settings(**overrides)))
        await eventually(lambda: app.readiness.ready and app.bus.connected)
        return app

    # people and tokens

    async def user(self) -> UUID:
        user_id = ids.uuid7()
        await self.sql.execute(
            "INSERT INTO messaging.users (id, username, email, password_hash, role) VALUES ($1, $2, $3, 'x', 'member')",
            user_id, f"user-{user_id}", f"{user_id}@example.org",
        )  # fmt: skip
        return user_id

    def access(self, user_id: UUID, session_id: UUID | None = None) -> str:
        return self.signer.access(user_id, session_id or ids.uuid7())

    async def ticket(
        self,
        user_id: UUID,
        *,
        session_id: UUID | None = None,
        origin: str | None = ORIGIN,
        ends: datetime | None = None,
    ) -> str:
        token = self.signer.socket(
            user_id, session_id or ids.uuid7(), ends or utc_now() + timedelta(minutes=10), origin
        )
        ticket = ids.uuid7().hex
        async with self._few:
            await self.redis.set(ticket_key(ticket), token, px=30_000)
        return ticket

    def open(self, app: App, *, origin: str | None = ORIGIN, protocols: tuple[str, ...] = ("signalink.v1",)) -> connect:
        return connect(
            f"ws://127.0.0.1:{app.server.port}/v1/socket",
            subprotocols=[Subprotocol(name) for name in protocols] or None,
            origin=None if origin is None else Origin(origin),
            compression=None,
            proxy=None,
            open_timeout=10,
            close_timeout=2,
            ping_interval=None,
            max_queue=None,
        )

    async def connect(self, app: App, user_id: UUID, **ticket: Any) -> Client:
        """A welcomed client; closed at the end of the test."""
        value = await self.ticket(user_id, **ticket)
        origin = ticket.get("origin", ORIGIN)
        client = Client(await self.open(app, origin=origin, protocols=("signalink.v1", f"ticket.{value}")))
        self.stack.push_async_callback(client.close)
        await eventually(lambda: client.of("welcome") or client.closed)
        return client

    # what the api does

    async def call(self, function: str, **command: Any) -> dict[str, Any]:
        full = {"event_id": ids.uuid7(), "traceparent": None, **command}
        return await self.sql.fetchval(f"SELECT messaging.{function}($1)", full)  # type: ignore[no-any-return]

    async def change(self, function: str, *, publish: bool = True, **command: Any) -> Event:
        answer = await self.call(function, **command)
        assert answer["verdict"] == "ok", answer
        (event,) = rows.to_events(answer)
        if publish:
            self.publisher.publish([event])
        return event

    async def channel(self, owner: UUID, *members: UUID, **fields: Any) -> UUID:
        channel_id = ids.uuid7()
        command = {"id": channel_id, "slug": f"c-{channel_id}", "name": "Channel", "kind": "public", "actor_id": owner}
        answer = await self.call("create_channel", **(command | fields))
        assert answer["verdict"] == "ok"
        for member in members:
            await self.change("add_member", channel_id=channel_id, actor_id=owner, user_id=member)
        return channel_id

    async def post(self, channel: UUID, sender: UUID, count: int = 1, body: str = "hello") -> list[int]:
        """Posts through the writer; the seqs they got, in order."""
        drafts = [
            Draft(channel_id=channel, sender_id=sender, client_id=ids.uuid7().hex, body=body) for _ in range(count)
        ]
        verdicts = await asyncio.gather(*(self.writer.post(draft) for draft in drafts))
        assert all(verdict.kind == "created" for verdict in verdicts), verdicts
        return sorted(verdict.seq for verdict in verdicts if verdict.seq is not None)

    # the api's HTTP side

    def _created(self, channel: str, message: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        seq = next(self.seqs[channel])
        return 201, {"id": str(ids.uuid7()), "seq": seq, "epoch": 1, "client_id": message["client_id"]}

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        status, body = 200, self.keys.jwks()
        if scope["method"] == "POST":
            message = orjson.loads((await receive())["body"])
            channel = scope["path"].split("/")[3]
            headers_in = dict(scope["headers"])
            self.posted.append((channel, message, headers_in[b"authorization"].decode()))
            self.forwarded_for.append(headers_in[b"x-forwarded-for"].decode())
            await asyncio.sleep(self.api_delay)
            status, body = self.answers(channel, message)
        headers = [(b"content-type", b"application/json"), (b"retry-after", b"2")]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": orjson.dumps(body)})


@pytest.fixture(scope="session")
def keys(tmp_path_factory: pytest.TempPathFactory) -> KeyRing:
    folder: Path = tmp_path_factory.mktemp("keys")
    return KeyRing.generate(folder)


@pytest.fixture
async def platform(database: Database, valkey: ValkeyServer, keys: KeyRing) -> AsyncIterator[Platform]:
    async with AsyncExitStack() as stack:
        platform = Platform(database, valkey, keys, stack)
        await platform.start()
        yield platform


class Raw:
    """A bare TCP connection that says exactly the bytes it is told to."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer
        self.received = b""

    @classmethod
    async def open(cls, app: App, **options: Any) -> "Raw":
        return cls(*await asyncio.open_connection("127.0.0.1", app.server.port, **options))

    @staticmethod
    def request(
        *, path: str = "/v1/socket", origin: str | None = ORIGIN, protocols: str | None = "signalink.v1", **headers: str
    ) -> bytes:
        fields = {
            "Host": "127.0.0.1", "Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13",
            "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
        }  # fmt: skip
        if origin is not None:
            fields["Origin"] = origin
        if protocols is not None:
            fields["Sec-WebSocket-Protocol"] = protocols
        fields |= {name.replace("_", "-"): value for name, value in headers.items()}
        lines = [f"GET {path} HTTP/1.1", *(f"{name}: {value}" for name, value in fields.items() if value), "", ""]
        return "\r\n".join(lines).encode()

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def until(self, marker: bytes, within: float = 10) -> bytes:
        async with asyncio.timeout(within):
            while marker not in self.received:
                data = await self.reader.read(65536)
                if not data:
                    break
                self.received += data
        return self.received

    async def status(self) -> int:
        return int((await self.until(b"\r\n\r\n")).split(b" ")[1])

    async def end(self, within: float = 10) -> int:
        """Reads to the end of the connection; the code of the last close frame, 1006 without one."""
        async with asyncio.timeout(within):
            try:
                while data := await self.reader.read(65536):
                    self.received += data
            except ConnectionError:
                pass
        _, _, wire = self.received.partition(b"\r\n\r\n")
        peer = ClientProtocol(parse_uri("ws://localhost"), state=State.OPEN, max_size=None)
        peer.receive_data(wire)
        return peer.close_rcvd.code if peer.close_rcvd else 1006

    async def close(self) -> None:
        self.writer.close()
        with contextlib.suppress(ConnectionError):
            await self.writer.wait_closed()


@pytest.fixture
async def raw(platform: Platform) -> Callable[[App], Any]:
    """Opens bare connections that are closed with the test."""

    async def open_raw(app: App, **options: Any) -> Raw:
        connection = await Raw.open(app, **options)
        platform.stack.push_async_callback(connection.close)
        return connection

    return open_raw


@pytest.fixture
async def admin(valkey: ValkeyServer) -> AsyncIterator[Any]:
    async with valkey.settings().client() as client:
        yield client


@pytest.fixture
async def people(platform: Any) -> tuple[UUID, UUID, UUID]:
    """Ana and Ben share a private channel."""
    ana, ben = await platform.user(), await platform.user()
    return ana, ben, await platform.channel(ana, ben, kind="private")
