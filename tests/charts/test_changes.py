"""What Artifact Hub tells of a chart: its images as images.yaml has them, its changes as the changelog has them."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from charting import ALL, CHARTS, ENGINES, OBSERVERS, ROOT, UMBRELLA, whole_charts

from signalink_stacks.charts import catalogue, changes
from signalink_stacks.charts.vendoring import vendor
from signalink_stacks.charts.writing import read_images

TEXT = """# Changelog

## [Unreleased]

### Added

- A thing, told
  in two lines, by [0001](docs/decisions/0001.md).

### Fixed

- **First**: `a: b`.
- Second.

### Notes

- Not of the form.

## [0.2.0] - 2026-01-02

### Removed

- An old thing.
"""


def annotations(folder: Path) -> dict[str, Any]:
    document = yaml.safe_load((folder / "Chart.yaml").read_text(encoding="utf-8"))
    return {key: yaml.safe_load(text) for key, text in document["annotations"].items()}


def test_changes_are_those_of_the_version_and_else_what_is_not_released() -> None:
    assert changes.of_version(TEXT, "0.2.0") == [{"kind": "removed", "description": "An old thing."}]
    assert changes.of_version(TEXT, "0.3.0") == [
        {"kind": "added", "description": "A thing, told in two lines, by 0001."},
        {"kind": "fixed", "description": "First: `a: b`."},
        {"kind": "fixed", "description": "Second."},
    ]
    assert changes.annotation("# Changelog\n", "0.2.0") == {}


@pytest.mark.parametrize("chart", ALL)
def test_a_whole_chart_tells_every_change_of_the_changelog(chart: str) -> None:
    version = yaml.safe_load((CHARTS / chart / "Chart.yaml").read_text(encoding="utf-8"))["version"]
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    of_version, rest = re.compile(rf"^## \[{re.escape(version)}\]", re.MULTILINE), text.partition("## [Unreleased]")[2]
    section = re.split(r"^## \[", of_version.split(text)[1] if of_version.search(text) else rest, flags=re.MULTILINE)[0]
    told = annotations(whole_charts() / chart)[changes.ANNOTATION]
    assert len(told) == len(re.findall(r"^- ", section, flags=re.MULTILINE)) > 0
    first = " ".join(re.findall(r"^- (.*)$", section, flags=re.MULTILINE)[0].split())
    assert told[0]["description"].startswith(first.partition("[")[0].replace("**", ""))
    assert {change["kind"] for change in told} <= {kind.lower() for kind in changes.KINDS}
    inside = list((whole_charts() / chart / "charts").glob("*/Chart.yaml"))
    assert inside and not [path for path in inside if changes.ANNOTATION in path.read_text(encoding="utf-8")]


@pytest.mark.parametrize("chart", [*ENGINES, *OBSERVERS])
def test_the_images_of_a_chart_are_those_of_the_list(chart: str) -> None:
    images = read_images(CHARTS / "images.yaml")
    known = {f"{image['repository']}:{image['tag']}" for image in images.values()}
    told = [image["image"] for image in annotations(CHARTS / chart)["artifacthub.io/images"]]
    own = images[catalogue.ENGINES[chart]["image"] if chart in ENGINES else chart]
    assert told[0] == f"{own['repository']}:{own['tag']}"
    assert [image for image in told if image not in known and not image.startswith("signalink/")] == []


def test_charts_without_a_changelog_beside_them_are_copied_as_they_are(tmp_path: Path) -> None:
    (tmp_path / "charts").symlink_to(CHARTS)
    vendor(tmp_path / "charts", tmp_path / "whole")
    assert changes.ANNOTATION not in (tmp_path / f"whole/{UMBRELLA}/Chart.yaml").read_text(encoding="utf-8")
