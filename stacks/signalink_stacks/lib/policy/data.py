"""Rules about data and machines: P03 encryption at rest, P10 metadata tokens, P11 backups, P14 support. Pure."""

from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any, Final

from signalink_stacks.lib.policy.thing import Facts, Thing

CLUSTER: Final = "aws:eks/cluster:Cluster"
VOLUMES: Final = "kubernetes:storage.k8s.io/v1:StorageClass"
BACKUP_DAYS: Final = 7
STANDARD_UNTIL: Final[Mapping[str, date]] = {
    "1.30": date(2025, 7, 23),
    "1.31": date(2025, 11, 26),
    "1.32": date(2026, 3, 23),
    "1.33": date(2026, 7, 29),
    "1.34": date(2026, 12, 2),
    "1.35": date(2027, 3, 27),
}
"""Kubernetes at EKS -> last day of standard support, as AWS announced it; a newer one than the last here is in it."""


def at_rest(thing: Thing, facts: Facts) -> Iterator[str]:
    """P03: RDS, ElastiCache, disks, ECR and the secrets of EKS are encrypted."""
    for holds, what, fix in _encryption(thing):
        if not holds:
            yield f"{what} is not encrypted at rest. Fix: {fix}"


def _encryption(thing: Thing) -> Iterator[tuple[bool, str, str]]:
    kind, props = thing.type, thing.props
    if kind in ("aws:rds/instance:Instance", "aws:rds/cluster:Cluster"):
        yield bool(props.get("storageEncrypted")), "the database", "storage_encrypted=True"
    elif kind == "aws:elasticache/replicationGroup:ReplicationGroup":
        yield _true(props.get("atRestEncryptionEnabled")), "the cache", "at_rest_encryption_enabled=True"
    elif kind == "aws:ebs/volume:Volume":
        yield bool(props.get("encrypted")), "the volume", "encrypted=True"
    elif kind == "aws:ec2/instance:Instance":
        disks = [props.get("rootBlockDevice") or {}, *thing.every("ebsBlockDevices")]
        yield all(_true(disk.get("encrypted")) for disk in disks), "a disk of the machine", "encrypted=True"
    elif kind == "aws:ec2/launchTemplate:LaunchTemplate":
        disks = [disk.get("ebs") or {} for disk in thing.every("blockDeviceMappings")]
        whole = bool(disks) and all(_true(disk.get("encrypted")) for disk in disks)
        yield whole, "a disk of the machines", "a block device mapping with encrypted"
    elif kind == "aws:ecr/repository:Repository":
        yield thing.at("encryptionConfigurations.0.encryptionType") == "KMS", "the repository", "encryption_type KMS"
    elif kind == VOLUMES and ".csi." in str(props.get("provisioner")):
        yield (
            _true((props.get("parameters") or {}).get("encrypted")),
            "a volume of a pod",
            'the parameter encrypted "true"',
        )
    elif kind == CLUSTER:
        yield "secrets" in (thing.at("encryptionConfig.resources") or ()), "a Secret", "encryption_config of secrets"


def _true(value: Any) -> bool:
    return value is True or value == "true"


def metadata_tokens(thing: Thing, facts: Facts) -> Iterator[str]:
    """P10: credentials of a machine are given to who has a token (IMDSv2), so no request that was forged gets them."""
    machines = ("aws:ec2/instance:Instance", "aws:ec2/launchTemplate:LaunchTemplate")
    if thing.type in machines and thing.at("metadataOptions.httpTokens") != "required":
        yield "credentials of the machine are given without a token. Fix: metadata_options http_tokens required"


def backups(thing: Thing, facts: Facts) -> Iterator[str]:
    """P11: what people's messages are in cannot be deleted by mistake, in production."""
    if not facts.prod:
        return
    kind, props = thing.type, thing.props
    if kind == "aws:rds/instance:Instance":
        if not props.get("deletionProtection") or props.get("skipFinalSnapshot"):
            yield "the database of production can be deleted. Fix: deletion_protection=True, a final snapshot"
        if (props.get("backupRetentionPeriod") or 0) < BACKUP_DAYS:
            yield f"backups of production are kept for less than {BACKUP_DAYS} days. Fix: aws.backupDays"
    if kind == "aws:elasticache/replicationGroup:ReplicationGroup" and not props.get("snapshotRetentionLimit"):
        yield "the cache of production has no snapshots. Fix: snapshot_retention_limit"
    if kind == "aws:ecr/repository:Repository" and props.get("forceDelete"):
        yield "images of production can be deleted with their repository. Fix: force_delete=False"
    if kind == CLUSTER and not props.get("deletionProtection"):
        yield "the cluster of production can be deleted. Fix: deletion_protection=True"
    if kind == "aws:lb/loadBalancer:LoadBalancer" and not props.get("enableDeletionProtection"):
        yield "the load balancer of production can be deleted. Fix: enable_deletion_protection=True"


def support(thing: Thing, facts: Facts) -> Iterator[str]:
    """P14: EKS in standard support: after it, a cluster costs six times as much."""
    if thing.type != CLUSTER:
        return
    version = str(thing.props.get("version") or "")
    until = STANDARD_UNTIL.get(version)
    ended = until is not None and facts.today > until
    if ended or _minor(version) < min(map(_minor, STANDARD_UNTIL)):
        yield f"Kubernetes {version or 'of no version'} is out of standard support. Fix: a newer aws.kubernetes"
    if thing.at("upgradePolicy.supportType") != "STANDARD":
        yield "the cluster would go on into extended support, at six times the price. Fix: upgrade_policy STANDARD"


def _minor(version: str) -> int:
    minor = version.partition(".")[2]
    return int(minor) if minor.isdecimal() else 0
