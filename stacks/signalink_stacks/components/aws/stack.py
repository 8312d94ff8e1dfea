"""What the layers call on AWS: a cluster, its bindings, a role per service, the edge, and the stack of one machine.

Owns how the components are put together from a stack's configuration, and the order: the budget first, the network
before what is in it. What each thing is made of is the components' matter.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import pulumi
import pulumi_aws as aws
import pulumi_kubernetes as kubernetes

from signalink_stacks.components.aws import alarms, bindings, eks, ground, identity
from signalink_stacks.components.aws.budget import Budget, BudgetArgs
from signalink_stacks.components.aws.edge import Edge, EdgeArgs
from signalink_stacks.components.aws.fittings import CLASS, Fittings, FittingsArgs
from signalink_stacks.components.aws.joining import Joining, JoiningArgs
from signalink_stacks.components.aws.lite import Lite, LiteArgs
from signalink_stacks.components.aws.network import Network, NetworkArgs
from signalink_stacks.components.aws.registry import Registry, RegistryArgs
from signalink_stacks.components.aws.rules import ClusterDoors, ClusterDoorsArgs
from signalink_stacks.components.aws.vault import Vault, VaultArgs
from signalink_stacks.components.aws.watch import Notice, NoticeArgs
from signalink_stacks.components.contracts import ClusterOutputs
from signalink_stacks.lib import boot, chartvalues, doors, images, machine, names, registry, routes, tags, words
from signalink_stacks.lib.settings import Config, Engine

CREDENTIALS_ADDRESS: Final = "169.254.170.23/32"
"""Where a pod asks for the credentials of its role (EKS Pod Identity)."""

CLOSED_ZONES: Final = ("use1-az3", "usw1-az2", "cac1-az3")
"""Ids of zones in which EKS takes no subnet ("networking requirements for VPC and subnets"), nor MSK in the first.

The first has no machine of t3, t3a or t4g either, so a new one of aws-lite is put elsewhere too.
"""


class EksCluster:
    """The `Cluster` of the target eks."""

    def provision(self, config: Config) -> ClusterOutputs:
        settings, mine = ground.aws(config), tags.tags(config)
        provider, budget, account = _begin(config)
        opts = pulumi.ResourceOptions(providers=[provider], depends_on=[budget])
        called = names.name(config.stack, "cluster")
        vault, kept = _registry(config, account, opts)
        network = Network("network", _network(config, provider, mine), opts)
        made = eks.Eks("eks", _eks(config, called, network, vault, mine), opts)
        rung = NoticeArgs(names.name(config.stack, "alarms"), settings.alarm_email, vault.key_arn, mine)
        under = ground.Ground(provider, budget, account, network, vault, kept, made, Notice("alarms", rung, opts), mine)
        inside = _kubernetes(config, made, _doors(config, made, network, opts))
        return ClusterOutputs(
            name=made.name,
            provider=inside,
            kubeconfig=made.kubeconfig,
            namespace=config.cluster.namespace,
            storage_class=config.cluster.storage_class or CLASS,
            ingress=config.cluster.ingress,
            identity="pod-identity",
            registry=kept.address,
            arch=settings.architecture,
            unreachable_ok=config.cluster.unreachable_ok,
            resource=made.cluster,
            ready=(_fittings(config, made, inside),),
            cloud=under,
        )


def first(config: Config) -> dict[str, pulumi.Input[Any]]:
    """What must be there before images can be pushed: the registry, and what it stands on. Nothing else of the stack.

    The same resources by the same names as `EksCluster` has them; who runs it targets them alone.
    """
    provider, budget, account = _begin(config)
    _, kept = _registry(config, account, pulumi.ResourceOptions(providers=[provider], depends_on=[budget]))
    return {"registry": kept.address}


def backing(engine: Engine) -> "bindings.Provider":
    """The `BackingService` of one engine at AWS."""
    return bindings.PROVIDERS[engine]


def role(
    cluster: ClusterOutputs, config: Config, service: str, statements: Sequence[Mapping[str, Any]]
) -> identity.ServiceRole:
    """The role of one service: its service account is called as its chart names it."""
    under = ground.of(cluster)
    return identity.ServiceRole(
        f"role-{service}",
        identity.ServiceRoleArgs(
            role_name=names.name(config.stack, service, most=64),
            cluster_name=under.cluster.name,
            namespace=cluster.namespace,
            service_account=f"{config.release}-{service}",
            statements=statements,
            tags=under.tags,
        ),
        under.options(),
    )


def chart_values(cluster: ClusterOutputs) -> dict[str, Any]:
    """What every service's chart needs to know of this cloud: who else may come in and where pods may go out to."""
    inside = [{"ipBlock": {"cidr": ground.of(cluster).network.cidr}}]
    credentials = {"to": [{"ipBlock": {"cidr": CREDENTIALS_ADDRESS}}], "ports": [{"port": 80}]}
    return {"networkPolicy": {"httpFrom": inside, "metricsFrom": inside, "extraEgress": [credentials]}}


