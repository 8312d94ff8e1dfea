"""The passes: takes batches of keys, lets each kind do its work, writes finalizers, statuses and Events.

Deciding is left to `plans`, what a kind does outside to `kinds`. A batch has two halves: the one that talks to Kafka
or to the api runs for one batch of a kind at a time; while a batch writes its statuses the next one may already be
there. A key is in one batch at a time: it is never worked on twice at once. Kinds do not wait for each other.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from signalink_core import faults
from signalink_core.clock import utc_now
from signalink_core.lifecycle import Lifecycle
from signalink_core.telemetry import logging
from signalink_core.telemetry import names as metric_names
from signalink_operator.adapters import kube as kube_api
from signalink_operator.keyqueue import KeyQueue
from signalink_operator.kinds.base import Kind, Pass
from signalink_operator.model import Condition, Key, Resource
from signalink_operator.plans import intent as intents
from signalink_operator.plans import retry, status
from signalink_operator.settings import OperatorSettings
from signalink_operator.store import Store

BATCHES = 2
"""In flight for each kind."""
DRAIN_SECONDS = 20.0
READINESS = ("true", "false", "unknown", "held")
log = logging.get_logger(__name__)


class Reconciler(Lifecycle):
    """Works on what the queue holds until it is stopped; then it finishes the batches in flight."""

    def __init__(
        self,
        store: Store,
        queue: KeyQueue,
        kinds: Sequence[Kind],
        kube: kube_api.Kube,
        settings: OperatorSettings,
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        super().__init__()
        self._store, self._queue, self._kinds, self._kube = store, queue, tuple(kinds), kube
        self._settings, self._now = settings, now
        self._attempts: dict[Key, int] = {}
        self._batches: dict[asyncio.Task[None], float] = {}
        self._taking: list[asyncio.Task[None]] = []

    @property
    def longest_batch_seconds(self) -> float:
        """How long the oldest batch in flight has been worked on."""
        return max((time.monotonic() - began for began in self._batches.values()), default=0.0)

    async def _start(self) -> None:
        for kind in self._kinds:
            await self.enter(kind)
        self._taking = [self.spawn(self._take(kind), f"reconcile-{kind.name}") for kind in self._kinds]

    async def _stop(self) -> None:
        for task in self._taking:
            task.cancel()
        if self._batches:
            await asyncio.wait(self._batches, timeout=DRAIN_SECONDS)

    async def _take(self, kind: Kind) -> None:
        slots = asyncio.Semaphore(BATCHES)

        def done(task: asyncio.Task[None]) -> None:
            self._batches.pop(task, None)
            slots.release()

        while True:
            await slots.acquire()
            keys = await self._queue.take(kind.name)
            task = self.spawn(self._batch(kind, keys), "batch")
            self._batches[task] = time.monotonic()
            task.add_done_callback(done)

    async def _batch(self, kind: Kind, keys: list[Key]) -> None:
        began = time.monotonic()
        try:
            async with kind.turn:
                passes = await self._place_finalizers(self._decided(keys))
                await kind.work(passes)
            await faults.point("operator.after_apply", kind=kind.name)
            await asyncio.gather(*(self._conclude(one) for one in passes))
        finally:
            self._queue.done(keys)
        seconds = time.monotonic() - began
        for one in passes:
            metric_names.OPERATOR_RECONCILE_SECONDS.labels(kind=kind.name, result=one.result).observe(seconds)
        self._count()

    def _decided(self, keys: list[Key]) -> list[Pass]:
        finalizers = self._settings.finalizers == "on"
        found = [resource for key in keys if (resource := self._store.get(key)) is not None]
        return [Pass(one, intents.decide(one, self._store.owner(one), finalizers)) for one in found]

    async def _place_finalizers(self, passes: list[Pass]) -> list[Pass]:
        """Nothing is written outside for a resource that could go before what it stands for: first the finalizer."""
        kept = await asyncio.gather(*(self._placed(one) for one in passes))
        return [one for one, keep in zip(passes, kept, strict=True) if keep]

    async def _placed(self, one: Pass) -> bool:
        if one.intent.finalizer != "place":
            return True
        try:
            updated = await self._kube.set_finalizer(one.resource, intents.rules(one.resource).finalizer, True)
        except kube_api.KubeError as error:
            self._write_failed(one, error)
            return False
        if updated is None or updated.deleting:
            return False
        self._take_in(updated)
        one.resource = updated
        return True

    # -- Kubernetes ----------------------------------------------------------------------------------------------------

    async def _conclude(self, one: Pass) -> None:
        try:
            await self._write(one)
        except kube_api.Gone:
            return
        except kube_api.KubeError as error:
            self._write_failed(one, error)
        else:
            self._schedule(one)

    async def _write(self, one: Pass) -> None:
        step, resource = one.intent.step, one.resource
        if step == "delete" and one.failure is not None:
            after = self._settings.deletion_release_seconds
            if not after or resource.deleted_for(self._now()) < after:
                one.result = "blocked"
                await self._tell(one, status.blocked(one.failure, intents.rules(resource).noun), {})
                return
            one.failure = None
        if one.intent.finalizer == "drop":
            one.result = "deleted" if resource.deleting else one.result
            updated = await self._kube.set_finalizer(resource, intents.rules(resource).finalizer, False)
            if updated is None or updated.deleting:
                return
            self._take_in(updated)
            one.resource = updated
        if step == "hold" and not resource.deleting:
            one.result = "held"
            forgotten = dict.fromkeys(intents.rules(resource).facts) if one.intent.forgets else {}
            await self._tell(one, one.intent.conditions, forgotten)
        elif step == "manage":
            await self._tell(one, one.conditions, one.known)

    async def _tell(self, one: Pass, conditions: Sequence[Condition], known: Mapping[str, Any]) -> None:
        """Events first: killed in between, the next run computes the same names, and the status after them."""
        now = self._now().isoformat(timespec="seconds").replace("+00:00", "Z")
        patch = status.patch(one.resource, conditions, known, now)
        if patch is None:
            return
        for note in status.notes(one.resource, conditions):
            await self._kube.post_event(one.resource.key.namespace, _event(one.resource, note, now))
        self._take_in(await self._kube.patch_status(one.resource.key, patch))

    def _take_in(self, resource: Resource) -> None:
        for key in self._store.see(resource):
            if key != resource.key:
                self._queue.put(key)

    def _schedule(self, one: Pass) -> None:
        """A deleted resource is tried again whatever blocks it: nobody edits what is deleted already."""
        again = one.failure is not None and (one.failure.reason in retry.PASSING or one.intent.step == "delete")
        if again:
            self._later(one.resource.key)
        else:
            self._attempts.pop(one.resource.key, None)

    def _later(self, key: Key) -> None:
        attempt = self._attempts[key] = self._attempts.get(key, 0) + 1
        self._queue.put_later(key, retry.delay(attempt, self._settings.retry_seconds))

    def _write_failed(self, one: Pass, error: kube_api.KubeError) -> None:
        """The pass is repeated: what was done outside is found done then."""
        one.result = "failed"
        log.warning("kubernetes_write_failed", resource=str(one.resource.key), what=error.detail)
        self._later(one.resource.key)

    def forget(self, key: Key) -> None:
        """The resource is gone."""
        self._attempts.pop(key, None)
        self._queue.forget(key)

    def _count(self) -> None:
        ready = {(kind.name, state): 0 for kind in self._kinds for state in READINESS}
        blocked = 0
        for resource in self._store:
            conditions = {item["type"]: item["status"] for item in resource.status.get("conditions") or ()}
            held = resource.paused or not resource.managed
            state = "held" if held else conditions.get(intents.READY, "Unknown").lower()
            ready[resource.key.kind, state] += 1
            blocked += conditions.get(status.BLOCKED) == "True"
        for (kind, state), count in ready.items():
            metric_names.OPERATOR_RESOURCES.labels(kind=kind, ready=state).set(count)
        metric_names.OPERATOR_DELETION_BLOCKED.set(blocked)


def _event(resource: Resource, note: status.Note, now: str) -> dict[str, Any]:
    key = resource.key
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": note.name, "namespace": key.namespace},
        "involvedObject": {
            "apiVersion": "signalink.dev/v1",
            "kind": key.kind,
            "name": key.name,
            "namespace": key.namespace,
            "uid": resource.uid,
        },
        "type": note.type,
        "reason": note.reason,
        "message": note.message[:1024],
        "source": {"component": "signalink-operator"},
        "firstTimestamp": now,
        "lastTimestamp": now,
        "count": 1,
    }
