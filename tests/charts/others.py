"""Charts of others as checkov counts them: fetched by helm, rendered with their defaults, their figures in others.json.

A chart that cannot be had keeps its last figure, with the day of it. `helm create` needs no network.
"""

import datetime
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import yaml
from charting import Loader, Object

FIGURES = Path(__file__).with_name("others.json")
SECONDS = 120
CREATE = "`helm create`"


@dataclass(frozen=True)
class Source:
    """`chart` in the repository at `url`, without one in the registry of OCI. `sets`: what it cannot be without."""

    chart: str
    url: str = ""
    sets: tuple[str, ...] = ()


OCI = "SIGNALINK_SCORES_OCI"
"""Names the registry of the charts that are in no repository, as oci://HOST (their READMEs say which)."""
GRAFANA = "https://grafana.github.io/helm-charts"
SOURCES: dict[str, Source] = {
    "strimzi operator": Source("strimzi-kafka-operator", "https://strimzi.io/charts"),
    "stakater/application": Source("application", "https://stakater.github.io/stakater-charts"),
    "valkey-operator": Source("valkey-operator", "https://valkey.io/valkey-helm"),
    "CloudPirates kafka": Source("cloudpirates/kafka"),
    "CloudPirates redis": Source("cloudpirates/redis"),
    "CloudPirates valkey": Source("cloudpirates/valkey"),
    "CloudPirates postgres": Source("cloudpirates/postgres"),
    "CloudNativePG operator": Source("cloudnative-pg", "https://cloudnative-pg.github.io/charts"),
    "valkey-helm": Source("valkey", "https://valkey.io/valkey-helm"),
    "grafana": Source("grafana", GRAFANA),
    "tempo": Source("tempo", GRAFANA),
    "otel-collector": Source(
        "opentelemetry-collector",
        "https://open-telemetry.github.io/opentelemetry-helm-charts",
        ("mode=deployment", "image.repository=otel/opentelemetry-collector-contrib"),
    ),
    "podinfo": Source("podinfo", "https://stefanprodan.github.io/podinfo"),
}


@dataclass(frozen=True)
class Figure:
    """`version`: of the chart; `by`: what counted. Empty where that was not written down."""

    passed: int
    failed: int
    day: str
    version: str = ""
    by: str = ""


class CannotBeHad(Exception):
    """The chart did not come or did not render; the text says why."""


def figures() -> dict[str, Figure]:
    """The last ones."""
    document: dict[str, Any] = json.loads(FIGURES.read_text(encoding="utf-8"))
    return {name: Figure(**figure) for name, figure in document.items()}


def write(found: Mapping[str, Figure]) -> None:
    text = json.dumps({name: asdict(found[name]) for name in sorted(found)}, indent=1)
    FIGURES.write_text(f"{text}\n", encoding="utf-8")


def fetched(name: str, folder: Path) -> Path:
    """The chart's folder. Raises CannotBeHad."""
    if name == CREATE:
        helm("create", str(folder / "chart"))
        return folder / "chart"
    source = SOURCES[name]
    registry = os.environ.get(OCI, "")
    if not source.url and not registry:
        raise CannotBeHad(f"it is in a registry; set {OCI}=oci://HOST")
    where = [source.chart, "--repo", source.url] if source.url else [f"{registry}/{source.chart}"]
    helm("pull", *where, "--untar", "--untardir", str(folder))
    (chart,) = [path.parent for path in folder.glob("*/Chart.yaml")]
    return chart


def rendered(name: str, chart: Path) -> list[Object]:
    """What `helm template` makes of its defaults, without test pods and definitions. Raises CannotBeHad."""
    sets = [f"--set={one}" for one in SOURCES[name].sets] if name in SOURCES else []
    text = helm("template", "chart", str(chart), "--namespace", "chart", "--skip-tests", *sets)
    found = [one for one in yaml.load_all(text, Loader=Loader) if one]
    return [one for one in found if one["kind"] != "CustomResourceDefinition"]


def helm(*arguments: str) -> str:
    try:
        done = subprocess.run(["helm", *arguments], capture_output=True, text=True, timeout=SECONDS, check=False)
    except FileNotFoundError:
        raise CannotBeHad("there is no helm on PATH") from None
    except subprocess.TimeoutExpired:
        raise CannotBeHad(f"helm {arguments[0]} took more than {SECONDS} s") from None
    if done.returncode:
        raise CannotBeHad((done.stderr.strip().splitlines() or [f"helm {arguments[0]} failed"])[-1])
    return done.stdout


Count = Callable[[dict[str, list[Object]]], Mapping[str, Any]]
"""Name -> objects to name -> score (`passed`, `failed`)."""


def measured(names: list[str], count: Count, by: str) -> tuple[dict[str, Figure], dict[str, str]]:
    """(figures of today, why not) for each name."""
    today = datetime.datetime.now(datetime.UTC).date().isoformat()
    objects: dict[str, list[Object]] = {}
    versions: dict[str, str] = {}
    missing: dict[str, str] = {}
    for name in names:
        folder = Path(tempfile.mkdtemp(prefix="signalink-others-"))
        try:
            chart = fetched(name, folder)
            versions[name] = str(yaml.safe_load((chart / "Chart.yaml").read_text(encoding="utf-8"))["version"])
            objects[name] = rendered(name, chart)
        except CannotBeHad as error:
            missing[name] = str(error)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
    files = {name: f"chart-{number}" for number, name in enumerate(objects)}
    scores = count({files[name]: objects[name] for name in objects}) if objects else {}
    found = {
        name: Figure(scores[file].passed, len(scores[file].failed), today, versions[name] if name != CREATE else "", by)
        for name, file in files.items()
    }
    return found, missing
