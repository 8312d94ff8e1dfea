"""What the schema of values refuses, by the path of the key; and that every key is described and used."""

import re
from typing import Any

import pytest
from charting import (
    ALL,
    ENGINES,
    OBSERVERS,
    ROOT,
    SERVICES,
    UMBRELLA,
    Refused,
    Values,
    render,
    render_folder,
    values_at,
    whole_charts,
)

from signalink_stacks.charts import composed
from signalink_stacks.charts.writing import Checkout

Wrong = tuple[str, Any, str]
"""Dotted path, value, what the message must hold besides the path."""
EVERY: list[Wrong] = [
    ("replicaCounts", 2, "additional properties 'replicaCounts' not allowed"),
    ("image.tags", "x", "additional properties 'tags' not allowed"),
    ("replicaCount", "two", "want integer"),
    ("replicaCount", -1, "minimum: got -1, want 0"),
    ("image.digest", "sha256:abc", "does not match pattern"),
    ("image.pullPolicy", "Sometimes", "value must be one of"),
    ("resources.limits.memory", "", "does not match pattern"),
    ("securityContext.runAsUser", 0, "minimum: got 0, want 10,001"),
    ("global.bindings.postgres.port", 70_000, "maximum: got 70,000, want 65,535"),
]
SPREAD: list[Wrong] = [("topologySpread.whenUnsatisfiable", "Never", "value must be one of")]
SERVICE: list[Wrong] = [
    ("settings.lower", "x", "additional properties 'lower' not allowed"),
    ("probes.live", "healthz", "does not match pattern"),
    ("faults.points", [{"point": "db.connect", "action": "error"}], "maxItems: got 1, want 0"),
    ("faults.unready", True, "value must be false"),
    ("metrics.interval", "soon", "does not match pattern"),
]
PUBLIC: list[Wrong] = [
    ("ingress.mode", "tunnel", "value must be one of"),
    ("service.type", "ExternalName", "value must be one of"),
]
ENGINE: list[Wrong] = [
    ("persistence.retention.whenDeleted", "Burn", "value must be one of"),
    ("configuration.x", [1], "configuration"),
]
BY_CHART: dict[str, list[Wrong]] = {
    **dict.fromkeys(SERVICES, EVERY + SERVICE),
    **{name: EVERY + ENGINE[0 if name != "valkey" else 1 :] for name in ENGINES},
    "alertmanager": [*EVERY, ("retention", "for ever", "does not match pattern"), ("route", "x", "want object")],
    "prometheus": [*EVERY, ("scrapeInterval", "often", "does not match pattern"), ("alertmanagers", ["x"], "pattern")],
    "grafana": [*EVERY, ("rootUrl", "localhost", "does not match pattern"), ("anonymous", "yes", "want boolean")],
    "otel-collector": [*EVERY, ("sampling.percent", 101, "maximum: got 101, want 100"), ("tracesTo", "x", "pattern")],
    "jaeger": [*EVERY, ("retention", "3d", "does not match pattern"), ("persistence.size", "big", "pattern")],
    UMBRELLA: [
        ("tags.observe", True, "additional properties 'observe' not allowed"),
        ("apis", {}, "additional properties 'apis' not allowed"),
        ("global.devImage", True, "additional properties 'devImage' not allowed"),
        ("global.environment", "staging", "value must be one of"),
        ("global.imageDigests.postgres", "sha256:1", "does not match pattern"),
        ("global.publicUrls.api", "ftp://x", "does not match pattern"),
        ("global.serviceUrls.api", "chat-api:8000", "does not match pattern"),
        ("api.enabled", "yes", "want boolean"),
        ("api.replicaCount", -1, "minimum: got -1, want 0"),
        ("kafka.persistence.size", "lots", "does not match pattern"),
    ],
}
for _name in ("api", "gateway", "analytics", "notifications"):
    BY_CHART[_name] = BY_CHART[_name] + PUBLIC
for _name in set(ALL) - {UMBRELLA, "operator"}:
    BY_CHART[_name] = BY_CHART[_name] + SPREAD
WRONG = [(chart, *wrong) for chart, wrongs in BY_CHART.items() for wrong in wrongs]


@pytest.mark.parametrize(("chart", "path", "value", "text"), WRONG)
def test_a_wrong_value_is_refused_by_its_path(chart: str, path: str, value: Any, text: str) -> None:
    with pytest.raises(Refused) as refusal:
        render(chart, values_at(path, value))
    message = str(refusal.value)
    assert text in message
    place = (
        path.removeprefix(f"{path.split('.')[0]}.")
        if chart == UMBRELLA and path.startswith(("api.r", "kafka"))
        else path
    )
    parent = place.rpartition(".")[0] if "additional properties" in text else place
    assert f"at '{'/' + parent.replace('.', '/') if parent else ''}" in message


def test_every_chart_has_at_least_eight_wrong_values() -> None:
    assert all(len(BY_CHART[chart]) >= 8 for chart in ALL)


