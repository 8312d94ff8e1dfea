"""`apply`: read manifests, observe, decide, act, say what happened to each topic. No Kubernetes takes part."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from signalink_operator import model
from signalink_operator.adapters import kafka
from signalink_operator.plans import topic as topic_plan

Outcome = Literal["created", "configured", "unchanged", "refused"]


class Topics(Protocol):
    """What `apply` needs of Kafka; `adapters.kafka.KafkaTopics` is the real one."""

    def observe(self, names: Sequence[str], replicas: Mapping[str, int] | None = None) -> dict[str, kafka.Observed]: ...
    def act(self, plans: dict[str, topic_plan.Plan]) -> dict[str, kafka.Acted]: ...


@dataclass(frozen=True)
class Result:
    """One line of the report; `why` is empty unless something was refused or failed."""

    topic: str
    outcome: Outcome
    why: str = ""

    def __str__(self) -> str:
        return f"{self.outcome} {self.topic}" + (f": {self.why}" if self.why else "")


def run(manifests: Sequence[model.Topic], topics: Topics) -> list[Result]:
    """Bring every topic to its manifest once; the results are in the manifests' order."""
    replicas = {one.name: one.spec.replicas for one in manifests if one.spec.replicas is not None}
    observed = topics.observe([manifest.name for manifest in manifests], replicas)
    plans = {
        manifest.name: topic_plan.plan_topic(manifest.spec, seen)
        for manifest in manifests
        if not isinstance(seen := observed[manifest.name], model.Failure)
    }
    acted = topics.act({name: plan for name, plan in plans.items() if plan.actions})
    outcomes = {**observed, **acted}
    failures = {name: outcome for name, outcome in outcomes.items() if isinstance(outcome, model.Failure)}
    return [_result(manifest.name, plans.get(manifest.name), failures.get(manifest.name)) for manifest in manifests]


def _result(name: str, plan: topic_plan.Plan | None, failure: model.Failure | None) -> Result:
    if failure is not None or plan is None:
        why = f"{failure.reason}: {failure.message}" if failure is not None else "not planned"
        return Result(name, "refused", why)
    if plan.refusals:
        return Result(name, "refused", "; ".join(f"{refusal.reason}: {refusal.message}" for refusal in plan.refusals))
    if not plan.actions:
        return Result(name, "unchanged")
    return Result(name, "created" if isinstance(plan.actions[0], topic_plan.CreateTopic) else "configured")
