"""A folder of charts that are whole: each with the charts it depends on inside, as `helm dependency build` makes them.

Owns copying, and telling in each Chart.yaml what changed; works without Helm and without a network, since every
dependency is in this repository.
"""

import shutil
from pathlib import Path

import yaml

from signalink_stacks.charts import changes

LIBRARY = "lib"


def vendor(charts: Path, target: Path) -> list[str]:
    """Copy every chart of `charts` to `target`/NAME, replacing what is there; the names, the umbrella last."""
    names = sorted(path.parent.name for path in charts.glob("*/Chart.yaml") if path.parent.name != LIBRARY)
    names.sort(key=lambda name: len(dependencies(charts / name)))
    for name in names:
        _copy(charts / name, target / name)
        for dependency, folder in dependencies(charts / name).items():
            source = target / folder if folder != LIBRARY else charts / LIBRARY
            _copy(source, target / name / "charts" / dependency, whole=folder != LIBRARY)
    _tell_changes(charts.parent / "CHANGELOG.md", [target / name for name in names])
    return names


def _tell_changes(changelog: Path, folders: list[Path]) -> None:
    """In the charts that are installed, not in those inside them; a folder of charts alone has no changelog."""
    if not changelog.is_file():
        return
    told = changelog.read_text(encoding="utf-8")
    for path in (folder / "Chart.yaml" for folder in folders):
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
        document["annotations"] = document.get("annotations", {}) | changes.annotation(told, document["version"])
        path.write_text(yaml.safe_dump(document, sort_keys=False, width=10_000), encoding="utf-8")


def dependencies(chart: Path) -> dict[str, str]:
    """Name of a dependency -> its folder beside this chart."""
    document = yaml.safe_load((chart / "Chart.yaml").read_text(encoding="utf-8"))
    return {one["name"]: one["repository"].rpartition("/")[2] for one in document.get("dependencies", [])}


def _copy(source: Path, target: Path, *, whole: bool = False) -> None:
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(source, target, ignore=None if whole else shutil.ignore_patterns("charts", "schemas"))
