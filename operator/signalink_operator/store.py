"""What the operator knows of the resources: the newest state of each, and who wants which topic. Memory only.

Filled by a list before anything is decided, kept by the watch, put right by the list of each full pass. Resources that
another operator looks after (clusterRef, label selector) are not in it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fnmatch import fnmatchcase

from signalink_operator.model import Key, Resource
from signalink_operator.plans import intent, selector


class Store:
    """`cluster_ref`, `labels` and `namespaces` (globs; empty: all) say which resources are ours."""

    def __init__(self, cluster_ref: str = "default", labels: str = "", namespaces: Iterable[str] = ()) -> None:
        self._cluster_ref, self._labels, self._namespaces = cluster_ref, labels, tuple(namespaces)
        self._resources: dict[Key, Resource] = {}
        self._claims: dict[str, set[Key]] = {}

    def __len__(self) -> int:
        return len(self._resources)

    def __iter__(self) -> Iterator[Resource]:
        return iter(list(self._resources.values()))

    def get(self, key: Key) -> Resource | None:
        return self._resources.get(key)

    def ours(self, resource: Resource) -> bool:
        same = resource.spec.get("clusterRef", "default") == self._cluster_ref
        return same and self.looks_into(resource.key.namespace) and selector.matches(self._labels, resource.labels)

    def looks_into(self, namespace: str) -> bool:
        return not self._namespaces or any(fnmatchcase(namespace, pattern) for pattern in self._namespaces)

    def see(self, resource: Resource) -> set[Key]:
        """Take in a newer state. The answer is what has to be looked at: itself if it asks for something else than
        before, and those whose claim it frees or takes."""
        if not self.ours(resource):
            return self.forget(resource.key)
        known = self._resources.get(resource.key)
        if known is not None and known.uid == resource.uid and resource.version < known.version:
            return set()
        touched = self._index(known, resource)
        self._resources[resource.key] = resource
        if known is None or not known.asks_the_same(resource):
            touched.add(resource.key)
        return touched

    def forget(self, key: Key) -> set[Key]:
        """It is gone; the answer is who may get what it had."""
        known = self._resources.pop(key, None)
        return self._index(known, None) if known is not None else set()

    def replace(self, kind: str, listed: Iterable[Resource], version: int, before: set[Key]) -> set[Key]:
        """Take in a whole list: what was known `before` it began and is not in it, is gone."""
        touched: set[Key] = set()
        seen = set()
        for resource in listed:
            seen.add(resource.key)
            touched |= self.see(resource)
        for key in before - seen:
            known = self._resources.get(key)
            if key.kind == kind and known is not None and known.version <= version:
                touched |= self.forget(key)
        return touched

    def keys(self, kind: str) -> set[Key]:
        return {key for key in self._resources if key.kind == kind}

    def owner(self, resource: Resource) -> Key | None:
        """The resource that has the topic this one wants; None when it wants none."""
        wanted = intent.claim(resource)
        claimants = (self._resources[key] for key in self._claims.get(wanted or "", ()))
        found = intent.owner(claimants)
        return found.key if found is not None else None

    def _index(self, before: Resource | None, after: Resource | None) -> set[Key]:
        old = intent.claim(before) if before is not None else None
        new = intent.claim(after) if after is not None else None
        if old == new and (before is None) == (after is None):
            return set()
        key = (before or after).key  # type: ignore[union-attr]  # one of them is there
        touched: set[Key] = set()
        if old is not None:
            self._claims[old].discard(key)
            touched |= self._claims[old]
            if not self._claims[old]:
                del self._claims[old]
        if new is not None:
            touched |= self._claims.setdefault(new, set())
            self._claims[new].add(key)
        return touched - {key}
