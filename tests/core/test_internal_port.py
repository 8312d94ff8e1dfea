"""The internal port over real HTTP: health, readiness, metrics, fault control behind its token, 404 for the rest."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from signalink_core import faults
from signalink_core.errors import ConfigurationError
from signalink_core.internal import InternalServer
from signalink_core.readiness import Readiness
from signalink_core.settings import ProcessSettings
from signalink_core.telemetry import names

TOKEN = "a-long-enough-token"
DROP = {"point": "api.publish", "action": "drop", "rate": 0.1, "count": None, "delay_ms": None, "ttl_seconds": 60}


@pytest.fixture
def readiness() -> Readiness:
    return Readiness(["postgres"])


@pytest.fixture
async def plain(readiness: Readiness) -> AsyncIterator[httpx.AsyncClient]:
    async with (
        InternalServer(ProcessSettings(metrics_port=0), readiness) as server,
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{server.port}") as client,
    ):
        yield client


@pytest.fixture
async def with_faults(readiness: Readiness, tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    (tmp_path / "token").write_text(TOKEN)
    process = ProcessSettings(metrics_port=0, faults="on", faults_token_file=tmp_path / "token")
    faults.here.configure(process)
    async with (
        InternalServer(process, readiness) as server,
        httpx.AsyncClient(
            base_url=f"http://127.0.0.1:{server.port}", headers={"Authorization": f"Bearer {TOKEN}"}
        ) as client,
    ):
        yield client
    faults.here.configure(ProcessSettings(faults="off"))


async def test_live_says_yes_whatever_the_dependencies_say(plain: httpx.AsyncClient, readiness: Readiness) -> None:
    readiness.set("postgres", "down", "refused")
    answer = await plain.get("/healthz")
    assert (answer.status_code, answer.json()) == (200, {"live": True})


async def test_ready_follows_start_dependencies_and_drain(plain: httpx.AsyncClient, readiness: Readiness) -> None:
    async def ready() -> int:
        return (await plain.get("/readyz")).status_code

    assert await ready() == 503
    readiness.set("postgres", "ok")
    assert await ready() == 503
    readiness.start()
    assert await ready() == 200
    readiness.set("redis", "degraded", "polling heads")
    assert await ready() == 200
    readiness.set("postgres", "down", "connection refused")
    assert await ready() == 503
    readiness.set("postgres", "ok")
    readiness.drain()
    assert await ready() == 503


async def test_ready_says_which_dependency_and_why(plain: httpx.AsyncClient, readiness: Readiness) -> None:
    readiness.set("postgres", "down", "connection refused")
    body = (await plain.get("/readyz")).json()
    assert body["dependencies"] == {"postgres": {"state": "down", "detail": "connection refused"}}


async def test_metrics_are_plain_text_or_openmetrics(plain: httpx.AsyncClient) -> None:
    names.WS_GAPS_HEALED_TOTAL.inc()
    text = await plain.get("/metrics")
    assert "signalink_ws_gaps_healed_total " in text.text
    assert text.headers["content-type"].startswith("text/plain")
    openmetrics = await plain.get("/metrics", headers={"Accept": "application/openmetrics-text; version=1.0.0"})
    assert openmetrics.text.endswith("# EOF\n")
    assert openmetrics.headers["content-type"].startswith("application/openmetrics-text")


@pytest.mark.parametrize("path", ["/", "/faults", "/v1/channels", "/debug", "/docs", "/healthz/"])
async def test_everything_else_is_not_found_faults_too_while_they_are_off(plain: httpx.AsyncClient, path: str) -> None:
    answer = await plain.get(path)
    assert answer.status_code == 404
    assert answer.json()["code"] == "not_found"
    assert answer.headers["content-type"] == "application/problem+json"


async def test_only_reading_methods_reach_the_pages(plain: httpx.AsyncClient) -> None:
    assert (await plain.post("/metrics")).status_code == 404
    head = await plain.head("/readyz")
    assert (head.status_code, head.content) == (503, b"")


@pytest.mark.parametrize("header", [None, "", "Bearer", "Bearer wrong", f"Basic {TOKEN}", f"bearer {TOKEN}"])
async def test_fault_control_needs_its_token(with_faults: httpx.AsyncClient, header: str | None) -> None:
    headers = {} if header is None else {"Authorization": header}
    with_faults.headers.pop("Authorization")
    for method in ("GET", "PUT", "DELETE"):
        answer = await with_faults.request(method, "/faults", headers=headers, json=DROP)
        assert answer.status_code == 401, method
    assert not faults.here.active


async def test_a_fault_is_set_shown_and_ended(with_faults: httpx.AsyncClient) -> None:
    put = await with_faults.put("/faults", json=DROP)
    assert put.status_code == 200
    assert faults.here.active["api.publish"].fault.rate == 0.1
    shown = (await with_faults.get("/faults")).json()["faults"]
    assert [one["point"] for one in shown] == ["api.publish"]
    assert 'signalink_fault_active{point="api.publish"} 1.0' in (await with_faults.get("/metrics")).text
    await with_faults.put("/faults", json=DROP | {"point": "relay.lease"})
    await with_faults.delete("/faults", params={"point": "relay.lease"})
    assert set(faults.here.active) == {"api.publish"}
    await with_faults.delete("/faults")
    assert not faults.here.active


@pytest.mark.parametrize(
    ("content", "status"),
    [(b"{", 400), (b"[]", 400), (b'{"point":"nowhere","action":"drop"}', 400), (b"x" * 20_000, 413)],
)
async def test_a_wrong_body_is_a_problem_document(with_faults: httpx.AsyncClient, content: bytes, status: int) -> None:
    answer = await with_faults.put("/faults", content=content)
    assert answer.status_code == status
    assert answer.json()["detail"]


def test_faults_without_a_token_file_do_not_start(readiness: Readiness) -> None:
    with pytest.raises(ConfigurationError, match="SIGNALINK_FAULTS_TOKEN_FILE"):
        InternalServer(ProcessSettings(faults="on"), readiness)


async def test_it_answers_while_the_public_app_is_stuck(plain: httpx.AsyncClient) -> None:
    stuck = asyncio.create_task(asyncio.Event().wait())
    assert (await plain.get("/healthz")).status_code == 200
    stuck.cancel()


@pytest.fixture
async def with_views(readiness: Readiness, tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    (tmp_path / "token").write_text(TOKEN)
    process = ProcessSettings(metrics_port=0, inspect_token_file=tmp_path / "token")
    async with (
        InternalServer(process, readiness, {"channel": lambda query: {"id": query.get("id")}}) as server,
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{server.port}") as client,
    ):
        yield client


async def test_what_a_process_shows_of_itself_needs_the_token(with_views: httpx.AsyncClient) -> None:
    key = {"Authorization": f"Bearer {TOKEN}"}
    shown = await with_views.get("/debug/channel?id=7", headers=key)
    assert (shown.status_code, shown.json()) == (200, {"id": "7"})
    for wrong in ({}, {"Authorization": f"Bearer {TOKEN}x"}, {"Authorization": TOKEN}):
        assert (await with_views.get("/debug/channel", headers=wrong)).status_code == 401
    unknown = await with_views.get("/debug/tasks", headers=key)
    assert (unknown.status_code, unknown.json()["detail"]) == (404, "This process shows: channel.")
    assert (await with_views.post("/debug/channel", headers=key)).status_code == 404


async def test_without_a_token_nothing_is_shown(plain: httpx.AsyncClient) -> None:
    assert (await plain.get("/debug/channel", headers={"Authorization": "Bearer None"})).status_code == 404
