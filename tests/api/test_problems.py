"""Every refusal is a problem document with a code of the table, and says nothing it should not."""

from typing import Any

import httpx
import pytest
from apiworld import ORIGIN, MakeWorld, Person, World
from fastapi import FastAPI

import signalink_api
from signalink_api import app, problems
from signalink_core import errors
from signalink_core.ids import uuid7
from signalink_core.web import catalogue

JSON = {"Content-Type": "application/json"}

OWNERS = (signalink_api.__name__, errors.__name__, catalogue.__name__)


def checked(answer: httpx.Response, status: int, code: str) -> dict[str, Any]:
    body: dict[str, Any] = answer.json()
    assert (answer.status_code, body["code"]) == (status, code), answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert body["type"] == f"https://signalink.dev/problems/{code}"
    assert (body["status"], body["instance"]) == (status, answer.headers["x-request-id"])
    assert body["detail"]
    assert problems.CATALOGUE[code].status == status
    assert "Traceback" not in answer.text
    return body


async def test_a_path_that_does_not_exist(world: World) -> None:
    for path in (
        "/v1",
        "/v1/nothing",
        "/docs",
        "/openapi.json",
        "/metrics",
        "/healthz",
        "/faults",
        "/v1/channels/",
    ):
        checked(await world.http.get(path), 404, "not_found")


async def test_a_method_the_path_does_not_take(world: World) -> None:
    ann = await world.person()
    refused = await ann.call("PUT", "/v1/channels")
    checked(refused, 405, "method_not_allowed")
    assert refused.headers["allow"] == "GET, POST"
    checked(
        await ann.call("POST", "/v1/users/me", headers={"X-HTTP-Method-Override": "GET"}), 405, "method_not_allowed"
    )


async def test_a_body_that_is_not_json(world: World) -> None:
    ann = await world.person()
    for content in (b"{", b"\xff", b"NaN,", b""):
        refused = await ann.call("POST", "/v1/channels", content=content, headers=JSON)
        assert refused.status_code in {400, 422}
        checked(refused, refused.status_code, "bad_request" if refused.status_code == 400 else "validation")


async def test_a_body_of_another_media_type(world: World) -> None:
    ann = await world.person()
    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"):
        refused = await ann.call("POST", "/v1/channels", content=b"slug=a&name=b", headers={"Content-Type": kind})
        checked(refused, 415, "unsupported_media_type")


async def test_a_body_that_is_too_large_declared_or_not(world: World) -> None:
    ann = await world.person()
    large = b'{"slug": "' + b"x" * 300_000 + b'"}'

    async def chunks() -> Any:
        for start in range(0, len(large), 65_536):
            yield large[start : start + 65_536]

    checked(await ann.call("POST", "/v1/channels", content=large, headers=JSON), 413, "too_large")
    checked(await ann.call("POST", "/v1/channels", content=chunks(), headers=JSON), 413, "too_large")
    checked(await ann.call("GET", "/v1/users/me", headers={"X-Long": "x" * 17_000}), 413, "too_large")


async def test_a_host_this_api_does_not_serve(world: World) -> None:
    checked(await world.http.get("/.well-known/jwks.json", headers={"Host": "evil.example"}), 400, "host_refused")


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "null", f"{ORIGIN}.evil.example", ORIGIN.upper(), ORIGIN + "0"]
)
async def test_a_page_of_another_origin(world: World, origin: str) -> None:
    ann = await world.person()
    refused = await ann.call("POST", "/v1/ws-tickets", headers={"Origin": origin})
    checked(refused, 403, "origin_refused")
    assert "access-control-allow-origin" not in refused.headers


async def test_our_own_page_gets_cors_headers_for_its_exact_origin(world: World) -> None:
    asked = {
        "Origin": ORIGIN,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization",
    }
    preflight = await world.http.options("/v1/channels", headers=asked)
    assert preflight.status_code == 200
    assert preflight.headers["access-control-allow-origin"] == ORIGIN
    answer = await world.http.get("/.well-known/jwks.json", headers={"Origin": ORIGIN})
    assert "x-request-id" in answer.headers["access-control-expose-headers"].lower()


async def test_ids_that_are_none(world: World) -> None:
    ann = await world.person()
    for path in ("/v1/channels/x", "/v1/messages/1", "/v1/channels/%00"):
        checked(await ann.get(path), 422, "validation")
    checked(await ann.get(f"/v1/messages/{uuid7()}"), 404, "not_found")


async def test_a_mistake_of_ours_is_500_without_its_story(make_world: MakeWorld) -> None:
    world: World = await make_world()
    ann = await world.person()

    async def fall(*_: object, **__: object) -> None:
        raise ZeroDivisionError("the secret of the api")

    parts_of_app = _app_of(world).state.parts
    parts_of_app.users.me = fall
    refused = await ann.get("/v1/users/me")
    checked(refused, 500, "internal")
    assert "secret" not in refused.text
    assert "ZeroDivisionError" not in refused.text


async def test_the_request_id_of_the_caller_comes_back(world: World) -> None:
    answer = await world.http.get("/v1/nothing", headers={"X-Request-Id": "my-request-1"})
    assert answer.headers["x-request-id"] == "my-request-1"
    forged = await world.http.get("/v1/nothing", headers={"X-Request-Id": 'a"b'})
    assert forged.headers["x-request-id"] != 'a"b'


async def test_every_answer_carries_the_security_headers(world: World) -> None:
    ann = await world.person()
    for answer in (await ann.get("/v1/users/me"), await ann.get("/v1/nothing"), await world.register("ann\n")):
        assert answer.headers["content-security-policy"] == "default-src 'none'; frame-ancestors 'none'"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["cross-origin-opener-policy"] == "same-origin"


def test_every_error_that_can_reach_a_client_is_in_the_table() -> None:
    """A code that is not becomes `internal`, which would hide what the client should do."""
    hidden = {"configuration"}
    raised = {kind.code: kind.status for kind in _descendants(errors.SignalinkError)} | {"internal": 500}
    expected = {code: status for code, status in raised.items() if code not in hidden}
    assert expected == {code: row.status for code, row in problems.CATALOGUE.items()}


async def test_the_table_of_the_guard_and_of_the_app_give_one_form(world: World, make_world: MakeWorld) -> None:
    strict: World = await make_world(limits={"requests_per_second_per_ip": 1})
    answers = [await strict.http.get("/v1/nothing") for _ in range(5)]
    refused = next(answer for answer in answers if answer.status_code == 429)
    checked(refused, 429, "rate_limited")
    assert int(refused.headers["retry-after"]) >= 1


def _descendants(kind: type[errors.SignalinkError]) -> set[type[errors.SignalinkError]]:
    below = {inner for child in kind.__subclasses__() for inner in _descendants(child)}
    return {found for found in {kind, *below} if found.__module__.startswith(OWNERS)}


def _app_of(world: World) -> FastAPI:
    """The FastAPI app inside guard and CORS."""
    found: Any = world.api.asgi
    while not isinstance(found, FastAPI):
        found = getattr(found, "_app", None) or found.app
    return found


async def test_the_routes_are_all_known_to_the_405_answer(world: World) -> None:
    ann: Person = await world.person()
    for route in app.routes():
        path = route.path.replace("{channel_id}", str(uuid7())).replace("{user_id}", str(uuid7()))
        refused = await ann.call("TRACE", path.replace("{message_id}", str(uuid7())))
        assert refused.status_code == 405
        assert set(route.methods or ()) <= set(refused.headers["allow"].split(", "))
