"""The passes: takes batches of keys, observes Kafka, plans, acts, writes statuses. Deciding is left to `plans`.

A batch has two halves. The one that talks to Kafka runs for one batch at a time, in one thread; while a batch writes
its statuses the next one may already be at Kafka. A key is in one batch at a time: it is never worked on twice at once.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol, TypeVar

from signalink_core import faults
from signalink_core.clock import utc_now
from signalink_core.lifecycle import Lifecycle
from signalink_core.telemetry import logging
from signalink_core.telemetry import names as metric_names
from signalink_operator.adapters import kube as kube_api
from signalink_operator.keyqueue import KeyQueue
from signalink_operator.model import Condition, Failure, Key, ObservedTopic, Resource
from signalink_operator.plans import intent as intents
from signalink_operator.plans import retry, status
from signalink_operator.plans import topic as topic_plan
from signalink_operator.settings import OperatorSettings
from signalink_operator.store import Store

T = TypeVar("T")
BATCHES = 2
DRAIN_SECONDS = 20.0
log = logging.get_logger(__name__)


class Topics(Protocol):
    """What the passes need of Kafka; `adapters.kafka.KafkaTopics` is the real one, called in a thread."""

    def makes_topics_by_itself(self) -> bool | None: ...
    def observe(self, names: Sequence[str]) -> Mapping[str, ObservedTopic | Failure | None]: ...
    def act(self, plans: Mapping[str, topic_plan.Plan]) -> Mapping[str, ObservedTopic | Failure]: ...


@dataclass
class Pass:
    """One resource on its way through a batch."""

    resource: Resource
    intent: intents.Intent
    seen: ObservedTopic | None = None
    plan: topic_plan.Plan | None = None
    failure: Failure | None = None
    result: str = "unchanged"


class Reconciler(Lifecycle):
    """Works on what the queue holds until it is stopped; then it finishes the batches in flight."""

    def __init__(
        self,
        store: Store,
        queue: KeyQueue,
        topics: Topics,
        kube: kube_api.Kube,
        settings: OperatorSettings,
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        super().__init__()
        self._store, self._queue, self._topics, self._kube = store, queue, topics, kube
        self._settings, self._now = settings, now
        self._attempts: dict[Key, int] = {}
        self._batches: dict[asyncio.Task[None], float] = {}
        self._slots = asyncio.Semaphore(BATCHES)
        self._kafka_turn = asyncio.Lock()
        self._taking: asyncio.Task[None] | None = None
        self._thread: ThreadPoolExecutor | None = None

    @property
    def longest_batch_seconds(self) -> float:
        """How long the oldest batch in flight has been worked on."""
        return max((time.monotonic() - began for began in self._batches.values()), default=0.0)

    async def _start(self) -> None:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="kafka-admin")
        self._resources.callback(self._thread.shutdown, wait=False, cancel_futures=True)
        self._taking = self.spawn(self._take(), "reconcile")

    async def _stop(self) -> None:
        if self._taking is not None:
            self._taking.cancel()
        if self._batches:
            await asyncio.wait(self._batches, timeout=DRAIN_SECONDS)

    async def _take(self) -> None:
        while True:
            await self._slots.acquire()
            keys = await self._queue.take()
            task = self.spawn(self._batch(keys), "batch")
            self._batches[task] = time.monotonic()
            task.add_done_callback(self._batch_done)

    def _batch_done(self, task: asyncio.Task[None]) -> None:
        self._batches.pop(task, None)
        self._slots.release()

    async def _batch(self, keys: list[Key]) -> None:
        began = time.monotonic()
        try:
            async with self._kafka_turn:
                passes = await self._place_finalizers(self._decided(keys))
                await self._observe(passes)
                await self._act(passes)
            await faults.point("operator.after_apply")
            await asyncio.gather(*(self._conclude(one) for one in passes))
        finally:
            self._queue.done(keys)
        seconds = time.monotonic() - began
        for one in passes:
            kind = one.resource.key.kind
            metric_names.OPERATOR_RECONCILE_SECONDS.labels(kind=kind, result=one.result).observe(seconds)
        self._count()

    def _decided(self, keys: list[Key]) -> list[Pass]:
        finalizers = self._settings.finalizers == "on"
        found = [resource for key in keys if (resource := self._store.get(key)) is not None]
        return [Pass(one, intents.decide(one, self._store.owner(one), finalizers)) for one in found]

    # -- Kafka ---------------------------------------------------------------------------------------------------------

    async def _place_finalizers(self, passes: list[Pass]) -> list[Pass]:
        """Nothing is written to Kafka for a resource that could go before its topic does: first the finalizer."""
        kept = await asyncio.gather(*(self._placed(one) for one in passes))
        return [one for one, keep in zip(passes, kept, strict=True) if keep]

    async def _placed(self, one: Pass) -> bool:
        if one.intent.finalizer != "place":
            return True
        try:
            updated = await self._kube.set_finalizer(one.resource, intents.FINALIZER, True)
        except kube_api.KubeError as error:
            self._write_failed(one, error)
            return False
        if updated is None or updated.deleting:
            return False
        self._take_in(updated)
        one.resource = updated
        return True

    async def _observe(self, passes: list[Pass]) -> None:
        wanted = [one.intent.topic for one in passes if one.intent.step == "manage" and one.intent.topic]
        seen = await self._in_thread(lambda: self._topics.observe(wanted)) if wanted else {}
        for one in passes:
            name, spec = one.intent.topic, one.intent.spec
            if one.intent.step == "delete":
                one.plan = topic_plan.Plan((topic_plan.DeleteTopic(),))
            elif one.intent.step == "manage" and name is not None and spec is not None:
                found = seen[name]
                if isinstance(found, Failure):
                    one.failure = found
                else:
                    one.seen = found
                    one.plan = topic_plan.plan_topic(spec, found, self._settings.allowed_config)

    async def _act(self, passes: list[Pass]) -> None:
        plans = {one.intent.topic: one.plan for one in passes if one.intent.topic and one.plan and one.plan.actions}
        if not plans:
            return
        acted = await self._in_thread(lambda: self._topics.act(plans))
        for one in passes:
            outcome = acted.get(one.intent.topic or "")
            if one.intent.topic not in plans:
                continue
            one.result = "changed"
            if _drifted(one.resource):
                metric_names.OPERATOR_DRIFT_TOTAL.labels(kind=one.resource.key.kind).inc()
            if isinstance(outcome, Failure):
                one.failure = outcome
            elif outcome is not None:
                one.seen = outcome

    async def _in_thread(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)

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
                await self._tell(one, status.blocked(one.failure), {})
                return
            one.failure = None
        if one.intent.finalizer == "drop":
            one.result = "deleted" if resource.deleting else one.result
            updated = await self._kube.set_finalizer(resource, intents.FINALIZER, False)
            if updated is None or updated.deleting:
                return
            self._take_in(updated)
            one.resource = updated
        if step == "hold" and not resource.deleting:
            one.result = "held"
            forgotten = dict.fromkeys(status.FACTS) if one.intent.forgets else {}
            await self._tell(one, one.intent.conditions, forgotten)
        elif step == "manage" and one.intent.topic is not None:
            known = status.facts(one.intent.topic, one.seen) if one.seen is not None else {}
            one.result = "failed" if one.failure or (one.plan and one.plan.refusals) else one.result
            await self._tell(one, status.managed(one.plan, one.failure), known)

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
        key = one.resource.key
        if one.failure is None or one.failure.reason not in retry.PASSING | _BLOCKS.get(one.intent.step, frozenset()):
            self._attempts.pop(key, None)
            return
        self._later(key)

    def _later(self, key: Key) -> None:
        attempt = self._attempts[key] = self._attempts.get(key, 0) + 1
        self._queue.put_later(key, retry.delay(attempt, self._settings.retry_seconds))

    def _write_failed(self, one: Pass, error: kube_api.KubeError) -> None:
        """The pass is repeated: what was done in Kafka is found done then."""
        one.result = "failed"
        log.warning("kubernetes_write_failed", resource=str(one.resource.key), what=error.detail)
        self._later(one.resource.key)

    def forget(self, key: Key) -> None:
        """The resource is gone."""
        self._attempts.pop(key, None)
        self._queue.forget(key)

    def _count(self) -> None:
        ready = {"True": 0, "False": 0, "Unknown": 0}
        blocked = 0
        for resource in self._store:
            conditions = {item["type"]: item["status"] for item in resource.status.get("conditions") or ()}
            ready[conditions.get(intents.READY, "Unknown")] += 1
            blocked += conditions.get(status.BLOCKED) == "True"
        for state, count in ready.items():
            metric_names.OPERATOR_RESOURCES.labels(kind="Topic", ready=state.lower()).set(count)
        metric_names.OPERATOR_DELETION_BLOCKED.set(blocked)


_BLOCKS = {"delete": frozenset({"DeletionDisabled", "DeleteDenied", "KafkaUnauthenticated", "KafkaError"})}
"""A deleted resource is tried again whatever blocks it: nobody edits what is deleted already."""


def _drifted(resource: Resource) -> bool:
    """Whether Kafka was as this very spec says before: then what is done now repairs drift."""
    conditions = resource.status.get("conditions") or ()
    ready = any(item["type"] == intents.READY and item["status"] == "True" for item in conditions)
    return ready and resource.status.get("observedGeneration") == resource.generation and not resource.deleting


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
