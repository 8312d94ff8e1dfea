"""A service's chart says what its service.toml says, for ours and for one that nobody wrote a chart for."""

import functools
import json
import re
import shutil
import tempfile
from pathlib import Path
from typing import Any

import pytest
import yaml
from cases import OUTSIDE
from charting import (
    CHARTS,
    ENGINES,
    MONITORING,
    OBSERVERS,
    RELEASE,
    REPOSITORIES,
    ROOT,
    SERVICES,
    UMBRELLA,
    Rendered,
    Values,
    digest,
    main_container,
    merged,
    render,
    render_folder,
)

from signalink_core import principals
from signalink_core.manifest import ServiceManifest, parse
from signalink_stacks.charts import facts
from signalink_stacks.charts.writing import Checkout
from signalink_stacks.local import layout
from signalink_stacks.local.credentials import Credentials

GREETER = {
    "name": "greeter",
    "kind": "rest",
    "command": ["python", "-m", "signalink_greeter"],
    "needs": ["postgres", "api"],
    "ports": {"http": 8010, "metrics": 9110},
    "health": {"live": "/alive", "ready": "/steady", "startup_seconds": 45},
    "resources": {"cpu": "2", "memory": "1Gi"},
}


@functools.cache
def checkout() -> Checkout:
    return Checkout(ROOT)


def manifest_of(name: str) -> ServiceManifest:
    return next(manifest for manifest in checkout().manifests if manifest.name == name)


def generated(manifest: ServiceManifest, folder: Path) -> Path:
    """The chart of a service from its manifest alone."""
    for name, text in checkout().service(manifest).items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    shutil.copytree(CHARTS / "lib", folder / "charts/signalink-lib", ignore=shutil.ignore_patterns("schemas"))
    return folder


def keys(container: dict[str, Any]) -> set[str]:
    return {item["name"] for item in container["env"]}


def local_keys(manifest: ServiceManifest, credentials: Path) -> set[str]:
    """Of the local target, all services there."""
    plan = layout.design(
        list(checkout().manifests[:0]) + _runnable(), layout.Wishes(), Credentials(credentials), lambda: 0
    )
    return set(next(one for one in plan.services if one.manifest.name == manifest.name).environment)


def _runnable() -> list[ServiceManifest]:
    return [manifest for manifest in checkout().manifests if "kubernetes" not in manifest.needs]


@pytest.mark.parametrize("name", [name for name in SERVICES if name != "operator"])
def test_a_service_gets_the_same_keys_as_on_the_local_target(name: str, tmp_path: Path) -> None:
    here = keys(main_container(render(name)))
    there = local_keys(manifest_of(name), tmp_path)
    by_name = {f"SIGNALINK_{name.upper()}_HOSTS"} if manifest_of(name).ports.http else set()
    assert here == there | by_name | {"SIGNALINK_LOG_LEVEL"}


def matches(manifest: ServiceManifest, rendered: Rendered) -> None:
    container = main_container(rendered)
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    assert ports == {k: v for k, v in {"http": manifest.ports.http, "metrics": manifest.ports.metrics}.items() if v}
    assert container["readinessProbe"]["httpGet"]["path"] == manifest.health.ready
    assert container["livenessProbe"]["httpGet"]["path"] == manifest.health.live
    startup = container["startupProbe"]
    assert startup["periodSeconds"] * startup["failureThreshold"] >= 3 * manifest.health.startup_seconds
    asked = container["resources"]["requests"]
    assert (asked["cpu"], asked["memory"]) == (manifest.resources.cpu, manifest.resources.memory)
    assert container["resources"]["limits"]["memory"] == manifest.resources.memory
    needs = {"POSTGRES_DSN": "postgres", "REDIS_URL": "redis", "KAFKA_BOOTSTRAP": "kafka"}
    for key, need in needs.items():
        assert (f"SIGNALINK_{key}" in keys(container)) == (need in manifest.needs)


@pytest.mark.parametrize("name", SERVICES)
def test_ports_probes_resources_and_bindings_are_the_manifests(name: str) -> None:
    matches(manifest_of(name), render(name))


def test_a_service_nobody_wrote_a_chart_for_has_one(tmp_path: Path) -> None:
    manifest = parse(GREETER, "greeter/service.toml")
    chart = generated(manifest, tmp_path / "greeter")
    rendered = render_folder(chart, {"global": {"imageDigests": {"signalink/greeter": digest("g")}}})
    matches(manifest, rendered)
    assert rendered.one("Service")["spec"]["ports"][0]["port"] == 8010


