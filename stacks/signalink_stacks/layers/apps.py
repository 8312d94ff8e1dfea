"""The fourth layer: the services but the api, and for each of all an identity of its own where the cloud gives them."""

from signalink_core.manifest import ServiceManifest
from signalink_stacks.components import cloud
from signalink_stacks.components.contracts import Statement
from signalink_stacks.components.release import Release
from signalink_stacks.components.site import Site
from signalink_stacks.layers import service
from signalink_stacks.layers.platform import Platform
from signalink_stacks.lib import chartvalues, words


def deploy(site: Site, platform: Platform) -> dict[str, Release]:
    """Service -> its release; the api's is the platform's."""
    manifests = {manifest.name: manifest for manifest in words.manifests(site.materials.root)}
    if site.cluster.identity == "pod-identity":
        for manifest in manifests.values():
            _identity(site, platform, manifest)
    return {
        name: platform.api
        if name == chartvalues.ISSUER
        else service.deploy(site, manifests[name], platform.bindings, platform.values, [platform.topics])
        for name in chartvalues.SERVICES
    }


def _identity(site: Site, platform: Platform, manifest: ServiceManifest) -> None:
    """A role of the cloud for this service alone: what its Bindings need of it, and nothing else."""
    statements: list[Statement] = []
    for engine, binding in platform.bindings.items():
        if engine in manifest.needs:
            statements += binding.grants.get(manifest.name, ())
    cloud.aws().role(site.cluster, site.config, manifest.name, statements)
