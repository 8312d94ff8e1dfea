"""What comes in from the Kubernetes API: events of the watch and the lists of full passes, into store and queue."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from typing import Any

from signalink_core.errors import QueueFull
from signalink_core.lifecycle import Lifecycle
from signalink_core.telemetry import logging
from signalink_operator.adapters import kube as kube_api
from signalink_operator.canary import NAME as CANARY_NAME
from signalink_operator.canary import Canary
from signalink_operator.keyqueue import KeyQueue
from signalink_operator.model import Key, Resource
from signalink_operator.reconciler import Reconciler
from signalink_operator.store import Store

GLOB = frozenset("*?[")
log = logging.get_logger(__name__)


class Intake(Lifecycle):
    """`event` is what a handler calls. A full queue completes `failed`, which ends the process: never a lost key."""

    def __init__(
        self,
        store: Store,
        queue: KeyQueue,
        reconciler: Reconciler,
        canary: Canary,
        kube: kube_api.Kube,
        kinds: Iterable[str],
        every_seconds: float,
        namespaces: Iterable[str] = (),
    ) -> None:
        super().__init__()
        self._store, self._queue, self._reconciler, self._canary = store, queue, reconciler, canary
        self._kube, self._kinds, self._every = kube, tuple(kinds), every_seconds
        self._namespaces = tuple(namespaces)

    async def _start(self) -> None:
        """The first list, before anything is decided: which of two resources is older is known from the begin."""
        await self.full_pass()
        self.spawn(self._full_passes(), "full-passes")

    def event(self, kind: str, change: str | None, body: Mapping[str, Any]) -> None:
        """Take in one event of the watch; `change` None is an item of the list that the watch begins with."""
        resource = Resource.from_body(body, kind)
        if self._canary.hears(resource.key):
            return
        if change == "DELETED":
            touched = self._store.forget(resource.key)
            self._reconciler.forget(resource.key)
        else:
            touched = self._store.see(resource)
        self._put(touched)

    async def full_pass(self) -> None:
        """List everything, take away what is gone, and have each resource looked at."""
        for kind in self._kinds:
            before = self._store.keys(kind)
            listed, version = await self._list(kind)
            found = [resource for resource in listed if resource.key.name != CANARY_NAME]
            self._store.replace(kind, found, version, before)
            for key in before - self._store.keys(kind):
                self._reconciler.forget(key)
        self._put(resource.key for resource in self._store)

    async def _list(self, kind: str) -> tuple[list[Resource], int]:
        """Namespace by namespace where they are named, since rights may go no further; else all at once."""
        if not self._namespaces or any(set(name) & GLOB for name in self._namespaces):
            return await self._kube.list_all(kind)
        parts = [await self._kube.list_all(kind, namespace) for namespace in self._namespaces]
        return [resource for found, _ in parts for resource in found], min(version for _, version in parts)

    async def _full_passes(self) -> None:
        while True:
            await asyncio.sleep(self._every)
            try:
                await self.full_pass()
            except kube_api.KubeError as error:
                log.warning("full_pass_failed", what=error.detail)

    def _put(self, keys: Iterable[Key]) -> None:
        try:
            for key in keys:
                self._queue.put(key)
        except QueueFull as error:
            if not self.failed.done():
                self.failed.set_result(error)
