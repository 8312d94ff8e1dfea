"""What has to be done so that one channel is as its resource says: its Topic resource, and the api's document. Pure.

The document is whole and the api compares: members are seen by nobody else, so a pass is one call that writes nothing
when nothing differs. What is compared here is the Topic resource that a Channel may have made for it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from signalink_core import principals
from signalink_operator.model import LABEL_CHANNEL, ChannelSpec, Condition, Key, Resource
from signalink_operator.plans import intent as intents
from signalink_operator.plans import status

TOPIC_READY = "TopicReady"
PLATFORM = frozenset(principals.TOPICS)
"""Topics of the platform's own; a channel's events would be there twice, or among what is none of them."""
LABEL_LIMIT = 63


@dataclass(frozen=True)
class MakeTopic:
    """A new Topic resource, owned by the Channel."""

    key: Key
    spec: Mapping[str, Any]
    labels: Mapping[str, str]


@dataclass(frozen=True)
class EditTopic:
    """A merge patch that makes the Topic resource what the Channel asks for."""

    key: Key
    patch: Mapping[str, Any]


@dataclass(frozen=True)
class DropTopic:
    """The Channel asks for it no longer; its own policy decides on the data."""

    key: Key
    uid: str


TopicAction = MakeTopic | EditTopic | DropTopic


@dataclass(frozen=True)
class ChannelPlan:
    """`topic`: the condition TopicReady, None where the channel has no topic of its own. `document`: for the api."""

    actions: tuple[TopicAction, ...]
    document: Mapping[str, Any]
    topic: Condition | None = None

    @property
    def event_topic(self) -> str | None:
        name = self.document["event_topic"]
        return None if name is None else str(name)


def plan_channel(
    resource: Resource, spec: ChannelSpec, topics: Mapping[str, Resource], carried: frozenset[str] = frozenset()
) -> ChannelPlan:
    """Decide for one channel. `topics`: Topic resources of its namespace by name, as far as the operator has them.

    `carried`: keys of labels that a Topic made here takes over, since the operator's selector looks at them.
    """
    found = topics.get(spec.topic_ref or resource.key.name)
    if found is not None and found.deleting:
        found = None
    drops = _drops(resource, spec, topics.get(resource.key.name))
    if spec.topic is not None:
        actions, topic = _made(resource, spec, found, carried)
    elif spec.topic_ref is not None:
        actions, topic = (), _said(found) if found is not None else _missing(resource, spec.topic_ref)
    else:
        actions, topic, found = (), None, None
    name = None if topic is None or topic.reason in _NOT_ITS_OWN else _event_topic(found)
    return ChannelPlan((*drops, *actions), document(resource, spec, name), topic)


def document(resource: Resource, spec: ChannelSpec, event_topic: str | None) -> dict[str, Any]:
    """The whole channel as the admin endpoint takes it. Adopting is asked for only until the channel is had."""
    quota = spec.quota
    return {
        "managed_by": managed_by(resource),
        "adopt": resource.adopts and not resource.status.get("channelId"),
        "display_name": spec.display_name,
        "description": spec.description,
        "visibility": spec.visibility.lower(),
        "members": [{"user": one.user, "role": one.role.lower()} for one in spec.members],
        "members_policy": spec.members_policy.lower(),
        "quota": {
            "messages_per_second": quota.messages_per_second,
            "slow_mode_seconds": quota.slow_mode_seconds,
            "retention_days": quota.retention_days,
            "max_members": quota.max_members,
        },
        "event_topic": event_topic,
    }


def managed_by(resource: Resource) -> str:
    """Who has the channel, for the api: cluster, namespace and name."""
    key = resource.key
    return f"{resource.spec.get('clusterRef', 'default')}/{key.namespace}/{key.name}"


# -- the Topic resource --------------------------------------------------------------------------------------------


def _made(
    resource: Resource, spec: ChannelSpec, found: Resource | None, carried: frozenset[str]
) -> tuple[tuple[TopicAction, ...], Condition]:
    name = intents.desired_name(resource)
    if name in PLATFORM or name.startswith("dlq."):
        return (), _platforms(name)
    key = Key("Topic", resource.key.namespace, resource.key.name)
    wanted, labels = _topic_spec(resource, spec), _labels(resource, carried)
    if found is None:
        return (MakeTopic(key, wanted, labels),), _pending(key)
    if resource.uid not in found.owners:
        return (), Condition(
            TOPIC_READY,
            "False",
            "ResourceConflict",
            f"Topic {key.namespace}/{key.name} is there already and is not of this Channel. "
            f"Name it in topicRef, or give the Channel another name.",
        )
    patch = merge_patch(found.spec, wanted)
    missing = {name: value for name, value in labels.items() if found.labels.get(name) != value}
    changes = {"spec": patch} if patch else {}
    meta = {"metadata": {"labels": missing}} if missing else {}
    return ((EditTopic(key, changes | meta),) if changes or meta else ()), _said(found)


def _drops(resource: Resource, spec: ChannelSpec, own: Resource | None) -> tuple[TopicAction, ...]:
    """A Topic that was made for the Channel and is neither asked for nor referred to any more."""
    if own is None or own.deleting or resource.uid not in own.owners:
        return ()
    unwanted = spec.topic is None and spec.topic_ref != own.key.name
    return (DropTopic(own.key, own.uid),) if unwanted else ()


def _topic_spec(resource: Resource, spec: ChannelSpec) -> dict[str, Any]:
    """Every field that the server would fill in is given, so that what comes back is equal."""
    assert spec.topic is not None  # noqa: S101  # the caller asked
    slug = intents.desired_name(resource)
    wanted = spec.topic.model_dump(by_alias=True, exclude_none=True, mode="json")
    if not wanted["config"]:
        del wanted["config"]
    if slug != resource.key.name:
        wanted["topicName"] = slug
    return wanted | {"clusterRef": resource.spec.get("clusterRef", "default")}


def _labels(resource: Resource, carried: frozenset[str]) -> dict[str, str]:
    """Whose it is, as far as a label may be long; not all of the Channel's, which deploy tools take for their own."""
    taken = {key: value for key, value in resource.labels.items() if key in carried}
    return {**taken, LABEL_CHANNEL: resource.key.name[:LABEL_LIMIT].rstrip("-.")}


