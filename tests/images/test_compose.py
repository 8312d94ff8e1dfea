"""compose.yaml: what is committed is what the manifests say, each container has only what it needs, and is hardened."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from signalink_core.manifest import ServiceManifest
from signalink_stacks.containers import compose, shapes
from signalink_stacks.lib import images
from signalink_stacks.lib.images import Catalogue, Image
from signalink_stacks.local import discovery, layout
from signalink_stacks.local.credentials import Credentials
from signalink_stacks.local.layout import Wishes

ROOT = images.root()
MANIFESTS = {manifest.name: manifest for manifest in discovery.manifests()}
DOCUMENT: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8"))
CONTAINERS: dict[str, Any] = DOCUMENT["services"]
OFFICIAL = {"postgres", "valkey", "kafka", "kafka-format"}
JOBS = [name for name, each in CONTAINERS.items() if each["restart"] == "no"]


def mine(name: str) -> set[str]:
    """The secrets that a container's volume is given."""
    [given] = [word for word in CONTAINERS["secrets"]["command"] if word.startswith(f"--for=/for/{name}=")]
    return set(given.partition("=/for/")[2].partition("=")[2].split(","))


def test_what_is_committed_is_what_is_generated() -> None:
    committed = (ROOT / "compose.yaml").read_text(encoding="utf-8")
    assert committed == compose.text(list(MANIFESTS.values()), images.load())


def test_a_service_has_the_keys_of_the_local_target_and_its_name_inside(tmp_path: Path) -> None:
    plan = layout.design(list(MANIFESTS.values()), Wishes(), Credentials(tmp_path), lambda: 0)
    for process in plan.services:
        name = process.manifest.name
        further = {f"SIGNALINK_{name.upper()}_HOSTS"} if process.http_port else set()
        assert set(CONTAINERS[name]["environment"]) == set(process.environment) | further, name


def test_a_service_runs_its_image_and_is_asked_for_its_own_readiness() -> None:
    catalogue = images.load()
    for name, manifest in MANIFESTS.items():
        container = CONTAINERS[name]
        assert container["image"] == catalogue.named(name).reference
        assert "entrypoint" not in container
        assert container["healthcheck"]["test"][-2:] == ["signalink_core.health", manifest.health.ready]
        assert container["environment"]["SIGNALINK_METRICS_PORT"] == str(manifest.ports.metrics)


def test_only_public_ports_are_published_and_only_on_loopback() -> None:
    published = {name: each["ports"] for name, each in CONTAINERS.items() if "ports" in each}
    wanted = {name: m.ports.http for name, m in MANIFESTS.items() if m.ports.http is not None}
    assert published == {name: [f"127.0.0.1:{port}:{port}"] for name, port in wanted.items()}


@pytest.mark.parametrize("name", sorted(CONTAINERS))
def test_every_container_is_hardened_and_bounded(name: str) -> None:
    container = CONTAINERS[name]
    assert container["read_only"] is True
    assert container["cap_drop"] == ["ALL"]
    assert container["security_opt"] == ["no-new-privileges:true"]
    assert container["logging"]["options"]["max-size"]
    assert {"memory", "pids"} <= set(container["deploy"]["resources"]["limits"])
    assert not container.get("privileged")
    assert container["user"] == ("0:0" if name == "secrets" else "10001:10001")
    assert container.get("cap_add", []) == (["CHOWN"] if name == "secrets" else [])


def test_the_container_that_is_root_has_no_network() -> None:
    assert CONTAINERS["secrets"]["network_mode"] == "none"
    assert "ports" not in CONTAINERS["secrets"]


@pytest.mark.parametrize("name", sorted(set(CONTAINERS) - {"secrets"}))
def test_a_container_sees_its_own_secrets_and_no_others(name: str) -> None:
    mounts = [mount for mount in CONTAINERS[name]["volumes"] if isinstance(mount, str)]
    assert mounts == [f"secrets-{name}:/run/secrets:ro"]
    text = json.dumps(CONTAINERS[name])
    used = set(re.findall(r"/run/secrets/signalink/([\w.-]+)", text))
    used |= {"auth-keys"} if "/run/secrets/signalink-auth-keys" in text else set()
    made = {"server.properties": "kafka-node", "format.arguments": "kafka-node"}
    told = {made.get(each, each) for each in used}
    if name == "postgres-roles":
        assert all(each.startswith("postgres-") for each in mine(name))
        assert told <= mine(name)
    else:
        assert told == mine(name)


def test_a_service_has_no_other_principal_s_word() -> None:
    for name in MANIFESTS:
        words = {each for each in mine(name) if each.startswith(("postgres-", "redis-", "kafka-"))}
        assert {each.partition("-")[2] for each in words} == {name}


