"""The graphs of the AWS stacks, recorded: tags, providers, order, one role per service, TLS, no password, no secret."""

import importlib
import inspect
import json
from collections.abc import Iterator, Mapping
from datetime import date
from fnmatch import fnmatchcase
from typing import Any

import pytest
from awsgraphs import ON_EKS, STACKS, Graph, of, recorded
from parliament import analyze_policy_string

from signalink_core import principals
from signalink_stacks.graph.recording import Registration
from signalink_stacks.lib import prices, routes, tags
from signalink_stacks.lib.images import root
from signalink_stacks.lib.policy import rights
from signalink_stacks.lib.policy.table import RULES
from signalink_stacks.lib.policy.thing import Facts, Thing
from signalink_stacks.lib.settings import LIMITS_USD


@pytest.fixture(scope="module")
def graphs() -> dict[str, Graph]:
    """Every stack, recorded once."""
    return {name: recorded(config) for name, config in STACKS.items()}


def one(graph: Graph, kind: str) -> Registration:
    (found,) = of(graph, kind)
    return found


def needs(graph: Graph, start: Registration) -> set[str]:
    """URNs of all that must be there before `start`: what it depends on, its parents, and theirs."""
    by_urn = {each.urn: each for each in graph}
    found: set[str] = set()
    waiting = [start]
    while waiting:
        each = waiting.pop()
        for urn in (*each.dependencies, each.parent):
            if urn and urn not in found and urn in by_urn:
                found.add(urn)
                waiting.append(by_urn[urn])
    return found


@pytest.mark.parametrize("stack", STACKS)
def test_everything_that_can_carry_a_tag_says_whose_it_is(graphs: dict[str, Graph], stack: str) -> None:
    for each in graphs[stack]:
        if each.type.startswith("aws:") and takes_tags(each.type):
            assert set(tags.REQUIRED) <= set(each.inputs.get("tags") or {}), each.urn


@pytest.mark.parametrize("stack", STACKS)
def test_what_the_policy_takes_for_untaggable_is_so(graphs: dict[str, Graph], stack: str) -> None:
    for kind in {each.type for each in graphs[stack] if each.type.startswith("aws:")}:
        excused = any(fnmatchcase(kind, pattern) for pattern in rights.UNTAGGED)
        assert excused != takes_tags(kind), kind


def takes_tags(kind: str) -> bool:
    """Asked of Pulumi's own class."""
    _, module, name = kind.split(":")
    owner = importlib.import_module(f"pulumi_aws.{module.partition('/')[0]}")
    return "tags" in inspect.signature(getattr(owner, name)._internal_init).parameters


@pytest.mark.parametrize("stack", STACKS)
def test_every_resource_names_its_provider_and_none_but_the_providers_is_without_a_parent(
    graphs: dict[str, Graph], stack: str
) -> None:
    for each in graphs[stack]:
        if each.custom and not each.type.startswith("pulumi:"):
            assert each.provider, each.urn
            assert "default" not in each.provider
        if each.custom and each.type.startswith("aws:"):
            assert "signalink:aws:" in each.parent, each.urn


@pytest.mark.parametrize("stack", STACKS)
def test_the_budget_is_made_before_anything_that_costs(graphs: dict[str, Graph], stack: str) -> None:
    graph, table = graphs[stack], prices.load()
    types = {each.urn: each.type for each in graph}
    costly = [each for each in graph if each.type.startswith("aws:") and not table.is_free(each.type)]
    assert costly
    for each in costly:
        before = {types[urn] for urn in needs(graph, each) | wrapped(graph, each)}
        assert "aws:budgets/budget:Budget" in before or "signalink:aws:Budget" in before, each.urn


def wrapped(graph: Graph, each: Registration) -> set[str]:
    """What the components around it wait for."""
    by_urn = {one.urn: one for one in graph}
    found: set[str] = set()
    while each.parent in by_urn:
        each = by_urn[each.parent]
        found |= {urn for urn in each.dependencies if urn in by_urn}
    return found