@pytest.mark.parametrize("name", SERVICES)
def test_the_accounts_are_those_of_the_table(name: str) -> None:
    account = principals.PRINCIPALS[name]
    values = {item["name"]: item.get("value", "") for item in main_container(render(name))["env"]}
    if account.postgres_role:
        assert f"//{account.postgres_role}@" in values["SIGNALINK_POSTGRES_DSN"]
    if "redis" in manifest_of(name).needs:
        assert f"//{name}@" in values["SIGNALINK_REDIS_URL"]
    if "kafka" in manifest_of(name).needs:
        assert values["SIGNALINK_KAFKA_USER"] == name


@pytest.mark.parametrize("name", SERVICES)
def test_a_pod_mounts_its_own_words_and_no_others(name: str) -> None:
    spec = render(name).one("Deployment")["spec"]["template"]["spec"]
    volume = next(one for one in spec["volumes"] if one["name"] == "secrets")
    files = {item["path"] for source in volume["projected"]["sources"] for item in source["secret"]["items"]}
    engines = {"postgres", "redis", "kafka"} & set(manifest_of(name).needs)
    own = set(manifest_of(name).secrets) - {"auth-keys"} | {"inspect-token"}
    assert files == own | {f"{engine}-{name}" for engine in engines}


@pytest.mark.parametrize("name", ENGINES)
def test_a_backing_service_has_a_word_for_each_principal(name: str) -> None:
    engine = facts.ENGINES[name]
    accounts = {
        "postgres": [principals.ADMIN, *principals.postgres_roles()],
        "redis": principals.redis_principals(),
        "kafka": principals.kafka_principals(),
    }[engine]
    assert set(render(name).one("Secret")["data"]) == {f"{engine}-{account}" for account in accounts}


@pytest.mark.parametrize("name", ENGINES)
def test_a_backing_service_finds_itself_under_a_name_of_its_own(name: str) -> None:
    rendered = render(name, {"fullnameOverride": "store"})
    assert {one["metadata"]["name"] for one in rendered.of("Service")} == {"store", "store-headless"}
    hosts = set(re.findall(r"([-a-z0-9]+)\.signalink\.svc\.", rendered.text + rendered.notes))
    assert hosts <= {"store", "store-headless"}


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_alone_takes_outside_servers(name: str) -> None:
    rendered = render(name, OUTSIDE)
    text = json.dumps([main_container(rendered)["env"], rendered.one("NetworkPolicy")])
    wanted = {"postgres": ["@db.example.org:5432/", "10.1.0.0/16"], "redis": ["rediss://", "@cache.example.org:6379/0"]}
    wanted["kafka"] = ["k-0.example.org:9093", "sasl_ssl", '{"port": 9093}']
    for need, texts in wanted.items():
        for part in texts:
            assert (part in text) == (need in manifest_of(name).needs), part


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_alone_takes_other_services_from_elsewhere(name: str) -> None:
    elsewhere = {"api": "http://chat-api.chat.svc:8000", "gateway": "ws://chat-gateway.chat.svc:8001/v1/socket"}
    rendered = render(name, {"global": {"serviceUrls": elsewhere}})
    found = {item["name"]: item.get("value") for item in main_container(rendered)["env"]}
    assert found["SIGNALINK_AUTH_JWKS_URL"] == "http://chat-api.chat.svc:8000/.well-known/jwks.json"
    for other in {"api", "gateway"} - {name} if name != "api" else set():
        assert found[f"SIGNALINK_{other.upper()}_URL"] == elsewhere[other]
    anywhere = [
        port["port"]
        for rule in rendered.one("NetworkPolicy")["spec"]["egress"]
        for port in rule["ports"]
        if rule["to"] == [{"namespaceSelector": {}}]
    ]
    needed = {"api", "gateway"} & set(manifest_of(name).needs)
    assert sorted(anywhere) == sorted(port for other, port in (("api", 8000), ("gateway", 8001)) if other in needed)
    for job in rendered.of("Job"):
        told = {item["name"]: item.get("value") for item in main_container_of(job)["env"]}
        for other in elsewhere.keys() & {key[10:-4].lower() for key in told if key.startswith("SIGNALINK_")}:
            assert told[f"SIGNALINK_{other.upper()}_URL"] == elsewhere[other]


def main_container_of(job: dict[str, Any]) -> dict[str, Any]:
    container: dict[str, Any] = job["spec"]["template"]["spec"]["containers"][0]
    return container


