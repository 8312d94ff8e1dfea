"""Specs of CloudNativePG and Strimzi resources for what an operator runs, with the platform's accounts.

Pure. Names of resources and Secrets come from the caller; the table of rights is `signalink_core.principals`.
"""

from collections.abc import Mapping
from typing import Any, Final

from signalink_core import principals
from signalink_core.principals import KafkaAcl
from signalink_stacks.lib.settings import BindingSettings

POSTGRES: Final = ("postgresql.cnpg.io/v1", "Cluster")
KAFKA: Final = ("kafka.strimzi.io/v1", "Kafka")
POOL: Final = ("kafka.strimzi.io/v1", "KafkaNodePool")
USER: Final = ("kafka.strimzi.io/v1", "KafkaUser")
OPERATIONS: Final[Mapping[str, str]] = {
    "all": "All",
    "read": "Read",
    "write": "Write",
    "create": "Create",
    "delete": "Delete",
    "alter": "Alter",
    "describe": "Describe",
    "alter_configs": "AlterConfigs",
    "describe_configs": "DescribeConfigs",
}
Spec = dict[str, Any]


def postgres(settings: BindingSettings, admin: str, storage_class: str) -> Spec:
    """A CloudNativePG Cluster whose `postgres` has the word of Secret `admin`; roles are made by a Job of ours."""
    storage: Spec = {"size": f"{settings.storage_gib}Gi"}
    return {
        "instances": settings.replicas,
        "enableSuperuserAccess": True,
        "superuserSecret": {"name": admin},
        "bootstrap": {"initdb": {"database": "app", "owner": "app", "encoding": "UTF8"}},
        "storage": storage | ({"storageClass": storage_class} if storage_class else {}),
        "postgresql": {
            "parameters": {"max_connections": "200", "wal_level": "logical", "track_commit_timestamp": "on"}
        },
        "resources": {"requests": {"cpu": "500m", "memory": "512Mi"}, "limits": {"cpu": "2", "memory": "512Mi"}},
    }


def kafka(settings: BindingSettings) -> Spec:
    """A Strimzi Kafka with SCRAM users and rights by default denied; copies as there are brokers, at most three."""
    copies = min(settings.replicas, 3)
    return {
        "kafka": {
            "listeners": [
                {
                    "name": "plain",
                    "port": 9092,
                    "type": "internal",
                    "tls": False,
                    "authentication": {"type": "scram-sha-512"},
                }
            ],
            "authorization": {"type": "simple", "superUsers": [principals.ADMIN]},
            "config": {
                "auto.create.topics.enable": "false",
                "default.replication.factor": copies,
                "min.insync.replicas": max(1, copies - 1),
                "offsets.topic.replication.factor": copies,
                "transaction.state.log.replication.factor": copies,
                "transaction.state.log.min.isr": max(1, copies - 1),
            },
        },
        "entityOperator": {"userOperator": {}},
    }


def pool(settings: BindingSettings, storage_class: str) -> Spec:
    """Nodes that are broker and controller in one."""
    volume: Spec = {"type": "persistent-claim", "size": f"{settings.storage_gib}Gi", "deleteClaim": False}
    return {
        "replicas": settings.replicas,
        "roles": ["controller", "broker"],
        "storage": volume | ({"class": storage_class} if storage_class else {}),
        "resources": {"requests": {"cpu": "500m", "memory": "1Gi"}, "limits": {"cpu": "2", "memory": "1Gi"}},
    }


def kafka_user(principal: str, secret: str) -> Spec:
    """A KafkaUser with the word that lies in Secret `secret` and the rights of the table."""
    found: Spec = {
        "authentication": {
            "type": "scram-sha-512",
            "password": {"valueFrom": {"secretKeyRef": {"name": secret, "key": f"kafka-{principal}"}}},
        }
    }
    if principal != principals.ADMIN:
        rules = [_rule(acl) for acl in principals.PRINCIPALS[principal].kafka_acls]
        found["authorization"] = {"type": "simple", "acls": rules}
    return found


def _rule(acl: KafkaAcl) -> Spec:
    """One right. A prefix of nothing is every name, which Strimzi writes as a star."""
    resource: Spec = {"type": acl.resource}
    if acl.resource != "cluster":
        every = acl.pattern == "prefixed" and not acl.name
        pattern = "literal" if every or acl.pattern == "literal" else "prefix"
        resource |= {"name": "*" if every else acl.name, "patternType": pattern}
    return {"resource": resource, "operations": [OPERATIONS[operation] for operation in acl.operations]}
