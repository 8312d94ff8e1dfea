"""The Kubernetes API as the operator writes it: lists in chunks, merge patches, Events, Leases. Watching is kopf's.

Errors are values of one small tree: `Gone` (404), `Clash` (409, 422), `ApiUnavailable` for all that may pass by itself.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import orjson

from signalink_core.errors import SignalinkError
from signalink_core.lifecycle import Lifecycle
from signalink_operator.model import GROUP, PLURALS, Key, Resource

VERSION = f"apis/{GROUP}/v1"
LEASES = "apis/coordination.k8s.io/v1"
CHUNK = 500
CALL_SECONDS = 15.0
MERGE = "application/merge-patch+json"
JSON_PATCH = "application/json-patch+json"


class KubeError(SignalinkError):
    """The API refused a call; `.http_status` is its answer's."""

    code = "kubernetes"

    def __init__(self, detail: str, http_status: int) -> None:
        super().__init__(detail, next_step="compare the operator's rights with operator/README.md.")
        self.http_status = http_status


class Gone(KubeError):
    """There is no such object (any more)."""


class Clash(KubeError):
    """Somebody else wrote in between (409), or what was tested is not so (422)."""


class ApiUnavailable(KubeError):
    """No answer, too many requests, or the server's own failure: worth another try."""


@dataclass(frozen=True)
class Connection:
    """Where the API is and how to prove who asks; `token_file`, where there is one, is read at each use."""

    server: str
    ssl: ssl.SSLContext | None = None
    credentials: Mapping[str, str] = field(default_factory=dict)
    token_file: Path | None = None

    def headers(self) -> dict[str, str]:
        if self.token_file is None:
            return dict(self.credentials)
        return {"Authorization": f"Bearer {self.token_file.read_text(encoding='utf-8').strip()}"}


