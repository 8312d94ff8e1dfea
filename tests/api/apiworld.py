"""The api under test and the people who use it: the whole service, spoken to through ASGI. Fixtures are conftest's."""

import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from signalink_api.app import Api
from signalink_api.settings import ApiSettings, Settings
from signalink_core.auth.keys import KeyRing
from signalink_core.auth.tokens import TokenSigner
from signalink_core.ids import uuid7
from signalink_core.settings import (
    AuthSettings,
    EdgeSettings,
    LimitSettings,
    PostgresSettings,
    ProcessSettings,
    RedisSettings,
)
from signalink_stacks.local.testing import Database

ORIGIN = "http://127.0.0.1:8000"
PASSWORD = "a good long sentence 7"
GENEROUS = dict.fromkeys(LimitSettings.model_fields, 1000000)
_numbers = itertools.count(1)


def make_settings(
    folder: Path,
    postgres: PostgresSettings,
    redis: RedisSettings,
    *,
    limits: Mapping[str, int] | None = None,
    **api: Any,
) -> Settings:
    keys, secret = folder / "keys", folder / "secret"
    if not keys.exists():
        KeyRing.generate(keys)
        secret.write_bytes(b"s" * 32)
    return Settings(
        process=ProcessSettings().named("api"),
        postgres=postgres,
        redis=redis,
        auth=AuthSettings(keys_dir=keys, secret_file=secret),
        edge=EdgeSettings(ws_origins=(ORIGIN,), api_url=ORIGIN),
        limits=LimitSettings(**{**GENEROUS, **(limits or {})}),
        api=ApiSettings(**api),
    )


@dataclass
class Person:
    """A registered user with a session of a client that is no browser."""

    http: httpx.AsyncClient
    id: str
    username: str
    access: str
    refresh: str
    headers: dict[str, str] = field(default_factory=dict)

    async def call(self, method: str, path: str, **more: Any) -> httpx.Response:
        headers = {"Authorization": f"Bearer {self.access}", **self.headers, **more.pop("headers", {})}
        return await self.http.request(method, path, headers=headers, **more)

    async def get(self, path: str, **query: Any) -> httpx.Response:
        return await self.call("GET", path, params=query)

    async def post(self, path: str, body: Any = None, **more: Any) -> httpx.Response:
        return await self.call("POST", path, **({} if body is None else {"json": body}), **more)

    async def patch(self, path: str, body: Any) -> httpx.Response:
        return await self.call("PATCH", path, json=body)

    async def delete(self, path: str) -> httpx.Response:
        return await self.call("DELETE", path)

    async def channel(self, kind: str = "public", **more: Any) -> dict[str, Any]:
        """A new channel of theirs."""
        made = await self.post(
            "/v1/channels", {"slug": f"c{next(_numbers)}", "name": "A channel", "kind": kind, **more}
        )
        assert made.status_code == 201, made.text
        return dict(made.json())

    async def say(self, channel_id: str, body: str = "hello", /, **more: Any) -> httpx.Response:
        return await self.post(
            f"/v1/channels/{channel_id}/messages", {"client_id": f"k{next(_numbers)}", "body": body, **more}
        )


class World:
    """One running api and its users."""

    def __init__(self, api: Api, database: Database) -> None:
        assert api.asgi is not None
        self.api = api
        self.database = database
        self.transport = httpx.ASGITransport(app=api.asgi)
        self.http = self.client()

    def client(self, **more: Any) -> httpx.AsyncClient:
        return httpx.AsyncClient(transport=self.transport, base_url=ORIGIN, **more)

    async def register(self, username: str, password: str = PASSWORD) -> httpx.Response:
        body = {"username": username, "email": f"{username}@example.org", "password": password}
        return await self.http.post("/v1/auth/register", json=body)

    async def login(self, username: str, password: str = PASSWORD) -> httpx.Response:
        return await self.http.post(
            "/v1/auth/login",
            json={"username": username, "password": password},
            headers={"X-Signalink-Client": "cli"},
        )

    async def person(self, username: str | None = None, *, role: str = "member") -> Person:
        name = username or f"user{next(_numbers)}"
        made = await self.register(name)
        assert made.status_code == 201, made.text
        if role != "member":
            await self.execute("UPDATE messaging.users SET role = $1 WHERE username = $2", role, name)
        return await self.session(name)

    async def ready_made(self, *, role: str = "member") -> Person:
        """A user who never typed a password: for tests that need many, since a hash costs 22 ms twice."""
        user_id, name = uuid7(), f"made{next(_numbers)}"
        await self.execute(
            "INSERT INTO messaging.users (id, username, email, display_name, password_hash, role) "
            "VALUES ($1, $2, $2 || '@example.org', $2, '-', $3)",
            user_id,
            name,
            role,
        )
        token = TokenSigner(self.api.keys, self.api.settings.auth.issuer).access(user_id, uuid7())
        return Person(self.http, str(user_id), name, token, "")

    async def session(self, username: str) -> Person:
        """Another session of a registered user."""
        answer = await self.login(username)
        assert answer.status_code == 200, answer.text
        found = answer.json()
        return Person(self.http, found["user"]["id"], username, found["access_token"], found["refresh_token"])

    async def execute(self, statement: str, *arguments: Any) -> list[Any]:
        """As the super user of the database."""
        connection = await self.database.connect()
        try:
            rows: list[Any] = await connection.fetch(statement, *arguments)
            return rows
        finally:
            await connection.close()


MakeWorld = Callable[..., Any]
