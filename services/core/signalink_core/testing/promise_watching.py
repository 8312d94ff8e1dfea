"""Promises of the parts that watch: Prometheus scrapes, Alertmanager takes alerts, Grafana knows both, spans arrive."""

import os
import secrets
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import httpx

from signalink_core.settings import read_secret
from signalink_core.testing.promising import address, expect, until

SECONDS: Final = 40.0
SAMPLED: Final = 2
"""Code of an error in a span's status: such a trace is always kept."""


def _http(url: str, **options: Any) -> httpx.AsyncClient:
    return httpx.AsyncClient(base_url=url, timeout=5.0, trust_env=False, **options)


async def targets() -> None:
    """Prometheus: there are targets, and each one answered its last scrape."""
    async with _http(address("PROMISE_URL")) as http:

        async def up() -> int:
            answer = (await http.get("/api/v1/targets", params={"state": "active"})).raise_for_status().json()
            found = answer["data"]["activeTargets"]
            down = [one for one in found if one["health"] != "up"]
            if not found or down:
                who = ", ".join(sorted(f"{o['labels'].get('job')}: {o['lastError'] or o['health']}" for o in down))
                raise AssertionError(f"{len(down)} of {len(found)} targets are not up: {who}")
            return len(found)

        await until(up, SECONDS, every=1.0)


async def alerts() -> None:
    """Alertmanager: an alert that is sent is there, until it is ended."""
    name = f"Promise{secrets.token_hex(6)}"
    labels = {"alertname": name, "severity": "none"}
    async with _http(address("PROMISE_URL")) as http:
        (await http.post("/api/v2/alerts", json=[{"labels": labels}])).raise_for_status()

        async def there() -> bool:
            found = (await http.get("/api/v2/alerts", params={"filter": f'alertname="{name}"'})).raise_for_status()
            if [one["labels"] for one in found.json()] != [labels]:
                raise AssertionError(f"Alertmanager does not know alert {name}")
            return True

        await until(there, SECONDS, every=0.2)
        ended = (datetime.now(UTC) - timedelta(seconds=1)).isoformat()
        await http.post("/api/v2/alerts", json=[{"labels": labels, "endsAt": ended}])


async def sources() -> None:
    """Grafana: its database is good, and Prometheus and Jaeger are its data sources."""
    word = read_secret(Path(os.environ.get("SIGNALINK_PROMISE_PASSWORD_FILE", "")), "Grafana's admin") or ""
    async with _http(address("PROMISE_URL"), auth=("admin", word.strip())) as http:
        health = (await http.get("/api/health")).raise_for_status().json()
        expect(health.get("database") == "ok", f"Grafana's database is {health.get('database')}")
        found = (await http.get("/api/datasources")).raise_for_status().json()
        kinds = sorted({one["type"] for one in found})
        expect({"jaeger", "prometheus"} <= set(kinds), f"Grafana has the data sources {kinds}")


async def spans() -> None:
    """What is sent over OTLP to SIGNALINK_PROMISE_OTLP_URL can be read at Jaeger, SIGNALINK_PROMISE_URL."""
    trace, now = secrets.token_hex(16), time.time_ns()
    span = {
        "traceId": trace,
        "spanId": secrets.token_hex(8),
        "name": "promise",
        "kind": 1,
        "startTimeUnixNano": str(now - 1_000_000),
        "endTimeUnixNano": str(now),
        "status": {"code": SAMPLED},
    }
    who = {"attributes": [{"key": "service.name", "value": {"stringValue": "promise"}}]}
    body = {"resourceSpans": [{"resource": who, "scopeSpans": [{"spans": [span]}]}]}
    async with _http(address("PROMISE_OTLP_URL")) as http:
        (await http.post("/v1/traces", json=body)).raise_for_status()
    async with _http(address("PROMISE_URL")) as http:

        async def stored() -> bool:
            answer = await http.get(f"/api/traces/{trace}")
            if not answer.is_success or not answer.json().get("data"):
                raise AssertionError(f"Jaeger answers {answer.status_code} for the trace that was sent")
            return True

        await until(stored, SECONDS, every=0.5)
