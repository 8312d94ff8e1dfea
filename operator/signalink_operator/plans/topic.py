"""What has to be done so that one topic is as its manifest says. Pure; carrying it out is left to `adapters`.

Nothing here ever shrinks a topic: a smaller `partitions` and another `replicas` are refused with a reason, while the
settings of the same manifest are still applied. Whether a topic may be deleted at all is decided in `plans.intent`.
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
class DeleteTopic:
    """Take the topic and its records away. That it is gone already is success."""


@dataclass(frozen=True)
class Refuse:
    """Something the manifest asks for and no action can give; `reason` is CamelCase and stable."""

    reason: str
    message: str


Action = CreateTopic | GrowPartitions | SetConfig | DeleteConfig | DeleteTopic


@dataclass(frozen=True)
class Plan:
    """Actions in the order in which they are carried out, what was refused, and settings that were left out."""

    actions: tuple[Action, ...] = ()
    refusals: tuple[Refuse, ...] = ()
    ignored: tuple[str, ...] = ()


def plan_topic(spec: TopicSpec, observed: ObservedTopic | None, allowed: frozenset[str] | None = None) -> Plan:
    """Decide for one topic; `observed` None means that Kafka does not have it.

    `allowed`: the only settings this Kafka lets anyone change (MSK Serverless); None where there is no such list.
    """
    ignored = () if allowed is None else tuple(sorted(set(spec.config) - allowed))
    desired = {key: str(value) for key, value in spec.config.items() if key not in ignored}
    if observed is None:
        return Plan((CreateTopic(spec.partitions, spec.replicas, desired),), ignored=ignored)
    grow, refusals = _plan_size(spec, observed)
    return Plan((*grow, *_plan_config(desired, observed, allowed)), refusals, ignored)


def _plan_size(spec: TopicSpec, observed: ObservedTopic) -> tuple[tuple[Action, ...], tuple[Refuse, ...]]:
    refusals = []
    if spec.replicas is not None and spec.replicas not in {observed.replicas, observed.target_replicas}:
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


def _plan_config(
    desired: Mapping[str, str], observed: ObservedTopic, allowed: frozenset[str] | None
) -> tuple[Action, ...]:
    wrong = {key: value for key, value in desired.items() if not _holds(key, value, observed)}
    own = (key for key, entry in observed.config.items() if entry.own and key not in desired)
    gone = tuple(sorted(key for key in own if allowed is None or key in allowed))
    return (*((SetConfig(wrong),) if wrong else ()), *((DeleteConfig(gone),) if gone else ()))


def _holds(key: str, value: str, observed: ObservedTopic) -> bool:
    """A broker default of the same value does not count: it could change under the topic."""
    entry = observed.config.get(key)
    return entry is not None and entry.own and config_plan.same(key, value, entry.value)
