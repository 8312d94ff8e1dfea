"""Owns the cluster: its API, who may use it, and its machines, by EKS Auto Mode or as a managed node group."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

import pulumi
import pulumi_aws as aws

from signalink_stacks.components.aws import nodes
from signalink_stacks.components.aws.identity import aws_role
from signalink_stacks.lib import grants

ADMIN_POLICY: Final = "arn:aws:eks::aws:cluster-access-policy/AmazonEKSClusterAdminPolicy"
VIEW_POLICY: Final = "arn:aws:eks::aws:cluster-access-policy/AmazonEKSAdminViewPolicy"
"""Reads everything, Secrets too: Pulumi's refresh reads those that the stack has."""
LOG_TYPES: Final = ("api", "audit", "authenticator")
CLUSTER_POLICIES: Final = ("AmazonEKSClusterPolicy",)
AUTO_POLICIES: Final = (
    "AmazonEKSComputePolicy",
    "AmazonEKSBlockStoragePolicy",
    "AmazonEKSLoadBalancingPolicy",
    "AmazonEKSNetworkingPolicy",
)
AUTO_POOLS: Final = ("general-purpose", "system")


@dataclass(frozen=True, slots=True)
class EksArgs:
    """`endpoint_cidrs`: who may reach the API from outside; nobody when empty, the network itself always."""

    cluster_name: str
    region: str
    version: str
    subnet_ids: Sequence[pulumi.Input[str]]
    node_group_id: pulumi.Input[str]
    """Security group of nodes and pods."""
    key_arn: pulumi.Input[str]
    endpoint_cidrs: Sequence[str]
    admins: Sequence[str]
    """ARNs of roles that administer the cluster, besides who made it."""
    viewers: Sequence[str]
    """ARNs of roles that read what is in it."""
    mode: Literal["auto", "managed"]
    machine: str
    least: int
    most: int
    architecture: Literal["amd64", "arm64"]
    protect: bool
    log_days: int
    tags: Mapping[str, str]


