"""What resources may say and what was observed, as pure data. Deciding is left to `plans`, wires to `adapters`."""

from signalink_operator.model.resource import (
    ANNOTATION_FORCE_RELEASE,
    ANNOTATION_MANAGED,
    ANNOTATION_PAUSED,
    GROUP,
    PLURALS,
    Key,
    Resource,
)
from signalink_operator.model.status import Condition
from signalink_operator.model.topic import (
    API_VERSION,
    NAME_LIMIT,
    ConfigEntry,
    Failure,
    ObservedTopic,
    Topic,
    TopicSpec,
    check_topic_name,
)

__all__ = [
    "ANNOTATION_FORCE_RELEASE",
    "ANNOTATION_MANAGED",
    "ANNOTATION_PAUSED",
    "API_VERSION",
    "GROUP",
    "NAME_LIMIT",
    "PLURALS",
    "Condition",
    "ConfigEntry",
    "Failure",
    "Key",
    "ObservedTopic",
    "Resource",
    "Topic",
    "TopicSpec",
    "check_topic_name",
]
