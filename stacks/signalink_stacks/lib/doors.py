"""Owns the one table of security groups: who may open which port of whom inside a network of ours, and to the world.

Pure. `components.aws.network` makes the groups and rules from it; the only door the whole world may use is https of the
public load balancer.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

WORLD: Final = "0.0.0.0/0"
HTTPS: Final = 443
POD_PORTS: Final = (8000, 8004)
"""The public ports of services, from the lowest to the highest."""
READY_PORTS: Final = (9100, 9104)
"""The internal ports of the services that a load balancer asks whether they are ready."""


@dataclass(frozen=True, slots=True)
class Door:
    """`group` lets in `source` (another group, or a CIDR) at `first` to `last`; `why` is the rule's description."""

    group: str
    source: str
    first: int
    last: int
    why: str

    @property
    def from_group(self) -> bool:
        return "/" not in self.source

    @property
    def origin(self) -> str:
        """Where it leads from, as a part of a name."""
        return self.source if self.from_group else "world"


GROUPS: Final[Mapping[str, str]] = {
    "alb": "The public load balancer: browsers and sockets",
    "link": "The private link of the HTTP API into the network",
    "internal": "The internal load balancer behind the HTTP API",
    "nodes": "Nodes and pods of the cluster",
    "postgres": "RDS for PostgreSQL",
    "redis": "ElastiCache for Valkey",
    "kafka": "MSK Serverless",
    "endpoints": "Interface endpoints of AWS services",
}
"""Group -> what is in it."""

TABLE: Final = (
    Door("alb", WORLD, HTTPS, HTTPS, "https and wss of everybody"),
    Door("internal", "link", HTTPS, HTTPS, "The HTTP API through its link"),
    Door("nodes", "alb", *POD_PORTS, "Public ports of services for the public load balancer"),
    Door("nodes", "internal", *POD_PORTS, "Public ports of services for the internal load balancer"),
    Door("nodes", "alb", *READY_PORTS, "Readiness, asked by the public load balancer"),
    Door("nodes", "internal", *READY_PORTS, "Readiness, asked by the internal load balancer"),
    Door("nodes", "nodes", 0, 65535, "Pods among themselves; NetworkPolicies narrow it"),
    Door("postgres", "nodes", 5432, 5432, "Services to Postgres"),
    Door("redis", "nodes", 6379, 6379, "Services to Valkey"),
    Door("kafka", "nodes", 9098, 9098, "Services to Kafka with IAM"),
    Door("endpoints", "nodes", HTTPS, HTTPS, "Image pulls and AWS calls without the internet"),
)

OUT: Final[Mapping[str, tuple[str, ...]]] = {
    "alb": ("nodes",),
    "link": ("internal",),
    "internal": ("nodes",),
    "nodes": (WORLD,),
}
"""Group -> where it may open connections to. Groups without an entry answer and never call: they get no rule out."""


CLUSTER: Final = "cluster"
"""The group that EKS makes with a cluster: of its own network interfaces, and of every node of Auto Mode."""


def of_cluster(table: tuple[Door, ...] = TABLE) -> list[Door]:
    """The doors of nodes, once more for CLUSTER. Within that group, and out of it, EKS lets everything through."""
    named = {"nodes": CLUSTER}
    return [
        replace(door, group=named.get(door.group, door.group), source=named.get(door.source, door.source))
        for door in table
        if "nodes" in (door.group, door.source) and door.group != door.source
    ]


def inside() -> dict[str, str]:
    """Groups of a network that nobody comes into: without a domain there is no edge, and so no door for one."""
    return {group: what for group, what in GROUPS.items() if group not in ("alb", "link", "internal")}


def open_to_the_world(table: tuple[Door, ...] = TABLE) -> list[Door]:
    """Doors that somebody outside may try."""
    return [door for door in table if not door.from_group]


def towards(group: str, table: tuple[Door, ...] = TABLE) -> list[Door]:
    """Doors out of `group`: the same ports as the other side's doors in."""
    return [door for door in table if door.source == group and door.group in OUT.get(group, ())]
