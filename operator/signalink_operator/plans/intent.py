"""What a pass has to do with one Topic resource before Kafka is looked at: manage, delete, release or hold. Pure.

This is where it is decided whether data may go: only for a resource that somebody deleted, that is managed, is the one
that owns the topic, says `deletionPolicy: Delete` and carries the operator's finalizer.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import ValidationError

from signalink_operator.model import Condition, Key, Resource, TopicSpec, check_topic_name

FINALIZER = "signalink.dev/topic"
READY = "Ready"
Step = Literal["manage", "delete", "release", "hold"]
FinalizerStep = Literal["keep", "place", "drop"]


@dataclass(frozen=True)
class Intent:
    """`topic` is the name in Kafka; `conditions` are final for hold. `forgets`: topicName and the like are cleared."""

    step: Step
    topic: str | None = None
    spec: TopicSpec | None = None
    finalizer: FinalizerStep = "keep"
    conditions: tuple[Condition, ...] = ()
    forgets: bool = False


def desired_name(resource: Resource) -> str:
    return str(resource.spec.get("topicName") or resource.key.name)


def claim(resource: Resource) -> str | None:
    """The topic a resource wants to own: the one it got, else the one it asks for. None: it is not managed."""
    if not resource.managed or resource.key.kind != "Topic":
        return None
    return str(resource.status.get("topicName") or desired_name(resource))


def owner(claimants: Iterable[Resource]) -> Resource | None:
    """Of the resources that want one topic, the oldest has it: creation time, then namespace, then name."""
    return min(claimants, key=lambda resource: resource.age_rank, default=None)


def decide(resource: Resource, owned_by: Key | None, finalizers: bool = True) -> Intent:
    """`owned_by`: the resource that has the topic; `finalizers` False switches deleting of topics off everywhere."""
    spec, wrong = read_spec(resource)
    mine = owned_by in {None, resource.key}
    if resource.deleting:
        return _deleted(resource, spec, mine and finalizers)
    placed = FINALIZER in resource.finalizers
    drop: FinalizerStep = "drop" if placed else "keep"
    if not resource.managed:
        return Intent("hold", finalizer=drop, conditions=_UNMANAGED, forgets=True)
    if resource.paused:
        return Intent("hold", conditions=_PAUSED)
    if spec is None or wrong:
        return _refused("InvalidSpec", wrong)
    name = desired_name(resource)
    before = resource.status.get("topicName")
    if before and before != name:
        return _refused(
            "NotSupported",
            f"topicName {before} -> {name}: a topic cannot be renamed. Put {before} back, or make another resource.",
        )
    if not mine:
        return _conflict(name, owned_by, drop)
    wants = finalizers and spec.deletion_policy == "Delete"
    finalizer: FinalizerStep = "keep" if wants == placed else "place" if wants else "drop"
    return Intent("manage", name, spec, finalizer)


def read_spec(resource: Resource) -> tuple[TopicSpec | None, str]:
    """The spec, or why it is none: the same rules as in the resource definition, for a server that skipped them."""
    try:
        spec = TopicSpec.model_validate(resource.spec)
        check_topic_name(desired_name(resource))
    except ValidationError as error:
        return None, "; ".join(_sentence(item) for item in error.errors())
    except ValueError as error:
        return None, str(error)
    return spec, ""


def _sentence(item: Mapping[str, Any]) -> str:
    return f"spec.{'.'.join(map(str, item['loc']))}: {item['msg'].removeprefix('Value error, ')}"


def _deleted(resource: Resource, spec: TopicSpec | None, mine: bool) -> Intent:
    if FINALIZER not in resource.finalizers:
        return Intent("hold", topic=claim(resource))
    delete = spec is not None and spec.deletion_policy == "Delete" and resource.managed and mine
    if delete and not resource.force_release:
        return Intent("delete", claim(resource), spec, "drop")
    return Intent("release", claim(resource), spec, "drop")


def _refused(reason: str, message: str) -> Intent:
    return Intent("hold", conditions=(Condition(READY, "False", reason, message),))


def _conflict(name: str, other: Key | None, finalizer: FinalizerStep) -> Intent:
    who = f"{other.namespace}/{other.name}" if other is not None else "another resource"
    message = f"Topic {name} belongs to {who}, which is older. Delete one of the two, or choose another topicName."
    condition = Condition(READY, "False", "ResourceConflict", message)
    return Intent("hold", finalizer=finalizer, conditions=(condition,), forgets=True)


_UNMANAGED = (
    Condition(READY, "Unknown", "Unmanaged", "The annotation signalink.dev/managed is false: nobody looks after it."),
    Condition("Unmanaged", "True", "AnnotationSet", "Remove the annotation signalink.dev/managed to have it managed."),
)
_PAUSED = (
    Condition(READY, "Unknown", "ReconciliationPaused", "Changes wait until the pause ends; deleting works."),
    Condition("ReconciliationPaused", "True", "AnnotationSet", "Remove the annotation signalink.dev/paused to go on."),
)
