"""Owns what is asked of RDS about one instance."""

from signalink_core.errors import ConfigurationError
from signalink_stacks.cloud.clients import Clients, translated


def resource_id(clients: Clients, name: str) -> str:
    """`db-...` of the instance that has this name now; ConfigurationError where none has."""
    rds = clients("rds")
    with translated():
        try:
            found = rds.describe_db_instances(DBInstanceIdentifier=name)["DBInstances"]
        except rds.exceptions.DBInstanceNotFoundFault:
            found = []
    if not found:
        raise ConfigurationError(
            f"RDS knows no instance {name} in {clients.region}.",
            next_step="restore one under that name first, as docs/deployment.md says.",
        )
    return str(found[0]["DbiResourceId"])