@pytest.mark.parametrize("stack", ON_EKS)
def test_a_certificate_is_issued_before_anything_shows_it(graphs: dict[str, Graph], stack: str) -> None:
    graph = graphs[stack]
    issued = one(graph, "CertificateValidation")
    shown = [*(each for each in graph if each.type == "aws:lb/listener:Listener"), *of(graph, "DomainName")]
    assert len(shown) == 3
    for each in shown:
        assert issued.urn in needs(graph, each), each.urn


@pytest.mark.parametrize("stack", ON_EKS)
def test_what_is_in_the_network_goes_before_the_network(graphs: dict[str, Graph], stack: str) -> None:
    graph = graphs[stack]
    vpc = one(graph, "Vpc")
    cluster = one(graph, "Cluster") if stack == "eks-lite" else next(c for c in of(graph, "Cluster") if "eks" in c.type)
    for each in (cluster, one(graph, "ReplicationGroup"), *of(graph, "LoadBalancer")):
        assert vpc.urn in needs(graph, each), each.urn


@pytest.mark.parametrize("stack", ON_EKS)
def test_what_is_in_the_cluster_goes_before_the_cluster(graphs: dict[str, Graph], stack: str) -> None:
    graph = graphs[stack]
    cluster = next(each for each in of(graph, "Cluster") if each.type == "aws:eks/cluster:Cluster")
    provider = one(graph, "kubernetes")
    assert cluster.urn in needs(graph, provider)
    inside = [each for each in graph if each.custom and each.type.startswith("kubernetes:")]
    assert inside
    assert all(each.provider.startswith(provider.urn) for each in inside)


@pytest.mark.parametrize("stack", ON_EKS)
def test_a_service_has_a_role_of_its_own_with_what_its_bindings_need(graphs: dict[str, Graph], stack: str) -> None:
    graph = graphs[stack]
    bound = {each.inputs["serviceAccount"]: each for each in of(graph, "PodIdentityAssociation")}
    services = {f"signalink-{name}" for name in principals.PRINCIPALS if name != "owner"}
    assert services <= set(bound)
    roles = [each.inputs["roleArn"] for each in bound.values()]
    assert len(set(roles)) == len(roles)
    said = actions(graph, "role-gateway-policy")
    assert "rds-db:connect" in said
    assert "elasticache:Connect" in said
    assert ("kafka-cluster:WriteData" in said) == (stack != "eks-lite")
    assert "kafka-cluster:ReadData" not in said


LOGINS = ("rds-db:connect", "elasticache:Connect", "secretsmanager:GetSecretValue")
ROLE_OF = {
    **{name: name for name in principals.PRINCIPALS if name not in ("owner", "operator")},
    **dict.fromkeys(("api-migrate", "analytics-migrate", "notifications-migrate", "api-tokens"), "owner"),
}
"""Part that has a role -> the principal it signs in as."""


@pytest.mark.parametrize("stack", ON_EKS)
def test_a_role_signs_in_as_its_own_principal_and_as_nobody_else(graphs: dict[str, Graph], stack: str) -> None:
    graph = graphs[stack]
    for part, principal in ROLE_OF.items():
        table = principals.PRINCIPALS[principal]
        found = logins(graph, part)
        (account,) = found["rds-db:connect"]
        assert account.rpartition("/")[2] == table.postgres_role, part
        users = [arn for arn in found.get("elasticache:Connect", ()) if ":user:" in arn]
        assert len(users) == (table.redis_acl is not None), part
        assert all(arn.endswith(f"-{principal}") for arn in users), part
        assert "secretsmanager:GetSecretValue" not in found
    assert not logins(graph, "operator")
    (account,) = logins(graph, "postgres-bootstrap")["rds-db:connect"]
    assert account.endswith("/signalink_root")
    assert set(logins(graph, "postgres-bootstrap")) == {"rds-db:connect", "secretsmanager:GetSecretValue"}


def logins(graph: Graph, part: str) -> dict[str, list[str]]:
    """Action that lets somebody in -> what it is for."""
    (found,) = [each for each in of(graph, "RolePolicy") if each.name == f"role-{part}-policy"] or [None]
    statements = rights.statements(found.inputs["policy"]) if found else []
    return {
        action: list(statement["Resource"])
        for statement in statements
        for action in statement["Action"]
        if action in LOGINS
    }


