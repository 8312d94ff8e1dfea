"""Owns the network: subnets in each zone, one way out or one per zone, endpoints of AWS services, security groups."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

import pulumi
import pulumi_aws as aws

from signalink_stacks.components.aws import rules
from signalink_stacks.lib import cidrs, doors

LETTERS: Final = "abcdefgh"
ELB_PUBLIC: Final = {"kubernetes.io/role/elb": "1"}
ELB_PRIVATE: Final = {"kubernetes.io/role/internal-elb": "1"}
"""By these a load balancer of the cluster finds its subnets."""
GATEWAY_ENDPOINTS: Final = ("s3",)
INTERFACE_ENDPOINTS: Final = ("ecr.api", "ecr.dkr")


@dataclass(frozen=True, slots=True)
class NetworkArgs:
    """`zones`: names of availability zones, known or not yet. `ways_out`: NAT gateways; none, one, or one per zone."""

    cidr: str
    region: str
    zones: Sequence[pulumi.Input[str]]
    ways_out: Literal["none", "one", "zone"]
    endpoints: bool
    tags: Mapping[str, str]
    groups: Mapping[str, str] | None = None
    """Security groups to make, with what each is for; None: all of `lib.doors`."""


class Network(pulumi.ComponentResource):
    """A VPC. `groups[name]` are ids of security groups, all of whose doors stand in `lib.doors`."""

    def __init__(self, name: str, args: NetworkArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("signalink:aws:Network", name, None, opts)
        self._name, self._args = name, args
        self.cidr = args.cidr
        self._vpc = aws.ec2.Vpc(
            f"{name}-vpc",
            cidr_block=args.cidr,
            enable_dns_hostnames=True,
            enable_dns_support=True,
            tags=self._tags("vpc"),
            opts=self._inside(),
        )
        self.vpc_id = self._vpc.id
        self._close_default_group()
        plan = cidrs.plan(args.cidr, LETTERS[: len(args.zones)])
        self._public = [self._subnet("public", each, zone) for each, zone in zip(plan, args.zones, strict=True)]
        self._private = [self._subnet("private", each, zone) for each, zone in zip(plan, args.zones, strict=True)]
        self._gateway = aws.ec2.InternetGateway(
            f"{name}-internet", vpc_id=self.vpc_id, tags=self._tags("internet"), opts=self._inside()
        )
        self._route_public()
        self._private_tables = self._route_private(plan)
        self._groups = self._make_groups(doors.GROUPS if args.groups is None else args.groups)
        self.groups = {group: made.id for group, made in self._groups.items()}
        if args.endpoints:
            self._make_endpoints()
        self.public_ids: list[pulumi.Output[str]] = [subnet.id for subnet in self._public]
        self.private_ids: list[pulumi.Output[str]] = [subnet.id for subnet in self._private]
        self.register_outputs({"vpcId": self.vpc_id})

    def _inside(self, *after: pulumi.Resource) -> pulumi.ResourceOptions:
        return pulumi.ResourceOptions(parent=self, depends_on=list(after))

    def _tags(self, part: str, more: Mapping[str, str] | None = None) -> dict[str, str]:
        return {**self._args.tags, **(more or {}), "Name": f"{self._name}-{part}"}

    def _close_default_group(self) -> None:
        """The group that everything gets which names none: without a rule it lets nothing in or out."""
        aws.ec2.DefaultSecurityGroup(
            f"{self._name}-default-group", vpc_id=self.vpc_id, tags=self._tags("default"), opts=self._inside()
        )

    def _subnet(self, side: Literal["public", "private"], plan: cidrs.Zone, zone: pulumi.Input[str]) -> aws.ec2.Subnet:
        part = f"{side}-{plan.name}"
        return aws.ec2.Subnet(
            f"{self._name}-{part}",
            vpc_id=self.vpc_id,
            cidr_block=plan.public if side == "public" else plan.private,
            availability_zone=zone,
            map_public_ip_on_launch=False,
            tags=self._tags(part, ELB_PUBLIC if side == "public" else ELB_PRIVATE),
            # Another zone is another subnet, and all that is in it: it stays where it was made (decision 0144).
            opts=pulumi.ResourceOptions(parent=self, ignore_changes=["availabilityZone"]),
        )

    def _table(self, part: str, **route: pulumi.Input[str]) -> aws.ec2.RouteTable:
        table = aws.ec2.RouteTable(
            f"{self._name}-{part}", vpc_id=self.vpc_id, tags=self._tags(part), opts=self._inside()
        )
        if route:
            aws.ec2.Route(
                f"{self._name}-{part}-out",
                route_table_id=table.id,
                destination_cidr_block=doors.WORLD,
                opts=self._inside(),
                **route,
            )
        return table

    def _join(self, part: str, subnet: aws.ec2.Subnet, table: aws.ec2.RouteTable) -> None:
        aws.ec2.RouteTableAssociation(
            f"{self._name}-{part}", subnet_id=subnet.id, route_table_id=table.id, opts=self._inside()
        )

    def _route_public(self) -> None:
        table = self._table("public", gateway_id=self._gateway.id)
        for place, subnet in enumerate(self._public):
            self._join(f"public-{LETTERS[place]}-route", subnet, table)

    def _route_private(self, plan: Sequence[cidrs.Zone]) -> list[aws.ec2.RouteTable]:
        """One table for all zones with one way out or none, else a table per zone with a way of its own."""
        kind = self._args.ways_out
        shared = kind != "zone"
        names = ["private"] if shared else [f"private-{zone.name}" for zone in plan]
        ways = {"none": 0, "one": 1, "zone": len(plan)}[kind]
        gateways = [self._way_out(place) for place in range(ways)]
        tables = [
            self._table(name, **({"nat_gateway_id": gateways[place].id} if gateways else {}))
            for place, name in enumerate(names)
        ]
        for place, subnet in enumerate(self._private):
            self._join(f"private-{LETTERS[place]}-route", subnet, tables[0 if shared else place])
        return tables

    def _way_out(self, place: int) -> aws.ec2.NatGateway:
        part = f"nat-{LETTERS[place]}"
        address = aws.ec2.Eip(
            f"{self._name}-{part}-address", domain="vpc", tags=self._tags(part), opts=self._inside(self._gateway)
        )
        return aws.ec2.NatGateway(
            f"{self._name}-{part}",
            allocation_id=address.id,
            subnet_id=self._public[place].id,
            tags=self._tags(part),
            opts=self._inside(self._gateway),
        )

    def _make_endpoints(self) -> None:
        service = f"com.amazonaws.{self._args.region}."
        for each in GATEWAY_ENDPOINTS:
            aws.ec2.VpcEndpoint(
                f"{self._name}-{each}",
                vpc_id=self.vpc_id,
                service_name=service + each,
                vpc_endpoint_type="Gateway",
                route_table_ids=[table.id for table in self._private_tables],
                tags=self._tags(each),
                opts=self._inside(),
            )
        for each in INTERFACE_ENDPOINTS:
            part = each.replace(".", "-")
            aws.ec2.VpcEndpoint(
                f"{self._name}-{part}",
                vpc_id=self.vpc_id,
                service_name=service + each,
                vpc_endpoint_type="Interface",
                subnet_ids=[subnet.id for subnet in self._private],
                security_group_ids=[self.groups["endpoints"]],
                private_dns_enabled=True,
                tags=self._tags(part),
                opts=self._inside(),
            )

    def _make_groups(self, wanted: Mapping[str, str]) -> dict[str, aws.ec2.SecurityGroup]:
        """Groups first, then rules as resources of their own: two groups may name each other."""
        made = {
            group: aws.ec2.SecurityGroup(
                f"{self._name}-{group}",
                vpc_id=self.vpc_id,
                description=what,
                revoke_rules_on_delete=True,
                tags=self._tags(group),
                opts=self._inside(),
            )
            for group, what in wanted.items()
        }
        ids = {group: each.id for group, each in made.items()}
        for door in doors.TABLE:
            if door.group in made and (not door.from_group or door.source in made):
                rules.let_in(self._name, ids, door, self._args.tags, self._inside())
        for group in made:
            for door in doors.towards(group):
                rules.let_out(self._name, ids, door, self._args.tags, self._inside())
            if doors.WORLD in doors.OUT.get(group, ()):
                aws.vpc.SecurityGroupEgressRule(
                    f"{self._name}-{group}-out",
                    security_group_id=made[group].id,
                    ip_protocol="-1",
                    cidr_ipv4=doors.WORLD,
                    description="Image pulls, AWS calls and webhooks",
                    tags=self._tags(f"{group}-out"),
                    opts=self._inside(),
                )
        return made
