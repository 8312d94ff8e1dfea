"""The preferences api on this test's database, spoken to through ASGI with tokens of a key ring of its own."""

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from signalink_core.auth.jwks import JwksClient
from signalink_core.auth.keys import KeyRing
from signalink_core.auth.tokens import TokenSigner, TokenVerifier
from signalink_core.guard.limits import Limiter
from signalink_core.readiness import Readiness
from signalink_core.settings import (
    AuthSettings,
    EdgeSettings,
    KafkaSettings,
    LimitSettings,
    ProcessSettings,
)
from signalink_core.web.revocations import Revocations
from signalink_notifications import app, public
from signalink_notifications.database import Database as Connections
from signalink_notifications.egress import SystemResolver
from signalink_notifications.parts import Parts
from signalink_notifications.settings import NotificationSettings, Settings
from signalink_stacks.local.testing import Database, ValkeyServer

PAGE, URL = "http://page.example", "http://notes.example"
GENEROUS = dict.fromkeys(LimitSettings.model_fields, 1_000_000)


def settings_of(folder: Path, database: Database, valkey: ValkeyServer, **kafka: Any) -> Settings:
    """Of a process beside this test's engines; without `kafka` it will find none."""
    secret = folder / "notifications-secret"
    secret.write_text("s" * 43)
    return Settings(
        process=ProcessSettings().named("notifications"),
        postgres=database.settings("notifications"),
        redis=valkey.settings("notifications"),
        kafka=KafkaSettings(**({"bootstrap": "127.0.0.1:1", "security": "plaintext"} | kafka)),
        auth=AuthSettings(),
        edge=EdgeSettings(ws_origins=(PAGE,)),
        limits=LimitSettings(**GENEROUS),
        notifications=NotificationSettings(secret_file=secret, url=URL),
    )


class Names:
    """A resolver that knows one public name, and one that leads inside."""

    async def resolve(self, host: str, port: int) -> Sequence[str]:
        known = {"example.org": ["93.184.216.34"], "inside.example": ["93.184.216.34", "10.0.0.1"]}
        if host == "later.example":
            raise TimeoutError
        return known.get(host) or await SystemResolver().resolve(host, port)


class Desk:
    """One running api; `call` speaks as a user, or as nobody."""

    def __init__(self, signer: TokenSigner, parts: Parts, client: httpx.AsyncClient) -> None:
        self.signer, self.parts, self.client = signer, parts, client

    async def call(self, user: UUID | None, method: str, path: str, **more: Any) -> httpx.Response:
        session = more.pop("session", None) or uuid4()
        bearer = {} if user is None else {"Authorization": f"Bearer {self.signer.access(user, session)}"}
        return await self.client.request(method, path, headers=bearer | more.pop("headers", {}), **more)

    async def get(self, user: UUID | None, path: str, **query: Any) -> httpx.Response:
        return await self.call(user, "GET", path, params=query)

    async def put(self, user: UUID | None, path: str, body: Any) -> httpx.Response:
        return await self.call(user, "PUT", path, json=body)

    async def patch(self, user: UUID | None, body: Any) -> httpx.Response:
        return await self.call(user, "PATCH", "/v1/preferences", json=body)

    async def delete(self, user: UUID | None, path: str) -> httpx.Response:
        return await self.call(user, "DELETE", path)


@asynccontextmanager
async def opened(settings: Settings, folder: Path) -> AsyncIterator[Desk]:
    """The routes with everything they need; Kafka is not."""
    async with AsyncExitStack() as stack:
        ring, enter = KeyRing.generate(folder / "keys"), stack.enter_async_context
        served = httpx.MockTransport(lambda _: httpx.Response(200, json=ring.jwks()))
        keys = await enter(JwksClient("http://api.example/jwks", transport=served))
        limiter = await enter(Limiter(settings.redis))
        database = await enter(Connections(settings.postgres, connections=4))
        revocations = await enter(Revocations(settings.postgres, Readiness()))
        parts = app.parts_of(settings, database, TokenVerifier(keys, "signalink"), revocations, limiter, Names())
        guarded = public.guarded(public.create_app(parts), settings, limiter)
        transport = httpx.ASGITransport(guarded)  # type: ignore[arg-type]
        client = await enter(httpx.AsyncClient(transport=transport, base_url=URL))
        yield Desk(TokenSigner(ring, "signalink"), parts, client)


@pytest.fixture
async def desk(noted: Database, valkey: ValkeyServer, tmp_path: Path) -> AsyncIterator[Desk]:
    async with opened(settings_of(tmp_path, noted, valkey), tmp_path) as made:
        yield made


def with_limits(settings: Settings, **limits: int) -> Settings:
    return replace(settings, limits=LimitSettings(**GENEROUS | limits))
