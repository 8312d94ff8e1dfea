"""JwksClient against a scripted api on virtual time: caching, the unknown-kid bound, outages, wrong answers."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from signalink_core.auth.jwks import JwksClient
from signalink_core.auth.keys import KeyRing
from signalink_core.errors import DependencyUnavailable
from signalink_core.http import HttpServer
from signalink_core.testing import eventually

URL = "http://api.example/.well-known/jwks.json"
Answer = Callable[[httpx.Request], httpx.Response]


class Api:
    """The other side: what it answers, how often it was asked, and the client's clock."""

    def __init__(self) -> None:
        self.ring = KeyRing({"key-1": Ed25519PrivateKey.generate()})
        self.asked = 0
        self.now = 1000.0
        self.answer: Answer = lambda _: httpx.Response(200, json=self.ring.jwks())

    async def respond(self, request: httpx.Request) -> httpx.Response:
        self.asked += 1
        await asyncio.sleep(0)
        return self.answer(request)

    def client(self) -> JwksClient:
        return JwksClient(URL, transport=httpx.MockTransport(self.respond), clock=lambda: self.now)

    def rotate(self) -> None:
        self.ring = KeyRing({**self.ring._private, "key-2": Ed25519PrivateKey.generate()})

    def fail(self, _: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused")


@pytest.fixture
def api() -> Api:
    return Api()


async def test_keys_are_fetched_once_also_by_many_at_once(api: Api) -> None:
    async with api.client() as client:
        keys = await asyncio.gather(*(client.key("key-1") for _ in range(20)))
    assert keys == [await api.ring.key("key-1")] * 20
    assert api.asked == 1


async def test_an_unknown_key_asks_again_at_most_once_a_minute(api: Api) -> None:
    async with api.client() as client:
        await client.key("key-1")
        for second in range(120):
            assert await client.key(f"unknown-{second}") is None
            api.now += 1
    assert api.asked == 1 + 1  # at the start, then after 60 s; the flood itself asked for nothing


async def test_a_new_key_is_found_within_a_minute_of_its_first_use(api: Api) -> None:
    async with api.client() as client:
        await client.key("key-1")
        api.rotate()
        assert await client.key("key-2") is None
        api.now += 60
        assert await client.key("key-2") is not None


async def test_an_old_cache_is_renewed_behind_the_answer(api: Api) -> None:
    async with api.client() as client:
        before = await client.key("key-1")
        api.now += 601
        api.ring = KeyRing({"key-3": Ed25519PrivateKey.generate()})
        assert await client.key("key-1") == before
        await eventually(lambda: api.asked == 2)
        await eventually(lambda: "key-3" in client._keys)
        assert await client.key("key-1") is None


async def test_known_keys_outlive_an_outage(api: Api) -> None:
    async with api.client() as client:
        before = await client.key("key-1")
        api.answer = api.fail
        for _ in range(100):
            api.now += 60
            assert await client.key("key-1") == before


async def test_without_any_key_the_answer_is_unavailable_not_refused(api: Api) -> None:
    api.answer = api.fail
    async with api.client() as client:
        for _ in range(5):
            with pytest.raises(DependencyUnavailable):
                await client.key("key-1")
        assert api.asked == 1
        api.now += 1
        api.answer = lambda _: httpx.Response(200, json=api.ring.jwks())
        assert await client.key("key-1") is not None


WRONG_ANSWERS: dict[str, Callable[[KeyRing], httpx.Response]] = {
    "error": lambda ring: httpx.Response(500, json=ring.jwks()),
    "redirect": lambda ring: httpx.Response(302, headers={"Location": "http://evil.example/"}),
    "html": lambda ring: httpx.Response(200, text="<html>"),
    "shape": lambda ring: httpx.Response(200, json={"keys": "none"}),
    "size": lambda ring: httpx.Response(200, content=orjson.dumps(ring.jwks()) + b" " * 70_000),
}


@pytest.mark.parametrize("wrong", WRONG_ANSWERS)
async def test_a_wrong_answer_is_an_outage(api: Api, wrong: str) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        evil = request.url.host == "evil.example"
        return httpx.Response(200, json=api.ring.jwks()) if evil else WRONG_ANSWERS[wrong](api.ring)

    api.answer = answer
    async with api.client() as client:
        with pytest.raises(DependencyUnavailable):
            await client.key("key-1")


async def test_a_client_must_be_started() -> None:
    with pytest.raises(RuntimeError, match="async with"):
        await JwksClient(URL).key("key-1")


async def test_a_folder_of_keys_served_over_real_http_verifies(tmp_path: Path) -> None:

    ring = KeyRing.generate(tmp_path)

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": orjson.dumps(ring.jwks())})

    async with (
        HttpServer(app, host="127.0.0.1", port=0) as server,
        JwksClient(f"http://127.0.0.1:{server.port}/") as client,
    ):
        kid = ring.signing[0]
        assert await client.key(kid) == await ring.key(kid)
