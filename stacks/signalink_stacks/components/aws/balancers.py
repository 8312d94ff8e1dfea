"""Owns load balancers, what they accept, and target groups: resources of the stack, so no controller leaves one."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import pulumi
import pulumi_aws as aws

TLS_POLICY: Final = "ELBSecurityPolicy-TLS13-1-2-2021-06"
"""TLS 1.2 and 1.3, forward secrecy only."""
HSTS: Final = "max-age=31536000; includeSubDomains"
HTTPS: Final = 443
SOCKET_IDLE_SECONDS: Final = 120
"""Longer than two heartbeats of a socket."""
DRAIN_SECONDS: Final = 30
CLUSTER_TAG: Final = "eks:eks-cluster-name"
MOST_VALUES: Final = 5
"""Condition values of one rule, as AWS has it: "Quotas for your Application Load Balancers"."""
PRIORITY_STEP: Final = 10
"""Between rules, so that one of somebody's own fits in."""


@dataclass(frozen=True, slots=True)
class BalancerArgs:
    """`paths`: service -> patterns of paths that are its; `home` gets every other path, and nobody when it is empty."""

    called: str
    internal: bool
    vpc_id: pulumi.Input[str]
    subnet_ids: Sequence[pulumi.Input[str]]
    group_id: pulumi.Input[str]
    certificate_arn: pulumi.Input[str]
    ports: Mapping[str, tuple[int, int, str]]
    """Service -> its public port, its internal port and the path there that says whether it is ready."""
    paths: Mapping[str, Sequence[str]]
    home: str
    cluster_name: pulumi.Input[str]
    """EKS Auto Mode joins pods to target groups that are tagged with its cluster, and to no other."""
    protect: bool
    tags: Mapping[str, str]


class Balancer(pulumi.ComponentResource):
    """An application load balancer that accepts https alone. `targets`: service -> target group."""

    def __init__(self, name: str, args: BalancerArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("signalink:aws:Balancer", name, None, opts)
        self._name, self._args = name, args
        self.balancer = self._balancer()
        services = [*args.paths, *([args.home] if args.home and args.home not in args.paths else [])]
        self.targets = {service: self._target(service) for service in services}
        self.front = self._accept()
        for place, (service, part, patterns) in enumerate(self._parts()):
            self._rule(PRIORITY_STEP * (place + 1), service, part, patterns)
        self.register_outputs({"dnsName": self.balancer.dns_name})

    def _balancer(self) -> aws.lb.LoadBalancer:
        args = self._args
        return aws.lb.LoadBalancer(
            f"{self._name}-balancer",
            name=args.called,
            internal=args.internal,
            load_balancer_type="application",
            subnets=[*args.subnet_ids],
            security_groups=[args.group_id],
            drop_invalid_header_fields=True,
            desync_mitigation_mode="defensive",
            idle_timeout=SOCKET_IDLE_SECONDS,
            enable_deletion_protection=args.protect,
            tags={**args.tags},
            opts=pulumi.ResourceOptions(parent=self),
        )

    def _target(self, service: str) -> aws.lb.TargetGroup:
        port, internal, ready = self._args.ports[service]
        return aws.lb.TargetGroup(
            f"{self._name}-{service}",
            vpc_id=self._args.vpc_id,
            target_type="ip",
            protocol="HTTP",
            port=port,
            deregistration_delay=DRAIN_SECONDS,
            health_check=aws.lb.TargetGroupHealthCheckArgs(
                path=ready, port=str(internal), matcher="200", interval=10, timeout=5, unhealthy_threshold=3
            ),
            tags={**self._args.tags, "Name": f"{self._name}-{service}", CLUSTER_TAG: self._args.cluster_name},
            opts=pulumi.ResourceOptions(parent=self),
        )

    def _accept(self) -> aws.lb.Listener:
        args = self._args
        refuse = aws.lb.ListenerDefaultActionArgs(
            type="fixed-response",
            fixed_response=aws.lb.ListenerDefaultActionFixedResponseArgs(
                content_type="text/plain", message_body="Not found", status_code="404"
            ),
        )
        forward = args.home and aws.lb.ListenerDefaultActionArgs(
            type="forward", target_group_arn=self.targets[args.home].arn
        )
        return aws.lb.Listener(
            f"{self._name}-https",
            load_balancer_arn=self.balancer.arn,
            port=HTTPS,
            protocol="HTTPS",
            ssl_policy=TLS_POLICY,
            certificate_arn=args.certificate_arn,
            default_actions=[forward or refuse],
            routing_http_response_strict_transport_security_header_value=HSTS,
            routing_http_response_server_enabled=False,
            tags={**args.tags},
            opts=pulumi.ResourceOptions(parent=self),
        )

    def _parts(self) -> Iterator[tuple[str, int, Sequence[str]]]:
        """Service, number of its rule, patterns: as many rules as its patterns need."""
        for service, patterns in sorted(self._args.paths.items()):
            if service != self._args.home:
                for part, start in enumerate(range(0, len(patterns), MOST_VALUES)):
                    yield service, part, patterns[start : start + MOST_VALUES]

    def _rule(self, priority: int, service: str, part: int, patterns: Sequence[str]) -> None:
        aws.lb.ListenerRule(
            f"{self._name}-{service}-paths{f'-{part + 1}' if part else ''}",
            listener_arn=self.front.arn,
            priority=priority,
            conditions=[
                aws.lb.ListenerRuleConditionArgs(
                    path_pattern=aws.lb.ListenerRuleConditionPathPatternArgs(values=[*patterns])
                )
            ],
            actions=[aws.lb.ListenerRuleActionArgs(type="forward", target_group_arn=self.targets[service].arn)],
            tags={**self._args.tags},
            opts=pulumi.ResourceOptions(parent=self),
        )
