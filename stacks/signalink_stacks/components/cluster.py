"""Clusters that are there before the program runs: one made by kind, or any that a kubeconfig names."""

from dataclasses import dataclass

import pulumi
import pulumi_kubernetes as kubernetes

from signalink_stacks.components.contracts import ClusterOutputs
from signalink_stacks.lib.settings import ClusterSettings, Config


@dataclass(frozen=True, slots=True)
class NamedClusterArgs:
    """A context of a kubeconfig; never the current one."""

    cluster: ClusterSettings


class NamedCluster(pulumi.ComponentResource):
    """The one explicit Kubernetes provider of a stack. It makes nothing."""

    provider: kubernetes.Provider

    def __init__(self, name: str, args: NamedClusterArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("signalink:cluster:NamedCluster", name, None, opts)
        self.provider = kubernetes.Provider(
            f"{name}-kubernetes",
            kubernetes.ProviderArgs(
                kubeconfig=args.cluster.kubeconfig or None,
                context=args.cluster.context,
                enable_server_side_apply=True,
                delete_unreachable=args.cluster.unreachable_ok,
                # What a killed run had made and not written down is taken over instead of refused.
                upsert_existing_objects=True,
                suppress_helm_hook_warnings=True,
            ),
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.register_outputs({"context": args.cluster.context})


class Named:
    """Provider of a Cluster for the targets kind and existing."""

    def provision(self, config: Config) -> ClusterOutputs:
        cluster = NamedCluster("cluster", NamedClusterArgs(config.cluster))
        return ClusterOutputs(
            name=config.cluster.context,
            provider=cluster.provider,
            kubeconfig=None,
            namespace=config.cluster.namespace,
            storage_class=config.cluster.storage_class,
            ingress=config.cluster.ingress,
            identity="none",
            registry=config.images.registry,
            arch="amd64",
            unreachable_ok=config.cluster.unreachable_ok,
        )
