"""Owns roles: one per service, that only pods of its service account get, with what its bindings need and no more."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import pulumi
import pulumi_aws as aws

from signalink_stacks.lib import grants

ROLE: Final = "aws:iam/role:Role"


def bounded(arn: str) -> pulumi.ResourceTransformation:
    """Gives every role of the program this permissions boundary: also one that somebody adds tomorrow."""

    def bound(args: pulumi.ResourceTransformationArgs) -> pulumi.ResourceTransformationResult | None:
        if args.type_ != ROLE:
            return None
        return pulumi.ResourceTransformationResult({**args.props, "permissions_boundary": arn}, args.opts)

    return bound


@dataclass(frozen=True, slots=True)
class ServiceRoleArgs:
    """`statements` as IAM writes them; their resources may not be known yet."""

    role_name: str
    cluster_name: pulumi.Input[str]
    namespace: str
    service_account: str
    statements: Sequence[Mapping[str, Any]]
    tags: Mapping[str, str]


class ServiceRole(pulumi.ComponentResource):
    """A role, its one policy, and the association that gives it to a service account (EKS Pod Identity)."""

    def __init__(self, name: str, args: ServiceRoleArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("signalink:aws:ServiceRole", name, None, opts)
        inside = pulumi.ResourceOptions(parent=self)
        role = aws.iam.Role(
            f"{name}-role",
            name=args.role_name,
            assume_role_policy=pulumi.Output.json_dumps(grants.pod_identity()),
            tags={**args.tags},
            opts=inside,
        )
        before: list[pulumi.Resource] = [role]
        if args.statements:
            document = {"Version": grants.VERSION, "Statement": list(args.statements)}
            before.append(
                aws.iam.RolePolicy(
                    f"{name}-policy", role=role.name, policy=pulumi.Output.json_dumps(document), opts=inside
                )
            )
        self.association = aws.eks.PodIdentityAssociation(
            f"{name}-identity",
            cluster_name=args.cluster_name,
            namespace=args.namespace,
            service_account=args.service_account,
            role_arn=role.arn,
            tags={**args.tags},
            opts=pulumi.ResourceOptions(parent=self, depends_on=before),
        )
        self.role_arn = role.arn
        self.register_outputs({"roleArn": role.arn})


def aws_role(
    part: str, role_name: str, service: str, managed: Sequence[str], parent: pulumi.Resource, tags: Mapping[str, str]
) -> tuple[aws.iam.Role, list[pulumi.Resource]]:
    """A role for a part of AWS itself with policies that AWS keeps; also what must be there before it is used."""
    role = aws.iam.Role(
        part,
        name=role_name,
        assume_role_policy=pulumi.Output.json_dumps(grants.assumed_by(service)),
        tags={**tags},
        opts=pulumi.ResourceOptions(parent=parent),
    )
    attached: list[pulumi.Resource] = [
        aws.iam.RolePolicyAttachment(
            f"{part}-{policy.lower()}",
            role=role.name,
            policy_arn=f"arn:aws:iam::aws:policy/{policy}",
            opts=pulumi.ResourceOptions(parent=parent),
        )
        for policy in managed
    ]
    return role, [role, *attached]
