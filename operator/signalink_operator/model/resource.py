"""One custom resource as the Kubernetes API shows it, without what the operator never looks at (managedFields)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NamedTuple

GROUP = "signalink.dev"
PLURALS: Mapping[str, str] = {"Topic": "topics", "Channel": "channels"}
ANNOTATION_MANAGED = f"{GROUP}/managed"
ANNOTATION_PAUSED = f"{GROUP}/paused"
ANNOTATION_FORCE_RELEASE = f"{GROUP}/force-release"
ANNOTATION_ADOPT = f"{GROUP}/adopt"
LABEL_CHANNEL = f"{GROUP}/channel"


class Key(NamedTuple):
    """Names one resource for as long as the process runs."""

    kind: str
    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind} {self.namespace}/{self.name}"


@dataclass(frozen=True, slots=True)
class Resource:
    """`created` and `deleted` are RFC 3339 as the server wrote them; `deleted` None: nobody has deleted it.

    `owners` are the uids of its ownerReferences.
    """

    key: Key
    uid: str
    version: int
    generation: int
    created: str
    deleted: str | None
    finalizers: tuple[str, ...]
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    spec: Mapping[str, Any]
    status: Mapping[str, Any]
    owners: tuple[str, ...] = ()

    @classmethod
    def from_body(cls, body: Mapping[str, Any], kind: str | None = None) -> Resource:
        """Read the API's JSON; `kind` for items of a list, which do not carry it."""
        meta = body["metadata"]
        version = str(meta.get("resourceVersion", ""))
        return cls(
            key=Key(kind or body["kind"], meta.get("namespace", ""), meta["name"]),
            uid=meta.get("uid", ""),
            version=int(version) if version.isdecimal() else 0,
            generation=meta.get("generation", 0),
            created=meta.get("creationTimestamp") or "",
            deleted=meta.get("deletionTimestamp"),
            finalizers=tuple(meta.get("finalizers") or ()),
            labels=dict(meta.get("labels") or {}),
            annotations=dict(meta.get("annotations") or {}),
            spec=dict(body.get("spec") or {}),
            status=dict(body.get("status") or {}),
            owners=tuple(owner["uid"] for owner in meta.get("ownerReferences") or ()),
        )

    @property
    def deleting(self) -> bool:
        return self.deleted is not None

    @property
    def managed(self) -> bool:
        return self.annotations.get(ANNOTATION_MANAGED) != "false"

    @property
    def paused(self) -> bool:
        return self.annotations.get(ANNOTATION_PAUSED) == "true"

    @property
    def force_release(self) -> bool:
        return self.annotations.get(ANNOTATION_FORCE_RELEASE) == "true"

    @property
    def adopts(self) -> bool:
        return self.annotations.get(ANNOTATION_ADOPT) == "true"

    @property
    def age_rank(self) -> tuple[str, str, str]:
        """Of two resources that want the same thing, the one with the smaller rank has it."""
        return (self.created, self.key.namespace, self.key.name)

    def asks_the_same(self, other: Resource) -> bool:
        """Whether both ask for the same thing, so that what differs is only what the operator itself wrote."""
        return (self.uid, self.generation, self.deleted, self.labels, self.annotations, self.finalizers) == (
            other.uid,
            other.generation,
            other.deleted,
            other.labels,
            other.annotations,
            other.finalizers,
        )

    def deleted_for(self, now: datetime) -> float:
        """Seconds since somebody deleted it; 0 when nobody has."""
        if self.deleted is None:
            return 0.0
        when = datetime.fromisoformat(self.deleted.replace("Z", "+00:00"))
        return max(0.0, (now - when.astimezone(UTC)).total_seconds())
