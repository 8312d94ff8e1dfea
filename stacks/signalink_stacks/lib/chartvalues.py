"""Values of every chart of a stack, from its configuration: what all have, what the profile says, what people set.

Pure. Bindings come as the table of `global.bindings` already; a value in it may be one that is only known later.
"""

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlsplit

from signalink_stacks.lib import tags
from signalink_stacks.lib.settings import Config

SOCKET: Final = "/v1/socket"
PATHS: Final[Mapping[str, tuple[str, ...]]] = {
    "api": ("/",),
    "gateway": (SOCKET,),
    "analytics": ("/v1/analytics",),
    "notifications": ("/v1/notifications", "/v1/mutes", "/v1/preferences", "/v1/unsubscribe"),
}
"""Service with public routes -> the paths that lead to it under one host name."""
PORTS: Final[Mapping[str, int]] = {"api": 8000, "gateway": 8001, "analytics": 8003, "notifications": 8004}
ISSUER: Final = "api"
"""Made before the operator, which waits for the token that a Job of this chart issues."""
SERVICES: Final = (ISSUER, "relay", "gateway", "analytics", "notifications", "prober")
"""Charts of services in the order they are made; the operator comes after the first and before the others."""
GLOBAL: Final = "global"
"""In a stack's key `values`: what every chart is given, as in the umbrella."""
HOOK: Final = "hook"
"""Of `migrations.mode`: by Helm, after an install once all pods are ready. Pulumi runs no hook at all."""
Values = dict[str, Any]


def merged(*tables: Mapping[str, Any]) -> Values:
    """Tables laid over each other, the last one on top; lists are replaced whole."""
    found: Values = {}
    for table in tables:
        for key, value in table.items():
            below = found.get(key)
            found[key] = merged(below, value) if isinstance(below, dict) and isinstance(value, Mapping) else value
    return found


def public_urls(config: Config) -> dict[str, str]:
    """Service -> the address that people's browsers use: one host, or this machine's ports where there is none."""
    base = config.cluster.ingress.base_url
    if not base and config.aws and config.aws.domain:
        base = f"https://{config.aws.domain}"
    if not base:
        urls = {name: f"http://localhost:{port}" for name, port in PORTS.items()}
        return urls | {"gateway": f"ws://localhost:{PORTS['gateway']}{SOCKET}"}
    socket = base.replace("http", "ws", 1) + SOCKET
    return {"api": base, "gateway": socket, "analytics": base, "notifications": base}


def reachable(config: Config) -> bool:
    """Whether anybody comes in by those addresses: at the cloud only by a domain, and to one machine only if let in."""
    if config.target == "aws-lite":
        return bool(config.aws and config.aws.domain and config.aws.endpoint_cidrs)
    return config.target != "eks" or bool(config.cluster.ingress.base_url or (config.aws and config.aws.domain))


def images(config: Config) -> Values:
    """Of the table `global`: where images come from."""
    found = config.images
    return {
        "imageRegistry": found.registry,
        "imageMap": dict(found.map),
        "imageDigests": dict(found.digests),
        "imageTag": found.tag,
        "devImages": found.dev,
    }


def shared(config: Config, bindings: Mapping[str, Any]) -> Values:
    """The table `global` of every chart."""
    return {
        "environment": config.environment,
        **images(config),
        "publicUrls": public_urls(config),
        "bindings": dict(bindings),
        "serviceTokens": True,
        # A Job that went by itself would be a drift, and made again.
        "keepJobs": True,
    }


def of(
    config: Config, chart: str, own: Mapping[str, Any], bindings: Mapping[str, Any], small: Mapping[str, Any]
) -> Values:
    """All values of one chart: `own` is what the program sets, over the profile; what people set lies on top."""
    profile = small.get(chart, {}) if config.profile == "small" else {}
    base = {"commonLabels": {tags.STACK: config.stack}, "global": shared(config, bindings)}
    return merged(base, profile, own, {"global": config.values.get(GLOBAL, {})}, config.values.get(chart, {}))


def migrations(table: object) -> str:
    """When migrations run by values of one chart; empty: they say nothing of it, or are no table."""
    found = table.get("migrations") if isinstance(table, Mapping) else None
    return str(found.get("mode", "")) if isinstance(found, Mapping) else ""


def topic_prefix(config: Config) -> str:
    """What names of topics and groups begin with, where this stack says so."""
    return str(config.values.get(GLOBAL, {}).get("topicPrefix", ""))


def of_service(config: Config, name: str, keys: Mapping[str, str]) -> Values:
    """What the program sets in a service's chart. `keys`: its Secrets by what they hold."""
    found: Values = {"secrets": {"existingSecret": keys["words"]}}
    if "keys" in keys:
        found["authKeys"] = {"existingSecret": keys["keys"]}
    if name == "operator":
        found["topics"] = {"create": False}
    return found | ingress(config, name)


def ingress(config: Config, name: str) -> Values:
    """How people reach a service's public port, where the stack has an ingress."""
    wanted = config.cluster.ingress
    if name not in PATHS or wanted.mode not in ("ingress", "gateway"):
        return {}
    found: Values = {
        "mode": wanted.mode,
        "host": urlsplit(wanted.base_url).hostname,
        "path": PATHS[name][0],
        "className": wanted.class_name if wanted.mode == "ingress" else "",
        "tlsSecret": wanted.tls_secret,
    }
    if wanted.mode == "gateway":
        found["parentRefs"] = [{"name": wanted.class_name}]
    return {"ingress": found}


def of_engine(storage_class: str, chart: str, secret: str) -> Values:
    """What the program sets in the chart of a backing service."""
    found: Values = {"auth": {"existingSecret": secret}}
    return found if chart == "valkey" else found | volume(storage_class)


def volume(storage_class: str) -> Values:
    """Of every chart with a claim: the class of its volume, where the cluster's default is not meant."""
    return {"persistence": {"storageClass": storage_class}} if storage_class else {}
