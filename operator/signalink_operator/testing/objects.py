"""The objects of the emulated Kubernetes API and how they change: versions, generations, finalizers, patches.

As strict as the real one where the operator relies on it: a stale version is 409, a failed test is 422, a status patch
touches the status alone, an object with finalizers is marked and stays.
"""

from __future__ import annotations

import copy
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

Body = dict[str, Any]
Name = tuple[str, str, str]
"""(resource, namespace, name); the namespace is empty for what belongs to none."""


class Refused(Exception):
    """The API's answer is an error of this status."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


@dataclass
class Change:
    """One event of a watch."""

    version: int
    resource: str
    type: str
    body: Body


@dataclass
class Objects:
    """All objects, and every change since the begin."""

    bodies: dict[Name, Body] = field(default_factory=dict)
    changes: list[Change] = field(default_factory=list)
    version: int = 1

    def create(self, resource: str, namespace: str, body: Body) -> Body:
        meta = body.setdefault("metadata", {})
        name = (resource, namespace, meta["name"])
        if name in self.bodies:
            raise Refused(409, f"{resource} {meta['name']} already exists")
        body = copy.deepcopy(body)
        body.pop("status", None) if resource not in {"namespaces", "customresourcedefinitions"} else None
        now = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
        body["metadata"] |= {"uid": str(uuid.uuid4()), "generation": 1, "creationTimestamp": now}
        if namespace:
            body["metadata"]["namespace"] = namespace
        return self._put(name, body, "ADDED")

    def replace(self, name: Name, body: Body) -> Body:
        before = self.get(name)
        if body["metadata"].get("resourceVersion") != before["metadata"]["resourceVersion"]:
            raise Refused(409, "the object has been modified")
        kept = {key: before["metadata"][key] for key in ("uid", "generation", "creationTimestamp")}
        return self._write(name, {**copy.deepcopy(body), "metadata": body["metadata"] | kept})

    def merge(self, name: Name, patch: Mapping[str, Any], status: bool) -> Body:
        body = copy.deepcopy(self.get(name))
        if status:
            body["status"] = _merged(body.get("status", {}), patch.get("status", {}))
        else:
            body = _merged(body, {key: value for key, value in patch.items() if key != "status"})
        return self._write(name, body)

    def edit(self, name: Name, operations: list[Mapping[str, Any]]) -> Body:
        body = copy.deepcopy(self.get(name))
        for operation in operations:
            _edit(body, operation)
        return self._write(name, body)

    def delete(self, name: Name, uid: str | None = None) -> Body:
        """`uid`: only if it is that very object."""
        body = copy.deepcopy(self.get(name))
        if uid is not None and body["metadata"]["uid"] != uid:
            raise Refused(409, "the object has another uid")
        if not body["metadata"].get("finalizers"):
            return self._remove(name)
        if "deletionTimestamp" not in body["metadata"]:
            now = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
            body["metadata"]["deletionTimestamp"] = now
            body["metadata"]["generation"] += 1
        return self._write(name, body)

    def get(self, name: Name) -> Body:
        if name not in self.bodies:
            raise Refused(404, f"{name[0]} {name[2]!r} not found")
        return self.bodies[name]

    def of(self, resource: str, namespace: str | None) -> list[Body]:
        return [body for (r, n, _), body in self.bodies.items() if r == resource and namespace in {None, n}]

    def _write(self, name: Name, body: Body) -> Body:
        before = self.bodies[name]
        meta = body["metadata"]
        if body.get("spec") != before.get("spec"):
            meta["generation"] = before["metadata"]["generation"] + 1
        if "deletionTimestamp" in meta and not meta.get("finalizers"):
            return self._remove(name, body)
        return before if body == before else self._put(name, body, "MODIFIED")

    def _put(self, name: Name, body: Body, change: str) -> Body:
        self.version += 1
        body["metadata"]["resourceVersion"] = str(self.version)
        self.bodies[name] = body
        self.changes.append(Change(self.version, name[0], change, copy.deepcopy(body)))
        return body

    def _remove(self, name: Name, last: Body | None = None) -> Body:
        body = copy.deepcopy(last or self.bodies[name])
        del self.bodies[name]
        self.version += 1
        body["metadata"]["resourceVersion"] = str(self.version)
        self.changes.append(Change(self.version, name[0], "DELETED", body))
        self._collect_garbage(body["metadata"]["uid"])
        return body

    def _collect_garbage(self, uid: str) -> None:
        """What had this one owner goes too, as kube-controller-manager would have it."""
        for name, body in list(self.bodies.items()):
            owners = body["metadata"].get("ownerReferences") or ()
            if owners and all(owner["uid"] == uid for owner in owners):
                self.delete(name)


def _merged(target: Any, patch: Any) -> Any:
    """RFC 7386."""
    if not isinstance(patch, Mapping):
        return patch
    result = dict(target) if isinstance(target, Mapping) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = _merged(result.get(key), value)
    return result


def _edit(body: Body, operation: Mapping[str, Any]) -> None:
    """RFC 6902, on keys of mappings alone."""
    *parents, last = operation["path"].strip("/").split("/")
    target: Any = body
    for part in parents:
        target = target.get(part)
        if target is None:
            raise Refused(422, f"{operation['path']} is missing")
    match operation["op"]:
        case "test":
            if target.get(last) != operation["value"]:
                raise Refused(422, f"test of {operation['path']} failed")
        case "add" | "replace":
            if operation["op"] == "replace" and last not in target:
                raise Refused(422, f"{operation['path']} is missing")
            target[last] = operation["value"]
        case "remove":
            if last not in target:
                raise Refused(422, f"{operation['path']} is missing")
            del target[last]
