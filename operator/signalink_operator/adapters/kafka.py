"""Kafka's admin API through confluent-kafka: observe many topics, carry out many plans, one call per kind of action.

Every call has a deadline. A failure is a value per topic (`model.Failure`): one refused topic must not hide the others.
What to do is left to `plans`; the prefix of topic names is put on and taken off here alone.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from dataclasses import replace
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

from signalink_core import faults
from signalink_core.errors import DependencyUnavailable, FaultInjected
from signalink_core.settings import KafkaSettings
from signalink_core.telemetry import names as metric_names
from signalink_operator import settings
from signalink_operator.adapters import kafka_errors, reassignments
from signalink_operator.model import ConfigEntry as ObservedEntry
from signalink_operator.model import Failure, ObservedTopic
from signalink_operator.plans import topic as topic_plan

NO_LEADER = -1
POLL_SECONDS = 0.05
Observed = ObservedTopic | None | Failure
Acted = ObservedTopic | Failure
"""How a topic turned out: described anew after it was made or grown, or why something failed."""
Call = Callable[[], Mapping[Any, Future[Any]]]


class KafkaTopics:
    """Synchronous: an event loop runs it in a thread. Close is not needed; the client ends with the object."""

    def __init__(self, kafka: KafkaSettings, deadlines: settings.Deadlines | None = None) -> None:
        self._deadlines = deadlines or settings.Deadlines()
        self._kafka = kafka
        self._prefix = kafka.topic_prefix
        self._login_error: str | None = None
        self._admin = AdminClient(settings.admin_config(kafka, self._deadlines) | {"error_cb": self._note_error})

    def names(self) -> list[str]:
        """Every topic under the prefix; Kafka's own (`__...`) left out. Raises DependencyUnavailable."""
        try:
            known = self._admin.list_topics(timeout=self._deadlines.call_seconds).topics
        except KafkaException as error:
            failure = self._failure(error.args[0], "list_topics")
            raise DependencyUnavailable(f"{failure.reason}: {failure.message}") from error
        own = (name for name in known if name.startswith(self._prefix) and not name.startswith("__"))
        return sorted(name.removeprefix(self._prefix) for name in own)

    def makes_topics_by_itself(self) -> bool | None:
        """Whether the broker makes a topic as soon as somebody asks for it; None when it does not say."""
        try:
            brokers = self._admin.list_topics(timeout=self._deadlines.call_seconds).brokers
        except KafkaException:
            return None
        resources = [ConfigResource(ResourceType.BROKER, str(number)) for number in list(brokers)[:1]]
        seconds = self._deadlines.call_seconds
        found = self._each(
            "describe_configs",
            [resource.name for resource in resources],
            lambda: self._admin.describe_configs(resources, request_timeout=seconds),
        )
        answers = [answer for answer in found.values() if not isinstance(answer, Failure)]
        return answers[0]["auto.create.topics.enable"].value == "true" if answers else None

    def observe(self, names: Iterable[str], replicas: Mapping[str, int] | None = None) -> dict[str, Observed]:
        """Each topic as it is: None where Kafka does not have it.

        `replicas`: how many a topic should have; where it has another number, it is asked what a reassignment leads to.
        """
        wanted = list(names)
        described = self._describe(wanted)
        present = [name for name, answer in described.items() if not isinstance(answer, Failure)]
        configs = self._configs(present)
        seen = {name: _observed(name, described[name], configs.get(name)) for name in wanted}
        return {**seen, **self._with_targets(seen, replicas or {})}

    def _with_targets(self, seen: Mapping[str, Observed], replicas: Mapping[str, int]) -> dict[str, ObservedTopic]:
        moving = {
            name: topic
            for name, topic in seen.items()
            if isinstance(topic, ObservedTopic) and replicas.get(name, topic.replicas) != topic.replicas
        }
        if not moving:
            return {}
        found = reassignments.targets(self._kafka, [self._prefix + name for name in moving], self._deadlines)
        return {name: replace(topic, target_replicas=found.get(self._prefix + name)) for name, topic in moving.items()}

    def act(self, plans: Mapping[str, topic_plan.Plan]) -> dict[str, Acted]:
        """Carry out all plans; the answer has the topics that failed, and those made or grown as they are now."""
        acted: dict[str, Acted] = {}
        created = _pick(plans, topic_plan.CreateTopic)
        acted |= self._failed("create_topics", created, lambda: self._create(created))
        grown = _pick(plans, topic_plan.GrowPartitions)
        acted |= self._failed("create_partitions", grown, lambda: self._grow(grown))
        entries = {name: found for name, plan in plans.items() if (found := _config_entries(plan))}
        acted |= self._failed("incremental_alter_configs", entries, lambda: self._configure(entries))
        deleted = _pick(plans, topic_plan.DeleteTopic)
        gone = self._failed("delete_topics", deleted, lambda: self._delete(deleted))
        acted |= {name: failure for name, failure in gone.items() if failure.reason != "NotFound"}
        return acted | self._await_ready([name for name in (*created, *grown) if name not in acted])

    # -- one admin call each -------------------------------------------------------------------------------------

    def _describe(self, names: list[str]) -> dict[str, Any]:
        def call() -> Mapping[Any, Future[Any]]:
            wanted = TopicCollection([self._prefix + name for name in names])
            return dict(self._admin.describe_topics(wanted, request_timeout=self._deadlines.call_seconds))

        return self._each("describe_topics", names, call)

    def _configs(self, names: list[str]) -> dict[str, Any]:
        resources = [ConfigResource(ResourceType.TOPIC, self._prefix + name) for name in names]
        seconds = self._deadlines.call_seconds
        return self._each(
            "describe_configs", names, lambda: self._admin.describe_configs(resources, request_timeout=seconds)
        )

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

    def _configure(self, topics: Mapping[str, list[ConfigEntry]]) -> dict[Any, Future[Any]]:
        resources = [
            ConfigResource(ResourceType.TOPIC, self._prefix + name, incremental_configs=entries)
            for name, entries in topics.items()
        ]
        return dict(self._admin.incremental_alter_configs(resources, request_timeout=self._deadlines.call_seconds))

    def _delete(self, topics: Iterable[str]) -> dict[Any, Future[Any]]:
        names = [self._prefix + name for name in topics]
        return dict(self._admin.delete_topics(names, request_timeout=self._deadlines.call_seconds))

    def _await_ready(self, names: list[str]) -> dict[str, Acted]:
        """The broker answers create before it has made the logs: wait until each partition has a leader."""
        end, waiting = time.monotonic() + self._deadlines.ready_seconds, list(names)
        ready: dict[str, Acted] = {}
        while waiting:
            answers = self._describe(waiting)
            ready |= {name: _described(name, answer) for name, answer in answers.items() if _has_leaders(answer)}
            waiting = [name for name in waiting if name not in ready]
            if waiting and time.monotonic() > end:
                return ready | dict.fromkeys(waiting, Failure("NotReady", "made, but no leader was elected in time"))
            time.sleep(POLL_SECONDS if waiting else 0)
        return ready

    # -- answers ---------------------------------------------------------------------------------------------------

    def _failed(self, call: str, topics: Mapping[str, Any], send: Call) -> dict[str, Failure]:
        answers = self._each(call, list(topics), send)
        return {name: answer for name, answer in answers.items() if isinstance(answer, Failure)}

    def _each(self, call: str, names: list[str], send: Call) -> dict[str, Any]:
        """One batch call; its answer or Failure per topic name (without the prefix)."""
        if not names:
            return {}
        began = time.monotonic()
        try:
            _fault("operator.before_call", call)
            futures = send()
            end = began + self._deadlines.call_seconds + 1
            answers = {self._name_of(key): self._answer(call, future, end) for key, future in futures.items()}
            _fault("operator.after_call", call)
        except FaultInjected as error:
            answers = dict.fromkeys(names, Failure(kafka_errors.UNAVAILABLE, str(error)))
        except KafkaException as error:
            answers = dict.fromkeys(names, self._failure(error.args[0], call))
        except (ValueError, TypeError) as error:
            answers = dict.fromkeys(names, Failure("InvalidRequest", str(error)))
        failed = any(isinstance(answer, Failure) for answer in answers.values())
        seconds = metric_names.OPERATOR_ADMIN_CALL_SECONDS.labels(call=call, result="failed" if failed else "ok")
        seconds.observe(time.monotonic() - began)
        return answers

    def _name_of(self, key: str | ConfigResource) -> str:
        return (key.name if isinstance(key, ConfigResource) else key).removeprefix(self._prefix)

    def _answer(self, call: str, future: Future[Any], end: float) -> Any:
        try:
            return future.result(timeout=max(0.0, end - time.monotonic()))
        except FutureTimeout:
            return self._unavailable("no answer within the deadline")
        except KafkaException as error:
            return self._failure(error.args[0], call)

    def _failure(self, error: KafkaError, call: str) -> Failure:
        failure = kafka_errors.failure(error, call)
        return self._unavailable(failure.message) if failure.reason == kafka_errors.UNAVAILABLE else failure

    def _unavailable(self, message: str) -> Failure:
        """A wrong password ends as a time-out; only the error callback was told the cause."""
        self._admin.poll(0)
        if self._login_error is not None:
            return Failure(kafka_errors.UNAUTHENTICATED, self._login_error)
        return Failure(kafka_errors.UNAVAILABLE, message)

    def _note_error(self, error: KafkaError) -> None:
        if error.code() in kafka_errors.LOGIN:
            self._login_error = error.str()


