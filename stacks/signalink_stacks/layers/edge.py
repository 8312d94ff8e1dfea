"""The last layer: how people reach the platform, and what the stack tells them when it is up."""

from typing import Any

from signalink_stacks.components import cloud
from signalink_stacks.components.release import Release
from signalink_stacks.components.site import Site
from signalink_stacks.layers.backing import Bindings
from signalink_stacks.lib import chartvalues, words


def deploy(site: Site, bindings: Bindings, apps: dict[str, Release]) -> dict[str, Any]:
    """The stack's outputs: addresses, where things are, names of Secrets; no value of one."""
    config = site.config
    found: dict[str, Any] = {
        "urls": chartvalues.public_urls(config) if chartvalues.reachable(config) else {},
        "namespace": site.cluster.namespace,
        "services": sorted(apps),
        "bindings": {
            engine: {
                "provider": binding.provider,
                "endpoints": list(binding.endpoints),
                "secret": binding.secret_ref.name if binding.secret_ref else "",
            }
            for engine, binding in bindings.items()
        },
        "monthly_limit_usd": config.max_usd,
    }
    if config.target == "eks":
        found["registry"] = site.cluster.registry
        found |= cloud.aws().edge(site.cluster, config, _ports(site), list(apps.values()))
    if config.cluster.ingress.mode == "none" or not found["urls"]:
        named = f"--context {config.cluster.context} " if config.cluster.context else ""
        forward = f"kubectl {named}-n {site.cluster.namespace} port-forward"
        found["reach"] = [
            f"{forward} service/{config.release}-{name} {port}:{port}" for name, port in chartvalues.PORTS.items()
        ]
    return found


def _ports(site: Site) -> dict[str, tuple[int, int, str]]:
    """Service with public routes -> its public port, its internal one, and the path there that says ready."""
    return {
        manifest.name: (manifest.ports.http, manifest.ports.metrics, manifest.health.ready)
        for manifest in words.manifests(site.materials.root)
        if manifest.ports.http is not None
    }
