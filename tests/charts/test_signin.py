"""Services that sign in by a role of the cloud: no word anywhere, an account of its own for the owner, checked TLS."""

from typing import Any

import pytest
from charting import SERVICES, Refused, Rendered, Values, main_container, merged, pods, render

CA = {"name": "authorities", "key": "rds.pem"}
AWS: Values = {
    "global": {
        "serviceTokens": True,
        "bindings": {
            "postgres": {
                "provider": "aws", "host": "db.example.org", "tls": True, "auth": "iam", "awsRegion": "eu-central-1",
                "caConfigMap": CA,
            },
            "redis": {
                "provider": "aws", "host": "cache.example.org", "tls": True, "auth": "iam",
                "awsRegion": "eu-central-1", "cache": "lab-redis",
            },
            "kafka": {
                "provider": "aws", "brokers": ["b.example.org:9098"], "security": "aws_msk_iam",
                "awsRegion": "eu-central-1",
            },
        },
    }
}  # fmt: skip
OWNED = ("api", "analytics", "notifications")


def env(container: dict[str, Any]) -> dict[str, str]:
    return {item["name"]: item.get("value", "") for item in container["env"]}


def sources(spec: dict[str, Any]) -> list[dict[str, Any]]:
    """What lies in the folder of secrets of a pod."""
    return [
        source
        for volume in spec.get("volumes", ())
        if volume["name"] == "secrets"
        for source in volume["projected"].get("sources", ())
    ]


def job(rendered: Rendered, part: str) -> dict[str, Any]:
    found = [spec for who, _, spec in pods(rendered.objects) if who.startswith("Job") and f"-{part}-" in who]
    assert len(found) == 1
    return found[0]


@pytest.mark.parametrize("chart", SERVICES)
def test_no_pod_asks_for_a_password_of_an_engine(chart: str) -> None:
    rendered = render(chart, AWS)
    for who, _, spec in pods(rendered.objects):
        names = {source["secret"]["name"] for source in sources(spec) if "secret" in source}
        assert not [name for name in names if name.endswith(("postgres-auth", "valkey-auth", "kafka-auth"))], who
        for container in (*spec.get("initContainers", ()), *spec["containers"]):
            assert not [key for key in env(container) if key.endswith("_PASSWORD_FILE")], who


def test_a_service_is_told_of_its_role_region_cache_and_authority() -> None:
    told = env(main_container(render("gateway", AWS)))
    assert told["SIGNALINK_POSTGRES_AUTH"] == told["SIGNALINK_REDIS_AUTH"] == "iam"
    assert told["SIGNALINK_POSTGRES_TLS"] == "on"
    assert told["SIGNALINK_POSTGRES_CA_FILE"] == "/run/secrets/signalink/postgres-ca.pem"
    assert told["SIGNALINK_REDIS_URL"] == "rediss://gateway@cache.example.org:6379/0"
    assert told["SIGNALINK_REDIS_CACHE"] == "lab-redis"
    assert "SIGNALINK_REDIS_CA_FILE" not in told, "the system's authorities"
    assert {told[f"SIGNALINK_{engine}_AWS_REGION"] for engine in ("POSTGRES", "REDIS", "KAFKA")} == {"eu-central-1"}


@pytest.mark.parametrize("chart", OWNED)
def test_certificates_of_the_authority_lie_beside_the_secrets(chart: str) -> None:
    rendered = render(chart, AWS)
    wanted = {"configMap": {"name": "authorities", "items": [{"key": "rds.pem", "path": "postgres-ca.pem"}]}}
    assert wanted in sources(rendered.of("Deployment")[0]["spec"]["template"]["spec"])
    assert sources(job(rendered, "migrate")) == [wanted]


@pytest.mark.parametrize("chart", OWNED)
def test_who_signs_in_as_the_owner_has_an_account_of_its_own(chart: str) -> None:
    rendered = render(chart, AWS)
    accounts = {each["metadata"]["name"] for each in rendered.of("ServiceAccount")}
    spec = job(rendered, "migrate")
    assert spec["serviceAccountName"] == f"chat-{chart}-migrate" and f"chat-{chart}-migrate" in accounts
    assert rendered.of("Deployment")[0]["spec"]["template"]["spec"]["serviceAccountName"] == f"chat-{chart}"
    for container in (*spec["initContainers"], *spec["containers"]):
        assert env(container)["SIGNALINK_POSTGRES_DSN"].startswith("postgresql://signalink_owner@")
    if chart == "api":
        assert job(rendered, "tokens")["serviceAccountName"] == "chat-api-tokens"
    with_password = render(chart)
    assert job(with_password, "migrate")["serviceAccountName"] == f"chat-{chart}"
    assert f"chat-{chart}-migrate" not in {each["metadata"]["name"] for each in with_password.of("ServiceAccount")}


def test_certificates_are_given_with_a_password_too() -> None:
    own = {"bindings": {"postgres": {"provider": "external", "host": "db", "tls": True, "caConfigMap": CA}}}
    rendered = render("api", own)
    told = env(main_container(rendered))
    assert (told["SIGNALINK_POSTGRES_TLS"], told["SIGNALINK_POSTGRES_PASSWORD_FILE"][-12:]) == ("on", "postgres-api")
    assert len(sources(job(rendered, "migrate"))) == 2


REFUSED: list[tuple[str, dict[str, Any], str]] = [
    ("postgres", {"tls": False}, "global.bindings.postgres.tls is false: with auth iam tokens would travel in clear"),
    ("postgres", {"awsRegion": ""}, "global.bindings.postgres.awsRegion is missing"),
    ("postgres", {"provider": "chart"}, "the postgres of our own chart knows passwords only"),
    ("redis", {"tls": False}, "global.bindings.redis.tls is false"),
    ("redis", {"awsRegion": ""}, "global.bindings.redis.awsRegion is missing"),
    ("redis", {"cache": ""}, "global.bindings.redis.cache is missing"),
    ("redis", {"provider": "chart"}, "the redis of our own chart knows passwords only"),
    ("postgres", {"auth": "ldap"}, "at '/global/bindings/postgres/auth'"),
    ("redis", {"auth": "none"}, "at '/global/bindings/redis/auth'"),
    ("redis", {"cache": "lab_redis"}, "at '/global/bindings/redis/cache'"),
    ("postgres", {"awsRegion": "Frankfurt"}, "at '/global/bindings/postgres/awsRegion'"),
    ("postgres", {"caConfigMap": {"name": "No"}}, "at '/global/bindings/postgres/caConfigMap/name'"),
    ("kafka", {"caConfigMap": {"key": ""}}, "at '/global/bindings/kafka/caConfigMap/key'"),
]


@pytest.mark.parametrize(("engine", "wrong", "said"), REFUSED)
def test_what_is_missing_or_wrong_is_refused_by_its_key(engine: str, wrong: dict[str, Any], said: str) -> None:
    with pytest.raises(Refused) as refused:
        render("api" if engine != "kafka" else "relay", merged(AWS, {"global": {"bindings": {engine: wrong}}}))
    assert said in str(refused.value)
