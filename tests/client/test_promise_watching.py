"""Promises of the charts that watch, against pages as their servers answer, and against wrong ones.

The servers themselves come as images; what their pages look like is theirs.
"""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from signalink_core.testing import promise_watching
from signalink_core.testing.promise import promise_of
from signalink_core.testing.promising import Broken


class Watchers:
    """All four behind one address."""

    def __init__(self) -> None:
        self.targets: list[dict[str, Any]] = [{"health": "up", "labels": {"job": "api"}, "lastError": ""}]
        self.alerts: list[dict[str, Any]] = []
        self.traces: set[str] = set()
        self.sources = ["prometheus", "jaeger"]
        self.database, self.keeps = "ok", True

    async def serve(self, request: web.Request) -> web.Response:
        match request.method, request.path:
            case "GET", "/api/v1/targets":
                return web.json_response({"data": {"activeTargets": self.targets}})
            case "POST", "/api/v2/alerts":
                self.alerts = await request.json() if self.keeps else []
                return web.json_response({})
            case "GET", "/api/v2/alerts":
                return web.json_response(self.alerts)
            case "GET", "/api/health":
                return web.json_response({"database": self.database})
            case "GET", "/api/datasources":
                good = request.headers.get("Authorization") == "Basic YWRtaW46d29yZA=="
                return web.json_response([{"type": kind} for kind in self.sources], status=200 if good else 401)
            case "POST", "/v1/traces":
                body = await request.json()
                self.traces |= (
                    {body["resourceSpans"][0]["scopeSpans"][0]["spans"][0]["traceId"]} if self.keeps else set()
                )
                return web.json_response({})
        found = request.path.rpartition("/")[2] in self.traces
        return web.json_response({"data": [{}] if found else []}, status=200 if found else 404)


@pytest.fixture
async def watchers(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> AsyncIterator[Watchers]:
    found, application = Watchers(), web.Application()
    application.router.add_route("*", "/{path:.*}", found.serve)
    runner = web.AppRunner(application)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    (tmp_path / "word").write_text("word\n")
    monkeypatch.setenv("SIGNALINK_PROMISE_PASSWORD_FILE", str(tmp_path / "word"))
    monkeypatch.setenv("SIGNALINK_PROMISE_URL", url)
    monkeypatch.setenv("SIGNALINK_PROMISE_OTLP_URL", url)
    monkeypatch.setattr(promise_watching, "SECONDS", 1.5)
    try:
        yield found
    finally:
        await runner.cleanup()


@pytest.mark.parametrize("name", ["targets", "alerts", "sources", "spans"])
async def test_a_part_that_does_its_work_keeps_it(watchers: Watchers, name: str) -> None:
    await promise_of(name)()


@pytest.mark.parametrize(
    ("name", "wrong", "said"),
    [
        ("targets", {"targets": []}, "0 of 0 targets"),
        (
            "targets",
            {"targets": [{"health": "down", "labels": {"job": "relay"}, "lastError": "refused"}]},
            "1 of 1 targets are not up: relay: refused",
        ),
        ("alerts", {"keeps": False}, "does not know alert Promise"),
        ("sources", {"database": "failing"}, "database is failing"),
        ("sources", {"sources": ["prometheus"]}, "has the data sources"),
        ("spans", {"keeps": False}, "Jaeger answers 404"),
    ],
)
async def test_a_part_that_does_not_breaks_it(watchers: Watchers, name: str, wrong: dict[str, Any], said: str) -> None:
    for key, value in wrong.items():
        setattr(watchers, key, value)
    with pytest.raises((AssertionError, Broken), match=said):
        await promise_of(name)()
