"""One contract for every Binding: whoever runs a backing service, services see the same keys and no secret."""

from typing import Any

import graphs
import pytest

from signalink_stacks.components.backing import ChartService, EmbeddedService, ExternalService
from signalink_stacks.components.contracts import Binding
from signalink_stacks.components.operated import OperatorService
from signalink_stacks.components.site import Materials
from signalink_stacks.layers import program
from signalink_stacks.lib.settings import Engine

KEYS = {
    "postgres": {"SIGNALINK_POSTGRES_DSN", "SIGNALINK_POSTGRES_PASSWORD_FILE"},
    "redis": {"SIGNALINK_REDIS_URL", "SIGNALINK_REDIS_PASSWORD_FILE"},
    "kafka": {"SIGNALINK_KAFKA_BOOTSTRAP", "SIGNALINK_KAFKA_PASSWORD_FILE"},
}
ADDRESS = {
    "postgres": "SIGNALINK_POSTGRES_DSN",
    "redis": "SIGNALINK_REDIS_URL",
    "kafka": "SIGNALINK_KAFKA_BOOTSTRAP",
}
ROLE_KEYS = {"postgres": ("AUTH", "TLS", "CA_FILE"), "redis": ("AUTH", "CACHE"), "kafka": ("SECURITY",)}
BY_ROLE = {
    engine: {address, *(f"SIGNALINK_{engine.upper()}_{key}" for key in ("AWS_REGION", *ROLE_KEYS[engine]))}
    for engine, address in ADDRESS.items()
}
"""With a role there is no password, and so no file of one."""
CELLS: list[tuple[Engine, str]] = [
    *(("postgres", provider) for provider in ("embedded", "chart", "operator", "external", "aws")),
    *(("redis", provider) for provider in ("embedded", "chart", "external", "aws")),
    *(("kafka", provider) for provider in ("embedded", "chart", "operator", "external", "aws")),
]


def bound(engine: Engine, provider: str, monkeypatch: pytest.MonkeyPatch) -> tuple[Binding, dict[str, str]]:
    """The Binding of one cell, and the environment it gives to the relay."""
    kept: dict[str, Any] = {}

    def deploy(materials: Materials) -> dict[str, Any]:
        binding = _made(engine, provider, materials)
        kept["binding"] = binding
        for key, value in binding.env("relay", "signalink_relay").items():
            value.apply(lambda text, key=key: kept.setdefault("env", {}).update({key: text}))
        return {}

    monkeypatch.setattr(program, "deploy", deploy)
    raw: dict[str, Any] = dict(graphs.EXISTING)
    if provider == "aws":
        raw = graphs.EKS | {"profile": "full"}
    elif provider in ("operator", "external"):
        table = graphs.OPERATED if provider == "operator" else graphs.EXTERNAL
        raw = raw | {"bindings": {engine: table[engine]}}
    graphs.of("lab", raw)
    return kept["binding"], kept["env"]


def _made(engine: Engine, provider: str, materials: Materials) -> Binding:
    from signalink_stacks.layers import cluster

    site = cluster.deploy(materials)
    service: Any = {
        "embedded": lambda: EmbeddedService(engine),
        "chart": lambda: ChartService(engine, site),
        "operator": lambda: OperatorService(engine, site),
        "external": lambda: ExternalService(engine),
        "aws": lambda: _aws(engine),
    }[provider]()
    found: Binding = service.provision(site.cluster, materials.config)
    return found


def _aws(engine: Engine) -> Any:
    from signalink_stacks.components import cloud

    return cloud.aws().backing(engine)


@pytest.mark.parametrize(("engine", "provider"), CELLS, ids=["-".join(cell) for cell in CELLS])
def test_every_provider_keeps_the_contract(engine: Engine, provider: str, monkeypatch: pytest.MonkeyPatch) -> None:
    binding, env = bound(engine, provider, monkeypatch)
    assert (binding.kind, binding.provider) == (engine, provider)
    by_role = binding.auth == "iam"
    assert set(env) == (BY_ROLE[engine] if by_role else KEYS[engine])
    assert all(graphs.CANARY not in value for value in env.values()), "a secret in clear"
    files = [value for key, value in env.items() if key.endswith("_FILE")]
    ours = [f"/run/secrets/signalink/{engine}-relay"]
    assert files == (["/run/secrets/signalink/postgres-ca.pem"] if engine == "postgres" else []) if by_role else ours
    address = env[ADDRESS[engine]]
    assert ":" not in address.partition("://")[2].partition("@")[0], "a password in an address"
    if provider == "aws":
        assert binding.tls.mode == "on" and binding.auth == "iam"
    if provider in ("chart", "operator"):
        assert binding.secret_ref is not None and binding.depends_on
    if engine == "redis" and provider in ("aws", "external"):
        assert address.startswith("rediss://")


def changed(one: str, other: str) -> set[str]:
    """Names of resources that are in one graph alone, or whose inputs differ but for Bindings."""
    first, second = ({each.name: each for each in graphs.found(name)} for name in (one, other))
    different = set(first) ^ set(second)
    for name in first.keys() & second.keys():
        if without_bindings(dict(first[name].inputs)) != without_bindings(dict(second[name].inputs)):
            different.add(name)
    return different


def without_bindings(inputs: dict[str, Any]) -> dict[str, Any]:
    settings = inputs.get("values", {})
    if "global" not in settings:
        return inputs
    rest = {key: value for key, value in settings["global"].items() if key != "bindings"}
    return inputs | {"values": settings | {"global": rest}}


def test_another_provider_changes_only_that_bindings_resources(monkeypatch: pytest.MonkeyPatch) -> None:
    owned = ("postgres", "kafka", "valkey")
    for other in ("existing-operators", "existing-external"):
        found = changed("existing-small", other)
        assert found and all(name.startswith(owned) for name in found), sorted(found)


def test_charts_are_told_of_the_swapped_binding_alone() -> None:
    graph = graphs.of(
        "existing", graphs.EXISTING | {"bindings": {"redis": graphs.EXTERNAL["redis"]}, "profile": "small"}
    )
    before = graphs.one(graphs.found("existing-small"), "Chart", "relay-chart").inputs["values"]["global"]["bindings"]
    now = graphs.one(graph.found, "Chart", "relay-chart").inputs["values"]["global"]["bindings"]
    assert now["redis"]["host"] == "cache.example.org" and now["redis"]["tls"] is True
    assert {key: value for key, value in now.items() if key != "redis"} == {
        key: value for key, value in before.items() if key != "redis"
    }
