"""The public API lets through what the services' documents say, each path to its service."""

import json

import pytest

from signalink_core.errors import ConfigurationError
from signalink_stacks.lib import registry, routes
from signalink_stacks.lib.images import load, root
from signalink_stacks.lib.routes import Route


def test_routes_are_the_paths_of_the_openapi_documents_and_the_page() -> None:
    documented = {
        f"ANY {path}"
        for name in root().glob("docs/api/*openapi.json")
        for path in json.loads(name.read_text(encoding="utf-8"))["paths"]
    }
    found = routes.read(root())
    assert {route.key for route in found} == documented | set(routes.PAGE)
    assert len({route.key for route in found}) == len(found)


def test_each_beginning_of_a_path_is_one_services() -> None:
    found = routes.prefixes(routes.read(root()))
    assert found["analytics"] == ("/v1/analytics",)
    assert set(found) == {"api", "analytics", "notifications"}
    assert len(found["notifications"]) * 2 <= 10, "a rule of a load balancer takes few patterns"


def test_two_services_with_the_same_beginning_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="/v1/users"):
        routes.prefixes([Route("ANY /v1/users/me", "api"), Route("ANY /v1/users/{user_id}", "analytics")])


def test_every_image_that_a_pod_can_run_has_a_repository() -> None:
    catalogue = load()
    names = registry.repositories(catalogue, "lab")
    assert set(names) == {image.repository for image in catalogue if image.role != "base"}
    assert len(set(names.values())) == len(names)
    moved = registry.image_map("1.dkr.ecr.eu-central-1.amazonaws.com", names)
    assert moved["signalink/api"] == "1.dkr.ecr.eu-central-1.amazonaws.com/lab/signalink/api"


def test_old_images_go_and_the_newest_stay() -> None:
    rules = registry.lifecycle()["rules"]
    assert [rule["selection"]["countNumber"] for rule in rules] == [7, 30]
    assert [rule["rulePriority"] for rule in rules] == [1, 2]
