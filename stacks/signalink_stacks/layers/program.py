"""The whole program: configuration, then the layers in their order, then one table of outputs."""

import os
from typing import Any

from signalink_core.errors import ConfigurationError
from signalink_stacks.components import cloud
from signalink_stacks.components.site import Materials
from signalink_stacks.layers import apps, backing, cluster, edge, platform, reading
from signalink_stacks.lib import registry


def run() -> dict[str, Any]:
    """What the stack puts out. Pulumi's own error, without a traceback, when the configuration is wrong."""
    try:
        materials = reading.materials()
    except ConfigurationError as error:
        raise reading.refused(error) from error
    return deploy(materials)


def deploy(materials: Materials) -> dict[str, Any]:
    """Everything of a stack."""
    if os.environ.get(registry.ONLY) == registry.ALONE:
        return dict(cloud.aws().first(materials.config))
    if materials.config.target == "aws-lite":
        return dict(cloud.aws().lite(materials.config))
    site = cluster.deploy(materials)
    bindings = backing.deploy(site)
    found = platform.deploy(site, bindings)
    return edge.deploy(site, bindings, apps.deploy(site, found))
