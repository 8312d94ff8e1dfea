"""Owns Valkey at AWS: TLS only, a user per principal who logs in with a token of its own role."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import pulumi
import pulumi_aws as aws

from signalink_core import principals

VERSION: Final = "8.1"
FAMILY: Final = "default.valkey8"
PORT: Final = 6379


@dataclass(frozen=True, slots=True)
class ElastiCacheArgs:
    """`users`: principal -> the id (and, since IAM wants both equal, the name) of its user."""

    group_name: str
    users: Mapping[str, str]
    subnet_ids: Sequence[pulumi.Input[str]]
    group_id: pulumi.Input[str]
    key_arn: pulumi.Input[str]
    machine: str
    replicas: int
    """Nodes; with two or more one takes over for another, in another zone."""
    backup_days: int
    tags: Mapping[str, str]


class ElastiCache(pulumi.ComponentResource):
    """A replication group of one shard. `user_arns`: principal -> ARN; no user has a password."""

    def __init__(self, name: str, args: ElastiCacheArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("signalink:aws:ElastiCache", name, None, opts)
        inside = pulumi.ResourceOptions(parent=self)
        users = {principal: self._user(name, principal, called, args) for principal, called in args.users.items()}
        group = aws.elasticache.UserGroup(
            f"{name}-users",
            user_group_id=args.group_name,
            engine="valkey",
            user_ids=[user.user_id for user in users.values()],
            tags={**args.tags},
            opts=inside,
        )
        subnets = aws.elasticache.SubnetGroup(
            f"{name}-subnets",
            name=args.group_name,
            subnet_ids=[*args.subnet_ids],
            tags={**args.tags},
            opts=inside,
        )
        self.cache = self._cache(name, args, group, subnets)
        self.host = self.cache.primary_endpoint_address
        self.arn = self.cache.arn
        self.user_arns = {principal: user.arn for principal, user in users.items()}
        self.register_outputs({"host": self.host})

    def _user(self, name: str, principal: str, called: str, args: ElastiCacheArgs) -> aws.elasticache.User:
        return aws.elasticache.User(
            f"{name}-{principal}",
            user_id=called,
            user_name=called,
            engine="valkey",
            access_string=access_string(principal),
            authentication_mode=aws.elasticache.UserAuthenticationModeArgs(type="iam"),
            tags={**args.tags},
            opts=pulumi.ResourceOptions(parent=self),
        )

    def _cache(
        self,
        name: str,
        args: ElastiCacheArgs,
        group: aws.elasticache.UserGroup,
        subnets: aws.elasticache.SubnetGroup,
    ) -> aws.elasticache.ReplicationGroup:
        several = args.replicas > 1
        return aws.elasticache.ReplicationGroup(
            f"{name}-cache",
            replication_group_id=args.group_name,
            description="Signalink: bus between nodes, tickets, limits, presence",
            engine="valkey",
            engine_version=VERSION,
            parameter_group_name=FAMILY,
            node_type=args.machine,
            num_cache_clusters=args.replicas,
            automatic_failover_enabled=several,
            multi_az_enabled=several,
            port=PORT,
            transit_encryption_enabled=True,
            transit_encryption_mode="required",
            at_rest_encryption_enabled=True,
            kms_key_id=args.key_arn,
            user_group_ids=[group.user_group_id],
            subnet_group_name=subnets.name,
            security_group_ids=[args.group_id],
            snapshot_retention_limit=args.backup_days if several else 0,
            auto_minor_version_upgrade=True,
            apply_immediately=True,
            tags={**args.tags},
            opts=pulumi.ResourceOptions(parent=self),
        )


def access_string(principal: str) -> str:
    """The principal's ACL line as ElastiCache takes it: `on` first, no password, no `reset`."""
    acl = principals.PRINCIPALS[principal].redis_acl
    if acl is None:
        raise ValueError(f"{principal} has no account on Redis")
    return f"on resetchannels -@all {acl}"
