"""The third layer: what looks after the services. The operator, then the Topics it makes; Prometheus where wanted.

The api comes before them: a Job of its chart issues the token that the operator waits for (decision 0100).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pulumi

from signalink_stacks.charts.observers import OBSERVERS
from signalink_stacks.components.platform import Topics, TopicsArgs
from signalink_stacks.components.release import Release, binding_values
from signalink_stacks.components.site import Site
from signalink_stacks.layers import service
from signalink_stacks.layers.backing import Bindings
from signalink_stacks.lib import chartfolder, chartvalues, words


@dataclass(frozen=True, slots=True)
class Platform:
    """What services find. `values`: Bindings as charts are told of them; `topics`: there before any service."""

    bindings: Bindings
    values: Mapping[str, Mapping[str, Any]]
    topics: Topics
    api: Release
    observers: tuple[pulumi.Resource, ...]


def deploy(site: Site, bindings: Bindings) -> Platform:
    values: dict[str, Mapping[str, Any]] = {engine: binding_values(binding) for engine, binding in bindings.items()}
    manifests = {manifest.name: manifest for manifest in words.manifests(site.materials.root)}
    api = service.deploy(site, manifests[chartvalues.ISSUER], bindings, values)
    operator = service.deploy(site, manifests["operator"], bindings, values, [api])
    specs = chartfolder.topics(site.materials.root)
    arguments = TopicsArgs(site.cluster.namespace, specs, site.labels, site.config.cluster.wait)
    topics = Topics("topics", arguments, site.options([operator]))
    observers = [_observer(site, chart, values) for chart in OBSERVERS if site.config.observability]
    return Platform(bindings, values, topics, api, tuple(observers))


def _observer(site: Site, chart: str, values: Mapping[str, Any]) -> Release:
    """What watches; with a Secret of its own where it asks for a word."""
    keys = words.of_observer(site.materials.root, chart)
    own = chartvalues.volume(site.cluster.storage_class) if OBSERVERS[chart].get("size") else {}
    if not keys:
        return site.release(chart, own, values)
    secret = site.secret(chart, f"{site.config.release}-{chart}-auth", {key: key for key in keys})
    return site.release(chart, own | {"auth": {"existingSecret": secret.name}}, values, [secret])