def migration(rendered: Rendered) -> dict[str, Any]:
    (found,) = [one for one in rendered.of("Job") if "-migrate-" in one["metadata"]["name"]]
    return found


def test_the_migration_is_a_job_whose_name_follows_what_it_does() -> None:
    first = migration(render("api"))
    other = merged(
        {"global": {"imageDigests": {name: digest(name) for name in REPOSITORIES}}}, {"image": {"digest": digest("n")}}
    )
    names = {first["metadata"]["name"], migration(render("api", other))["metadata"]["name"]}
    assert len(names) == 2
    assert migration(render("api", {"podAnnotations": {"a": "b"}})) == first
    assert "hook" not in json.dumps(first)
    hook = migration(render("api", {"migrations": {"mode": "hook"}}))["metadata"]["annotations"]
    assert hook["helm.sh/hook"] == "post-install,pre-upgrade"
    assert "-migrate-" not in render("api", {"migrations": {"mode": "off"}}).text


@pytest.mark.parametrize("name", ["api", "gateway", "relay", "prober", "analytics", "notifications"])
def test_pods_wait_for_the_schemas_they_read_and_never_migrate(name: str) -> None:
    (init,) = render(name).one("Deployment")["spec"]["template"]["spec"]["initContainers"]
    schemas = [argument for argument in init["args"] if argument.startswith("--schema=")]
    assert init["command"][-1] == "wait"
    assert "--schema=messaging=signalink_api.migrations" in schemas
    database = manifest_of(name).database
    assert database is None or f"--schema={database.schema_}={database.migrations}" in schemas


def test_faults_that_are_off_leave_no_trace_and_on_they_are_seen() -> None:
    assert "FAULTS" not in render("api").text
    on = render("api", {"faults": {"enabled": True, "unready": True}, "global": {"environment": "local"}})
    assert on.one("Deployment")["spec"]["template"]["metadata"]["labels"]["signalink.dev/faults"] == "on"
    assert main_container(on)["readinessProbe"]["httpGet"]["path"] == "/unready-on-purpose"
    assert main_container(on)["livenessProbe"]["httpGet"]["path"] == "/healthz"


def test_the_operators_definitions_rights_and_topics_are_the_operators_own() -> None:
    folder = ROOT / "operator"
    for path in (folder / "crds").iterdir():
        assert (CHARTS / "operator/crds" / path.name).read_bytes() == path.read_bytes()
    rendered = render("operator", {"watchNamespaces": ["*"]})
    wanted = [role["rules"] for role in yaml.safe_load_all((folder / "rbac.yaml").read_text(encoding="utf-8"))]
    assert sorted(map(str, wanted)) == sorted(str(role["rules"]) for role in rendered.lasting("ClusterRole", "Role"))
    topics = yaml.safe_load_all((folder / "signalink_operator/manifests/topics.yaml").read_text(encoding="utf-8"))
    made = {one["metadata"]["name"]: one["spec"] for one in rendered.of("Topic")}
    assert made == {one["metadata"]["name"]: one["spec"] for one in topics}


def test_an_operator_of_some_namespaces_has_rights_in_them_alone() -> None:
    rendered = render("operator", {"watchNamespaces": ["team-a", "team-b"]})
    assert rendered.of("ClusterRole", "ClusterRoleBinding") == []
    assert {role["metadata"]["namespace"] for role in rendered.of("Role")} == {"team-a", "team-b", "signalink"}


def test_with_a_token_the_operator_reaches_the_api_and_without_one_it_does_not() -> None:
    without, given = render("operator"), render("operator", {"apiToken": {"existingSecret": "token"}})
    assert "API_TOKEN" not in without.text
    assert "SIGNALINK_OPERATOR_API_TOKEN_FILE" in keys(main_container(given))
    assert "app.kubernetes.io/name: api" not in without.text
    (rule,) = [one for one in given.one("NetworkPolicy")["spec"]["egress"] if one["ports"] == [{"port": 8000}]]
    assert rule["to"][0]["podSelector"]["matchLabels"]["app.kubernetes.io/name"] == "api"


def test_nothing_is_of_bitnami() -> None:
    text = "".join(path.read_text(encoding="utf-8") for path in CHARTS.rglob("*.yaml"))
    assert "bitnami" not in text.lower()
    assert list(CHARTS.rglob("Chart.lock")) == []