class Eks(pulumi.ComponentResource):
    """An EKS cluster in standard support. `ready`: what must be there before a pod can run."""

    def __init__(self, name: str, args: EksArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("signalink:aws:Eks", name, None, opts)
        self._name, self._args = name, args
        auto = args.mode == "auto"
        policies = (*CLUSTER_POLICIES, *(AUTO_POLICIES if auto else ()))
        role, before = aws_role(f"{name}-role", args.cluster_name, "eks.amazonaws.com", policies, self, args.tags)
        node_role, node_policies = nodes.role(name, args.cluster_name, self, args.tags, auto=auto)
        before += [self._tagging(role)] if auto else []
        self.cluster = self._cluster(role, node_role, [*before, *node_policies, self._logs()])
        self._admit()
        self.ready: list[pulumi.Resource] = [self.cluster]
        if not auto:
            self.ready += nodes.managed(name, self._node_args(node_role), self, node_policies)
        self.name = self.cluster.name
        facts = pulumi.Output.all(self.cluster.name, self.cluster.endpoint, self.cluster.certificate_authority.data)
        made = facts.apply(lambda found: kubeconfig(str(found[0]), str(found[1]), str(found[2]), args.region))
        self.kubeconfig: pulumi.Output[str] = pulumi.Output.secret(made)
        self.register_outputs({"name": self.name})

    def _tagging(self, role: aws.iam.Role) -> aws.iam.RolePolicy:
        """Volumes of Auto Mode carry the stack's tags (AWS: "Custom AWS tags for EKS Auto resources")."""
        return aws.iam.RolePolicy(
            f"{self._name}-role-tags",
            role=role.name,
            policy=pulumi.Output.json_dumps(grants.document([grants.AUTO_VOLUMES])),
            opts=pulumi.ResourceOptions(parent=self),
        )

    def _logs(self) -> aws.cloudwatch.LogGroup:
        """EKS would make it itself, without an end to what it keeps, and leave it behind."""
        return aws.cloudwatch.LogGroup(
            f"{self._name}-logs",
            name=f"/aws/eks/{self._args.cluster_name}/cluster",
            retention_in_days=self._args.log_days,
            kms_key_id=self._args.key_arn,
            tags={**self._args.tags},
            opts=pulumi.ResourceOptions(parent=self),
        )

    def _cluster(
        self, role: aws.iam.Role, node_role: aws.iam.Role, before: Sequence[pulumi.Resource]
    ) -> aws.eks.Cluster:
        args, auto = self._args, self._args.mode == "auto"
        return aws.eks.Cluster(
            f"{self._name}-cluster",
            name=args.cluster_name,
            role_arn=role.arn,
            version=args.version,
            upgrade_policy=aws.eks.ClusterUpgradePolicyArgs(support_type="STANDARD"),
            access_config=aws.eks.ClusterAccessConfigArgs(
                authentication_mode="API", bootstrap_cluster_creator_admin_permissions=True
            ),
            vpc_config=aws.eks.ClusterVpcConfigArgs(
                subnet_ids=[*args.subnet_ids],
                security_group_ids=[args.node_group_id],
                endpoint_private_access=True,
                endpoint_public_access=bool(args.endpoint_cidrs),
                public_access_cidrs=[*args.endpoint_cidrs] or None,
            ),
            encryption_config=aws.eks.ClusterEncryptionConfigArgs(
                provider=aws.eks.ClusterEncryptionConfigProviderArgs(key_arn=args.key_arn), resources=["secrets"]
            ),
            compute_config=aws.eks.ClusterComputeConfigArgs(
                enabled=auto,
                node_pools=[*AUTO_POOLS] if auto else None,
                node_role_arn=node_role.arn if auto else None,
            ),
            kubernetes_network_config=aws.eks.ClusterKubernetesNetworkConfigArgs(
                elastic_load_balancing=aws.eks.ClusterKubernetesNetworkConfigElasticLoadBalancingArgs(enabled=auto)
            ),
            storage_config=aws.eks.ClusterStorageConfigArgs(
                block_storage=aws.eks.ClusterStorageConfigBlockStorageArgs(enabled=auto)
            ),
            bootstrap_self_managed_addons=False,
            enabled_cluster_log_types=[*LOG_TYPES],
            deletion_protection=args.protect,
            tags={**args.tags},
            opts=pulumi.ResourceOptions(parent=self, depends_on=list(before)),
        )

    def _admit(self) -> None:
        """Access entries: there is no aws-auth object that somebody could lock everybody out with."""
        admins = [(f"admin-{place}", arn, ADMIN_POLICY) for place, arn in enumerate(self._args.admins)]
        viewers = [(f"viewer-{place}", arn, VIEW_POLICY) for place, arn in enumerate(self._args.viewers)]
        for called, arn, policy in [*admins, *viewers]:
            part = f"{self._name}-{called}"
            entry = aws.eks.AccessEntry(
                part,
                cluster_name=self.cluster.name,
                principal_arn=arn,
                tags={**self._args.tags},
                opts=pulumi.ResourceOptions(parent=self),
            )
            aws.eks.AccessPolicyAssociation(
                f"{part}-policy",
                cluster_name=self.cluster.name,
                principal_arn=arn,
                policy_arn=policy,
                access_scope=aws.eks.AccessPolicyAssociationAccessScopeArgs(type="cluster"),
                opts=pulumi.ResourceOptions(parent=self, depends_on=[entry]),
            )

    def _node_args(self, node_role: aws.iam.Role) -> nodes.NodesArgs:
        args = self._args
        return nodes.NodesArgs(
            cluster=self.cluster,
            cluster_name=args.cluster_name,
            role_arn=node_role.arn,
            subnet_ids=args.subnet_ids,
            group_id=args.node_group_id,
            machine=args.machine,
            least=args.least,
            most=args.most,
            architecture=args.architecture,
            tags=args.tags,
        )


def kubeconfig(name: str, endpoint: str, authority: str, region: str) -> str:
    """How kubectl reaches the cluster: no token inside, the AWS command line makes one at each use."""
    get_token = {
        "apiVersion": "client.authentication.k8s.io/v1beta1",
        "command": "aws",
        "args": ["eks", "get-token", "--cluster-name", name, "--region", region, "--output", "json"],
    }
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": name, "cluster": {"server": endpoint, "certificate-authority-data": authority}}],
        "users": [{"name": name, "user": {"exec": get_token}}],
        "contexts": [{"name": name, "context": {"cluster": name, "user": name}}],
        "current-context": name,
    }
    return json.dumps(document)
