"""The guard as middleware around a FastAPI app: order of controls, refusals on both transports, headers, metrics."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, MutableMapping
from typing import Any

import fastapi
import httpx
import pytest

from signalink_core.errors import Conflict, RateLimited
from signalink_core.guard import controls
from signalink_core.guard.asgi import Guard, Policy
from signalink_core.guard.rules import Rule, Rules
from signalink_core.guard.view import Transport
from signalink_core.settings import LimitSettings
from signalink_core.telemetry import metrics
from signalink_core.telemetry.trace import current_traceparent
from signalink_core.testing import eventually

Message = MutableMapping[str, Any]
ORIGIN = "https://app.example"
RULES = Rules.of(LimitSettings())
POLICY = Policy(RULES, origins=[ORIGIN], hosts=controls.hosts_of("http://api.example"))
PARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00"


class Limits:
    """Refuses the addresses in `full`; remembers what was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, object, str]] = []
        self.full: set[object] = set()

    async def hit(self, rule: Rule, key: object, *, transport: Transport) -> None:
        self.asked.append((rule.scope, key, transport))
        if key in self.full:
            raise RateLimited("Too many.", retry_after=3, scope=rule.scope)


def build() -> fastapi.FastAPI:
    app = fastapi.FastAPI()

    @app.get("/things/{thing_id}")
    async def thing(thing_id: str, request: fastapi.Request) -> dict[str, Any]:
        return {"id": thing_id, "trace": current_traceparent(), **request.scope["state"]}

    @app.post("/things")
    async def take(request: fastapi.Request) -> dict[str, int]:
        return {"bytes": len(await request.body())}

    @app.post("/parsed")
    async def parsed(body: dict[str, Any]) -> int:
        return len(body)

    @app.get("/own")
    async def own(response: fastapi.Response) -> None:
        response.headers["Content-Security-Policy"] = "default-src 'self'"

    @app.websocket("/socket")
    async def socket(websocket: fastapi.WebSocket) -> None:
        await websocket.accept()
        await websocket.close()

    return app


@pytest.fixture
def limits() -> Limits:
    return Limits()


@pytest.fixture
def guard(limits: Limits) -> Guard:
    return Guard(build(), policy=POLICY, limits=limits)


@pytest.fixture
async def client(guard: Guard) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(guard, client=("192.0.2.7", 5000))
    async with httpx.AsyncClient(transport=transport, base_url="http://api.example") as made:
        yield made


async def connect(guard: Guard, *headers: tuple[bytes, bytes], extensions: bool = True) -> list[Message]:
    """What the guard and its app send to a WebSocket handshake."""
    sent: list[Message] = []
    incoming: list[Message] = [{"type": "websocket.connect"}]

    async def receive() -> Message:
        return incoming.pop(0) if incoming else {"type": "websocket.disconnect", "code": 1005}

    async def send(message: Message) -> None:
        sent.append(message)

    scope: Message = {
        "type": "websocket",
        "path": "/socket",
        "client": ("192.0.2.7", 1),
        "headers": [(b"host", b"api.example"), *headers],
        "query_string": b"",
        "subprotocols": [],
        "extensions": {"websocket.http.response": {}} if extensions else {},
    }
    await guard(scope, receive, send)
    return sent


async def test_a_request_reaches_the_app_with_its_ids(client: httpx.AsyncClient) -> None:
    answer = await client.get("/things/7", headers={"X-Request-ID": "request-0001", "traceparent": PARENT})
    body = answer.json()
    assert (body["id"], body["request_id"], body["client_ip"]) == ("7", "request-0001", "192.0.2.7")
    assert answer.headers["x-request-id"] == "request-0001"
    _, trace_id, span_id, flags = body["trace"].split("-")
    assert (trace_id, flags) == (PARENT.split("-")[1], "01")
    assert span_id != PARENT.split("-")[2]


@pytest.mark.parametrize("path", ["/things/7", "/missing"])
async def test_every_answer_carries_the_security_headers(client: httpx.AsyncClient, path: str) -> None:
    answer = await client.get(path)
    for name, value in controls.SECURITY_HEADERS:
        assert answer.headers[name.decode()] == value.decode()
    assert "strict-transport-security" not in answer.headers


async def test_a_header_the_app_set_itself_is_left_alone(client: httpx.AsyncClient) -> None:
    answer = await client.get("/own")
    assert answer.headers.get_list("content-security-policy") == ["default-src 'self'"]


async def test_over_tls_hsts_is_sent(limits: Limits) -> None:
    guard = Guard(build(), policy=Policy(RULES, tls=True), limits=limits)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(guard), base_url="http://any") as client:
        assert "max-age" in (await client.get("/things/1")).headers["strict-transport-security"]


async def test_refusals_are_problem_documents(client: httpx.AsyncClient, limits: Limits) -> None:
    host = await client.get("/things/7", headers={"Host": "evil.example"})
    origin = await client.post("/things", headers={"Origin": "https://evil.example"})
    size = await client.post("/things", content=b"x" * (256 * 1024 + 1))
    limits.full.add("192.0.2.7")
    rate = await client.get("/things/7")
    assert [answer.status_code for answer in (host, origin, size, rate)] == [400, 403, 413, 429]
    for answer, code in zip(
        (host, origin, size, rate), ("host_refused", "origin_refused", "too_large", "rate_limited"), strict=True
    ):
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["code"] == code
        assert answer.json()["instance"] == answer.headers["x-request-id"]
        assert answer.headers["x-content-type-options"] == "nosniff"
    assert rate.headers["retry-after"] == "3"


