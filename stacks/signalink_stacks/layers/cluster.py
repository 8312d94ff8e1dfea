"""The first layer: a cluster, the platform's namespace in it, and the kinds of the platform's resources."""

from signalink_stacks.components import cloud
from signalink_stacks.components.cluster import Named
from signalink_stacks.components.contracts import Cluster
from signalink_stacks.components.platform import Definitions, DefinitionsArgs, Namespace, NamespaceArgs
from signalink_stacks.components.site import Materials, Site
from signalink_stacks.lib import chartfolder, tags


def deploy(materials: Materials) -> Site:
    """A namespace in which everything else is put."""
    config = materials.config
    provider = _provider(config.target)
    given = provider.provision(config)
    outside = Site(materials, given, given.ready)
    namespace = Namespace("platform", NamespaceArgs(config.cluster.namespace, outside.labels), outside.options())
    documents = tuple(chartfolder.definitions(materials.root))
    definitions = Definitions("definitions", DefinitionsArgs(documents, tags.SHARED), outside.options())
    return Site(materials, given, (*given.ready, namespace, definitions))


def _provider(target: str) -> Cluster:
    return cloud.aws().EksCluster() if target == "eks" else Named()
