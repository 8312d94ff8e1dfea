"""What has to be done so that one topic is as its manifest says. Pure; carrying it out is left to `adapters`.

Nothing here ever shrinks or deletes a topic: a smaller `partitions` and another `replicas` are refused with a reason,
while the settings of the same manifest are still applied.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from signalink_operator.model import ObservedTopic, TopicSpec
from signalink_operator.plans import config as config_plan


@dataclass(frozen=True)
class CreateTopic:
    """`partitions` and `replicas` None: the broker's default."""

    partitions: int | None
    replicas: int | None
    config: Mapping[str, str]


@dataclass(frozen=True)
class GrowPartitions:
    """`total` is the count afterwards, not the difference."""

    total: int


@dataclass(frozen=True)
class SetConfig:
    """Settings to put on the topic; the others stay."""

    config: Mapping[str, str]


@dataclass(frozen=True)
class DeleteConfig:
    """Settings to take off the topic, so that the broker's default holds again."""

    keys: tuple[str, ...]


@dataclass(frozen=True)
class Refuse:
    """Something the manifest asks for and no action can give; `reason` is CamelCase and stable."""

    reason: str
    message: str


Action = CreateTopic | GrowPartitions | SetConfig | DeleteConfig


@dataclass(frozen=True)
class Plan:
    """Actions in the order in which they are carried out, and what was refused."""

    actions: tuple[Action, ...] = ()
    refusals: tuple[Refuse, ...] = ()


def plan_topic(spec: TopicSpec, observed: ObservedTopic | None) -> Plan:
    """Decide for one topic; `observed` None means that Kafka does not have it."""
    desired = {key: str(value) for key, value in spec.config.items()}
    if observed is None:
        return Plan((CreateTopic(spec.partitions, spec.replicas, desired),))
    grow, refusals = _plan_size(spec, observed)
    return Plan((*grow, *_plan_config(desired, observed)), refusals)


def _plan_size(spec: TopicSpec, observed: ObservedTopic) -> tuple[tuple[Action, ...], tuple[Refuse, ...]]:
    refusals = []
    if spec.replicas is not None and spec.replicas != observed.replicas:
        refusals.append(
            Refuse("NotSupported", f"replicas {observed.replicas} -> {spec.replicas} needs a reassignment by hand")
        )
    if spec.partitions is None or spec.partitions == observed.partitions:
        return (), tuple(refusals)
    if spec.partitions < observed.partitions:
        refusals.append(
            Refuse("NotSupported", f"partitions {observed.partitions} -> {spec.partitions}: no topic can shrink")
        )
        return (), tuple(refusals)
    return (GrowPartitions(spec.partitions),), tuple(refusals)


def _plan_config(desired: Mapping[str, str], observed: ObservedTopic) -> tuple[Action, ...]:
    wrong = {key: value for key, value in desired.items() if not _holds(key, value, observed)}
    gone = tuple(sorted(key for key, entry in observed.config.items() if entry.own and key not in desired))
    return (*((SetConfig(wrong),) if wrong else ()), *((DeleteConfig(gone),) if gone else ()))


def _holds(key: str, value: str, observed: ObservedTopic) -> bool:
    """A broker default of the same value does not count: it could change under the topic."""
    entry = observed.config.get(key)
    return entry is not None and entry.own and config_plan.same(key, value, entry.value)
