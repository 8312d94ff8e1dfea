"""Kafka's admin API through confluent-kafka: observe many topics, carry out many plans, one call per kind of action.

Every call has a deadline. A failure is a value per topic (`Failure`): one refused
topic must not hide the others.
What to do is left to `plans`; the prefix of topic names is put on and taken off here alone.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from dataclasses import dataclass
from typing import Any

from confluent_kafka import KafkaError, KafkaException, TopicCollection
from confluent_kafka.admin import (  # type: ignore[attr-defined]  # re-exported without __all__
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    ConfigSource,
    NewPartitions,
    NewTopic,
    ResourceType,
)

from signalink_core.settings import KafkaSettings
from signalink_operator import model, settings
from signalink_operator.plans import topic as topic_plan

NO_LEADER = -1
POLL_SECONDS = 0.05
_REASONS: Mapping[int, str] = {
    KafkaError._TRANSPORT: "KafkaUnavailable",
    KafkaError._ALL_BROKERS_DOWN: "KafkaUnavailable",
    KafkaError._TIMED_OUT: "KafkaUnavailable",
    KafkaError.REQUEST_TIMED_OUT: "KafkaUnavailable",
    KafkaError._AUTHENTICATION: "KafkaUnauthenticated",
    KafkaError.SASL_AUTHENTICATION_FAILED: "KafkaUnauthenticated",
    KafkaError.TOPIC_AUTHORIZATION_FAILED: "AccessDenied",
    KafkaError.CLUSTER_AUTHORIZATION_FAILED: "AccessDenied",
    KafkaError.POLICY_VIOLATION: "PolicyViolation",
    KafkaError.INVALID_REPLICATION_FACTOR: "InvalidReplicas",
    KafkaError.INVALID_PARTITIONS: "InvalidPartitions",
    KafkaError.INVALID_CONFIG: "InvalidConfig",
    KafkaError.TOPIC_EXCEPTION: "InvalidName",
}


@dataclass(frozen=True)
class Failure:
    """Why a topic could not be observed or changed; `reason` is CamelCase and stable, `message` is Kafka's."""

    reason: str
    message: str


Observed = model.ObservedTopic | None | Failure


