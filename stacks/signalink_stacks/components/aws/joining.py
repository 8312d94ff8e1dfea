"""Owns how pods join target groups: a TargetGroupBinding for each service, and who acts on it.

EKS Auto Mode acts itself; beside a node group the AWS Load Balancer Controller does, with rights to join and no more.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

import pulumi
import pulumi_kubernetes as kubernetes

from signalink_stacks.components.aws.identity import ServiceRole, ServiceRoleArgs

API: Final = {"auto": "eks.amazonaws.com/v1", "managed": "elbv2.k8s.aws/v1beta1"}
CONTROLLER: Final = "aws-load-balancer-controller"
REPOSITORY: Final = "https://aws.github.io/eks-charts"
VERSION: Final = "1.14.1"
"""Of the controller's chart."""
NAMESPACE: Final = "kube-system"
LABELS: Final = {"app.kubernetes.io/part-of": "signalink"}


@dataclass(frozen=True, slots=True)
class JoiningArgs:
    """`targets`: service -> ARN of its target group. `chart`: a copy of the controller's; empty: the public."""

    mode: Literal["auto", "managed"]
    cluster_name: pulumi.Input[str]
    role_name: str
    region: str
    vpc_id: pulumi.Input[str]
    chart: str
    namespace: str
    release: str
    targets: Mapping[str, pulumi.Input[str]]
    ports: Mapping[str, tuple[int, int, str]]
    tags: Mapping[str, str]


class Joining(pulumi.ComponentResource):
    """The bindings, and the controller where one is needed."""

    def __init__(self, name: str, args: JoiningArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("signalink:aws:Joining", name, None, opts)
        self._name, self._args = name, args
        before = [self._controller()] if args.mode == "managed" else []
        self.bindings = [self._bind(service, before) for service in args.targets]
        self.register_outputs({})

    def _bind(self, service: str, before: list[pulumi.Resource]) -> kubernetes.apiextensions.CustomResource:
        args = self._args
        return kubernetes.apiextensions.CustomResource(
            f"{self._name}-{service}",
            api_version=API[args.mode],
            kind="TargetGroupBinding",
            metadata={"name": service, "namespace": args.namespace, "labels": LABELS},
            spec={
                "targetGroupARN": args.targets[service],
                "targetType": "ip",
                "serviceRef": {"name": f"{args.release}-{service}", "port": args.ports[service][0]},
            },
            opts=pulumi.ResourceOptions(parent=self, depends_on=before),
        )

    def _controller(self) -> pulumi.Resource:
        args = self._args
        role = ServiceRole(
            f"{self._name}-controller",
            ServiceRoleArgs(
                args.role_name, args.cluster_name, NAMESPACE, CONTROLLER, join_only(args.targets), args.tags
            ),
            pulumi.ResourceOptions(parent=self),
        )
        public = not args.chart
        return kubernetes.helm.v3.Release(
            f"{self._name}-{CONTROLLER}",
            name=CONTROLLER,
            namespace=NAMESPACE,
            chart=args.chart or CONTROLLER,
            version=VERSION if public else None,
            repository_opts=kubernetes.helm.v3.RepositoryOptsArgs(repo=REPOSITORY) if public else None,
            values={
                "clusterName": args.cluster_name,
                "region": args.region,
                "vpcId": args.vpc_id,
                "serviceAccount": {"create": True, "name": CONTROLLER},
                "ingressClass": "none-of-ours",
                "createIngressClassResource": False,
                "enableShield": False,
                "enableWaf": False,
                "enableWafv2": False,
                "enableServiceMutatorWebhook": False,
            },
            opts=pulumi.ResourceOptions(parent=self, depends_on=[role]),
        )


def join_only(targets: Mapping[str, pulumi.Input[str]]) -> list[dict[str, Any]]:
    """What the controller may do: look, and change who is in these target groups. It can make and open nothing."""
    look = [
        "ec2:DescribeAvailabilityZones",
        "ec2:DescribeInstances",
        "ec2:DescribeNetworkInterfaces",
        "ec2:DescribeSecurityGroups",
        "ec2:DescribeSubnets",
        "ec2:DescribeVpcs",
        "elasticloadbalancing:DescribeTargetGroups",
        "elasticloadbalancing:DescribeTargetHealth",
    ]
    change = ["elasticloadbalancing:RegisterTargets", "elasticloadbalancing:DeregisterTargets"]
    return [
        {"Sid": "Look", "Effect": "Allow", "Action": look, "Resource": ["*"]},
        {"Sid": "Join", "Effect": "Allow", "Action": change, "Resource": list(targets.values())},
    ]
