"""The fourth layer: the services, each with its own Secret, its own identity and the Bindings it needs."""

import pulumi

from signalink_core.manifest import ServiceManifest
from signalink_stacks.components import cloud
from signalink_stacks.components.contracts import Statement
from signalink_stacks.components.release import Release
from signalink_stacks.components.site import Site
from signalink_stacks.layers.platform import Platform
from signalink_stacks.lib import chartvalues, words


def deploy(site: Site, platform: Platform) -> dict[str, Release]:
    """Service -> its release."""
    manifests = {manifest.name: manifest for manifest in words.manifests(site.materials.root)}
    if site.cluster.identity == "pod-identity":
        for manifest in manifests.values():
            _identity(site, platform, manifest)
    return {name: _service(site, platform, manifests[name]) for name in chartvalues.SERVICES}


def _service(site: Site, platform: Platform, manifest: ServiceManifest) -> Release:
    release = site.config.release
    secret = site.secret(manifest.name, f"{release}-{manifest.name}-secrets", words.of_service(manifest))
    names: dict[str, str] = {"words": secret.name}
    needed: list[pulumi.Resource] = [secret]
    if words.KEYS in manifest.secrets:
        files = words.signing(site.config.secrets)
        keys = site.secret(f"{manifest.name}-keys", f"{release}-{manifest.name}-auth-keys", files)
        names, needed = names | {"keys": keys.name}, [*needed, keys]
    ready = [each for need in manifest.needs for each in _binding_resources(platform, need)]
    own = chartvalues.of_service(site.config, manifest.name, names)
    own = chartvalues.merged(cloud.values(site.cluster, public=manifest.ports.http is not None), own)
    return site.release(manifest.name, own, platform.values, [*needed, *ready, platform.topics])


def _binding_resources(platform: Platform, need: str) -> list[pulumi.Resource]:
    return [each for engine, binding in platform.bindings.items() if engine == need for each in binding.depends_on]


def _identity(site: Site, platform: Platform, manifest: ServiceManifest) -> None:
    """A role of the cloud for this service alone: what its Bindings need of it, and nothing else."""
    statements: list[Statement] = []
    for engine, binding in platform.bindings.items():
        if engine in manifest.needs:
            statements += binding.grants.get(manifest.name, ())
    cloud.aws().role(site.cluster, site.config, manifest.name, statements)
