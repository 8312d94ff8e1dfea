"""The third layer: what looks after the services. The operator, then the Topics it makes; Prometheus where wanted."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pulumi

from signalink_stacks.charts.observers import OBSERVERS
from signalink_stacks.components import cloud
from signalink_stacks.components.platform import Topics, TopicsArgs
from signalink_stacks.components.release import Release, binding_values
from signalink_stacks.components.site import Site
from signalink_stacks.layers.backing import Bindings
from signalink_stacks.lib import chartfolder, chartvalues, words


@dataclass(frozen=True, slots=True)
class Platform:
    """What services find. `values`: Bindings as charts are told of them; `topics`: there before any service."""

    bindings: Bindings
    values: Mapping[str, Mapping[str, Any]]
    topics: Topics
    observers: tuple[pulumi.Resource, ...]


def deploy(site: Site, bindings: Bindings) -> Platform:
    values: dict[str, Mapping[str, Any]] = {engine: binding_values(binding) for engine, binding in bindings.items()}
    manifest = next(each for each in words.manifests(site.materials.root) if each.name == "operator")
    secret = site.secret("operator", f"{site.config.release}-operator-secrets", words.of_service(manifest))
    own = chartvalues.of_service(site.config, "operator", {"words": secret.name})
    own = chartvalues.merged(cloud.values(site.cluster, public=False), own)
    operator = site.release("operator", own, values, [secret, *bindings["kafka"].depends_on])
    specs = chartfolder.topics(site.materials.root)
    arguments = TopicsArgs(site.cluster.namespace, specs, site.labels, site.config.cluster.wait)
    topics = Topics("topics", arguments, site.options([operator]))
    observers = [_observer(site, chart, values) for chart in OBSERVERS if site.config.observability]
    return Platform(bindings, values, topics, tuple(observers))


def _observer(site: Site, chart: str, values: Mapping[str, Any]) -> Release:
    """What watches; with a Secret of its own where it asks for a word."""
    keys = words.of_observer(site.materials.root, chart)
    if not keys:
        return site.release(chart, {}, values)
    secret = site.secret(chart, f"{site.config.release}-{chart}-auth", {key: key for key in keys})
    return site.release(chart, {"auth": {"existingSecret": secret.name}}, values, [secret])
