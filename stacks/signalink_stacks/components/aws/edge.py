"""Owns how people reach the platform on EKS: https by the HTTP API, sockets by the public load balancer, names in DNS.

Both come in by TLS with one certificate; without a domain there is none, and so there is no edge.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import pulumi
import pulumi_aws as aws

from signalink_stacks.components.aws.balancers import Balancer, BalancerArgs
from signalink_stacks.components.aws.certificate import Certificate, CertificateArgs, line
from signalink_stacks.components.aws.frontdoor import FrontDoor, FrontDoorArgs
from signalink_stacks.components.aws.network import Network
from signalink_stacks.lib import routes
from signalink_stacks.lib.routes import Route

GATEWAY: Final = "gateway"


@dataclass(frozen=True, slots=True)
class EdgeArgs:
    """`ports`: service -> public port, internal port, readiness path. `called`: balancers and API begin with it."""

    called: str
    network: Network
    cluster_name: pulumi.Input[str]
    domain: str
    zone: str
    routes: Sequence[Route]
    ports: Mapping[str, tuple[int, int, str]]
    key_arn: pulumi.Input[str]
    log_days: int
    protect: bool
    tags: Mapping[str, str]


class Edge(pulumi.ComponentResource):
    """`targets`: service -> ARN of its target group; `records`: lines for a zone that is not at Route 53."""

    def __init__(self, name: str, args: EdgeArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("signalink:aws:Edge", name, None, opts)
        self._name, self._args = name, args
        self.socket_domain = f"ws.{args.domain}"
        self.certificate = Certificate(
            f"{name}-tls",
            CertificateArgs((args.domain, self.socket_domain), args.zone, args.tags),
            pulumi.ResourceOptions(parent=self),
        )
        self.public = self._balancer("sockets", {GATEWAY: (routes.SOCKET,)}, home="", internal=False)
        paths = {
            service: tuple(pattern for path in found for pattern in (path, f"{path}/*"))
            for service, found in routes.prefixes(args.routes).items()
            if service != routes.HOME
        }
        self.internal = self._balancer("pages", paths, home=routes.HOME, internal=True)
        self.door = self._door()
        self.targets = {
            service: group.arn for service, group in {**self.internal.targets, **self.public.targets}.items()
        }
        self.records = self._names()
        self.url, self.socket_url = f"https://{args.domain}", f"wss://{self.socket_domain}{routes.SOCKET}"
        self.register_outputs({"url": self.url, "socketUrl": self.socket_url})

    def _balancer(self, part: str, paths: Mapping[str, Sequence[str]], *, home: str, internal: bool) -> Balancer:
        args, network = self._args, self._args.network
        return Balancer(
            f"{self._name}-{part}",
            BalancerArgs(
                called=f"{args.called}-{part}",
                internal=internal,
                vpc_id=network.vpc_id,
                subnet_ids=network.private_ids if internal else network.public_ids,
                group_id=network.groups["internal" if internal else "alb"],
                certificate_arn=self.certificate.arn,
                ports=args.ports,
                paths=paths,
                home=home,
                cluster_name=args.cluster_name,
                protect=args.protect,
                tags=args.tags,
            ),
            pulumi.ResourceOptions(parent=self, depends_on=[self.certificate.issued]),
        )

    def _door(self) -> FrontDoor:
        args, network = self._args, self._args.network
        return FrontDoor(
            f"{self._name}-http",
            FrontDoorArgs(
                called=args.called,
                domain=args.domain,
                certificate_arn=self.certificate.arn,
                front_arn=self.internal.front.arn,
                subnet_ids=network.private_ids,
                group_id=network.groups["link"],
                routes=args.routes,
                key_arn=args.key_arn,
                log_days=args.log_days,
                tags=args.tags,
            ),
            pulumi.ResourceOptions(parent=self, depends_on=[self.certificate.issued]),
        )

    def _names(self) -> list[pulumi.Output[str]]:
        """Alias records in our zone, or the lines to write into somebody else's."""
        balancer = self.public.balancer
        aliases = {
            "pages": (self._args.domain, self.door.target),
            "sockets": (self.socket_domain, (balancer.dns_name, balancer.zone_id)),
        }
        if not self._args.zone:
            proofs = [record.apply(line) for record in self.certificate.records]
            return [
                *proofs,
                *(pulumi.Output.concat(name, ". CNAME ", target[0].apply(_shown)) for name, target in aliases.values()),
            ]
        for part, (name, (target, zone)) in aliases.items():
            aws.route53.Record(
                f"{self._name}-{part}-name",
                zone_id=self._args.zone,
                name=name,
                type="A",
                aliases=[aws.route53.RecordAliasArgs(name=target, zone_id=zone, evaluate_target_health=True)],
                opts=pulumi.ResourceOptions(parent=self),
            )
        return []


def _shown(address: str | None) -> str:
    """An address that a preview does not know yet is None where it is inside of something that is known."""
    return address or "(known once it is made)"