async def test_a_refused_host_costs_no_limit_and_a_refused_origin_does(
    client: httpx.AsyncClient, limits: Limits
) -> None:
    await client.get("/things/7", headers={"Host": "evil.example"})
    assert limits.asked == []
    await client.post("/things", headers={"Origin": "https://evil.example"})
    assert limits.asked == [("requests_ip", "192.0.2.7", "http")]


@pytest.mark.parametrize("path", ["/things", "/parsed"])
async def test_a_body_of_unknown_length_is_counted_while_it_comes(client: httpx.AsyncClient, path: str) -> None:
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        while sent < 10_000_000:
            sent += 64 * 1024
            yield b"x" * 64 * 1024

    answer = await client.post(path, content=endless(), headers={"Content-Type": "application/json"})
    assert answer.status_code == 413
    assert answer.json()["code"] == "too_large"


async def test_a_body_that_does_not_arrive_in_time_is_refused(limits: Limits) -> None:
    guard = Guard(build(), policy=Policy(RULES, body_seconds=0.05), limits=limits)

    async def stalled() -> AsyncIterator[bytes]:
        yield b"x"
        await asyncio.Event().wait()

    async with httpx.AsyncClient(transport=httpx.ASGITransport(guard), base_url="http://any") as client:
        answer = await client.post("/things", content=stalled())
    assert (answer.status_code, answer.json()["code"]) == (400, "bad_request")


async def test_a_slow_answer_is_not_a_slow_body(limits: Limits) -> None:
    async def slow(scope: Message, receive: Any, send: Any) -> None:
        over = time.monotonic() + 0.1
        await eventually(lambda: time.monotonic() > over)
        assert (await receive())["type"] == "http.request"
        over = time.monotonic() + 0.1
        await eventually(lambda: time.monotonic() > over)
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"late"})

    guard = Guard(slow, policy=Policy(RULES, body_seconds=0.05), limits=limits)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(guard), base_url="http://any") as client:
        assert (await client.post("/", content=b"x")).text == "late"


async def test_a_body_at_the_bound_passes(client: httpx.AsyncClient) -> None:
    async def parts() -> AsyncIterator[bytes]:
        for _ in range(4):
            yield b"x" * 64 * 1024

    assert (await client.post("/things", content=parts())).json() == {"bytes": 256 * 1024}


@pytest.mark.parametrize(
    ("error", "status", "code"), [(Conflict("Taken."), 409, "conflict"), (ZeroDivisionError("secret"), 500, "internal")]
)
async def test_what_an_app_lets_escape_becomes_a_problem(error: Exception, status: int, code: str) -> None:
    async def bare(scope: Message, receive: Any, send: Any) -> None:
        raise error

    outer = Guard(bare, policy=POLICY, limits=Limits())
    async with httpx.AsyncClient(transport=httpx.ASGITransport(outer), base_url="http://api.example") as client:
        answer = await client.get("/")
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert "secret" not in answer.text


async def test_requests_are_measured_by_route_not_by_path(client: httpx.AsyncClient) -> None:
    for thing in range(3):
        await client.get(f"/things/{thing}")
    await client.get("/nowhere/1")
    await client.request("BREW", "/things/1")
    page = metrics.page("")[0].decode()
    series = 'http_server_request_duration_seconds_count{{http_route="{}",method="{}",status="{}"}}'
    assert series.format("/things/{thing_id}", "GET", 200) in page
    assert series.format("unmatched", "GET", 404) in page
    assert 'method="BREW"' not in page
    assert "/things/2" not in page
    assert "/nowhere" not in page


async def test_a_socket_with_a_listed_origin_is_accepted(guard: Guard, limits: Limits) -> None:
    sent = await connect(guard, (b"origin", ORIGIN.encode()))
    assert [message["type"] for message in sent] == ["websocket.accept", "websocket.close"]
    assert limits.asked == [("connects_ip", "192.0.2.7", "websocket")]


@pytest.mark.parametrize("headers", [[], [(b"origin", b"https://evil.example")], [(b"origin", b"null")]])
async def test_a_socket_of_a_foreign_origin_is_refused_before_the_101(
    guard: Guard, headers: list[tuple[bytes, bytes]]
) -> None:
    start, body = await connect(guard, *headers)
    assert (start["type"], start["status"]) == ("websocket.http.response.start", 403)
    assert json.loads(body["body"])["code"] == "origin_refused"


async def test_a_server_without_the_response_extension_refuses_by_closing(guard: Guard) -> None:
    (close,) = await connect(guard, extensions=False)
    assert close == {"type": "websocket.close", "code": 1008}


async def test_a_socket_over_the_limit_is_refused_before_the_101(guard: Guard, limits: Limits) -> None:
    limits.full.add("192.0.2.7")
    start, _ = await connect(guard, (b"origin", ORIGIN.encode()))
    assert start["status"] == 429
    assert (b"retry-after", b"3") in start["headers"]


async def test_lifespan_passes_untouched() -> None:
    seen: list[str] = []

    async def app(scope: Message, receive: Any, send: Any) -> None:
        seen.append(scope["type"])

    await Guard(app, policy=POLICY, limits=Limits())({"type": "lifespan"}, asyncio.sleep, asyncio.sleep)  # type: ignore[arg-type]
    assert seen == ["lifespan"]
