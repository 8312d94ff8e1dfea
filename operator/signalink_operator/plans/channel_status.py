"""What the status of a Channel says after a pass. Pure; patches and Events of it are made in `plans.status`."""

from __future__ import annotations

from typing import Any

from signalink_operator.model import Condition, Failure, ObservedChannel, Resource
from signalink_operator.plans import channel as channel_plan
from signalink_operator.plans import intent as intents
from signalink_operator.plans import status

RESOLVED = "MembersResolved"
NAMED = 10
"""Most members that a sentence names."""


def managed(
    resource: Resource, plan: channel_plan.ChannelPlan, outcome: ObservedChannel | Failure
) -> tuple[Condition, ...]:
    """The conditions after the api was asked; what it could not be asked about stays as it was."""
    topic = (plan.topic,) if plan.topic is not None else ()
    if isinstance(outcome, Failure):
        known = status.before(resource)
        kept = (Condition.from_json(known[name]) for name in (RESOLVED,) if name in known)
        return (status.failed(outcome), *topic, *kept)
    return (_ready(plan.topic), *topic, _resolved(outcome), *_warnings(outcome))


def facts(slug: str, outcome: ObservedChannel | Failure) -> dict[str, Any]:
    """What is known of the channel; nothing new when the api could not be asked."""
    if isinstance(outcome, Failure):
        return {}
    return {
        "slug": slug,
        "channelId": outcome.channel_id,
        "topicName": outcome.event_topic,
        "memberCount": outcome.member_count,
    }


def _ready(topic: Condition | None) -> Condition:
    if topic is None or topic.status == "True":
        return Condition(intents.READY, "True", "Reconciled", "The channel is as it is described.")
    if topic.reason == status.PENDING:
        return Condition(intents.READY, "Unknown", status.PENDING, f"The channel works. {topic.message}")
    text = f"The channel works; its topic does not ({topic.reason}). {topic.message}"
    return Condition(intents.READY, "False", "TopicNotReady", text)


def _resolved(outcome: ObservedChannel) -> Condition:
    if not outcome.unresolved:
        return Condition(RESOLVED, "True", "AllKnown", "Every member that is listed is a user.")
    more = len(outcome.unresolved) - NAMED
    names = ", ".join(outcome.unresolved[:NAMED]) + (f" and {more} more" if more > 0 else "")
    text = f"No such users, or switched off: {names}. The others are members; these follow once they are users."
    return Condition(RESOLVED, "False", "UnknownUsers", text)


def _warnings(outcome: ObservedChannel) -> tuple[Condition, ...]:
    if not outcome.kept_owner:
        return ()
    text = "The last owner is not listed and was kept: a channel without one could be looked after by nobody."
    return (Condition("Warning", "True", "LastOwnerKept", text),)
