"""What resources may say and what was observed, as pure data. Deciding is left to `plans`, wires to `adapters`."""

from signalink_operator.model.channel import (
    SLUG_LIMIT,
    ChannelSpec,
    Member,
    ObservedChannel,
    Quota,
    Removal,
    check_slug,
)
from signalink_operator.model.resource import (
    ANNOTATION_ADOPT,
    ANNOTATION_FORCE_RELEASE,
    ANNOTATION_MANAGED,
    ANNOTATION_PAUSED,
    GROUP,
    LABEL_CHANNEL,
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
    TopicShape,
    TopicSpec,
    check_topic_name,
)

__all__ = [
    "ANNOTATION_ADOPT",
    "ANNOTATION_FORCE_RELEASE",
    "ANNOTATION_MANAGED",
    "ANNOTATION_PAUSED",
    "API_VERSION",
    "GROUP",
    "LABEL_CHANNEL",
    "NAME_LIMIT",
    "PLURALS",
    "SLUG_LIMIT",
    "ChannelSpec",
    "Condition",
    "ConfigEntry",
    "Failure",
    "Key",
    "Member",
    "ObservedChannel",
    "ObservedTopic",
    "Quota",
    "Removal",
    "Resource",
    "Topic",
    "TopicShape",
    "TopicSpec",
    "check_slug",
    "check_topic_name",
]
