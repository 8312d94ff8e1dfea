"""Owns Postgres at AWS: an instance that takes passwords from nobody but its own administrator, whose AWS keeps."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import pulumi
import pulumi_aws as aws

from signalink_stacks.lib.bindingconfig import VOLUME_GIB

VERSION: Final = "18"
FAMILY: Final = f"postgres{VERSION}"
AUTHORITY: Final = "rds-ca-rsa2048-g1"
PORT: Final = 5432
ADMIN: Final = "signalink_root"
SETTINGS: Final = {
    "rds.force_ssl": "1",
    "log_min_duration_statement": "1000",
    "idle_in_transaction_session_timeout": "60000",
}
"""Parameters that differ from what AWS gives; times in ms."""


@dataclass(frozen=True, slots=True)
class RdsArgs:
    """`prod`: deleting leaves a last snapshot, and what it kept of backups. `protect`: AWS refuses to delete it."""

    identifier: str
    subnet_ids: Sequence[pulumi.Input[str]]
    group_id: pulumi.Input[str]
    key_arn: pulumi.Input[str]
    machine: str
    storage_gib: int
    standby: bool
    """A second instance in another zone that takes over."""
    backup_days: int
    prod: bool
    protect: bool
    log_days: int
    tags: Mapping[str, str]


class Rds(pulumi.ComponentResource):
    """RDS for PostgreSQL: TLS forced, IAM logins on, encrypted, in private subnets. `admin_secret_arn` is AWS's."""

    def __init__(self, name: str, args: RdsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("signalink:aws:Rds", name, None, opts)
        inside = pulumi.ResourceOptions(parent=self)
        subnets = aws.rds.SubnetGroup(
            f"{name}-subnets",
            name=args.identifier,
            subnet_ids=[*args.subnet_ids],
            tags={**args.tags},
            opts=inside,
        )
        settings = aws.rds.ParameterGroup(
            f"{name}-settings",
            name=args.identifier,
            family=FAMILY,
            parameters=[
                aws.rds.ParameterGroupParameterArgs(name=key, value=value) for key, value in sorted(SETTINGS.items())
            ],
            tags={**args.tags},
            opts=inside,
        )
        logs = aws.cloudwatch.LogGroup(
            f"{name}-logs",
            name=f"/aws/rds/instance/{args.identifier}/postgresql",
            retention_in_days=args.log_days,
            kms_key_id=args.key_arn,
            tags={**args.tags},
            opts=inside,
        )
        self.instance = _instance(
            name, args, subnets.name, settings.name, pulumi.ResourceOptions(parent=self, depends_on=[logs])
        )
        self.host = self.instance.address
        self.resource_id = self.instance.resource_id
        self.arn = self.instance.arn
        self.admin_secret_arn = self.instance.master_user_secrets.apply(lambda found: found[0].secret_arn or "")
        self.register_outputs({"host": self.host})


def last_snapshot(args: RdsArgs) -> pulumi.Output[str]:
    """A name that no stack after this one takes: it ends as the id of the key that the snapshot is encrypted with."""
    return pulumi.Output.from_input(args.key_arn).apply(lambda arn: f"{args.identifier}-last-{arn.rpartition('-')[2]}")


def most_gib(gib: int) -> int:
    """How far a volume grows by itself: to five times of it, and not at all (the same) where AWS leaves it no space.

    A ceiling less than a tenth above the volume is refused there.
    """
    most = min(gib * 5, VOLUME_GIB[1])
    return most if most * 10 >= gib * 11 else gib


def _instance(
    name: str,
    args: RdsArgs,
    subnet_group: pulumi.Input[str],
    settings: pulumi.Input[str],
    opts: pulumi.ResourceOptions,
) -> aws.rds.Instance:
    return aws.rds.Instance(
        f"{name}-instance",
        identifier=args.identifier,
        engine="postgres",
        engine_version=VERSION,
        instance_class=args.machine,
        allocated_storage=args.storage_gib,
        max_allocated_storage=most_gib(args.storage_gib),
        storage_type="gp3",
        storage_encrypted=True,
        kms_key_id=args.key_arn,
        username=ADMIN,
        manage_master_user_password=True,
        master_user_secret_kms_key_id=args.key_arn,
        iam_database_authentication_enabled=True,
        ca_cert_identifier=AUTHORITY,
        db_subnet_group_name=subnet_group,
        parameter_group_name=settings,
        vpc_security_group_ids=[args.group_id],
        publicly_accessible=False,
        multi_az=args.standby,
        port=PORT,
        backup_retention_period=args.backup_days,
        copy_tags_to_snapshot=True,
        deletion_protection=args.protect,
        skip_final_snapshot=not args.prod,
        final_snapshot_identifier=last_snapshot(args) if args.prod else None,
        delete_automated_backups=not args.prod,
        auto_minor_version_upgrade=True,
        enabled_cloudwatch_logs_exports=["postgresql"],
        performance_insights_enabled=False,
        apply_immediately=not args.prod,
        tags={**args.tags},
        opts=opts,
    )