def test_no_secret_stands_in_the_file() -> None:
    for container in CONTAINERS.values():
        for key, value in container.get("environment", {}).items():
            if re.search("PASSWORD|SECRET|TOKEN|KEYS", key):
                assert value.startswith("/run/secrets/"), key
            assert not re.search(r"://[^/@]+:[^/@]+@", value), key


def test_everything_that_is_waited_for_exists_and_nothing_waits_in_a_circle() -> None:
    waits = {name: set(each.get("depends_on", {})) for name, each in CONTAINERS.items()}
    assert set().union(*waits.values()) <= set(CONTAINERS)
    ready: set[str] = set()
    while len(ready) < len(waits):
        free = {name for name, needs in waits.items() if needs <= ready} - ready
        assert free, f"in a circle: {set(waits) - ready}"
        ready |= free


def test_jobs_are_waited_for_to_their_end_and_the_rest_until_healthy() -> None:
    for name, container in CONTAINERS.items():
        for needed, how in container.get("depends_on", {}).items():
            wanted = shapes.DONE if needed in JOBS else shapes.HEALTHY
            assert how["condition"] == wanted, f"{name} waits for {needed}"
            assert needed in JOBS or "healthcheck" in CONTAINERS[needed]


def test_a_service_starts_after_what_its_manifest_needs() -> None:
    def before(name: str) -> set[str]:
        direct = set(CONTAINERS[name].get("depends_on", {}))
        return direct.union(*(before(each) for each in direct))

    for name, manifest in MANIFESTS.items():
        engines = {"postgres": "postgres", "redis": "valkey", "kafka": "kafka"}
        assert {engines.get(need, need) for need in manifest.needs} <= before(name), name
        if "postgres" in manifest.needs:
            assert {f"migrate-{each.name}" for each in MANIFESTS.values() if each.database} <= before(name)
        if "kafka" in manifest.needs:
            assert "topics" in before(name)


def test_data_keep_the_owner_that_the_first_container_gave_them() -> None:
    """An engine would copy the owner of the image's folder onto an empty volume."""
    mounts = [mount for each in CONTAINERS.values() for mount in each["volumes"] if not isinstance(mount, str)]
    assert {mount["source"] for mount in mounts} >= {"postgres", "kafka"}
    assert all(mount["volume"] == {"nocopy": True} for mount in mounts)


def test_engines_run_official_images_and_all_else_ours() -> None:
    repositories = {name: each["image"].partition(":")[0] for name, each in CONTAINERS.items()}
    assert {name for name, found in repositories.items() if not found.startswith("signalink/")} == OFFICIAL
    assert all(("build" in each) == (name not in OFFICIAL) for name, each in CONTAINERS.items())


def test_once_ours_have_a_digest_they_are_pulled_and_not_built() -> None:
    digest = "sha256:" + "b" * 64
    pinned = tuple(Image(**(image.model_dump() | {"digest": digest})) for image in images.load())
    found = compose.document(list(MANIFESTS.values()), Catalogue(version=1, images=pinned))["services"]
    assert all(each["image"].endswith(f"@{digest}") and "build" not in each for each in found.values())


def test_another_service_needs_no_line_of_code() -> None:
    """A generated service under an account that exists: everything about it follows from its manifest."""
    extra = ServiceManifest.model_validate(
        {
            "name": "prober",
            "kind": "rest",
            "command": ["python", "-m", "signalink_prober"],
            "needs": ["postgres", "api"],
            "ports": {"http": 8055, "metrics": 9155},
            "health": {"ready": "/ready"},
            "resources": {"cpu": "1", "memory": "1Gi"},
        }
    )
    others = [manifest for name, manifest in MANIFESTS.items() if name != "prober"]
    container = compose.document([*others, extra], images.load())["services"]["prober"]
    assert container["ports"] == ["127.0.0.1:8055:8055"]
    assert container["healthcheck"]["test"][-1] == "/ready"
    assert container["deploy"]["resources"]["limits"]["memory"] == "1g"
    assert set(container["depends_on"]) == {"secrets", "migrate-notifications", "api"}


def test_people_and_services_are_told_different_addresses_where_they_differ() -> None:
    api, gateway, prober = (CONTAINERS[name]["environment"] for name in ("api", "gateway", "prober"))
    assert api["SIGNALINK_GATEWAY_URL"] == "ws://localhost:8001/v1/socket"
    assert api["SIGNALINK_API_HOSTS"] == "api"
    assert gateway["SIGNALINK_API_URL"] == prober["SIGNALINK_API_URL"] == "http://api:8000"
    assert prober["SIGNALINK_GATEWAY_URLS"] == "ws://gateway:8001/v1/socket"
    assert api["SIGNALINK_WS_ORIGINS"] == "http://localhost:8000,http://127.0.0.1:8000"
