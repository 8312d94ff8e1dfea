"""The public API lets through what the services' documents say, each path to its service."""

import json
from fnmatch import fnmatchcase

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
    names = registry.repositories(catalogue, registry.prefix("lab"))
    assert set(names) == {image.repository for image in catalogue if image.role != "base"}
    assert len(set(names.values())) == len(names)
    assert names["apache/kafka"] == "signalink-lab-images/apache/kafka"


def test_of_builds_the_newest_thirty_stay_and_signatures_are_counted_apart() -> None:
    rules = registry.lifecycle()["rules"]
    assert [rule["rulePriority"] for rule in rules] == [1, 2, 3]
    kept = {rule["selection"].get("tagPatternList", ("untagged",))[0]: rule["selection"] for rule in rules}
    assert {pattern: each["countNumber"] for pattern, each in kept.items()} == {
        "untagged": 7, "build-*": 30, "sha256-*": 60,
    }  # fmt: skip
    assert all(each["tagStatus"] != "any" for each in kept.values()), "it would count signatures as images"
    counted = [pattern for pattern in kept if fnmatchcase("build-0a1b2c3d4e5f", pattern)]
    assert counted == ["build-*"]
    assert not any(fnmatchcase(tag, pattern) for tag in ("4.4.0", "18", "v3.16.0") for pattern in kept)
