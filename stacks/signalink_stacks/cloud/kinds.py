"""Owns the kinds of leftovers that can be deleted: how each is listed by its tag, and how one is deleted.

Listing asks the service itself: the tagging API still names resources for a while that are gone, and misses some.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from signalink_stacks.cloud.clients import Clients
from signalink_stacks.lib import tags

Listed = Iterator[tuple[str, Mapping[str, str]]]
"""(id, tags) of each resource of a kind, whoever's it is."""
ENDED: Final = frozenset({"shutting-down", "terminated", "deleting", "deleted"})


@dataclass(frozen=True, slots=True)
class Kind:
    """`arn`: what stands in the ARN of such a resource behind the account, as `ec2:volume/`."""

    name: str
    arn: str
    listed: Callable[[Clients, str], Listed]
    delete: Callable[[Clients, str], None]


def of_ec2(operation: str, key: str, identity: str, state: str = "") -> Callable[[Clients, str], Listed]:
    """A lister by EC2's own filter on the tag. `state`: where a resource says that it has ended."""

    def listed(clients: Clients, stack: str) -> Listed:
        client = clients("ec2")
        filters = [{"Name": f"tag:{tags.STACK}", "Values": [stack]}]
        owners = {"OwnerIds": ["self"]} if operation == "describe_snapshots" else {}
        for page in pages(client, operation, Filters=filters, **owners):
            for each in unpacked(page[key]):
                if not (state and ended(each.get(state))):
                    yield each[identity], as_mapping(each.get("Tags") or each.get("TagSet") or [])

    return listed


def pages(client: Any, operation: str, **words: Any) -> Iterator[Mapping[str, Any]]:
    """All pages where the operation has pages, else its one answer."""
    if client.can_paginate(operation):
        yield from client.get_paginator(operation).paginate(**words)
    else:
        yield getattr(client, operation)(**words)


def unpacked(found: Sequence[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
    """Instances come inside reservations."""
    for each in found:
        yield from each.get("Instances", [each])


def ended(state: Any) -> bool:
    return (state.get("Name") if isinstance(state, Mapping) else state) in ENDED


def as_mapping(found: Sequence[Mapping[str, str]]) -> dict[str, str]:
    return {each["Key"]: each["Value"] for each in found}


def balancers(clients: Clients, stack: str) -> Listed:
    yield from _balanced(clients, "describe_load_balancers", "LoadBalancers", "LoadBalancerArn")


def target_groups(clients: Clients, stack: str) -> Listed:
    yield from _balanced(clients, "describe_target_groups", "TargetGroups", "TargetGroupArn")


def _balanced(clients: Clients, operation: str, key: str, identity: str) -> Listed:
    """The service filters by no tag; tags come for twenty at a time."""
    client = clients("elbv2")
    arns = [each[identity] for page in pages(client, operation) for each in page[key]]
    for start in range(0, len(arns), 20):
        answer = client.describe_tags(ResourceArns=arns[start : start + 20])
        for each in answer["TagDescriptions"]:
            yield each["ResourceArn"], as_mapping(each["Tags"])


def log_groups(clients: Clients, stack: str) -> Listed:
    client = clients("logs")
    for page in pages(client, "describe_log_groups"):
        for each in page["logGroups"]:
            arn = str(each["arn"]).removesuffix(":*")
            yield each["logGroupName"], client.list_tags_for_resource(resourceArn=arn)["tags"]


def repositories(clients: Clients, stack: str) -> Listed:
    client = clients("ecr")
    for page in pages(client, "describe_repositories"):
        for each in page["repositories"]:
            found = client.list_tags_for_resource(resourceArn=each["repositoryArn"])
            yield each["repositoryName"], as_mapping(found["tags"])


def _address(clients: Clients, identity: str) -> None:
    clients("ec2").release_address(AllocationId=identity)


KINDS: Final[tuple[Kind, ...]] = (
    Kind("load balancer", "elasticloadbalancing:loadbalancer/", balancers,
         lambda clients, each: clients("elbv2").delete_load_balancer(LoadBalancerArn=each)),
    Kind("target group", "elasticloadbalancing:targetgroup/", target_groups,
         lambda clients, each: clients("elbv2").delete_target_group(TargetGroupArn=each)),
    Kind("instance", "ec2:instance/", of_ec2("describe_instances", "Reservations", "InstanceId", "State"),
         lambda clients, each: clients("ec2").terminate_instances(InstanceIds=[each])),
    Kind("NAT gateway", "ec2:natgateway/", of_ec2("describe_nat_gateways", "NatGateways", "NatGatewayId", "State"),
         lambda clients, each: clients("ec2").delete_nat_gateway(NatGatewayId=each)),
    Kind("VPC endpoint", "ec2:vpc-endpoint/",
         of_ec2("describe_vpc_endpoints", "VpcEndpoints", "VpcEndpointId", "State"),
         lambda clients, each: clients("ec2").delete_vpc_endpoints(VpcEndpointIds=[each])),
    Kind("address", "ec2:elastic-ip/", of_ec2("describe_addresses", "Addresses", "AllocationId"), _address),
    Kind("network interface", "ec2:network-interface/",
         of_ec2("describe_network_interfaces", "NetworkInterfaces", "NetworkInterfaceId"),
         lambda clients, each: clients("ec2").delete_network_interface(NetworkInterfaceId=each)),
    Kind("volume", "ec2:volume/", of_ec2("describe_volumes", "Volumes", "VolumeId", "State"),
         lambda clients, each: clients("ec2").delete_volume(VolumeId=each)),
    Kind("snapshot", "ec2:snapshot/", of_ec2("describe_snapshots", "Snapshots", "SnapshotId"),
         lambda clients, each: clients("ec2").delete_snapshot(SnapshotId=each)),
    Kind("log group", "logs:log-group:", log_groups,
         lambda clients, each: clients("logs").delete_log_group(logGroupName=each)),
    Kind("repository", "ecr:repository/", repositories,
         lambda clients, each: clients("ecr").delete_repository(repositoryName=each, force=True)),
    Kind("security group", "ec2:security-group/", of_ec2("describe_security_groups", "SecurityGroups", "GroupId"),
         lambda clients, each: clients("ec2").delete_security_group(GroupId=each)),
)  # fmt: skip
"""In the order of deleting: what holds others comes first."""
