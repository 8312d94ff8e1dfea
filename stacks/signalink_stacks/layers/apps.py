"""The fourth layer: the services but the api, which the platform below needs already."""

from signalink_stacks.components.release import Release
from signalink_stacks.components.site import Site
from signalink_stacks.layers import service
from signalink_stacks.layers.platform import Platform
from signalink_stacks.lib import chartvalues, words


def deploy(site: Site, platform: Platform) -> dict[str, Release]:
    """Service -> its release; the api's is the platform's."""
    manifests = {manifest.name: manifest for manifest in words.manifests(site.materials.root)}
    return {
        name: platform.api
        if name == chartvalues.ISSUER
        else service.deploy(site, manifests[name], platform.bindings, platform.values, [platform.topics])
        for name in chartvalues.SERVICES
    }