def test_a_release_of_everything_names_each_object_once() -> None:
    objects = render("signalink").objects
    names = [(one["kind"], one["metadata"]["name"]) for one in objects]
    assert len(set(names)) == len(names)
    with tempfile.TemporaryDirectory():
        off: Values = {name: {"enabled": False} for name in (*SERVICES, *ENGINES)}
        assert (
            render("signalink", merged(off, {"relay": {"enabled": True}})).one("Deployment")["metadata"]["name"]
            == "chat-relay"
        )


def test_the_parts_that_watch_come_with_their_tag_and_each_goes_by_one_value() -> None:
    def there(**values: Any) -> set[str]:
        sets = render(UMBRELLA, values).of("StatefulSet")
        return {one["metadata"]["name"].removeprefix(f"{RELEASE}-") for one in sets} & set(OBSERVERS)

    assert there() == set()
    assert there(tags={"observability": True}) == set(OBSERVERS)
    for chart in OBSERVERS:
        assert there(tags={"observability": True}, **{chart: {"enabled": False}}) == set(OBSERVERS) - {chart}
        assert there(**{chart: {"enabled": True}}) == {chart}


def test_spans_go_from_signalinks_parts_to_the_collector_and_from_there_to_jaeger() -> None:
    collector, jaeger = render("otel-collector"), render("jaeger")
    configuration = yaml.safe_load(collector.one("ConfigMap")["data"]["collector.yaml"])
    host, port = configuration["exporters"]["otlp"]["endpoint"].split(":")
    service = next(one for one in jaeger.of("Service") if one["metadata"]["name"] == host.split(".")[0])
    assert int(port) in [each["port"] for each in service["spec"]["ports"]]
    (out,) = [rule for rule in collector.one("NetworkPolicy")["spec"]["egress"] if rule["ports"] == [{"port": 4317}]]
    rules = jaeger.one("NetworkPolicy")["spec"]["ingress"]
    who = {peer["podSelector"]["matchLabels"].get("app.kubernetes.io/name") for peer in rules[0]["from"]}
    assert "otel-collector" in who
    assert out["to"][0]["podSelector"]["matchLabels"]["app.kubernetes.io/name"] == "jaeger"
    takes = collector.one("NetworkPolicy")["spec"]["ingress"][0]
    assert takes["from"][0]["podSelector"]["matchLabels"]["app.kubernetes.io/part-of"] == "signalink"
    assert {"port": 4318} in takes["ports"]


def test_grafana_asks_prometheus_and_jaeger_of_the_release_or_those_it_is_told() -> None:
    def sources(**values: Any) -> dict[str, str]:
        data = render("grafana", values).of("ConfigMap")[0]["data"]["datasources.yaml"]
        return {one["type"]: one["url"] for one in yaml.safe_load(data)["datasources"]}

    inside = "http://chat-{}.signalink.svc.cluster.local:{}"
    assert sources() == {"prometheus": inside.format("prometheus", 9090), "jaeger": inside.format("jaeger", 16686)}
    assert sources(prometheusUrl="https://p.example.org")["prometheus"] == "https://p.example.org"
    assert set(render("grafana", {"dashboards": {"mine": "{}"}}).of("ConfigMap")[1]["data"]) >= {"own-mine.json"}


@pytest.mark.parametrize("name", ENGINES)
def test_an_exporter_is_off_by_one_value_and_on_it_is_open_to_prometheus_alone(name: str) -> None:
    without = render(name, {"global": {"apiVersions": MONITORING}})
    assert "exporter" not in without.text
    assert without.of("PodMonitor") == []
    rendered = render(name, {"exporter": {"enabled": True}, "global": {"apiVersions": MONITORING}})
    exporter = rendered.one("StatefulSet")["spec"]["template"]["spec"]["containers"][1]
    (port,) = exporter["ports"]
    assert port["name"] == "metrics"
    (rule,) = [
        r for r in rendered.one("NetworkPolicy")["spec"]["ingress"] if r["ports"] == [{"port": port["containerPort"]}]
    ]
    assert [one["podSelector"]["matchLabels"]["app.kubernetes.io/name"] for one in rule["from"]] == ["prometheus"]
    scraped = [
        r
        for r in render("prometheus").one("NetworkPolicy")["spec"]["egress"]
        if {"port": port["containerPort"]} in r["ports"]
    ]
    assert scraped
    assert rendered.one("PodMonitor")["spec"]["podMetricsEndpoints"][0]["port"] == "metrics"
    mounted = {mount["name"] for mount in exporter["volumeMounts"]}
    assert mounted == {"tmp", "exporter"}, "it sees the prober's word and no other"
