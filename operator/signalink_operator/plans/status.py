"""What the status of a resource says after a pass, which patch that needs, and which Events tell of it. Pure.

A time is an argument, so a pass that changes nothing computes the same status and writes nothing. `lastTransitionTime`
moves when a condition's status flips and at no other time.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from signalink_operator.model import Condition, Failure, ObservedTopic, Resource
from signalink_operator.plans import intent as intents
from signalink_operator.plans import topic as topic_plan

BLOCKED = "DeletionBlocked"
SILENT: Mapping[str, str] = {
    "KafkaUnavailable": "Kafka does not answer.",
    "ApiUnavailable": "The api does not answer.",
    "ApiThrottled": "The api takes no more calls for now.",
}
"""What is Unknown while it lasts. Said in these words, since the real ones change from one try to the next."""
_NEXT: Mapping[str, str] = {
    **dict.fromkeys(SILENT, "It is tried again by itself."),
    "KafkaUnauthenticated": "Kafka refuses the operator's user or password.",
    "CreateDenied": "Give the operator's Kafka user CREATE on this topic.",
    "ConfigDenied": "Give the operator's Kafka user ALTER_CONFIGS on this topic.",
    "GrowDenied": "Give the operator's Kafka user ALTER on this topic.",
    "DeleteDenied": "Give the operator's Kafka user DELETE on this topic.",
    "DeletionDisabled": "Kafka has delete.topic.enable=false.",
    "InvalidReplicas": "Ask for no more replicas than there are brokers.",
    "ApiUnauthorized": "Put a new service token into the file of SIGNALINK_OPERATOR_API_TOKEN_FILE.",
    "ApiForbidden": "Give the operator a service token with the scope channels:admin.",
    "NameTaken": "Choose another slug, or annotate signalink.dev/adopt=true to take the channel over.",
    "ChannelArchived": "An archived channel cannot be changed. Choose another slug.",
    "ChannelFull": "Raise quota.maxMembers, or list fewer members.",
    "InvalidChannel": "Correct the spec.",
}


@dataclass(frozen=True)
class Note:
    """A Kubernetes Event. The name is the same for the same transition, so that writing it twice is one Event."""

    name: str
    type: Literal["Normal", "Warning"]
    reason: str
    message: str


def sentence(failure: Failure) -> str:
    """What happened and what to do. The other side's words, except where they change from one try to the next."""
    what = SILENT.get(failure.reason) or failure.message.rstrip()
    after = _NEXT.get(failure.reason, "")
    return f"{what if what.endswith('.') else what + '.'} {after}".strip()


def failed(failure: Failure) -> Condition:
    """Ready is Unknown while the other side does not answer, and False when it refused."""
    status: Literal["Unknown", "False"] = "Unknown" if failure.reason in SILENT else "False"
    return Condition(intents.READY, status, failure.reason, sentence(failure))


def managed(plan: topic_plan.Plan | None, failure: Failure | None) -> tuple[Condition, ...]:
    """The conditions after a pass in which the topic was planned and acted on; no plan: it could not be observed."""
    if failure is not None:
        return (failed(failure), *_warnings(plan))
    refusals = plan.refusals if plan is not None else ()
    if refusals:
        text = "; ".join(refusal.message for refusal in refusals)
        return (Condition(intents.READY, "False", refusals[0].reason, text), *_warnings(plan))
    return (Condition(intents.READY, "True", "Reconciled", "Kafka has the topic as it is described."), *_warnings(plan))


def blocked(failure: Failure, noun: str = "topic") -> tuple[Condition, ...]:
    """The conditions of a deleted resource whose topic (or channel) could not be taken away."""
    text = sentence(failure)
    text += f" Annotate signalink.dev/force-release=true to let the resource go and keep the {noun}."
    return (Condition(intents.READY, "False", BLOCKED, text), Condition(BLOCKED, "True", failure.reason, text))


def _warnings(plan: topic_plan.Plan | None) -> tuple[Condition, ...]:
    if plan is None or not plan.ignored:
        return ()
    keys = ", ".join(plan.ignored)
    return (Condition("Warning", "True", "ConfigIgnored", f"This Kafka does not let anyone set: {keys}."),)


def facts(name: str, seen: ObservedTopic | None) -> dict[str, Any]:
    """What is known of the topic; without a description only its name."""
    if seen is None:
        return {"topicName": name}
    return {"topicName": name, "topicId": seen.topic_id, "partitions": seen.partitions, "replicas": seen.replicas}


def patch(
    resource: Resource, conditions: Sequence[Condition], known: Mapping[str, Any], now: str
) -> dict[str, Any] | None:
    """The merge patch of `.status`; None when it says all this already. A fact that is None is taken away."""
    desired: dict[str, Any] = {
        "observedGeneration": resource.generation,
        **known,
        "conditions": _merged(resource, conditions, now),
    }
    changed = {key: value for key, value in desired.items() if resource.status.get(key) != value}
    return changed or None


def _merged(resource: Resource, conditions: Sequence[Condition], now: str) -> list[dict[str, Any]]:
    known = before(resource)
    merged = []
    for condition in conditions:
        old = known.get(condition.type, {})
        since = old.get("lastTransitionTime", now) if old.get("status") == condition.status else now
        merged.append(condition.to_json(resource.generation, since))
    return merged


def before(resource: Resource) -> dict[str, Mapping[str, Any]]:
    """The conditions as they are now, by type."""
    return {item["type"]: item for item in resource.status.get("conditions") or ()}


def notes(resource: Resource, conditions: Iterable[Condition]) -> list[Note]:
    """An Event per condition that flipped, or that is there for the first time and is not as one wishes."""
    known = before(resource)
    found = []
    for condition in conditions:
        old = known.get(condition.type)
        good = condition.type in _GOOD and condition.status == "True"
        quiet = good or condition.reason == PENDING
        first = old is None or old.get("reason") == PENDING
        same = old is not None and old.get("status") == condition.status
        if same or (first and quiet):
            continue
        # The transition is named by where it came from: computed again after a crash, it is the same one.
        origin = f"{old.get('status')} {old.get('lastTransitionTime')}" if old else "new"
        text = f"{resource.uid} {condition.type} {origin} {condition.status} {condition.reason}"
        digest = hashlib.sha256(text.encode()).hexdigest()[:16]
        kind: Literal["Normal", "Warning"] = "Normal" if good or condition.type in _CALM else "Warning"
        found.append(Note(f"{resource.key.name[:230]}.{digest}", kind, condition.reason, condition.message))
    return found


PENDING = "Pending"
"""Reason of what was asked for a moment ago: nobody needs to be told yet, nor that it came out well."""
_GOOD = frozenset({intents.READY, "TopicReady", "MembersResolved"})
_CALM = frozenset({"Unmanaged", "ReconciliationPaused"})