def edge(
    cluster: ClusterOutputs, config: Config, ports: Mapping[str, tuple[int, int, str]], after: Sequence[pulumi.Resource]
) -> dict[str, pulumi.Input[Any]]:
    """Load balancers, the HTTP API, names, and pods joined to them. `ports`: public, internal, path of readiness.

    Without a domain there is no certificate, so nothing is opened; the answer says how to come in.
    """
    under, settings = ground.of(cluster), ground.aws(config)
    if not settings.domain:
        return {"edge": "none: set aws.domain to be reached from outside, or use kubectl port-forward"}
    made = Edge(
        "edge",
        EdgeArgs(
            called=names.name(config.stack, "edge", most=24),
            network=under.network,
            cluster_name=under.cluster.name,
            domain=settings.domain,
            zone=settings.zone,
            routes=routes.read(images.root()),
            ports=ports,
            key_arn=under.vault.key_arn,
            log_days=ground.log_days(config),
            protect=ground.guarded(config),
            tags=under.tags,
        ),
        under.options(),
    )
    Joining(
        "joining",
        JoiningArgs(
            mode=settings.nodes.mode,
            cluster_name=under.cluster.name,
            role_name=names.name(config.stack, "balancer-controller", most=64),
            region=settings.region,
            vpc_id=under.network.vpc_id,
            chart=settings.controller_chart,
            namespace=cluster.namespace,
            release=config.release,
            targets=made.targets,
            ports=ports,
            tags=under.tags,
        ),
        pulumi.ResourceOptions(providers=[under.provider, cluster.provider], depends_on=list(after)),
    )
    slos = {manifest.name: manifest.slo for manifest in words.manifests(images.root()) if manifest.slo}
    watched = [
        *alarms.http_api(made.door.api.id),
        *alarms.balancer("sockets", made.public.balancer, made.public.targets, slos),
        *alarms.balancer("pages", made.internal.balancer, made.internal.targets, slos),
    ]
    ground.watch(under, "edge", watched)
    return {"url": made.url, "socketUrl": made.socket_url, "records": pulumi.Output.all(*made.records)}


def lite(config: Config) -> dict[str, pulumi.Input[Any]]:
    """The stack of one machine."""
    settings, mine = ground.aws(config), tags.tags(config)
    provider, budget, _ = _begin(config)
    script = boot.Boot(
        parts=machine.parts(machine.memory_gib(settings.instance)),
        source=settings.source,
        revision=settings.revision,
        region=settings.region,
        domain=settings.domain,
        zone=settings.zone,
        email=settings.alarm_email,
        hours=settings.destroy_after_hours,
        registry=config.images.registry,
        values=chartvalues.images(config) | {"publicUrls": chartvalues.public_urls(config)},
    )
    made = Lite(
        "lite",
        LiteArgs(
            called=names.name(config.stack, "machine"),
            region=settings.region,
            cidr=settings.cidr,
            zone_name=_zones(provider, 1)[0],
            instance=settings.instance,
            architecture=settings.architecture,
            boot=script,
            open_to=settings.endpoint_cidrs,
            expires=config.expires,
            tags=mine,
        ),
        pulumi.ResourceOptions(providers=[provider], depends_on=[budget]),
    )
    forward = "--document-name AWS-StartPortForwardingSession --parameters portNumber=8000,localPortNumber=8000"
    return {
        "instance": made.instance_id,
        "parts": made.said,
        "urls": chartvalues.public_urls(config) if chartvalues.reachable(config) else {},
        "url": f"https://{settings.domain}" if settings.domain else "http://localhost:8000",
        "reach": pulumi.Output.concat("aws ssm start-session --target ", made.instance_id, " ", forward),
    }


def _registry(config: Config, account: pulumi.Output[str], opts: pulumi.ResourceOptions) -> tuple[Vault, Registry]:
    """Repositories of every image that a pod of the stack can run, and the key of what is in them."""
    mine, prefix = tags.tags(config), registry.prefix(config.stack)
    called = names.name(config.stack, "data")
    vault = Vault("vault", VaultArgs(called, account, ground.aws(config).region, mine, ground.key_days(config)), opts)
    repositories = registry.repositories(images.load(), prefix)
    args = RegistryArgs(prefix, repositories, vault.key_arn, ground.guarded(config), mine)
    return vault, Registry("registry", args, opts)


