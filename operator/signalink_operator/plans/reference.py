"""Which Topic resources a Channel depends on, and what it sees of them: when that changes, the Channel is due. Pure."""

from __future__ import annotations

from typing import Any

from signalink_operator.model import Key, Resource
from signalink_operator.plans import intent as intents
from signalink_operator.plans import status


def topics_of(resource: Resource) -> frozenset[Key]:
    """The Topic that a Channel refers to, or has made; none for other kinds."""
    if resource.key.kind != "Channel":
        return frozenset()
    names = {resource.spec.get("topicRef"), resource.key.name if resource.spec.get("topic") is not None else None}
    return frozenset(Key("Topic", resource.key.namespace, str(name)) for name in names if name)


def shown(resource: Resource | None) -> Any:
    """What a Channel sees of a Topic; equal before and after: nothing to do for it."""
    if resource is None or resource.key.kind != "Topic":
        return None
    ready = status.before(resource).get(intents.READY, {})
    said = tuple(ready.get(key) for key in ("status", "reason", "message"))
    facts = (resource.status.get("topicName"), resource.status.get("topicId"))
    return (said, facts, resource.uid, resource.generation, resource.deleted, resource.owners, resource.labels)
