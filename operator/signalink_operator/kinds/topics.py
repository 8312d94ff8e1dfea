"""Topic resources: Kafka is observed and changed in one thread, one call per kind of action for a whole batch."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol, TypeVar

from signalink_operator.kinds.base import Kind, Pass, count_drift
from signalink_operator.model import Failure, ObservedTopic, TopicSpec
from signalink_operator.plans import status
from signalink_operator.plans import topic as topic_plan

T = TypeVar("T")


class Topics(Protocol):
    """What the passes need of Kafka; `adapters.kafka.KafkaTopics` is the real one, called in a thread."""

    def makes_topics_by_itself(self) -> bool | None: ...
    def observe(
        self, names: Sequence[str], replicas: Mapping[str, int] | None = None
    ) -> Mapping[str, ObservedTopic | Failure | None]: ...
    def act(self, plans: Mapping[str, topic_plan.Plan]) -> Mapping[str, ObservedTopic | Failure]: ...


class TopicKind(Kind):
    """`allowed`: the only settings this Kafka lets anyone change; None where there is no such list."""

    name = "Topic"

    def __init__(self, topics: Topics, allowed: frozenset[str] | None = None) -> None:
        super().__init__()
        self._topics, self._allowed = topics, allowed
        self._thread: ThreadPoolExecutor | None = None

    async def _start(self) -> None:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="kafka-admin")
        self._resources.callback(self._thread.shutdown, wait=False, cancel_futures=True)

    async def work(self, passes: Sequence[Pass]) -> None:
        managed = [one for one in passes if one.intent.step == "manage"]
        seen = await self._observe(managed)
        plans = self._planned(managed, seen)
        deleted = [one.intent.name for one in passes if one.intent.step == "delete" and one.intent.name]
        todo = {name: plan for name, plan in plans.items() if plan.actions}
        todo |= {name: topic_plan.Plan((topic_plan.DeleteTopic(),)) for name in deleted}
        acted = await self._in_thread(lambda: self._topics.act(todo)) if todo else {}
        for one in passes:
            name = one.intent.name or ""
            outcome = acted.get(name, seen.get(name))
            one.failure = outcome if isinstance(outcome, Failure) else None
            if name in todo:
                one.result = "changed"
                count_drift(one.resource)
            if one.intent.step == "manage":
                self._say(one, plans.get(name), outcome if isinstance(outcome, ObservedTopic) else seen.get(name))

    async def _observe(self, passes: Sequence[Pass]) -> Mapping[str, ObservedTopic | Failure | None]:
        wanted = [one.intent.name for one in passes if one.intent.name]
        replicas = {
            one.intent.name: spec.replicas
            for one in passes
            if one.intent.name and isinstance(spec := one.intent.spec, TopicSpec) and spec.replicas is not None
        }
        return await self._in_thread(lambda: self._topics.observe(wanted, replicas)) if wanted else {}

    def _planned(
        self, passes: Sequence[Pass], seen: Mapping[str, ObservedTopic | Failure | None]
    ) -> dict[str, topic_plan.Plan]:
        plans = {}
        for one in passes:
            name, spec = one.intent.name, one.intent.spec
            found = seen[name] if name else None
            if name and isinstance(spec, TopicSpec) and not isinstance(found, Failure):
                plans[name] = topic_plan.plan_topic(spec, found, self._allowed)
        return plans

    @staticmethod
    def _say(one: Pass, plan: topic_plan.Plan | None, seen: ObservedTopic | Failure | None) -> None:
        if one.intent.name and isinstance(seen, ObservedTopic):
            one.known = status.facts(one.intent.name, seen)
        one.conditions = status.managed(plan, one.failure)
        if one.failure or (plan and plan.refusals):
            one.result = "failed"

    async def _in_thread(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)
