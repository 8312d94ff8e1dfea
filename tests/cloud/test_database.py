"""L2, on moto: which instance of RDS has a name now."""

import pytest

from signalink_core.errors import ConfigurationError
from signalink_stacks.cloud import database
from signalink_stacks.cloud.clients import Clients


def test_an_instance_is_asked_for_by_its_present_name(account: Clients) -> None:
    made = account("rds").create_db_instance(
        DBInstanceIdentifier="chat", DBInstanceClass="db.t4g.micro", Engine="postgres", AllocatedStorage=20,
        MasterUsername="chief", ManageMasterUserPassword=True,
    )["DBInstance"]  # fmt: skip
    assert database.resource_id(account, "chat") == made["DbiResourceId"]
    account("rds").modify_db_instance(
        DBInstanceIdentifier="chat", NewDBInstanceIdentifier="chat-lost", ApplyImmediately=True
    )
    assert database.resource_id(account, "chat-lost") == made["DbiResourceId"]
    with pytest.raises(ConfigurationError, match="RDS knows no instance chat in us-east-1"):
        database.resource_id(account, "chat")