@pytest.mark.parametrize("stack", ON_EKS)
def test_pods_find_their_role_and_rds_its_roles_when_they_start(graphs: dict[str, Graph], stack: str) -> None:
    """A pod is told of its role when it starts, and never again."""
    graph = graphs[stack]
    name_of = {each.urn: each.name for each in graph}
    for service in ("api", "relay", "gateway", "analytics", "notifications", "prober", "operator"):
        (chart,) = [each for each in of(graph, "Chart") if each.name == f"{service}-chart"]
        before = {name_of[urn] for urn in needs(graph, chart)}
        assert f"role-{service}" in before, service
        parts = {part.removesuffix("-chart") for part in before}
        assert {f"role-{part}" for part in ROLE_OF if part.startswith(f"{service}-")} <= parts, service
        if service != "operator":
            assert {"postgres-bootstrap", "postgres-authority"} <= before, service


@pytest.mark.parametrize("stack", ON_EKS)
def test_charts_are_told_how_services_sign_in(graphs: dict[str, Graph], stack: str) -> None:
    (chart,) = [each for each in of(graphs[stack], "Chart") if each.name == "gateway-chart"]
    told = chart.inputs["values"]["global"]["bindings"]
    assert (told["postgres"]["auth"], told["postgres"]["tls"], told["redis"]["auth"]) == ("iam", True, "iam")
    assert told["redis"]["cache"] and told["redis"]["awsRegion"] == told["postgres"]["awsRegion"] == "us-east-1"
    assert told["postgres"]["caConfigMap"]["name"] == "signalink-postgres-authority"
    assert not any("passwordSecret" in told[engine] for engine in ("postgres", "redis"))
    user = chart.inputs["values"]["bindings"]["redis"]["user"]
    assert user in {each.inputs["userName"] for each in of(graphs[stack], "User")} and user.endswith("-gateway")


@pytest.mark.parametrize("stack", ON_EKS)
def test_rds_is_prepared_by_its_administrator_without_a_password_in_the_stack(
    graphs: dict[str, Graph], stack: str
) -> None:
    graph = graphs[stack]
    (job,) = [each for each in of(graph, "Job") if each.name == "postgres-bootstrap-job"]
    pod = job.inputs["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert pod["serviceAccountName"] == "signalink-postgres-bootstrap"
    assert any(word.startswith("--admin-secret=arn:") for word in container["args"])
    assert not any("PASSWORD" in each["name"] for each in container["env"])
    (volume,) = [each for each in pod["volumes"] if each["name"] == "secrets"]
    (source,) = volume["projected"]["sources"]
    (authority,) = [each for each in of(graph, "ConfigMap") if each.name == "postgres-authority-certificates"]
    assert source["configMap"]["name"] == authority.inputs["metadata"]["name"]
    assert authority.inputs["data"]["ca.pem"].count("BEGIN CERTIFICATE") == 1


def actions(graph: Graph, name: str) -> set[str]:
    (found,) = [each for each in of(graph, "RolePolicy") if each.name == name]
    return {action for statement in rights.statements(found.inputs["policy"]) for action in statement["Action"]}


@pytest.mark.parametrize("stack", ON_EKS)
def test_no_engine_has_a_password_and_every_one_speaks_tls(graphs: dict[str, Graph], stack: str) -> None:
    graph = graphs[stack]
    database = next(each for each in of(graph, "Instance") if each.type.startswith("aws:rds"))
    assert not {"password", "passwordWo"} & set(database.inputs)
    assert database.inputs["manageMasterUserPassword"] is True
    assert database.inputs["iamDatabaseAuthenticationEnabled"] is True
    cache = one(graph, "ReplicationGroup")
    assert (cache.inputs["transitEncryptionEnabled"], cache.inputs["transitEncryptionMode"]) == (True, "required")
    for user in of(graph, "User"):
        assert user.inputs["userId"] == user.inputs["userName"]
        assert user.inputs["authenticationMode"] == {"type": "iam"}
    for broker in of(graph, "ServerlessCluster"):
        assert broker.inputs["clientAuthentication"] == {"sasl": {"iam": {"enabled": True}}}


@pytest.mark.parametrize("stack", ON_EKS)
def test_routes_are_the_paths_of_the_documents_and_every_target_has_pods(graphs: dict[str, Graph], stack: str) -> None:
    graph = graphs[stack]
    made = [each for each in of(graph, "Route") if each.type.startswith("aws:apigatewayv2")]
    assert {each.inputs["routeKey"] for each in made} == {route.key for route in routes.read(root())}
    joined = {each.inputs["spec"]["serviceRef"]["name"] for each in of(graph, "TargetGroupBinding")}
    assert joined == {f"signalink-{name}" for name in ("api", "gateway", "analytics", "notifications")}
    assert len(of(graph, "TargetGroup")) == len(joined)


@pytest.mark.parametrize("stack", STACKS)
def test_a_month_is_within_the_limit_of_its_profile(graphs: dict[str, Graph], stack: str) -> None:
    resources = [prices.Resource(each.type, each.name, each.inputs) for each in graphs[stack] if each.custom]
    profile = "aws-lite" if stack == "aws-lite" else STACKS[stack]["profile"]
    estimate = prices.price(resources, prices.load(), date(2026, 11, 28))
    assert prices.refusal(estimate, LIMITS_USD[profile]) == ""
    assert estimate.monthly > 5


@pytest.mark.parametrize("stack", STACKS)
def test_every_policy_of_a_role_is_one_that_aws_knows(graphs: dict[str, Graph], stack: str) -> None:
    found = [each.inputs["policy"] for each in of(graphs[stack], "RolePolicy")]
    assert found
    for text in found:
        assert list(complaints(text)) == [], text


def complaints(text: str) -> Iterator[str]:
    """What the linter of IAM policies says of one."""
    for finding in analyze_policy_string(text).findings:
        yield f"{finding.issue} {finding.detail}"


def test_the_linter_finds_an_action_that_is_none_and_a_resource_that_does_not_fit() -> None:
    planted = {"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Action": ["kafka-cluster:Everything"], "Resource": ["*"]},
        {"Effect": "Allow", "Action": ["s3:GetObject"], "Resource": ["arn:aws:s3:::bucket"]},
    ]}  # fmt: skip
    said = " ".join(complaints(json.dumps(planted)))
    assert "UNKNOWN_ACTION" in said
    assert "RESOURCE_MISMATCH" in said


