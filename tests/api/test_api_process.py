"""One api as a process of its own: start, the internal port, drain on SIGTERM, honest failures."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from apiworld import PASSWORD

from signalink_core.auth.keys import KeyRing
from signalink_core.settings import PostgresSettings, RedisSettings
from signalink_core.testing import eventually
from signalink_stacks.local.testing import Database, ValkeyServer


@dataclass
class Process:
    """A child and what it logged."""

    child: asyncio.subprocess.Process
    lines: list[dict[str, Any]] = field(default_factory=list)

    def ports(self) -> list[int]:
        return [line["port"] for line in self.lines if line["event"] == "http_accepting"]

    async def read(self) -> None:
        assert self.child.stdout is not None
        async for line in self.child.stdout:
            self.lines.append(json.loads(line))

    async def started(self) -> tuple[str, str]:
        """(public, internal) base addresses; the internal port opens first."""
        internal, public = await eventually(lambda: self.ports()[:2] if len(self.ports()) > 1 else None, within=30)
        return f"http://127.0.0.1:{public}", f"http://127.0.0.1:{internal}"


@asynccontextmanager
async def running(environment: dict[str, str]) -> AsyncIterator[Process]:
    child = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "signalink_api",
        env={"PATH": os.environ["PATH"], **environment},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    process = Process(child)
    reading = asyncio.ensure_future(process.read())
    try:
        yield process
    finally:
        if child.returncode is None:
            child.kill()
        await child.wait()
        await reading


def environment_of(folder: Path, postgres: PostgresSettings, redis: RedisSettings, **more: str) -> dict[str, str]:
    keys, secret = folder / "keys", folder / "secret"
    if not keys.exists():
        KeyRing.generate(keys)
        secret.write_bytes(b"s" * 32)
    return {
        "SIGNALINK_POSTGRES_DSN": postgres.dsn,
        "SIGNALINK_POSTGRES_PASSWORD_FILE": str(postgres.password_file),
        "SIGNALINK_REDIS_URL": redis.url,
        "SIGNALINK_REDIS_PASSWORD_FILE": str(redis.password_file),
        "SIGNALINK_AUTH_KEYS_DIR": str(keys),
        "SIGNALINK_AUTH_SECRET_FILE": str(secret),
        "SIGNALINK_LIMITS_POSTS_PER_SECOND_PER_USER": "100000",
        "SIGNALINK_LIMITS_REQUESTS_PER_SECOND_PER_USER": "100000",
        "SIGNALINK_LIMITS_REQUESTS_PER_SECOND_PER_IP": "100000",
        **more,
    }


Environment = Callable[..., dict[str, str]]


@pytest.fixture
def environment(database: Database, valkey: ValkeyServer, tmp_path: Path) -> Environment:
    def make(**more: str) -> dict[str, str]:
        return environment_of(tmp_path, database.settings("api"), valkey.settings("api"), **more)

    return make


async def signed_in(http: httpx.AsyncClient) -> None:
    await http.post("/v1/auth/register", json={"username": "ann", "email": "a@example.org", "password": PASSWORD})
    login = await http.post("/v1/auth/login", json={"username": "ann", "password": PASSWORD})
    http.headers["Authorization"] = f"Bearer {login.json()['access_token']}"


async def ready(address: str) -> bool:
    async with httpx.AsyncClient(base_url=address) as http:
        return (await http.get("/readyz")).status_code == 200


async def test_the_public_port_serves_the_product_and_the_internal_one_the_rest(environment: Environment) -> None:
    async with running(environment()) as process:
        public, internal = await process.started()
        await eventually(lambda: ready(internal))
        async with httpx.AsyncClient(base_url=public) as http:
            await signed_in(http)
            for path in ("/metrics", "/healthz", "/readyz", "/faults"):
                assert (await http.get(path)).status_code == 404
        async with httpx.AsyncClient(base_url=internal) as http:
            page = (await http.get("/metrics")).text
            assert (await http.get("/v1/users/me")).status_code == 404
        assert 'http_route="/v1/auth/login",method="POST",status="200"' in page
        process.child.send_signal(signal.SIGTERM)
        assert await process.child.wait() == 0
    text = json.dumps(process.lines)
    assert PASSWORD not in text
    assert "a@example.org" not in text


async def test_sigterm_under_load_loses_no_acknowledged_post_and_exits_zero(
    environment: Environment, database: Database
) -> None:
    acknowledged: list[str] = []
    async with running(environment()) as process:
        public, internal = await process.started()
        await eventually(lambda: ready(internal))
        async with httpx.AsyncClient(base_url=public) as http:
            await signed_in(http)
            channel = (await http.post("/v1/channels", json={"slug": "c", "name": "C"})).json()["id"]

            async def post(client: int) -> None:
                for n in range(10_000):
                    try:
                        key = f"{client}-{n}"
                        path = f"/v1/channels/{channel}/messages"
                        answer = await http.post(path, json={"client_id": key, "body": "x"})
                    except httpx.TransportError:
                        return
                    if answer.status_code != 201:
                        return
                    acknowledged.append(key)

            posting = asyncio.gather(*(post(client) for client in range(8)))
            await eventually(lambda: len(acknowledged) > 100)
            process.child.send_signal(signal.SIGTERM)
            await posting
        assert await asyncio.wait_for(process.child.wait(), 60) == 0
    connection = await database.connect()
    rows = await connection.fetch("SELECT client_id FROM messaging.messages ORDER BY seq")
    (last,) = await connection.fetch("SELECT last_seq FROM messaging.channels")
    await connection.close()
    stored = [row["client_id"] for row in rows]
    assert set(acknowledged) <= set(stored)
    assert len(stored) == len(set(stored)) == last["last_seq"]


async def test_during_an_outage_it_keeps_its_place_in_the_service_and_answers_503(
    environment: Environment, database: Database
) -> None:
    async with running(environment()) as process:
        public, internal = await process.started()
        await eventually(lambda: ready(internal), within=15)
        database.engine.stop()
        try:
            async with httpx.AsyncClient(base_url=internal) as http:

                async def noticed() -> bool:
                    return (await http.get("/readyz?all")).status_code == 503

                await eventually(noticed, within=10)
                answer = await http.get("/readyz")
                assert (answer.status_code, answer.json()["whole"]) == (200, False)
                assert answer.json()["dependencies"]["postgres"]["state"] == "down"
            async with httpx.AsyncClient(base_url=public, timeout=6) as http:
                refused = await http.post("/v1/auth/login", json={"username": "ann", "password": PASSWORD})
            assert (refused.status_code, refused.json()["code"]) == (503, "unavailable")
            assert refused.headers["content-type"] == "application/problem+json"
            assert int(refused.headers["retry-after"]) >= 1
        finally:
            database.engine.start()
        async with httpx.AsyncClient(base_url=internal) as http:

            async def whole() -> bool:
                return (await http.get("/readyz?all")).status_code == 200

            await eventually(whole, within=15)


async def test_it_starts_before_its_database_and_becomes_ready_with_it(
    environment: Environment, database: Database
) -> None:
    database.engine.stop()
    try:
        async with running(environment()) as process:
            public, internal = await process.started()
            async with httpx.AsyncClient(base_url=internal) as http:
                assert (await http.get("/healthz")).status_code == 200
                assert (await http.get("/readyz")).status_code == 503
            async with httpx.AsyncClient(base_url=public) as http:
                refused = await http.post("/v1/auth/login", json={"username": "ann", "password": PASSWORD})
                assert (refused.status_code, refused.json()["code"]) == (503, "unavailable")
            database.engine.start()
            await eventually(lambda: ready(internal), within=15)
            process.child.send_signal(signal.SIGTERM)
            assert await process.child.wait() == 0
    finally:
        if database.engine.process is None:
            database.engine.start()


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"SIGNALINK_AUTH_KEYS_DIR": ""}, "SIGNALINK_AUTH_KEYS_DIR"),
        ({"SIGNALINK_AUTH_KEYS_DIR": "/nonexistent"}, "/nonexistent"),
        ({"SIGNALINK_AUTH_SECRET_FILE": ""}, "SIGNALINK_AUTH_SECRET_FILE"),
        ({"SIGNALINK_POSTGRES_DSN": ""}, "SIGNALINK_POSTGRES_DSN"),
        ({"SIGNALINK_API_REFRESH_DAYS": "soon"}, "SIGNALINK_API_REFRESH_DAYS"),
        ({"SIGNALINK_API_TRUSTED_PROXIES": "10.0.0.0/99"}, "SIGNALINK_API_TRUSTED_PROXIES"),
    ],
)
async def test_a_wrong_setting_ends_the_start_with_what_why_and_next(
    environment: Environment, change: dict[str, str], named: str
) -> None:
    async with running(environment(**change)) as process:
        assert await asyncio.wait_for(process.child.wait(), 90) == 64
    failed = process.lines[-1]
    assert failed["event"] == "process_failed"
    assert named in failed["what"]
    assert failed["next"]


async def test_a_port_in_use_is_said_so(environment: Environment) -> None:
    async with running(environment()) as first:
        public, _ = await first.started()
        taken = public.rpartition(":")[2]
        async with running(environment(SIGNALINK_HTTP_PORT=taken)) as second:
            assert await asyncio.wait_for(second.child.wait(), 90) == 64
        assert taken in second.lines[-1]["what"]
