"""Owns what an AWS role of a service may do: IAM statements that follow from the table of principals.

Pure: ARNs come in, JSON-ready documents go out. Nothing here says `*` for an action, and a resource ends in `*` only
where the principal's own right is for everything with a prefix.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from signalink_core import principals
from signalink_core.principals import KafkaAcl

VERSION: Final = "2012-10-17"
PODS: Final = "pods.eks.amazonaws.com"
"""EKS Pod Identity."""
TAGS_SESSIONS: Final = (PODS, "eks.amazonaws.com")
POLICY_ARN: Final = r"arn:aws[a-z-]*:iam::(\d{12}|aws):policy/[A-Za-z0-9+=,.@_/-]+"
"""Of a managed policy: an account's own, or one of AWS."""
TOPIC_ACTIONS: Final[Mapping[str, tuple[str, ...]]] = {
    "read": ("ReadData", "DescribeTopic"),
    "write": ("WriteData", "DescribeTopic"),
    "describe": ("DescribeTopic",),
    "create": ("CreateTopic",),
    "delete": ("DeleteTopic",),
    "alter": ("AlterTopic",),
    "describe_configs": ("DescribeTopicDynamicConfiguration",),
    "alter_configs": ("AlterTopicDynamicConfiguration",),
}
GROUP_ACTIONS: Final[Mapping[str, tuple[str, ...]]] = {
    "read": ("AlterGroup", "DescribeGroup"),
    "describe": ("DescribeGroup",),
}
CLUSTER_ACTIONS: Final[Mapping[str, tuple[str, ...]]] = {
    "describe": ("DescribeCluster",),
    "describe_configs": ("DescribeClusterDynamicConfiguration",),
}
ACTIONS: Final = {"topic": TOPIC_ACTIONS, "group": GROUP_ACTIONS, "cluster": CLUSTER_ACTIONS}


@dataclass(frozen=True, slots=True)
class Statement:
    """Allow `actions` on `resources`, where `conditions` hold; `sid` tells a reader what for."""

    sid: str
    actions: tuple[str, ...]
    resources: tuple[str, ...]
    conditions: Mapping[str, Mapping[str, str | list[str]]] | None = None

    def json(self) -> dict[str, Any]:
        body: dict[str, Any] = {
            "Sid": self.sid,
            "Effect": "Allow",
            "Action": list(self.actions),
            "Resource": list(self.resources),
        }
        return body | ({"Condition": dict(self.conditions)} if self.conditions else {})


AUTO_VOLUMES: Final = Statement(
    "TagVolumes",
    ("ec2:CreateVolume",),
    ("arn:aws:ec2:*:*:volume/*",),
    {"StringEquals": {"aws:RequestTag/eks:eks-cluster-name": "${aws:PrincipalTag/eks:eks-cluster-name}"}},
)
"""Of the role of a cluster with Auto Mode: AWS's own policies let it make volumes with its tags and no others."""


def document(statements: Iterable[Statement]) -> dict[str, Any]:
    """An IAM policy."""
    return {"Version": VERSION, "Statement": [statement.json() for statement in statements]}


def trust(service: str, *actions: str, conditions: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """A trust policy: only the AWS service of this name may take the role."""
    statement: dict[str, Any] = {
        "Effect": "Allow",
        "Principal": {"Service": service},
        "Action": list(actions or ("sts:AssumeRole",)),
    }
    return {"Version": VERSION, "Statement": [statement | ({"Condition": dict(conditions)} if conditions else {})]}


def assumed_by(service: str) -> dict[str, Any]:
    """The trust policy of a part of AWS. EKS and its Pod Identity tag the session: without that right there is none."""
    return trust(service, "sts:AssumeRole", *(("sts:TagSession",) if service in TAGS_SESSIONS else ()))


def pod_identity() -> dict[str, Any]:
    """The trust policy of a service's role: EKS Pod Identity and nobody else."""
    return assumed_by(PODS)


def postgres(principal: str, *, region: str, account: str, resource_id: str) -> tuple[Statement, ...]:
    """Log in to RDS as the principal's own role. `resource_id` is the `db-...` of the instance."""
    role = principals.PRINCIPALS[principal].postgres_role
    if role is None:
        return ()
    return (Statement("PostgresLogin", ("rds-db:connect",), (database_user(region, account, resource_id, role),)),)


def database_user(region: str, account: str, resource_id: str, role: str) -> str:
    """The ARN of one role on one instance."""
    return f"arn:{_partition(region)}:rds-db:{region}:{account}:dbuser:{resource_id}/{role}"


def redis(principal: str, *, cache_arn: str, user_arn: str) -> tuple[Statement, ...]:
    """Log in to ElastiCache as the principal's own user: AWS wants the cache and the user both named."""
    if principals.PRINCIPALS[principal].redis_acl is None:
        return ()
    return (Statement("ValkeyLogin", ("elasticache:Connect",), (cache_arn, user_arn)),)


def kafka(principal: str, *, cluster_arn: str, prefix: str = "") -> tuple[Statement, ...]:
    """The principal's Kafka ACLs as IAM says them, with `prefix` before topics and groups."""
    acls = principals.PRINCIPALS[principal].kafka_acls
    if not acls:
        return ()
    cluster = {"kafka-cluster:Connect"}
    if any("write" in acl.operations for acl in acls):
        cluster.add("kafka-cluster:WriteDataIdempotently")
    cluster |= {action for acl in acls if acl.resource == "cluster" for action in _actions(acl)}
    first = Statement("KafkaCluster", tuple(sorted(cluster)), (cluster_arn,))
    wanted: dict[tuple[str, tuple[str, ...]], set[str]] = {}
    for acl in acls:
        if acl.resource != "cluster":
            wanted.setdefault((acl.resource, _actions(acl)), set()).add(_resource(acl, cluster_arn, prefix))
    rest = [
        Statement(f"Kafka{kind.capitalize()}{place}", actions, tuple(sorted(resources)))
        for place, ((kind, actions), resources) in enumerate(sorted(wanted.items()))
    ]
    return (first, *rest)


def _actions(acl: KafkaAcl) -> tuple[str, ...]:
    table = ACTIONS[acl.resource]
    return tuple(sorted({f"kafka-cluster:{action}" for operation in acl.operations for action in table[operation]}))


def _resource(acl: KafkaAcl, cluster_arn: str, prefix: str) -> str:
    """`arn:aws:kafka:region:account:cluster/NAME/UUID` -> the same with `topic/NAME/UUID/<topic>`."""
    head, _, rest = cluster_arn.partition(":cluster/")
    name = "" if acl.name == "*" else acl.name
    ending = "*" if acl.pattern == "prefixed" or acl.name == "*" else ""
    return f"{head}:{acl.resource}/{rest}/{prefix}{name}{ending}"


def _partition(region: str) -> str:
    return "aws-cn" if region.startswith("cn-") else "aws-us-gov" if region.startswith("us-gov-") else "aws"