@pytest.mark.parametrize("stack", STACKS)
def test_the_whole_stack_passes_the_policy_pack(graphs: dict[str, Graph], stack: str) -> None:
    assert list(refusals(graphs[stack])) == []


def things(graph: Graph) -> list[Thing]:
    ours = [each for each in graph if each.custom and not each.type.startswith("pulumi:")]
    return [Thing(each.type, each.name, each.inputs, each.urn, each.provider) for each in ours]


def refusals(graph: Graph, changed: Mapping[str, Mapping[str, Any]] | None = None) -> Iterator[str]:
    """What the rules about single resources say; `changed`: name of a resource -> inputs that are otherwise."""
    facts = Facts(today=date(2026, 11, 28), prod=True, max_usd=1000)
    for thing in things(graph):
        props = {**thing.props, **(changed or {}).get(thing.name, {})}
        for rule in RULES:
            if rule.each is not None and rule.code != "P07":
                for message in rule.each(Thing(thing.type, thing.name, props, thing.urn, thing.provider), facts):
                    yield f"{rule.code} {thing.name}: {message}"


@pytest.mark.parametrize(
    ("name", "inputs", "said"),
    [
        (
            "network-alb-from-world-443",
            {"fromPort": 22, "toPort": 22},
            "P01 network-alb-from-world-443: port 22",
        ),
        ("postgres-instance", {"tags": {}}, "P05 postgres-instance: has no tag signalink.dev/stack"),
        ("postgres-instance", {"password": "hunter2"}, "P15 postgres-instance: takes a password in password"),
        ("redis-cache", {"transitEncryptionEnabled": False}, "P04 redis-cache: the cache speaks without TLS"),
    ],
)
def test_a_stack_with_one_thing_wrong_is_refused_for_that_thing(
    graphs: dict[str, Graph], name: str, inputs: dict[str, Any], said: str
) -> None:
    (message,) = refusals(graphs["eks-full"], {name: inputs})
    assert said in message
