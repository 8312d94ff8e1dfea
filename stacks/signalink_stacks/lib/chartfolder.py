"""Owns where whole charts lie for the Pulumi program: copied once per content, so that no run sees another one's half.

What is in a chart, and that it is whole, is `charts.vendoring`'s work.
"""

import hashlib
import shutil
import tempfile
from pathlib import Path
from typing import Any, Final

import yaml

PLACE: Final = Path("dist/stacks")
KEPT: Final = 4
"""Contents that stay: a program that runs still reads the one before."""


def content(charts: Path) -> str:
    """A hash of every file below `charts`."""
    found = hashlib.sha256()
    for path in sorted(path for path in charts.rglob("*") if path.is_file()):
        found.update(path.relative_to(charts).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return found.hexdigest()[:16]


def whole(root: Path, vendor: Any) -> Path:
    """The folder of whole charts of this checkout. `vendor(charts, folder)` fills it where it is not there yet."""
    charts, place = root / "charts", root / PLACE
    target = place / content(charts)
    if target.is_dir():
        return target
    place.mkdir(parents=True, exist_ok=True)
    beside = Path(tempfile.mkdtemp(prefix=".making-", dir=place))
    try:
        vendor(charts, beside)
        beside.rename(target)
    except OSError:
        shutil.rmtree(beside, ignore_errors=True)
        if not target.is_dir():
            raise
    _forget(place, target)
    return target


def _forget(place: Path, newest: Path) -> None:
    old = sorted((path for path in place.iterdir() if path != newest), key=lambda path: path.stat().st_mtime)
    for path in old[: max(0, len(old) - KEPT + 1)]:
        shutil.rmtree(path, ignore_errors=True)


def charts(root: Path) -> list[str]:
    """Names of the charts that a stack can set values of."""
    found = {path.parent.name for path in (root / "charts").glob("*/Chart.yaml")}
    return sorted(found - {"lib", "signalink"})


def facts(root: Path, chart: str) -> dict[str, Any]:
    """What a chart knows of its service: files/service.yaml, which `make charts` writes."""
    found: dict[str, Any] = yaml.safe_load((root / f"charts/{chart}/files/service.yaml").read_text(encoding="utf-8"))
    return found


def definitions(root: Path) -> list[dict[str, Any]]:
    """The operator's custom resource definitions."""
    return [
        yaml.safe_load(path.read_text(encoding="utf-8")) for path in sorted((root / "operator/crds").glob("*.yaml"))
    ]


def topics(root: Path) -> dict[str, dict[str, Any]]:
    """Name of each of the platform's topics -> spec of its Topic resource."""
    folder = root / "charts/operator/files/topics"
    return {path.stem: yaml.safe_load(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("*.yaml"))}


def small(root: Path) -> dict[str, Any]:
    """Values of the profile `small`: one of everything."""
    found: dict[str, Any] = yaml.safe_load((root / "charts/values-kind.yaml").read_text(encoding="utf-8"))
    return found
