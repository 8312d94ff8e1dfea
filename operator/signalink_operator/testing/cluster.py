"""A Kubernetes API over HTTP for tests without a cluster: discovery, CRUD, patches, chunked lists, watches, and faults.

It has no schema and runs no CEL: what the API server refuses is shown by the real one alone. The suite that runs on it
runs on a real API server too, which keeps it honest.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import Mapping
from typing import Any

import orjson
from aiohttp import web

from signalink_core.lifecycle import Lifecycle
from signalink_operator.model import GROUP, PLURALS
from signalink_operator.testing.objects import Body, Name, Objects, Refused

CORE = {"namespaces": ("Namespace", False), "events": ("Event", True)}
EXTENSIONS = {"customresourcedefinitions": ("CustomResourceDefinition", False)}
COORDINATION = {"leases": ("Lease", True)}
OWN: Mapping[str, tuple[str, bool]] = {plural: (kind, True) for kind, plural in PLURALS.items()}
GROUPS: Mapping[str, Mapping[str, tuple[str, bool]]] = {
    "apiextensions.k8s.io": EXTENSIONS,
    "coordination.k8s.io": COORDINATION,
    GROUP: OWN,
}
VERBS = ["get", "list", "watch", "create", "update", "patch", "delete"]
PATH = re.compile(
    r"/(?:api|apis/[^/]+)/v1(?:/namespaces/(?P<namespace>[^/]+))?/(?P<resource>[a-z]+)"
    r"(?:/(?P<name>[^/]+))?(?:/(?P<sub>status))?"
)


class Cluster(Lifecycle):
    """`url` is its address. `writes`: (method, path) of every call that may change something, refused ones too."""

    def __init__(self) -> None:
        super().__init__()
        self.objects = Objects()
        self.writes: list[tuple[str, str]] = []
        self.url = ""
        self._port = 0
        self._news = asyncio.Condition()
        self._faults: list[list[Any]] = []
        self._streams: set[web.StreamResponse] = set()
        self._muted = False

    # -- what a test does ----------------------------------------------------------------------------------------------

    async def apply(self, kind: str, namespace: str, name: str, **document: Any) -> Body:
        """Create a resource; `spec`, `annotations`, `labels`, `finalizers`, `created` as keywords."""
        meta = {key: document[key] for key in ("annotations", "labels", "finalizers") if key in document}
        body: Body = {"apiVersion": f"{GROUP}/v1", "kind": kind, "metadata": {"name": name, **meta}}
        async with self._news:
            made = self.objects.create(PLURALS[kind], namespace, {**body, "spec": document.get("spec", {})})
            if "created" in document:
                made["metadata"]["creationTimestamp"] = document["created"]
                self.objects.changes[-1].body["metadata"]["creationTimestamp"] = document["created"]
            self._news.notify_all()
        return made

    async def edit(self, kind: str, namespace: str, name: str, patch: Mapping[str, Any]) -> Body:
        async with self._news:
            body = self.objects.merge((PLURALS[kind], namespace, name), patch, status=False)
            self._news.notify_all()
        return body

    async def delete(self, kind: str, namespace: str, name: str) -> None:
        async with self._news:
            self.objects.delete((PLURALS[kind], namespace, name))
            self._news.notify_all()

    def read(self, kind: str, namespace: str, name: str) -> Body | None:
        return self.objects.bodies.get((PLURALS[kind], namespace, name))

    def events(self, name: str) -> list[Body]:
        return [body for body in self.objects.of("events", None) if body["involvedObject"]["name"] == name]

    def fail(self, method: str, path: str, status: int, times: int = 1_000_000) -> None:
        """Answer calls whose path holds the pattern with an error; `heal` ends it."""
        self._faults.append([method, re.compile(path), status, times])

    def heal(self) -> None:
        self._faults.clear()

    async def mute(self) -> None:
        """Watches stay open and bring nothing from now on."""
        self._muted = True

    async def cut(self) -> None:
        """Close every stream in mid-air."""
        for stream in list(self._streams):
            if stream._req is not None and stream._req.transport is not None:
                stream._req.transport.abort()

    # -- the server ----------------------------------------------------------------------------------------------------

    async def _start(self) -> None:
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._serve)
        runner = web.AppRunner(app, shutdown_timeout=0.2)
        await runner.setup()
        self._resources.push_async_callback(runner.cleanup)
        site = web.TCPSite(runner, "127.0.0.1", self._port, reuse_address=True)
        await site.start()
        self._port = runner.addresses[0][1]
        self.url = f"http://127.0.0.1:{self._port}"
        if not self.objects.bodies:
            self._furnish()

    def _furnish(self) -> None:
        for namespace in ("default", "team-a", "team-b"):
            self.objects.create("namespaces", "", {"kind": "Namespace", "metadata": {"name": namespace}})
        for kind, plural in PLURALS.items():
            spec = {"group": GROUP, "names": {"kind": kind, "plural": plural}, "versions": [{"name": "v1"}]}
            body = {"kind": "CustomResourceDefinition", "metadata": {"name": f"{plural}.{GROUP}"}, "spec": spec}
            self.objects.create("customresourcedefinitions", "", body)

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        if request.method != "GET":
            self.writes.append((request.method, request.path))
        try:
            self._maybe_fail(request)
            found = _discovery(request.path)
            if found is not None:
                return _json(found)
            match = PATH.fullmatch(request.path)
            if match is None:
                raise Refused(404, f"no such path {request.path}")
            if request.method != "GET":
                return _json(await self._change(request, match))
            if not request.query.get("timeoutSeconds", "0").isdecimal():
                raise Refused(400, "timeoutSeconds is no whole number")
            if "watch" in request.query:
                return await self._watch(request, match["resource"], match["namespace"])
            return _json(self._look(request, match))
        except Refused as refused:
            return _json({"kind": "Status", "message": str(refused), "code": refused.status}, refused.status)

    def _maybe_fail(self, request: web.Request) -> None:
        for fault in self._faults:
            method, pattern, status, times = fault
            if request.method == method and times > 0 and pattern.search(request.path):
                fault[3] -= 1
                raise Refused(status, "a test wants this to fail")

    def _look(self, request: web.Request, match: re.Match[str]) -> Body:
        resource, namespace, name = match["resource"], match["namespace"], match["name"]
        if name is not None:
            return self.objects.get((resource, namespace or "", name))
        items = sorted(self.objects.of(resource, namespace), key=lambda body: body["metadata"]["name"])
        begin, limit = int(request.query.get("continue", "0")), int(request.query.get("limit", "0"))
        meta = {"resourceVersion": str(self.objects.version)}
        if limit and begin + limit < len(items):
            meta["continue"] = str(begin + limit)
        return {"kind": "List", "metadata": meta, "items": items[begin : begin + limit] if limit else items}

    async def _change(self, request: web.Request, match: re.Match[str]) -> Body:
        resource, namespace = match["resource"], match["namespace"] or ""
        body = orjson.loads(await request.read() or b"null")
        name: Name = (resource, namespace, match["name"] or "")
        async with self._news:
            try:
                match request.method:
                    case "POST":
                        return self.objects.create(resource, namespace, body)
                    case "PUT":
                        return self.objects.replace(name, body)
                    case "DELETE":
                        return self.objects.delete(name, ((body or {}).get("preconditions") or {}).get("uid"))
                    case "PATCH" if "json-patch" in request.content_type:
                        return self.objects.edit(name, body)
                    case "PATCH":
                        return self.objects.merge(name, body, match["sub"] == "status")
                raise Refused(405, request.method)
            finally:
                self._news.notify_all()

    async def _watch(self, request: web.Request, resource: str, namespace: str | None) -> web.StreamResponse:
        stream = web.StreamResponse(headers={"Content-Type": "application/json"})
        await stream.prepare(request)
        self._streams.add(stream)
        since = int(request.query.get("resourceVersion") or self.objects.version)
        try:
            with contextlib.suppress(ConnectionError):
                await self._stream(stream, since, resource, namespace)
        finally:
            self._streams.discard(stream)
        return stream

    async def _stream(self, stream: web.StreamResponse, since: int, resource: str, namespace: str | None) -> None:
        """Until the other side has gone, which shows when something is written."""
        sent = 0
        while True:
            changes = self.objects.changes[sent:]
            sent += len(changes)
            for change in changes:
                here = namespace in {None, change.body["metadata"].get("namespace")}
                if change.version > since and change.resource == resource and here and not self._muted:
                    await stream.write(orjson.dumps({"type": change.type, "object": change.body}) + b"\n")
            async with self._news:
                while sent == len(self.objects.changes):
                    await self._news.wait()


def _json(body: Body, status: int = 200) -> web.Response:
    return web.Response(body=orjson.dumps(body), status=status, content_type="application/json")


def _discovery(path: str) -> Body | None:
    match path.strip("/").split("/"):
        case ["version"]:
            return {"major": "1", "minor": "34"}
        case ["api"]:
            return {"versions": ["v1"]}
        case ["api", "v1"]:
            return _resources(CORE)
        case ["apis"]:
            version = {"version": "v1"}
            return {"groups": [{"name": name, "preferredVersion": version, "versions": [version]} for name in GROUPS]}
        case ["apis", group, "v1"] if group in GROUPS:
            return _resources(GROUPS[group])
    return None


def _resources(table: Mapping[str, tuple[str, bool]]) -> Body:
    found: list[Body] = []
    for plural, (kind, namespaced) in table.items():
        entry = {"name": plural, "kind": kind, "namespaced": namespaced, "singularName": kind.lower(), "verbs": VERBS}
        found += [entry, entry | {"name": f"{plural}/status", "verbs": ["get", "patch"]}]
    return {"resources": found}
