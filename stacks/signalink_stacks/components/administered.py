"""An engine that a cloud runs, made ready for services: certificates in a ConfigMap, roles by a Job (decision 0121)."""

from dataclasses import replace

import pulumi
import pulumi_kubernetes as kubernetes
from pulumi_kubernetes.meta.v1 import ObjectMetaArgs

from signalink_stacks.components import cloud
from signalink_stacks.components.contracts import MOUNT, Binding
from signalink_stacks.components.preparation import Preparation, PreparationArgs
from signalink_stacks.components.site import Site

KEY = "ca.pem"


class Authority(pulumi.ComponentResource):
    """Certificates in a ConfigMap."""

    def __init__(self, name: str, called: str, pem: str, site: Site, opts: pulumi.ResourceOptions) -> None:
        super().__init__("signalink:backing:Authority", name, None, opts)
        kubernetes.core.v1.ConfigMap(
            f"{name}-certificates",
            metadata=ObjectMetaArgs(name=called, namespace=site.cluster.namespace, labels=site.labels),
            data={KEY: pem},
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.register_outputs({})


def ready(site: Site, binding: Binding) -> Binding:
    """The same Binding, which now waits for what is made here; as it is where there is nothing to make."""
    if binding.tls.ca:
        called = f"{site.config.release}-{binding.kind}-authority"
        made = Authority(f"{binding.kind}-authority", called, binding.tls.ca, site, site.options())
        tls = replace(binding.tls, config_map=called)
        binding = replace(binding, tls=tls, depends_on=(*binding.depends_on, made))
    if binding.administrator is not None:
        binding = replace(binding, depends_on=(*binding.depends_on, _roles(site, binding)))
    return binding


def _roles(site: Site, binding: Binding) -> Preparation:
    """The Job signs in as the administrator, by a role of the cloud that no service has."""
    config, administrator = site.config, binding.administrator
    if administrator is None:
        raise ValueError("only an engine with an administrator has a Job of its own")
    part = f"{binding.kind}-bootstrap"
    role = cloud.aws().role(site.cluster, config, part, administrator.statements)
    address = pulumi.Output.concat("postgresql://", administrator.user, "@", binding.host, f":{binding.port}/postgres")
    wanted = PreparationArgs(
        namespace=site.cluster.namespace,
        name=f"{config.release}-{part}",
        image=site.image("signalink/api"),
        pull="IfNotPresent" if config.images.dev else "Always",
        words=("postgres", "--timeout=600", pulumi.Output.concat("--admin-secret=", administrator.secret)),
        env={
            "SIGNALINK_POSTGRES_DSN": address,
            "SIGNALINK_POSTGRES_AUTH": "iam",
            "SIGNALINK_POSTGRES_TLS": "on",
            "SIGNALINK_POSTGRES_CA_FILE": f"{MOUNT}/{KEY}",
            "SIGNALINK_POSTGRES_AWS_REGION": binding.region,
        },
        labels=site.labels,
        wait=config.cluster.wait,
        authority=binding.tls.config_map,
        account=f"{config.release}-{part}",
    )
    return Preparation(part, wanted, site.options([role, *binding.depends_on]))