class KafkaTopics:
    """Synchronous: an event loop runs it in a thread. Close is not needed; the client ends with the object."""

    def __init__(self, kafka: KafkaSettings, deadlines: settings.Deadlines | None = None) -> None:
        self._deadlines = deadlines or settings.Deadlines()
        self._prefix = kafka.topic_prefix
        self._login_error: str | None = None
        self._admin = AdminClient(settings.admin_config(kafka, self._deadlines) | {"error_cb": self._note_error})

    def observe(self, names: Iterable[str]) -> dict[str, Observed]:
        """Each topic as it is: None where Kafka does not have it."""
        wanted = list(names)
        described = self._each(
            wanted,
            lambda: self._admin.describe_topics(
                TopicCollection([self._prefix + name for name in wanted]),
                request_timeout=self._deadlines.call_seconds,
            ),
        )
        present = [name for name, answer in described.items() if not isinstance(answer, Failure)]
        configs = self._configs(present)
        return {name: self._observed(name, described[name], configs.get(name)) for name in wanted}

    def act(self, plans: Mapping[str, topic_plan.Plan]) -> dict[str, Failure]:
        """Carry out all plans; the answer names the topics for which something failed, and why."""
        failures: dict[str, Failure] = {}
        created = self._pick(plans, topic_plan.CreateTopic)
        failures |= self._act(created, lambda: self._create(created))
        self._await_ready([name for name in created if name not in failures], failures)
        grown = self._pick(plans, topic_plan.GrowPartitions)
        failures |= self._act(grown, lambda: self._grow(grown))
        configs = {name: plan for name, plan in plans.items() if self._config_entries(plan)}
        failures |= self._act(configs, lambda: self._configure(configs))
        return failures

    # -- one admin call each -------------------------------------------------------------------------------------

    def _create(self, topics: Mapping[str, topic_plan.CreateTopic]) -> dict[Any, Future[Any]]:
        new = [
            NewTopic(
                self._prefix + name,
                num_partitions=action.partitions or -1,
                replication_factor=action.replicas or -1,
                config=dict(action.config),
            )
            for name, action in topics.items()
        ]
        return dict(self._admin.create_topics(new, request_timeout=self._deadlines.call_seconds))

    def _grow(self, topics: Mapping[str, topic_plan.GrowPartitions]) -> dict[Any, Future[Any]]:
        new = [NewPartitions(self._prefix + name, action.total) for name, action in topics.items()]
        return dict(self._admin.create_partitions(new, request_timeout=self._deadlines.call_seconds))

    def _configure(self, plans: Mapping[str, topic_plan.Plan]) -> dict[Any, Future[Any]]:
        resources = [
            ConfigResource(ResourceType.TOPIC, self._prefix + name, incremental_configs=self._config_entries(plan))
            for name, plan in plans.items()
        ]
        return dict(self._admin.incremental_alter_configs(resources, request_timeout=self._deadlines.call_seconds))

    @staticmethod
    def _config_entries(plan: topic_plan.Plan) -> list[ConfigEntry]:
        entries = []
        for action in plan.actions:
            if isinstance(action, topic_plan.SetConfig):
                entries += [
                    ConfigEntry(key, value, incremental_operation=AlterConfigOpType.SET)
                    for key, value in action.config.items()
                ]
            if isinstance(action, topic_plan.DeleteConfig):
                entries += [
                    ConfigEntry(key, None, incremental_operation=AlterConfigOpType.DELETE) for key in action.keys
                ]
        return entries

    def _configs(self, names: list[str]) -> dict[str, Any]:
        resources = [ConfigResource(ResourceType.TOPIC, self._prefix + name) for name in names]
        return self._each(
            names,
            lambda: self._admin.describe_configs(resources, request_timeout=self._deadlines.call_seconds),
        )

    # -- answers ---------------------------------------------------------------------------------------------------

    @staticmethod
    def _pick(plans: Mapping[str, topic_plan.Plan], kind: type) -> dict[str, Any]:
        return {name: action for name, plan in plans.items() for action in plan.actions if isinstance(action, kind)}

    def _act(self, topics: Mapping[str, Any], call: Callable[[], Mapping[Any, Future[Any]]]) -> dict[str, Failure]:
        answers = self._each(list(topics), call)
        return {name: answer for name, answer in answers.items() if isinstance(answer, Failure)}

    def _each(self, names: list[str], call: Callable[[], Mapping[Any, Future[Any]]]) -> dict[str, Any]:
        """One batch call; its answer or Failure per topic name (without the prefix)."""
        if not names:
            return {}
        try:
            futures = call()
        except (KafkaException, ValueError, TypeError) as error:
            return dict.fromkeys(names, Failure("InvalidRequest", str(error)))
        end = time.monotonic() + self._deadlines.call_seconds + 1
        return {self._name_of(key): self._answer(future, end) for key, future in futures.items()}

    def _name_of(self, key: str | ConfigResource) -> str:
        return (key.name if isinstance(key, ConfigResource) else key).removeprefix(self._prefix)

    def _answer(self, future: Future[Any], end: float) -> Any:
        try:
            return future.result(timeout=max(0.0, end - time.monotonic()))
        except FutureTimeout:
            return self._unavailable("no answer within the deadline")
        except KafkaException as error:
            return self._failure(error.args[0])

    def _failure(self, error: KafkaError) -> Failure:
        reason = _REASONS.get(error.code(), "KafkaError")
        if reason == "KafkaUnavailable":
            return self._unavailable(error.str())
        return Failure("NotFound" if error.code() in _MISSING else reason, error.str())

    def _unavailable(self, message: str) -> Failure:
        """A wrong password ends as a time-out; only the error callback was told the cause."""
        self._admin.poll(0)
        if self._login_error is not None:
            return Failure("KafkaUnauthenticated", self._login_error)
        return Failure("KafkaUnavailable", message)

    def _note_error(self, error: KafkaError) -> None:
        if error.code() in {KafkaError._AUTHENTICATION, KafkaError.SASL_AUTHENTICATION_FAILED}:
            self._login_error = error.str()

    def _observed(self, name: str, description: Any, config: Any) -> Observed:
        if isinstance(description, Failure):
            return None if description.reason == "NotFound" else description
        if isinstance(config, Failure):
            return config
        own = ConfigSource.DYNAMIC_TOPIC_CONFIG.value
        entries = {key: model.ConfigEntry(entry.value, entry.source == own) for key, entry in config.items()}
        partitions = description.partitions
        return model.ObservedTopic(
            name, str(description.topic_id), len(partitions), len(partitions[0].replicas) if partitions else 0, entries
        )

    def _await_ready(self, names: list[str], failures: dict[str, Failure]) -> None:
        """The broker answers create before it has made the logs: wait until each partition has a leader."""
        end, waiting = time.monotonic() + self._deadlines.ready_seconds, list(names)
        while waiting:
            answers = self._each(
                waiting,
                lambda names=waiting: self._admin.describe_topics(  # type: ignore[misc]
                    TopicCollection([self._prefix + name for name in names]),
                    request_timeout=self._deadlines.call_seconds,
                ),
            )
            waiting = [name for name, answer in answers.items() if not _has_leaders(answer)]
            if waiting and time.monotonic() > end:
                failures |= dict.fromkeys(waiting, Failure("NotReady", "created, but no leader was elected in time"))
                return
            time.sleep(POLL_SECONDS if waiting else 0)


_MISSING = frozenset({KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError.UNKNOWN_TOPIC_ID, KafkaError._UNKNOWN_TOPIC})


def _has_leaders(description: Any) -> bool:
    if isinstance(description, Failure):
        return False
    return all(p.leader is not None and p.leader.id != NO_LEADER for p in description.partitions)
