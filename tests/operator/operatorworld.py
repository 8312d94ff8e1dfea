"""The operator with its two worlds: a Kubernetes API (emulated or real) as a user speaks to it, and Kafka's topics."""

import asyncio
import copy
import os
import ssl
import uuid
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import kopf
import pytest
import yaml

from signalink_core.settings import KafkaSettings, ProcessSettings
from signalink_core.testing import eventually
from signalink_operator import app, model, settings
from signalink_operator.adapters import login
from signalink_operator.kinds.channels import Channels
from signalink_operator.kinds.topics import Topics

COLLECTED_SECONDS = 75.0
"""kube-controller-manager looks every 30 s whether there are new definitions whose garbage it should collect."""
CRDS = Path(__file__).resolve().parents[2] / "operator" / "crds"
NOWHERE = KafkaSettings(bootstrap="127.0.0.1:1", security="plaintext")


def resource(
    name: str = "t", namespace: str = "default", version: int = 1, deleted: str | None = None, **document: Any
) -> model.Resource:
    """A Topic (or another `kind`) as the API shows it."""
    return model.Resource(
        key=model.Key(document.get("kind", "Topic"), namespace, name),
        uid=document.get("uid", f"uid-{namespace}-{name}"),
        version=version,
        generation=document.get("generation", 1),
        created=document.get("created", "2026-01-01T00:00:00Z"),
        deleted=deleted,
        finalizers=tuple(document.get("finalizers", ())),
        labels=document.get("labels", {}),
        annotations=document.get("annotations", {}),
        spec=document.get("spec", {}),
        status=document.get("status", {}),
        owners=tuple(document.get("owners", ())),
    )


@dataclass
class Api:
    """What a user does with kubectl, over HTTP, in one namespace of its own; `of` is the same for another kind."""

    access: kopf.ConnectionInfo
    namespace: str
    kind: str = "Topic"
    http: httpx.AsyncClient = field(init=False)

    def __post_init__(self) -> None:
        connection = login.connection(self.access)
        self.http = httpx.AsyncClient(
            base_url=connection.server,
            headers=connection.headers(),
            verify=connection.ssl or ssl.create_default_context(),
            timeout=20,
        )

    def of(self, kind: str) -> "Api":
        view = copy.copy(self)
        view.kind = kind
        return view

    async def call(self, method: str, path: str, body: Any = None, kind: str = "application/json") -> httpx.Response:
        return await self.http.request(method, path, json=body, headers={"Content-Type": kind})

    def path(self, name: str = "", namespace: str | None = None) -> str:
        where = f"/apis/signalink.dev/v1/namespaces/{namespace or self.namespace}/{model.PLURALS[self.kind]}"
        return f"{where}/{name}" if name else where

    async def apply(self, name: str, spec: Mapping[str, Any] | None = None, **meta: Any) -> httpx.Response:
        """Create a resource; annotations, labels, finalizers, namespace as keywords."""
        namespace = meta.pop("namespace", None)
        body = {
            "apiVersion": "signalink.dev/v1",
            "kind": self.kind,
            "metadata": {"name": name, **meta},
            "spec": dict(spec or {}),
        }
        return await self.call("POST", self.path(namespace=namespace), body)

    async def edit(self, name: str, patch: Mapping[str, Any], namespace: str | None = None) -> httpx.Response:
        return await self.call(
            "PATCH", self.path(name, namespace=namespace), dict(patch), "application/merge-patch+json"
        )

    async def put_status(self, name: str, status: Mapping[str, Any]) -> None:
        """Write into the status, as only the operator should."""
        answer = await self.call(
            "PATCH", f"{self.path(name)}/status", {"status": dict(status)}, "application/merge-patch+json"
        )
        answer.raise_for_status()

    async def annotate(self, name: str, **annotations: str | None) -> None:
        named = {f"signalink.dev/{key.replace('_', '-')}": value for key, value in annotations.items()}
        (await self.edit(name, {"metadata": {"annotations": named}})).raise_for_status()

    async def delete(self, name: str, namespace: str | None = None) -> None:
        (await self.call("DELETE", self.path(name, namespace=namespace))).raise_for_status()

    async def read(self, name: str, namespace: str | None = None) -> dict[str, Any] | None:
        answer = await self.call("GET", self.path(name, namespace=namespace))
        if answer.status_code == 404:
            return None
        return dict(answer.raise_for_status().json())

    async def events(self, name: str) -> list[dict[str, Any]]:
        answer = await self.call("GET", f"/api/v1/namespaces/{self.namespace}/events")
        about = (self.kind, name)
        items = answer.raise_for_status().json()["items"]
        return [i for i in items if (i["involvedObject"]["kind"], i["involvedObject"]["name"]) == about]

    # -- what a test waits for -----------------------------------------------------------------------------------------

    async def condition(self, name: str, kind: str = "Ready", namespace: str | None = None) -> dict[str, Any]:
        body = await self.read(name, namespace)
        conditions = (body or {}).get("status", {}).get("conditions", [])
        return next((dict(item) for item in conditions if item["type"] == kind), {})

    async def until(self, name: str, status: str, reason: str | None = None, kind: str = "Ready") -> dict[str, Any]:
        """The condition once it has this status and reason, at the newest generation."""

        async def there() -> dict[str, Any] | None:
            body = await self.read(name)
            found = await self.condition(name, kind)
            assert found.get("status") == status, (body or {}).get("status")
            assert reason is None or found["reason"] == reason, found
            assert body is not None
            assert found["observedGeneration"] == body["metadata"]["generation"]
            return found

        found = await eventually(there, within=20)
        assert found is not None
        return found

    async def gone(self, name: str, within: float = 20) -> None:
        async def away() -> bool:
            return await self.read(name) is None

        await eventually(away, within=within)


