"""Owns rules of security groups, made of doors; and the doors of the one group that EKS makes and names itself."""

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from signalink_stacks.lib import doors, tags
from signalink_stacks.lib.doors import Door

Ids = Mapping[str, pulumi.Input[str]]
"""Group -> id at AWS."""


def let_in(name: str, ids: Ids, door: Door, tagged: Mapping[str, str], opts: pulumi.ResourceOptions) -> None:
    """The rule at the group that is come into; everything where a group is open to itself."""
    own = door.group == door.source
    aws.vpc.SecurityGroupIngressRule(
        f"{name}-{door.group}-from-{door.origin}-{door.first}",
        security_group_id=ids[door.group],
        referenced_security_group_id=ids[door.source] if door.from_group else None,
        cidr_ipv4=None if door.from_group else door.source,
        ip_protocol="-1" if own else "tcp",
        from_port=None if own else door.first,
        to_port=None if own else door.last,
        description=door.why,
        tags={**tagged, "Name": f"{name}-{door.group}-from-{door.origin}"},
        opts=opts,
    )


def let_out(name: str, ids: Ids, door: Door, tagged: Mapping[str, str], opts: pulumi.ResourceOptions) -> None:
    """The rule at the group that comes."""
    aws.vpc.SecurityGroupEgressRule(
        f"{name}-{door.source}-to-{door.group}-{door.first}",
        security_group_id=ids[door.source],
        referenced_security_group_id=ids[door.group],
        ip_protocol="tcp",
        from_port=door.first,
        to_port=door.last,
        description=door.why,
        tags={**tagged, "Name": f"{name}-{door.source}-to-{door.group}"},
        opts=opts,
    )


@dataclass(frozen=True, slots=True)
class ClusterDoorsArgs:
    """`groups`: those of the network; `cluster_group_id`: that which EKS made with the cluster."""

    groups: Ids
    cluster_group_id: pulumi.Input[str]
    tags: Mapping[str, str]


class ClusterDoors(pulumi.ComponentResource):
    """The doors of nodes once more, for nodes of Auto Mode (decision 0136).

    EKS tags its group with no tag of ours. It gets the stack's before it gets rules: who deploys may change only what
    carries it, and a sweep finds it.
    """

    def __init__(self, name: str, args: ClusterDoorsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("signalink:aws:ClusterDoors", name, None, opts)
        tag = aws.ec2.Tag(
            f"{name}-stack",
            resource_id=args.cluster_group_id,
            key=tags.STACK,
            value=args.tags[tags.STACK],
            opts=pulumi.ResourceOptions(parent=self),
        )
        after = pulumi.ResourceOptions(parent=self, depends_on=[tag])
        ids = {**args.groups, doors.CLUSTER: args.cluster_group_id}
        for door in doors.of_cluster():
            if door.group in ids and door.source in ids:
                let_in(name, ids, door, args.tags, after)
                if door.source != doors.CLUSTER:
                    let_out(name, ids, door, args.tags, after)
        self.register_outputs({})
