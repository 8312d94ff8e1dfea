"""What will run follows from the manifests alone."""

from itertools import count
from pathlib import Path

import pytest

from signalink_core.manifest import ServiceManifest, find, load
from signalink_stacks.local import discovery, layout
from signalink_stacks.local.credentials import Credentials
from signalink_stacks.local.layout import Wishes
from signalink_stacks.local.problems import EnvironmentBroken


def manifest(
    name: str, *needs: str, kind: str = "worker", http: int | None = None, metrics: int = 9200
) -> ServiceManifest:
    return ServiceManifest.model_validate(
        {
            "name": name,
            "kind": kind,
            "command": ["python", "-m", f"signalink_{name}"],
            "needs": list(needs),
            "ports": {"metrics": metrics} if http is None else {"http": http, "metrics": metrics},
            "resources": {"cpu": "100m", "memory": "64Mi"},
        }
    )


@pytest.fixture
def secrets(tmp_path: Path) -> Credentials:
    return Credentials(tmp_path / "secrets")


def never() -> int:
    raise AssertionError("no free port was wanted")


def test_the_services_of_the_checkout_are_found_by_their_manifests() -> None:
    assert {"api", "gateway", "relay"} <= {each.name for each in discovery.manifests()}


def test_what_needs_kubernetes_is_not_started_here() -> None:
    assert "kubernetes" in load(find("signalink_operator")).needs
    assert "operator" not in {each.name for each in discovery.manifests()}


def test_process_i_adds_ten_times_i_to_both_ports(secrets: Credentials) -> None:
    wishes = Wishes(instances={"gateway": 3})
    api = manifest("api", kind="rest", http=8000, metrics=9100)
    gateway = manifest("gateway", "api", kind="websocket", http=8001, metrics=9101)
    plan = layout.design([gateway, api], wishes, secrets, never)
    assert {each.name: (each.http_port, each.metrics_port) for each in plan.services} == {
        "api-0": (8000, 9100),
        "gateway-0": (8001, 9101),
        "gateway-1": (8011, 9111),
        "gateway-2": (8021, 9121),
    }
    assert plan.urls == {"api": "http://127.0.0.1:8000", "gateway": "ws://127.0.0.1:8001/v1/socket"}


def test_free_ports_are_taken_for_everything_when_asked_for(secrets: Credentials) -> None:
    numbers = count(40000)
    plan = layout.design([manifest("relay", "kafka")], Wishes(free_ports=True), secrets, lambda: next(numbers))
    assert sorted(plan.ports().values()) == list(range(40000, 40005))


def test_a_service_follows_those_it_needs() -> None:
    # The model's list of needs is closed; a copy is not validated again.
    wanted = {"api": ("gateway",), "gateway": ("other",), "other": ()}
    chain = [manifest(name).model_copy(update={"needs": needs}) for name, needs in wanted.items()]
    assert [each.name for each in layout.in_order(chain)] == ["other", "gateway", "api"]


def test_a_circle_of_needs_is_named() -> None:
    with pytest.raises(EnvironmentBroken, match="api, gateway need each other in a circle"):
        layout.in_order([manifest("api", "gateway"), manifest("gateway", "api")])


def test_a_need_that_nobody_serves_is_named() -> None:
    with pytest.raises(EnvironmentBroken, match="needs gateway, which is neither"):
        layout.in_order([manifest("api", "gateway")])


def test_more_processes_of_an_unknown_service_are_refused(secrets: Credentials) -> None:
    with pytest.raises(EnvironmentBroken, match="no service ghost"):
        layout.design([manifest("relay")], Wishes(instances={"ghost": 2}), secrets, never)


def test_a_service_without_an_account_says_where_to_add_it(secrets: Credentials) -> None:
    with pytest.raises(EnvironmentBroken, match="Service stranger needs postgres, but has no account") as caught:
        layout.design([manifest("stranger", "postgres")], Wishes(), secrets, never)
    assert "principals.py" in str(caught.value.next_step)


def test_environments_carry_paths_of_secrets_and_never_a_secret(secrets: Credentials) -> None:
    plan = layout.design(discovery.manifests(), Wishes(faults=True), secrets, never)
    words = {path.read_text() for path in secrets.directory.iterdir() if path.is_file()}
    assert len(words) >= 8
    values = {value for each in plan.services for value in each.environment.values()}
    assert not [word for word in words for value in values if word in value]


def test_each_service_gets_exactly_what_its_manifest_needs(secrets: Credentials) -> None:
    plan = layout.design(discovery.manifests(), Wishes(), secrets, never)
    keys = {each.name: set(each.environment) for each in plan.services}
    assert "SIGNALINK_AUTH_KEYS_DIR" in keys["api-0"]
    assert "SIGNALINK_AUTH_KEYS_DIR" not in keys["gateway-0"] | keys["relay-0"]
    assert "SIGNALINK_KAFKA_USER" in keys["relay-0"]
    assert "SIGNALINK_KAFKA_USER" not in keys["api-0"]
    assert not {key for found in keys.values() for key in found if "FAULTS" in key}


def test_settings_of_the_command_line_reach_every_service_and_win(secrets: Credentials) -> None:
    wishes = Wishes(settings={"LIMITS_SOCKETS_PER_IP": "9", "NODE": "mine"})
    plan = layout.design([manifest("relay")], wishes, secrets, never)
    assert plan.services[0].environment["SIGNALINK_LIMITS_SOCKETS_PER_IP"] == "9"
    assert plan.services[0].environment["SIGNALINK_NODE"] == "mine"


def test_the_page_may_be_opened_by_number_and_by_name_and_nothing_else(secrets: Credentials) -> None:
    api = manifest("api", kind="rest", http=8000, metrics=9100)
    (process,) = layout.design([api], Wishes(), secrets, never).services
    assert process.environment["SIGNALINK_WS_ORIGINS"] == "http://127.0.0.1:8000,http://localhost:8000"


def test_the_api_is_told_where_the_figures_are_and_analytics_gets_its_secret(secrets: Credentials) -> None:
    """Which `/v1/addresses` then tells to the page."""
    api, analytics = load(find("signalink_api")), load(find("signalink_analytics"))
    plan = layout.design([api, analytics], Wishes(), secrets, never)
    by_name = {each.name: each.environment for each in plan.services}
    assert by_name["api-0"]["SIGNALINK_ANALYTICS_URL"] == "http://127.0.0.1:8003"
    assert Path(by_name["analytics-0"]["SIGNALINK_ANALYTICS_SECRET_FILE"]).stat().st_size >= 32
    assert "SIGNALINK_ANALYTICS_SECRET_FILE" not in by_name["api-0"]