class Kube(Lifecycle):
    """One pool of connections. `in_flight`: calls at a time, so that a batch of 100 does not flood the API."""

    def __init__(self, connection: Connection, in_flight: int = 20, call_seconds: float = CALL_SECONDS) -> None:
        super().__init__()
        self._connection = connection
        self._slots = asyncio.Semaphore(in_flight)
        self._seconds = call_seconds
        self._session: aiohttp.ClientSession | None = None
        self._in_flight = in_flight

    async def _start(self) -> None:
        connector = aiohttp.TCPConnector(limit=self._in_flight + 2, ssl=self._connection.ssl or True)
        timeout = aiohttp.ClientTimeout(total=self._seconds)
        self._session = await self.enter(aiohttp.ClientSession(connector=connector, timeout=timeout))

    # -- resources ---------------------------------------------------------------------------------------------------

    async def list_all(self, kind: str, namespace: str | None = None) -> tuple[list[Resource], int]:
        """All resources of a kind, in chunks of 500, and the version of the list."""
        found: list[Resource] = []
        query = f"?limit={CHUNK}"
        more, version = "", 0
        while True:
            page = await self.call("GET", _path(kind, namespace) + query + more)
            found += [Resource.from_body(item, kind) for item in page["items"]]
            listed = page["metadata"]
            version = version or int(listed.get("resourceVersion") or 0)
            if not listed.get("continue"):
                return found, version
            more = f"&continue={listed['continue']}"

    async def namespaces(self) -> list[str]:
        page = await self.call("GET", "api/v1/namespaces")
        return [item["metadata"]["name"] for item in page["items"]]

    async def get(self, key: Key) -> Resource:
        return Resource.from_body(await self.call("GET", _object(key)), key.kind)

    async def create(
        self,
        key: Key,
        spec: Mapping[str, Any],
        annotations: Mapping[str, str],
        labels: Mapping[str, str] | None = None,
        owner: Resource | None = None,
    ) -> Resource:
        """`owner` is of the same namespace; Kubernetes takes the new resource away when the owner goes."""
        meta: dict[str, Any] = {"name": key.name, "namespace": key.namespace, "annotations": dict(annotations)}
        if labels:
            meta["labels"] = dict(labels)
        if owner is not None:
            meta["ownerReferences"] = [_owner(owner)]
        body = {"apiVersion": f"{GROUP}/v1", "kind": key.kind, "metadata": meta, "spec": dict(spec)}
        return Resource.from_body(await self.call("POST", _path(key.kind, key.namespace), body), key.kind)

    async def edit(self, key: Key, patch: Mapping[str, Any]) -> None:
        """Merge into everything but the status."""
        await self.call("PATCH", _object(key), dict(patch), MERGE)

    async def delete(self, key: Key, uid: str) -> None:
        """Only that very resource; that it is gone already, or another one now, is as good."""
        options = {"apiVersion": "v1", "kind": "DeleteOptions", "preconditions": {"uid": uid}}
        try:
            await self.call("DELETE", _object(key), options)
        except (Gone, Clash):
            return

    async def annotate(self, key: Key, annotations: Mapping[str, str]) -> None:
        await self.call("PATCH", _object(key), {"metadata": {"annotations": dict(annotations)}}, MERGE)

    async def patch_status(self, key: Key, patch: Mapping[str, Any]) -> Resource:
        """Merge; no version is sent, since the operator alone writes the status."""
        return Resource.from_body(
            await self.call("PATCH", f"{_object(key)}/status", {"status": patch}, MERGE), key.kind
        )

    async def set_finalizer(self, resource: Resource, finalizer: str, there: bool, tries: int = 5) -> Resource | None:
        """Add or take away one finalizer and leave the others; None when the resource is gone, which is as good.

        Each try tests what it read, so a finalizer that somebody else added meanwhile is not lost.
        """
        current: Resource | None = resource
        for attempt in range(1, tries + 1):
            if current is None or (finalizer in current.finalizers) == there:
                return current
            try:
                body = await self.call("PATCH", _object(resource.key), _edit(current, finalizer, there), JSON_PATCH)
                return Resource.from_body(body, resource.key.kind)
            except Gone:
                return None
            except Clash:
                if attempt == tries:
                    raise
                current = await self._again(resource)
        return current

    async def _again(self, resource: Resource) -> Resource | None:
        try:
            current = await self.get(resource.key)
        except Gone:
            return None
        return current if current.uid == resource.uid else None

    # -- Events and Leases -------------------------------------------------------------------------------------------

    async def post_event(self, namespace: str, body: Mapping[str, Any]) -> None:
        """Write it once: that it is there already is as good, and so is that the namespace is going away."""
        try:
            await self.call("POST", f"api/v1/namespaces/{namespace}/events", body)
        except (Clash, Gone):
            return
        except KubeError as error:
            if error.http_status != 403:  # a namespace that is being deleted takes no new objects
                raise

    async def lease(self, namespace: str, name: str) -> dict[str, Any] | None:
        try:
            return await self.call("GET", f"{LEASES}/namespaces/{namespace}/leases/{name}")
        except Gone:
            return None

    async def write_lease(self, namespace: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """Create it, or replace the version that was read; raises Clash when somebody was faster."""
        where = f"{LEASES}/namespaces/{namespace}/leases"
        if "resourceVersion" in body["metadata"]:
            return await self.call("PUT", f"{where}/{body['metadata']['name']}", body)
        return await self.call("POST", where, body)

    # -- the call ------------------------------------------------------------------------------------------------------

    async def call(self, method: str, path: str, body: Any = None, kind: str = "application/json") -> dict[str, Any]:
        """One call to a path below the server; the answer's JSON. Raises KubeError."""
        if self._session is None:
            raise RuntimeError("the client has not been started")
        headers = self._connection.headers() | {"Content-Type": kind, "Accept": "application/json"}
        data = None if body is None else orjson.dumps(body)
        try:
            async with (
                self._slots,
                self._session.request(
                    method, f"{self._connection.server}/{path}", data=data, headers=headers
                ) as response,
            ):
                raw = await response.read()
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise ApiUnavailable(f"The Kubernetes API does not answer {method} {path}: {error!r}.", 0) from error
        if response.status >= 300:
            raise _error(response.status, method, path, raw)
        answer: dict[str, Any] = orjson.loads(raw)
        return answer


def _path(kind: str, namespace: str | None) -> str:
    return f"{VERSION}/namespaces/{namespace}/{PLURALS[kind]}" if namespace else f"{VERSION}/{PLURALS[kind]}"


def _object(key: Key) -> str:
    return f"{_path(key.kind, key.namespace)}/{key.name}"


def _owner(resource: Resource) -> dict[str, Any]:
    return {
        "apiVersion": f"{GROUP}/v1",
        "kind": resource.key.kind,
        "name": resource.key.name,
        "uid": resource.uid,
        "controller": True,
        "blockOwnerDeletion": False,
    }


def _edit(resource: Resource, finalizer: str, there: bool) -> list[dict[str, Any]]:
    before = list(resource.finalizers)
    after = [*before, finalizer] if there else [name for name in before if name != finalizer]
    where = "/metadata/finalizers"
    same = [{"op": "test", "path": "/metadata/uid", "value": resource.uid}]
    if not before:
        # `test` of a missing list fails, so an empty one is known by the version instead.
        version = {"op": "test", "path": "/metadata/resourceVersion", "value": str(resource.version)}
        return [*same, version, {"op": "add", "path": where, "value": after}]
    tested = {"op": "test", "path": where, "value": before}
    change = {"op": "replace", "path": where, "value": after} if after else {"op": "remove", "path": where}
    return [*same, tested, change]


def _error(status: int, method: str, path: str, raw: bytes) -> KubeError:
    try:
        message = orjson.loads(raw).get("message", "")
    except (orjson.JSONDecodeError, AttributeError):
        message = raw[:200].decode("utf-8", "replace")
    detail = f"The Kubernetes API answered {method} {path} with {status}: {message}."
    if status in {404, 410}:
        return Gone(detail, status)
    if status in {409, 422}:
        return Clash(detail, status)
    if status == 429 or status >= 500:
        return ApiUnavailable(detail, status)
    return KubeError(detail, status)
