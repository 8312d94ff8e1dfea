"""The third layer: what looks after the services. The operator, then the Topics it makes; Prometheus where wanted."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pulumi

from signalink_stacks.charts.observers import OBSERVERS
from signalink_stacks.components import cloud
from signalink_stacks.components.platform import Topics, TopicsArgs
from signalink_stacks.components.release import Release, binding_values
from signalink_stacks.components.room import Room
from signalink_stacks.layers.backing import Bindings
from signalink_stacks.lib import chartfolder, chartvalues, words


@dataclass(frozen=True, slots=True)
class Platform:
    """What services find. `values`: Bindings as charts are told of them; `topics`: there before any service."""

    bindings: Bindings
    values: Mapping[str, Mapping[str, Any]]
    topics: Topics
    observers: tuple[pulumi.Resource, ...]


def deploy(room: Room, bindings: Bindings) -> Platform:
    values: dict[str, Mapping[str, Any]] = {engine: binding_values(binding) for engine, binding in bindings.items()}
    manifest = next(each for each in words.manifests(room.materials.root) if each.name == "operator")
    secret = room.secret("operator", f"{room.config.release}-operator-secrets", words.of_service(manifest))
    own = chartvalues.of_service(room.config, "operator", {"words": secret.name})
    own = chartvalues.merged(cloud.values(room.cluster, public=False), own)
    operator = room.release("operator", own, values, [secret, *bindings["kafka"].depends_on])
    specs = chartfolder.topics(room.materials.root)
    arguments = TopicsArgs(room.cluster.namespace, specs, room.labels, room.config.cluster.wait)
    topics = Topics("topics", arguments, room.options([operator]))
    observers = [_observer(room, chart, values) for chart in OBSERVERS if room.config.observability]
    return Platform(bindings, values, topics, tuple(observers))


def _observer(room: Room, chart: str, values: Mapping[str, Any]) -> Release:
    """What watches; with a Secret of its own where it asks for a word."""
    keys = words.of_observer(room.materials.root, chart)
    if not keys:
        return room.release(chart, {}, values)
    secret = room.secret(chart, f"{room.config.release}-{chart}-auth", {key: key for key in keys})
    return room.release(chart, {"auth": {"existingSecret": secret.name}}, values, [secret])
