"""A folder of charts that are whole: each with the charts it depends on inside, as `helm dependency build` makes them.

Owns copying; works without Helm and without a network, since every dependency is in this repository.
"""

import shutil
from pathlib import Path

import yaml

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
    return names


def dependencies(chart: Path) -> dict[str, str]:
    """Name of a dependency -> its folder beside this chart."""
    document = yaml.safe_load((chart / "Chart.yaml").read_text(encoding="utf-8"))
    return {one["name"]: one["repository"].rpartition("/")[2] for one in document.get("dependencies", [])}


def _copy(source: Path, target: Path, *, whole: bool = False) -> None:
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(source, target, ignore=None if whole else shutil.ignore_patterns("charts", "schemas"))
