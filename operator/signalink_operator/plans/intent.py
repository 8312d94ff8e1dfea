"""What a pass has to do with one resource before the outside is looked at: manage, delete, release or hold. Pure.

This is where it is decided whether data may go: only for a resource that somebody deleted, that is managed, is the one
that owns what it names, has a policy that takes it away and carries the operator's finalizer. All kinds are decided
here, by the same code; `RULES` is what differs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import ValidationError

from signalink_operator.model import (
    ChannelSpec,
    Condition,
    Key,
    Resource,
    TopicSpec,
    check_slug,
    check_topic_name,
)

READY = "Ready"
Step = Literal["manage", "delete", "release", "hold"]
FinalizerStep = Literal["keep", "place", "drop"]
Spec = TopicSpec | ChannelSpec


@dataclass(frozen=True)
class Rules:
    """One kind. `field`, in spec and status, has the name that is claimed; `removing` are policies that take away."""

    noun: str
    field: str
    finalizer: str
    removing: frozenset[str]
    facts: tuple[str, ...]
    """Fields of the status that hold only while the resource is looked after."""
    spec: type[TopicSpec] | type[ChannelSpec]
    check: Callable[[str], str]


RULES: Mapping[str, Rules] = {
    "Topic": Rules(
        "topic",
        "topicName",
        "signalink.dev/topic",
        frozenset({"Delete"}),
        ("topicName", "topicId", "partitions", "replicas"),
        TopicSpec,
        check_topic_name,
    ),
    "Channel": Rules(
        "channel",
        "slug",
        "signalink.dev/channel",
        frozenset({"Archive", "Delete"}),
        ("slug", "channelId", "topicName", "memberCount"),
        ChannelSpec,
        check_slug,
    ),
}


@dataclass(frozen=True)
class Intent:
    """`name` is the topic in Kafka or the channel's slug; `conditions` are final for hold. `forgets`: facts go."""

    step: Step
    name: str | None = None
    spec: Spec | None = None
    finalizer: FinalizerStep = "keep"
    conditions: tuple[Condition, ...] = ()
    forgets: bool = False


def rules(resource: Resource) -> Rules:
    return RULES[resource.key.kind]


def desired_name(resource: Resource) -> str:
    return str(resource.spec.get(rules(resource).field) or resource.key.name)


def claim(resource: Resource) -> str | None:
    """What a resource wants to own: the one it got, else the one it asks for. None: it is not managed."""
    if not resource.managed:
        return None
    return str(resource.status.get(rules(resource).field) or desired_name(resource))


def owner(claimants: Iterable[Resource]) -> Resource | None:
    """Of the resources that want one thing, the oldest has it: creation time, then namespace, then name."""
    return min(claimants, key=lambda resource: resource.age_rank, default=None)


def decide(resource: Resource, owned_by: Key | None, finalizers: bool = True) -> Intent:
    """`owned_by`: the resource that has the name; `finalizers` False switches taking away off everywhere."""
    kind = rules(resource)
    spec, wrong = read_spec(resource)
    mine = owned_by in {None, resource.key}
    if resource.deleting:
        return _deleted(resource, spec, mine and finalizers)
    placed = kind.finalizer in resource.finalizers
    drop: FinalizerStep = "drop" if placed else "keep"
    if not resource.managed:
        return Intent("hold", finalizer=drop, conditions=_UNMANAGED, forgets=True)
    if resource.paused:
        return Intent("hold", conditions=_PAUSED)
    if spec is None or wrong:
        return _refused("InvalidSpec", wrong)
    name = desired_name(resource)
    before = resource.status.get(kind.field)
    if before and before != name:
        return _refused(
            "NotSupported",
            f"{kind.field} {before} -> {name}: a {kind.noun} cannot be renamed. "
            f"Put {before} back, or make another resource.",
        )
    if not mine:
        return _conflict(kind, name, owned_by, drop)
    wants = finalizers and spec.deletion_policy in kind.removing
    finalizer: FinalizerStep = "keep" if wants == placed else "place" if wants else "drop"
    return Intent("manage", name, spec, finalizer)


def read_spec(resource: Resource) -> tuple[Spec | None, str]:
    """The spec, or why it is none: the same rules as in the resource definition, for a server that skipped them."""
    kind = rules(resource)
    try:
        spec = kind.spec.model_validate(resource.spec)
        kind.check(desired_name(resource))
    except ValidationError as error:
        return None, "; ".join(_sentence(item) for item in error.errors())
    except ValueError as error:
        return None, str(error)
    return spec, ""


def _sentence(item: Mapping[str, Any]) -> str:
    where = ".".join(("spec", *map(str, item["loc"])))
    return f"{where}: {item['msg'].removeprefix('Value error, ')}"


def _deleted(resource: Resource, spec: Spec | None, mine: bool) -> Intent:
    kind = rules(resource)
    if kind.finalizer not in resource.finalizers:
        return Intent("hold", name=claim(resource))
    delete = spec is not None and spec.deletion_policy in kind.removing and resource.managed and mine
    if delete and not resource.force_release:
        return Intent("delete", claim(resource), spec, "drop")
    return Intent("release", claim(resource), spec, "drop")


def _refused(reason: str, message: str) -> Intent:
    return Intent("hold", conditions=(Condition(READY, "False", reason, message),))


def _conflict(kind: Rules, name: str, other: Key | None, finalizer: FinalizerStep) -> Intent:
    who = f"{other.namespace}/{other.name}" if other is not None else "another resource"
    message = (
        f"{kind.noun.capitalize()} {name} belongs to {who}, which is older. "
        f"Delete one of the two, or choose another {kind.field}."
    )
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