@dataclass
class World:
    """One operator at work in `api.namespace`."""

    api: Api
    operator: app.Operator
    topics: Topics

    async def settled(self) -> None:
        """Nothing waits and nothing is worked on."""
        await eventually(lambda: self.operator.queue.idle, within=20)

    async def full_pass(self) -> None:
        await self.settled()
        await self.operator.intake.full_pass()
        await self.settled()


def renew(token_file: Path, token: str) -> None:
    """Somebody puts another service token into the file."""
    token_file.write_text(f"{token}\n", encoding="utf-8")


def own_settings(namespace: str, **options: Any) -> settings.Settings:
    given = {
        "namespace": namespace,
        "watch_namespaces": (namespace,),
        "batch_wait_ms": 5,
        "retry_seconds": 0.2,
        "canary_seconds": 0,
        "resync_seconds": 3600,
    }
    operator = settings.OperatorSettings(**(given | options))
    return settings.Settings(ProcessSettings().named("operator"), NOWHERE, operator)


@asynccontextmanager
async def working(
    api: Api,
    topics: Topics,
    ready: Callable[[app.Operator], None] | None = None,
    channels: Channels | None = None,
    **options: Any,
) -> AsyncIterator[World]:
    """The operator from start to stop; an error that crashes a part is raised here."""
    operator = app.Operator(own_settings(api.namespace, **options), topics, api.access, channels=channels)
    if ready is not None:
        ready(operator)
    async with operator:
        waiting = asyncio.ensure_future(operator.working.wait())
        done, _ = await asyncio.wait({waiting, operator.failed}, timeout=30, return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        if operator.failed in done:
            raise operator.failed.result()
        assert done, "the operator did not start to work in 30 s"
        yield World(api, operator, topics)


def real_access() -> kopf.ConnectionInfo:
    """The cluster that KUBECONFIG names; without one the test is skipped, or fails where `kube` is required."""
    if os.environ.get("KUBECONFIG"):
        found = kopf.login_with_kubeconfig(settings=kopf.OperatorSettings())
        assert found is not None
        return found
    reason = "no KUBECONFIG: nothing ran on a real Kubernetes API"
    if "kube" in os.environ.get("SIGNALINK_REQUIRE", "").split(","):
        pytest.fail(reason)
    pytest.skip(reason)


@asynccontextmanager
async def real_api() -> AsyncIterator[Api]:
    """A namespace of its own on the real cluster, with our definitions installed; removed afterwards."""
    api = Api(real_access(), f"t-{uuid.uuid4().hex[:10]}")
    for path in sorted(CRDS.glob("*.yaml")):
        definition = yaml.safe_load(path.read_text(encoding="utf-8"))
        where = f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{definition['metadata']['name']}"
        where += "?fieldManager=tests&force=true"
        answer = await api.call("PATCH", where, definition, "application/apply-patch+yaml")
        assert answer.status_code < 300, answer.text
    await eventually(lambda: _served(api), within=20)
    body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": api.namespace}}
    (await api.call("POST", "/api/v1/namespaces", body)).raise_for_status()
    try:
        yield api
    finally:
        await _empty(api)
        await api.http.aclose()


async def _served(api: Api) -> bool:
    return all([(await api.call("GET", api.of(kind).path())).status_code == 200 for kind in model.PLURALS])


async def _empty(api: Api) -> None:
    """What a test left: without an operator nobody would take the finalizers off."""
    for view in map(api.of, reversed(model.PLURALS)):
        for item in (await api.call("GET", view.path())).json().get("items", []):
            name = item["metadata"]["name"]
            await view.edit(name, {"metadata": {"finalizers": None}})
            await api.call("DELETE", view.path(name))
    await api.call("DELETE", f"/api/v1/namespaces/{api.namespace}")
