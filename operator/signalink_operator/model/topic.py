"""What a Topic manifest may say, and what was observed in Kafka. Pure data; deciding is left to `plans`.

The shape is the custom resource's: apiVersion, kind, metadata.name and a camelCase spec. Every rule the resource
definition will carry is checked here too, so that a manifest is refused the same way with and without Kubernetes.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Literal, Self

from pydantic import Field, StrictInt, StrictStr, field_validator, model_validator

from signalink_operator.model.document import Document

API_VERSION = "signalink.dev/v1"
NAME_LIMIT = 249
_NAME = re.compile(r"[a-zA-Z0-9._-]+")
_CONFIG_KEY = re.compile(r"[a-z][a-z0-9.]{0,127}")
_MIN_ISR = "min.insync.replicas"

ConfigValue = StrictInt | Annotated[StrictStr, Field(max_length=4096)]


def check_topic_name(name: str) -> str:
    """Answer `name` when Kafka would take it; raise ValueError naming the rule otherwise."""
    if not _NAME.fullmatch(name) or len(name) > NAME_LIMIT:
        raise ValueError(f"topic name {name!r}: 1 to {NAME_LIMIT} characters of a-z A-Z 0-9 . _ -")
    if name in {".", ".."} or name.startswith("__"):
        raise ValueError(f"topic name {name!r}: '.', '..' and names that start with '__' belong to Kafka")
    return name


class Metadata(Document):
    """Only what a topic needs; labels and annotations are accepted and left to Kubernetes."""

    name: str
    namespace: str | None = None
    labels: Mapping[str, str] = Field(default_factory=dict)
    annotations: Mapping[str, str] = Field(default_factory=dict)


class TopicShape(Document):
    """Every field may be absent: then the broker's default holds (partitions, replicas) or nothing is set (config).

    With `deletionPolicy: Retain` the topic outlives the resource; with Delete it goes first.
    """

    partitions: Annotated[StrictInt, Field(ge=1, le=10_000)] | None = None
    replicas: Annotated[StrictInt, Field(ge=1, le=100)] | None = None
    config: Annotated[Mapping[str, ConfigValue], Field(max_length=64)] = Field(default_factory=dict)
    deletion_policy: Literal["Retain", "Delete"] = "Retain"

    @field_validator("config")
    @classmethod
    def _config_keys(cls, config: Mapping[str, ConfigValue]) -> Mapping[str, ConfigValue]:
        if bad := sorted(key for key in config if not _CONFIG_KEY.fullmatch(key)):
            raise ValueError(f"config keys {bad}: lower case letters, digits and dots, at most 128 characters")
        return config

    @model_validator(mode="after")
    def _in_sync_within_replicas(self) -> Self:
        wanted = str(self.config.get(_MIN_ISR, "1"))
        if self.replicas is not None and wanted.isdecimal() and int(wanted) > self.replicas:
            raise ValueError(f"config {_MIN_ISR} = {wanted} is above replicas = {self.replicas}")
        return self


class TopicSpec(TopicShape):
    """A Topic resource's spec."""

    topic_name: str | None = None
    cluster_ref: str = "default"


class Topic(Document):
    """One manifest document."""

    api_version: Literal["signalink.dev/v1"]
    kind: Literal["Topic"]
    metadata: Metadata
    spec: TopicSpec

    @model_validator(mode="after")
    def _name_is_legal(self) -> Topic:
        check_topic_name(self.name)
        return self

    @property
    def name(self) -> str:
        """The topic's name in Kafka, without the deployment's prefix."""
        return self.spec.topic_name or self.metadata.name


@dataclass(frozen=True)
class ConfigEntry:
    """One observed setting; `own` is true where it is set on the topic itself (source DYNAMIC_TOPIC_CONFIG)."""

    value: str | None
    own: bool


@dataclass(frozen=True)
class ObservedTopic:
    """A topic as Kafka describes it. `replicas` is the first partition's count."""

    name: str
    topic_id: str
    partitions: int
    replicas: int
    config: Mapping[str, ConfigEntry] = field(default_factory=dict)
    target_replicas: int | None = None
    """What a running reassignment leads to; None when none runs."""


@dataclass(frozen=True)
class Failure:
    """Why something could not be observed or changed; `reason` is CamelCase and stable, `message` is for a person.

    `holder`: who has what was asked for, where another manager has it.
    """

    reason: str
    message: str
    holder: str = ""
