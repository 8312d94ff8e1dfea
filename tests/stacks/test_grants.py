"""What a role may do at AWS follows from the table of principals, is exact, and is nothing more."""

import re

import pytest

from signalink_core import principals
from signalink_stacks.lib import grants
from signalink_stacks.lib.grants import Statement

CLUSTER = "arn:aws:kafka:eu-central-1:111122223333:cluster/signalink-eks-kafka/abc-s1"
TOPIC = CLUSTER.replace(":cluster/", ":topic/")
GROUP = CLUSTER.replace(":cluster/", ":group/")


def allowed(statements: tuple[Statement, ...]) -> dict[str, set[str]]:
    """Resource -> actions without their service."""
    found: dict[str, set[str]] = {}
    for statement in statements:
        for resource in statement.resources:
            found.setdefault(resource, set()).update(action.partition(":")[2] for action in statement.actions)
    return found


def test_the_gateway_writes_presence_and_reads_nothing() -> None:
    assert allowed(grants.kafka("gateway", cluster_arn=CLUSTER)) == {
        CLUSTER: {"Connect", "WriteDataIdempotently"},
        f"{TOPIC}/presence": {"WriteData", "DescribeTopic"},
    }


def test_analytics_reads_three_topics_in_its_own_groups_and_writes_dead_letters() -> None:
    read = {"ReadData", "DescribeTopic"}
    assert allowed(grants.kafka("analytics", cluster_arn=CLUSTER, prefix="lab-")) == {
        CLUSTER: {"Connect", "WriteDataIdempotently"},
        f"{TOPIC}/lab-messages": read,
        f"{TOPIC}/lab-analytics": read,
        f"{TOPIC}/lab-presence": read,
        f"{TOPIC}/lab-dlq.*": {"WriteData", "DescribeTopic"},
        f"{GROUP}/lab-signalink-analytics*": {"AlterGroup", "DescribeGroup"},
    }


def test_the_operator_manages_topics_under_the_prefix_and_touches_no_record() -> None:
    found = allowed(grants.kafka("operator", cluster_arn=CLUSTER, prefix="lab-"))
    assert set(found) == {CLUSTER, f"{TOPIC}/lab-*"}
    assert found[CLUSTER] == {"Connect", "DescribeCluster", "DescribeClusterDynamicConfiguration"}
    assert not found[f"{TOPIC}/lab-*"] & {"ReadData", "WriteData"}
    assert {"CreateTopic", "DeleteTopic", "AlterTopic"} <= found[f"{TOPIC}/lab-*"]


def test_who_has_no_account_gets_no_statement() -> None:
    assert grants.kafka("api", cluster_arn=CLUSTER) == ()
    assert grants.postgres("operator", region="eu-central-1", account="1", resource_id="db-A") == ()
    assert grants.redis("operator", cache_arn="c", user_arn="u") == ()


def test_a_login_names_one_role_of_one_instance() -> None:
    (login,) = grants.postgres("gateway", region="eu-central-1", account="111122223333", resource_id="db-ABC")
    assert login.actions == ("rds-db:connect",)
    assert login.resources == ("arn:aws:rds-db:eu-central-1:111122223333:dbuser:db-ABC/signalink_gateway",)
    china = grants.postgres("gateway", region="cn-north-1", account="1", resource_id="db-A")[0]
    assert china.resources[0].startswith("arn:aws-cn:rds-db:cn-north-1:")


@pytest.mark.parametrize("name", [one.name for one in principals.PRINCIPALS.values() if one.uses_kafka])
def test_no_action_is_a_pattern_and_no_resource_is_everything(name: str) -> None:
    statements = grants.kafka(name, cluster_arn=CLUSTER, prefix="lab-")
    assert statements
    for statement in statements:
        assert all(re.fullmatch(r"kafka-cluster:[A-Za-z]+", action) for action in statement.actions)
        assert all(resource.startswith("arn:aws:kafka:eu-central-1:111122223333:") for resource in statement.resources)
        assert not any(resource.endswith("/*") for resource in statement.resources if ":topic/" in resource)


@pytest.mark.parametrize("name", [one.name for one in principals.PRINCIPALS.values() if one.uses_kafka])
def test_a_grant_says_each_operation_of_its_acl(name: str) -> None:
    found = allowed(grants.kafka(name, cluster_arn=CLUSTER))
    for acl in principals.PRINCIPALS[name].kafka_acls:
        assert any(set(actions) >= set(_words(acl)) for actions in found.values()), acl


def _words(acl: principals.KafkaAcl) -> set[str]:
    return {action for operation in acl.operations for action in grants.ACTIONS[acl.resource][operation]}
