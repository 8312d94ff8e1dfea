"""Kafka's topics in memory, with what can go wrong there. One contract suite runs on it and on a real broker."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from signalink_operator.model import ConfigEntry, Failure, ObservedTopic
from signalink_operator.plans import topic as topic_plan

BROKERS = 1
KNOWN = frozenset({"retention.ms", "cleanup.policy", "segment.bytes", "min.insync.replicas", "preallocate"})
_CALL_OF: Mapping[type, str] = {
    topic_plan.CreateTopic: "create_topics",
    topic_plan.GrowPartitions: "create_partitions",
    topic_plan.SetConfig: "incremental_alter_configs",
    topic_plan.DeleteConfig: "incremental_alter_configs",
    topic_plan.DeleteTopic: "delete_topics",
}


@dataclass
class MemoryTopics:
    """`failing`: call -> what it answers for every topic. `calls`: every call in order, with its topics."""

    topics: dict[str, ObservedTopic] = field(default_factory=dict)
    failing: dict[str, Failure] = field(default_factory=dict)
    calls: list[tuple[str, tuple[str, ...]]] = field(default_factory=list)
    targets: dict[str, int] = field(default_factory=dict)
    """Topic to the replicas that a running reassignment leads to."""
    by_itself: bool | None = False
    asked: int = 0
    """How often it was asked whether it makes topics by itself."""
    hold: threading.Event | None = None
    """While set to an Event, `observe` waits for it: a call that stands still."""

    def writes(self) -> list[tuple[str, tuple[str, ...]]]:
        return [call for call in self.calls if call[0] in set(_CALL_OF.values())]

    def makes_topics_by_itself(self) -> bool | None:
        self.asked += 1
        return self.by_itself

    def observe(
        self, names: Sequence[str], replicas: Mapping[str, int] | None = None
    ) -> dict[str, ObservedTopic | Failure | None]:
        self.calls.append(("describe_topics", tuple(names)))
        if self.hold is not None:
            self.hold.wait(30)
        failure = self.failing.get("describe_topics")
        seen = {name: self.topics.get(name) for name in names}
        for name, wanted in (replicas or {}).items():
            topic = seen.get(name)
            if topic is not None and topic.replicas != wanted:
                seen[name] = replace(topic, target_replicas=self.targets.get(name))
        return {name: failure or seen[name] for name in names}

    def act(self, plans: Mapping[str, topic_plan.Plan]) -> dict[str, ObservedTopic | Failure]:
        answers: dict[str, ObservedTopic | Failure] = {}
        for call in dict.fromkeys(_CALL_OF.values()):
            todo = [
                (name, action)
                for name, plan in plans.items()
                for action in plan.actions
                if _CALL_OF[type(action)] == call and not isinstance(answers.get(name), Failure)
            ]
            if todo:
                self.calls.append((call, tuple(dict.fromkeys(name for name, _ in todo))))
            for name, action in todo:
                outcome = self.failing.get(call) or self._do(name, action)
                if outcome is not None:
                    answers[name] = outcome
        return answers

    def _do(self, name: str, action: topic_plan.Action) -> ObservedTopic | Failure | None:
        topic = self.topics.get(name)
        match action:
            case topic_plan.CreateTopic():
                return self._create(name, action)
            case topic_plan.DeleteTopic():
                self.topics.pop(name, None)
                return None
            case topic_plan.GrowPartitions() if topic is not None:
                self.topics[name] = grown = replace(topic, partitions=action.total)
                return grown
            case topic_plan.SetConfig() if topic is not None:
                if unknown := sorted(set(action.config) - KNOWN):
                    return _unknown(unknown)
                entries = {key: ConfigEntry(value, True) for key, value in action.config.items()}
                self.topics[name] = replace(topic, config={**topic.config, **entries})
                return None
            case topic_plan.DeleteConfig() if topic is not None:
                kept = {key: entry for key, entry in topic.config.items() if key not in action.keys}
                self.topics[name] = replace(topic, config=kept)
                return None
        return Failure("NotFound", "This server does not host this topic-partition.")

    def _create(self, name: str, action: topic_plan.CreateTopic) -> ObservedTopic | Failure:
        if name in self.topics:
            return Failure("AlreadyExists", f"Topic '{name}' already exists.")
        if (action.replicas or 1) > BROKERS:
            return Failure("InvalidReplicas", f"Unable to replicate the partition {action.replicas} time(s).")
        if unknown := sorted(set(action.config) - KNOWN):
            return _unknown(unknown)
        entries = {key: ConfigEntry(value, True) for key, value in action.config.items()}
        made = ObservedTopic(name, str(uuid.uuid4()), action.partitions or 1, action.replicas or 1, entries)
        self.topics[name] = made
        return made


def _unknown(keys: Sequence[str]) -> Failure:
    return Failure("InvalidConfig", f"Unknown topic config name: {keys[0]}")