@pytest.mark.parametrize("chart", [*SERVICES, *ENGINES, "grafana"])
def test_a_secret_has_one_source(chart: str) -> None:
    source = {"existingSecret": "mine", "externalSecret": {"enabled": True, "store": {"name": "v"}, "remoteKey": "k"}}
    key = "secrets" if chart in SERVICES else "auth"
    with pytest.raises(Refused, match=f"at '/{key}/existingSecret'"):
        render(chart, {key: source, "global": {"apiVersions": ["external-secrets.io/v1"]}})


@pytest.mark.parametrize("chart", SERVICES)
def test_faults_are_refused_in_prod(chart: str) -> None:
    with pytest.raises(Refused, match="at '/global/environment'"):
        render(chart, {"faults": {"enabled": True}})
    assert render(chart, {"faults": {"enabled": True}, "global": {"environment": "local"}}).objects


@pytest.mark.parametrize("chart", ALL)
def test_without_a_digest_nothing_is_rendered_and_the_key_is_named(chart: str) -> None:
    with pytest.raises(Refused, match=r"image.digest is missing for [-\w/]+: set it, or global.imageDigests"):
        render_folder(whole_charts() / chart, {})


REFUSED_BY_TEMPLATES: list[tuple[Values, str]] = [
    (
        {"global": {"bindings": {"postgres": {"provider": "aws"}}}},
        "global.bindings.postgres.host is missing: with provider aws",
    ),
    ({"bindings": {"redis": {"provider": "external"}}}, "global.bindings.redis.host is missing"),
    ({"secrets": {"generate": False}}, "a secret source is missing for chat-api-secrets"),
    ({"autoscaling": {"enabled": True, "minReplicas": 9, "maxReplicas": 2}}, "autoscaling.minReplicas is greater"),
    (
        {"ingress": {"mode": "gateway", "host": "a.b", "parentRefs": [{"name": "g"}]}},
        "ingress.mode gateway: this cluster does not have gateway.networking.k8s.io/v1",
    ),
    (
        {"secrets": {"externalSecret": {"enabled": True, "store": {"name": "v"}, "remoteKey": "k"}}},
        "externalSecret.enabled: this cluster does not have external-secrets.io/v1",
    ),
    *(
        (
            {"global": {"bindings": {engine: {key: value}}}},
            f"global.bindings.{engine}.{key} is {text}: the {engine} of our",
        )
        for engine, key, value, text in [
            ("postgres", "port", 6000, "6000"),
            ("postgres", "database", "foo", "foo"),
            ("postgres", "tls", True, "true"),
            ("redis", "port", 6380, "6380"),
            ("redis", "tls", True, "true"),
        ]
    ),
    (
        {"bindings": {"postgres": {"port": 6000}}},
        "global.bindings.postgres.port is 6000: the postgres of our own chart has",
    ),
]


@pytest.mark.parametrize(("values", "message"), REFUSED_BY_TEMPLATES)
def test_what_only_a_template_can_see_is_refused_with_the_key(values: Values, message: str) -> None:
    with pytest.raises(Refused, match=re.escape(message)):
        render("api", values)


@pytest.mark.parametrize("security", ["plaintext", "sasl_ssl", "aws_msk_iam"])
def test_a_kafka_of_our_own_chart_speaks_as_it_does(security: str) -> None:
    with pytest.raises(Refused, match=f"global.bindings.kafka.security is {security}: the kafka of our own chart has"):
        render("relay", {"global": {"bindings": {"kafka": {"security": security}}}})


def test_what_our_own_charts_cannot_be_another_provider_can() -> None:
    others = {
        "postgres": {"provider": "external", "host": "db", "port": 6000, "database": "foo", "tls": True},
        "redis": {"provider": "external", "host": "cache", "port": 6380, "tls": True},
    }
    text = render("api", {"global": {"bindings": others}}).text
    assert "@db:6000/foo" in text and "rediss://api@cache:6380/0" in text


def schemas() -> dict[str, composed.Schema]:
    checkout = Checkout(ROOT)
    found = {manifest.name: checkout.schema_of(manifest) for manifest in checkout.manifests}
    found |= {chart: checkout.schema_of_engine(chart) for chart in ENGINES}
    return found | {chart: checkout.schema_of_observer(chart) for chart in OBSERVERS}


def test_every_key_of_every_schema_is_described_and_closed() -> None:
    for name, schema in schemas().items():
        for path, prop in composed.leaves(schema).items():
            assert prop.get("description"), f"{name}: {path}"
        for prop in _objects(schema):
            assert "additionalProperties" in prop or "properties" not in prop, prop


def _objects(schema: composed.Schema) -> list[composed.Schema]:
    found = [schema] if schema.get("type") == "object" and "properties" in schema else []
    for prop in schema.get("properties", {}).values():
        if prop.get("description", "").startswith("Helm puts"):
            continue
        found += _objects(prop)
    return found
