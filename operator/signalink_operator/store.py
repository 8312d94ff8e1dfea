"""What the operator knows of the resources: the newest state of each, who wants which name, who depends on whom.

Memory only. Filled by a list before anything is decided, kept by the watch, put right by the list of each full pass.
Resources that another operator looks after (clusterRef, label selector) are not in it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fnmatch import fnmatchcase
from typing import TypeVar

from signalink_operator.model import Key, Resource
from signalink_operator.plans import intent, reference, selector

T = TypeVar("T")
Claim = tuple[str, str]
"""(kind, name): a topic and a channel may have the same name."""


class Store:
    """`cluster_ref`, `labels` and `namespaces` (globs; empty: all) say which resources are ours."""

    def __init__(self, cluster_ref: str = "default", labels: str = "", namespaces: Iterable[str] = ()) -> None:
        self._cluster_ref, self._labels, self._namespaces = cluster_ref, labels, tuple(namespaces)
        self._resources: dict[Key, Resource] = {}
        self._claims: dict[Claim, set[Key]] = {}
        self._referrers: dict[Key, set[Key]] = {}

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
        before, those whose claim it frees or takes, and those that depend on what it shows."""
        if not self.ours(resource):
            return self.forget(resource.key)
        known = self._resources.get(resource.key)
        if known is not None and known.uid == resource.uid and resource.version < known.version:
            return set()
        self._resources[resource.key] = resource
        touched = self._changed(known, resource)
        if known is None or not known.asks_the_same(resource):
            touched.add(resource.key)
        return touched

    def forget(self, key: Key) -> set[Key]:
        """It is gone; the answer is who may get what it had, and who depended on it."""
        known = self._resources.pop(key, None)
        return self._changed(known, None) if known is not None else set()

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
        """The resource that has what this one wants; None when it wants nothing."""
        wanted = _claim(resource)
        claimants = (self._resources[key] for key in self._claims.get(wanted, ())) if wanted is not None else ()
        found = intent.owner(claimants)
        return found.key if found is not None else None

    def rivals(self, resource: Resource) -> list[Resource]:
        """The others that want what this one wants."""
        wanted = _claim(resource)
        keys = self._claims.get(wanted, set()) if wanted is not None else set()
        return [self._resources[key] for key in keys - {resource.key}]

    def topics_of(self, resource: Resource) -> dict[str, Resource]:
        """The Topic resources by name that concern a Channel: the one it refers to, and the one of its own name."""
        own = Key("Topic", resource.key.namespace, resource.key.name)
        keys = reference.topics_of(resource) | {own}
        return {key.name: found for key in keys if (found := self._resources.get(key)) is not None}

    # -- the two indexes -----------------------------------------------------------------------------------------------

    def _changed(self, before: Resource | None, after: Resource | None) -> set[Key]:
        key = (before or after).key  # type: ignore[union-attr]  # one of them is there
        touched = self._index_claim(key, _claim(before), _claim(after))
        self._index_references(key, before, after)
        if reference.shown(before) != reference.shown(after):
            touched |= self._referrers.get(key, set())
        return touched - {key}

    def _index_claim(self, key: Key, old: Claim | None, new: Claim | None) -> set[Key]:
        """Who else wants the name that is freed or taken."""
        touched: set[Key] = set()
        if old == new:
            return touched
        if old is not None:
            touched |= _taken_out(self._claims, old, key)
        if new is not None:
            touched |= self._claims.setdefault(new, set())
            self._claims[new].add(key)
        return touched

    def _index_references(self, key: Key, before: Resource | None, after: Resource | None) -> None:
        old = reference.topics_of(before) if before is not None else frozenset()
        new = reference.topics_of(after) if after is not None else frozenset()
        for topic in old - new:
            _taken_out(self._referrers, topic, key)
        for topic in new - old:
            self._referrers.setdefault(topic, set()).add(key)


def _claim(resource: Resource | None) -> Claim | None:
    name = intent.claim(resource) if resource is not None else None
    return None if resource is None or name is None else (resource.key.kind, name)


def _taken_out(index: dict[T, set[Key]], where: T, key: Key) -> set[Key]:
    """The others that are left there."""
    others = index[where] - {key}
    if others:
        index[where] = others
    else:
        del index[where]
    return others