def _fault(point: str, call: str) -> None:
    """Where a test or a lab makes a call fail, die or take its time."""
    fired = faults.fires(point, call=call)
    if fired is not None and fired.delay_ms is not None:
        time.sleep(fired.delay_ms / 1000)


def _pick(plans: Mapping[str, topic_plan.Plan], kind: type) -> dict[str, Any]:
    return {name: action for name, plan in plans.items() for action in plan.actions if isinstance(action, kind)}


def _config_entries(plan: topic_plan.Plan) -> list[ConfigEntry]:
    sets = [action.config for action in plan.actions if isinstance(action, topic_plan.SetConfig)]
    put = [pair for config in sets for pair in config.items()]
    gone = [key for action in plan.actions if isinstance(action, topic_plan.DeleteConfig) for key in action.keys]
    return [
        *(ConfigEntry(key, value, incremental_operation=AlterConfigOpType.SET) for key, value in put),
        *(ConfigEntry(key, None, incremental_operation=AlterConfigOpType.DELETE) for key in gone),
    ]


def _observed(name: str, description: Any, config: Any) -> Observed:
    if isinstance(description, Failure):
        return None if description.reason == "NotFound" else description
    if isinstance(config, Failure):
        return None if config.reason == "NotFound" else config
    own = ConfigSource.DYNAMIC_TOPIC_CONFIG.value
    return _described(
        name, description, {key: ObservedEntry(entry.value, entry.source == own) for key, entry in config.items()}
    )


def _described(name: str, description: Any, config: Mapping[str, ObservedEntry] | None = None) -> ObservedTopic:
    partitions = description.partitions
    replicas = len(partitions[0].replicas) if partitions else 0
    return ObservedTopic(name, str(description.topic_id), len(partitions), replicas, config or {})


def _has_leaders(description: Any) -> bool:
    if isinstance(description, Failure):
        return False
    return all(p.leader is not None and p.leader.id != NO_LEADER for p in description.partitions)