def merge_patch(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    """The RFC 7386 patch from one document to the other; empty: they are equal."""
    patch: dict[str, Any] = {key: None for key in before if key not in after}
    for key, value in after.items():
        old = before.get(key)
        if isinstance(value, Mapping) and isinstance(old, Mapping):
            if inner := merge_patch(old, value):
                patch[key] = inner
        elif key not in before or old != value:
            patch[key] = value
    return patch


# -- what is said of it --------------------------------------------------------------------------------------------


def _said(topic: Resource) -> Condition:
    """TopicReady is what the Topic says of itself."""
    name = topic.status.get("topicName")
    if name in PLATFORM or str(name).startswith("dlq."):
        return _platforms(str(name))
    ready = status.before(topic).get(intents.READY)
    if ready is None:
        return _pending(topic.key)
    text = f"Topic {topic.key.namespace}/{topic.key.name}: {ready.get('message', '')}"
    return Condition(TOPIC_READY, ready["status"], ready.get("reason", ""), text)


def _event_topic(topic: Resource | None) -> str | None:
    """Where the channel's events go too: only to a topic that Kafka has."""
    if topic is None or not topic.status.get("topicId"):
        return None
    name = topic.status.get("topicName")
    return None if name is None else str(name)


def _pending(key: Key) -> Condition:
    return Condition(
        TOPIC_READY, "Unknown", status.PENDING, f"Topic {key.namespace}/{key.name} has not been looked at yet."
    )


def _missing(resource: Resource, name: str) -> Condition:
    which = f"{resource.key.namespace}/{name}"
    text = f"There is no Topic {which} that this operator looks after. Make it, or correct topicRef."
    return Condition(TOPIC_READY, "False", "TopicNotFound", text)


def _platforms(name: str) -> Condition:
    text = f"Topic {name} is the platform's own and takes no events of one channel. Choose another topic."
    return Condition(TOPIC_READY, "False", "PlatformTopic", text)


_NOT_ITS_OWN = frozenset({"ResourceConflict", "PlatformTopic", "TopicNotFound"})
