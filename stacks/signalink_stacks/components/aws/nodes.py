"""Owns the machines of a cluster without Auto Mode: their role, launch template, node group and add-ons."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

import pulumi
import pulumi_aws as aws

from signalink_stacks.components.aws.identity import aws_role
from signalink_stacks.lib import grants

NODE_POLICIES: Final = ("AmazonEKSWorkerNodePolicy", "AmazonEKS_CNI_Policy", "AmazonEC2ContainerRegistryPullOnly")
AUTO_NODE_POLICIES: Final = ("AmazonEKSWorkerNodeMinimalPolicy", "AmazonEC2ContainerRegistryPullOnly")
STORAGE_POLICY: Final = "service-role/AmazonEBSCSIDriverPolicy"
BEFORE_NODES: Final[Mapping[str, Mapping[str, Any]]] = {
    "vpc-cni": {"enableNetworkPolicy": "true"},
    "kube-proxy": {},
    "eks-pod-identity-agent": {},
}
"""Add-ons a node needs to become ready; network policies are the CNI's to enforce."""
AFTER_NODES: Final = ("coredns", "aws-ebs-csi-driver")
"""Add-ons with pods that need a node to run on."""
DISK_GIB: Final = 30
AMIS: Final = {"amd64": "AL2023_x86_64_STANDARD", "arm64": "AL2023_ARM_64_STANDARD"}


@dataclass(frozen=True, slots=True)
class NodesArgs:
    """A group of `least` to `most` machines of one type, in private subnets."""

    cluster: aws.eks.Cluster
    cluster_name: str
    role_arn: pulumi.Input[str]
    subnet_ids: Sequence[pulumi.Input[str]]
    group_id: pulumi.Input[str]
    machine: str
    least: int
    most: int
    architecture: Literal["amd64", "arm64"]
    tags: Mapping[str, str]


def role(
    name: str, cluster_name: str, parent: pulumi.Resource, tags: Mapping[str, str], *, auto: bool
) -> tuple[aws.iam.Role, list[pulumi.Resource]]:
    """What machines may do: join, pull images; with Auto Mode even their network is none of their business."""
    policies = AUTO_NODE_POLICIES if auto else NODE_POLICIES
    return aws_role(f"{name}-nodes", f"{cluster_name}-nodes", "ec2.amazonaws.com", policies, parent, tags)


def managed(
    name: str, args: NodesArgs, parent: pulumi.Resource, before: Sequence[pulumi.Resource]
) -> list[pulumi.Resource]:
    """Add-ons, the node group, add-ons; the answer is what a pod waits for."""
    inside = pulumi.ResourceOptions(parent=parent)
    first = [_addon(name, addon, args, inside, values) for addon, values in BEFORE_NODES.items()]
    group = aws.eks.NodeGroup(
        f"{name}-machines",
        cluster_name=args.cluster.name,
        node_role_arn=args.role_arn,
        subnet_ids=[*args.subnet_ids],
        instance_types=[args.machine],
        ami_type=AMIS[args.architecture],
        scaling_config=aws.eks.NodeGroupScalingConfigArgs(
            desired_size=args.least, min_size=args.least, max_size=args.most
        ),
        update_config=aws.eks.NodeGroupUpdateConfigArgs(max_unavailable=1),
        launch_template=_template(name, args, inside),
        tags={**args.tags},
        opts=pulumi.ResourceOptions(
            parent=parent, depends_on=[*before, *first], ignore_changes=["scalingConfig.desiredSize"]
        ),
    )
    storage, policies = aws_role(
        f"{name}-storage",
        f"{args.cluster_name}-storage",
        grants.PODS,
        (STORAGE_POLICY,),
        parent,
        args.tags,
    )
    after = pulumi.ResourceOptions(parent=parent, depends_on=[group, *policies])
    identity = [aws.eks.AddonPodIdentityAssociationArgs(role_arn=storage.arn, service_account="ebs-csi-controller-sa")]
    last = [
        _addon(name, addon, args, after, identities=identity if addon == "aws-ebs-csi-driver" else None)
        for addon in AFTER_NODES
    ]
    return [*first, group, *last]


def _addon(
    name: str,
    addon: str,
    args: NodesArgs,
    opts: pulumi.ResourceOptions,
    values: Mapping[str, Any] | None = None,
    identities: Sequence[aws.eks.AddonPodIdentityAssociationArgs] | None = None,
) -> aws.eks.Addon:
    return aws.eks.Addon(
        f"{name}-{addon}",
        cluster_name=args.cluster.name,
        addon_name=addon,
        configuration_values=json.dumps(values, sort_keys=True) if values else None,
        pod_identity_associations=list(identities) if identities else None,
        resolve_conflicts_on_create="OVERWRITE",
        resolve_conflicts_on_update="OVERWRITE",
        tags={**args.tags},
        opts=opts,
    )


def _template(name: str, args: NodesArgs, opts: pulumi.ResourceOptions) -> aws.eks.NodeGroupLaunchTemplateArgs:
    """Encrypted disks, tokens for the metadata service, tags on what the machines bring along."""
    made = aws.ec2.LaunchTemplate(
        f"{name}-template",
        vpc_security_group_ids=[
            args.group_id,
            args.cluster.vpc_config.cluster_security_group_id,
        ],
        metadata_options=aws.ec2.LaunchTemplateMetadataOptionsArgs(
            http_tokens="required", http_put_response_hop_limit=1, http_endpoint="enabled"
        ),
        block_device_mappings=[
            aws.ec2.LaunchTemplateBlockDeviceMappingArgs(
                device_name="/dev/xvda",
                ebs=aws.ec2.LaunchTemplateBlockDeviceMappingEbsArgs(
                    volume_size=DISK_GIB,
                    volume_type="gp3",
                    encrypted="true",
                    delete_on_termination="true",
                ),
            )
        ],
        tag_specifications=[
            aws.ec2.LaunchTemplateTagSpecificationArgs(resource_type=kind, tags={**args.tags})
            for kind in ("instance", "volume", "network-interface")
        ],
        update_default_version=True,
        tags={**args.tags},
        opts=opts,
    )
    version = made.latest_version.apply(str)
    return aws.eks.NodeGroupLaunchTemplateArgs(id=made.id, version=version)