def _begin(config: Config) -> tuple[aws.Provider, Budget, pulumi.Output[str]]:
    """The provider, which refuses every account but the stack's, and the budget: before all that costs."""
    settings = ground.aws(config)
    if settings.permissions_boundary:
        pulumi.runtime.register_stack_transformation(identity.bounded(settings.permissions_boundary))
    provider = aws.Provider(
        "aws",
        region=settings.region,
        allowed_account_ids=[settings.account] if settings.account else None,
    )
    called, mine = names.name(config.stack, "budget"), tags.tags(config)
    args = BudgetArgs(called, config.max_usd, settings.alarm_email, (tags.STACK, config.stack), mine)
    budget = Budget("budget", args, pulumi.ResourceOptions(providers=[provider]))
    if settings.account:
        return provider, budget, pulumi.Output.from_input(settings.account)
    identity_of = aws.get_caller_identity_output(opts=pulumi.InvokeOptions(provider=provider))
    return provider, budget, identity_of.account_id


def _zones(provider: aws.Provider, count: int) -> list[pulumi.Output[str]]:
    """Where new subnets go; those that are there stay, whatever AWS says of its zones by then."""
    found = aws.get_availability_zones_output(
        state="available",
        filters=[aws.GetAvailabilityZonesFilterArgs(name="opt-in-status", values=["opt-in-not-required"])],
        exclude_zone_ids=[*CLOSED_ZONES],
        opts=pulumi.InvokeOptions(provider=provider),
    )
    return [found.names[place] for place in range(count)]


def _network(config: Config, provider: aws.Provider, mine: Mapping[str, str]) -> NetworkArgs:
    settings, full = ground.aws(config), config.profile == "full"
    return NetworkArgs(
        cidr=settings.cidr,
        region=settings.region,
        zones=_zones(provider, settings.zones),
        ways_out="zone" if full else "one",
        endpoints=True,
        tags=mine,
        groups=doors.GROUPS if settings.domain else doors.inside(),
    )


def _eks(config: Config, called: str, network: Network, vault: Vault, mine: Mapping[str, str]) -> eks.EksArgs:
    settings = ground.aws(config)
    return eks.EksArgs(
        cluster_name=called,
        region=settings.region,
        version=settings.kubernetes,
        subnet_ids=network.private_ids,
        node_group_id=network.groups["nodes"],
        key_arn=vault.key_arn,
        endpoint_cidrs=settings.endpoint_cidrs,
        admins=settings.admins,
        viewers=settings.viewers,
        mode=settings.nodes.mode,
        machine=settings.nodes.type,
        least=settings.nodes.least,
        most=settings.nodes.most,
        architecture=settings.architecture,
        protect=ground.guarded(config),
        log_days=ground.log_days(config),
        tags=mine,
    )


def _doors(config: Config, made: eks.Eks, network: Network, opts: pulumi.ResourceOptions) -> list[pulumi.Resource]:
    """Nodes of Auto Mode are in the cluster's own group: its doors are there before a pod, and go before it goes."""
    if ground.aws(config).nodes.mode != "auto":
        return []
    group = made.cluster.vpc_config.cluster_security_group_id
    return [ClusterDoors("cluster-doors", ClusterDoorsArgs(network.groups, group, tags.tags(config)), opts)]


def _fittings(config: Config, made: eks.Eks, inside: kubernetes.Provider) -> Fittings:
    wanted = FittingsArgs(
        mode=ground.aws(config).nodes.mode,
        volumes=not config.cluster.storage_class,
        tags=tags.tags(config),
        labels=tags.labels(config),
        cluster=made.cluster,
    )
    return Fittings("fittings", wanted, pulumi.ResourceOptions(providers=[inside]))


def _kubernetes(config: Config, made: eks.Eks, opened: Sequence[pulumi.Resource]) -> kubernetes.Provider:
    """By the cluster's own address; by the kubeconfig that the stack names, where that is not reached from here."""
    named = config.cluster.kubeconfig
    return kubernetes.Provider(
        "kubernetes",
        kubeconfig=named or made.kubeconfig,
        context=config.cluster.context or None,
        delete_unreachable=config.cluster.unreachable_ok,
        # What a killed run had made and not written down is taken over instead of refused.
        upsert_existing_objects=True,
        opts=pulumi.ResourceOptions(depends_on=[*made.ready, *opened]),
    )
