"""charts/images.yaml: one entry per image, no host, no moving tag, and a release without a digest is refused."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from signalink_core.errors import ConfigurationError
from signalink_core.manifest import find, load
from signalink_stacks.lib import images

DIGEST = "sha256:" + "a" * 64


def entry(**changes: Any) -> dict[str, Any]:
    base = {"name": "python", "repository": "python", "tag": "3.11", "digest": "", "licence": "PSF-2.0", "role": "base"}
    return base | changes


def document(*entries: dict[str, Any]) -> dict[str, Any]:
    return {"version": 1, "images": list(entries)}


def test_the_file_is_right_and_names_every_service_by_its_name() -> None:
    catalogue = images.load()
    services = {path.parent.name for path in images.root().glob("services/*/service.toml")} | {"operator"}
    assert {image.name for image in catalogue.services()} == services
    assert all(image.repository == f"signalink/{image.name}" for image in catalogue.services())
    assert load(find("signalink_operator")).name == "operator"


def test_our_tag_is_the_product_s_version() -> None:
    pyproject = (images.root() / "pyproject.toml").read_text(encoding="utf-8")
    assert all(f'\nversion = "{image.tag}"\n' in pyproject for image in images.load().services())


def test_a_reference_has_the_tag_for_people_and_the_digest_for_engines() -> None:
    found = images.parse(document(entry(), entry(name="b", repository="x/b", role="backing", digest=DIGEST)), "x")
    assert [image.reference for image in found] == ["python:3.11", f"x/b:3.11@{DIGEST}"]
    assert found.unpinned() == ["python"]


def test_a_release_with_an_image_without_a_digest_is_refused_by_name() -> None:
    with pytest.raises(ConfigurationError, match="python have none") as caught:
        images.parse(document(entry()), "x", release=True)
    assert "signalink images pin" in str(caught.value.next_step)
    assert images.parse(document(entry(digest=DIGEST)), "x", release=True).base.digest == DIGEST


@pytest.mark.parametrize(
    ("faulty", "said"),
    [
        (entry(digest="sha256:123"), "digest"),
        (entry(digest="latest"), "digest"),
        (entry(tag="latest"), "names another image tomorrow"),
        (entry(repository="mirror.example/python"), "begins with the host mirror.example"),
        (entry(repository="localhost/python"), "begins with the host localhost"),
        (entry(repository="Upper/case"), "repository"),
        (entry(licence="see the site"), "licence"),
        (entry(role="sidecar"), "role"),
        (entry(platform="amd64"), "platform"),
        (entry(name="Bad_Name"), "name"),
    ],
)
def test_a_wrong_entry_is_named(faulty: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        images.parse(document(faulty), "x")


@pytest.mark.parametrize(
    ("second", "said"),
    [
        (entry(role="backing", repository="other"), "the name python stands there twice"),
        (entry(name="other", role="backing"), "the repository python stands there twice"),
        (entry(name="other", repository="other"), "exactly one image has the role base"),
    ],
)
def test_an_entry_that_does_not_go_with_another_is_named(second: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        images.parse(document(entry(), second), "x")


def test_a_file_that_is_away_or_is_no_yaml_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="cannot be read"):
        images.load(tmp_path / "none.yaml")
    (tmp_path / "bad.yaml").write_text("a: [")
    with pytest.raises(ConfigurationError, match="is not YAML"):
        images.load(tmp_path / "bad.yaml")
    (tmp_path / "list.yaml").write_text(yaml.safe_dump([1]))
    with pytest.raises(ConfigurationError, match="valid dictionary"):
        images.load(tmp_path / "list.yaml")
