"""Renders the charts for the tests: whole copies of them, a Helm, and every pair of chart and values only once.

Helm is a library here (package `helm-python-sdk`), so no program is needed. A render is objects, notes and text.
"""

import copy
import functools
import hashlib
import json
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import helm_python
import yaml

from signalink_stacks.charts.vendoring import vendor

ROOT = Path(__file__).resolve().parents[2]
CHARTS = ROOT / "charts"
RELEASE, NAMESPACE = "chat", "signalink"
SERVICES = ("analytics", "api", "gateway", "notifications", "operator", "prober", "relay")
ENGINES = ("kafka", "postgres", "valkey")
OBSERVERS = ("alertmanager", "grafana", "jaeger", "otel-collector", "prometheus")
UMBRELLA = "signalink"
ALL = (*SERVICES, *ENGINES, *OBSERVERS, UMBRELLA)
MONITORING = [f"monitoring.coreos.com/v1/{kind}" for kind in ("ServiceMonitor", "PodMonitor", "PrometheusRule")]
SECONDS = 60
Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
Object = dict[str, Any]
Values = dict[str, Any]


def digest(repository: str) -> str:
    """A digest that nobody has, for images that nobody built yet."""
    return f"sha256:{hashlib.sha256(repository.encode()).hexdigest()}"


REPOSITORIES = (
    *(f"signalink/{name}" for name in SERVICES),
    "postgres",
    "valkey/valkey",
    "apache/kafka",
    "prometheuscommunity/postgres-exporter",
    "oliver006/redis_exporter",
    "danielqsj/kafka-exporter",
    "prom/prometheus",
    "prom/alertmanager",
    "grafana/grafana",
    "otel/opentelemetry-collector-contrib",
    "jaegertracing/jaeger",
)
RELEASED: Values = {"global": {"imageDigests": {name: digest(name) for name in REPOSITORIES}}}
"""What a release has filled in: a digest for every image."""


class Refused(Exception):
    """Helm would not render; the text is its message."""


def helm() -> str | None:
    """The program, where there is one."""
    return shutil.which("helm")


@dataclass(frozen=True)
class Rendered:
    """`notes`: what a user reads after the installation, of the chart itself."""

    chart: str
    objects: tuple[Object, ...]
    notes: str
    manifests: tuple[str, ...]
    """Texts of the objects, each beginning with the template it comes from; sorted by that."""

    @property
    def text(self) -> str:
        return "---\n".join(self.manifests)

    def of(self, *kinds: str) -> list[Object]:
        return [one for one in self.objects if one["kind"] in kinds]

    def lasting(self, *kinds: str) -> list[Object]:
        """Without what is there only while promises are shown."""
        return [one for one in self.of(*kinds) if one["metadata"].get("annotations", {}).get("helm.sh/hook") != "test"]

    def one(self, kind: str) -> Object:
        (found,) = self.lasting(kind)
        return found


@functools.cache
def whole_charts() -> Path:
    """Every chart with its dependencies inside, in a folder that lives as long as this process, notes made visible."""
    folder = Path(_keep(tempfile.TemporaryDirectory(prefix="signalink-charts-")).name)
    vendor(CHARTS, folder)
    for notes in folder.glob("*/templates/NOTES.txt"):
        show_notes(notes)
    return folder


_KEPT: list[tempfile.TemporaryDirectory[str]] = []


def _keep(folder: tempfile.TemporaryDirectory[str]) -> tempfile.TemporaryDirectory[str]:
    _KEPT.append(folder)
    return folder


def show_notes(notes: Path) -> None:
    """`helm template` prints no notes: a template beside them does, as an object of kind Notes."""
    chart, body = notes.parents[1].name, notes.read_text(encoding="utf-8").strip()
    shown = f'apiVersion: x/v1\nkind: Notes\nchart: {chart}\ntext: {{{{ include "notes-{chart}" . | toJson }}}}\n'
    shown += f'{{{{- define "notes-{chart}" }}}}{body}{{{{ end }}}}\n'
    notes.with_name("zz-notes.yaml").write_text(shown, encoding="utf-8")


def render(chart: str, values: Values | None = None, release: str = RELEASE) -> Rendered:
    """One of our charts, all digests given. Raises Refused with Helm's message."""
    return _cached(chart, json.dumps(merged(RELEASED, values or {}), sort_keys=True), release)


@functools.cache
def _cached(chart: str, values: str, release: str) -> Rendered:
    return render_folder(whole_charts() / chart, json.loads(values), release)


def render_folder(folder: Path, values: Values, release: str = RELEASE, namespace: str = NAMESPACE) -> Rendered:
    """Any whole chart, by Helm as a library. Raises Refused."""
    chart = helm_python.Chart.load(folder)
    try:
        found = chart.render(values, name=release, namespace=namespace)
    except helm_python.HelmError as error:
        raise Refused(str(error)) from error
    finally:
        chart.close()
    return _rendered(folder.name, [(path, text) for path, text in found.items() if not path.endswith(".txt")])


def render_by_program(folder: Path, values: Values, release: str = RELEASE) -> Rendered:
    """The same by `helm template`."""
    command = ["helm", "template", release, str(folder), "--namespace", NAMESPACE, "--values", "-"]
    environment = {key: value for key, value in os.environ.items() if key != "KUBECONFIG"}
    done = subprocess.run(
        command, input=json.dumps(values), capture_output=True, text=True, timeout=SECONDS, env=environment, check=False
    )
    if done.returncode:
        raise Refused(done.stderr)
    parts = [part.partition("\n") for part in re.split(r"^---\n# Source: ", done.stdout, flags=re.MULTILINE)[1:]]
    return _rendered(folder.name, [(source, text) for source, _, text in parts])


def _rendered(chart: str, templates: list[tuple[str, str]]) -> Rendered:
    manifests: list[tuple[str, int, str]] = []
    objects: list[Object] = []
    notes = ""
    for source, text in sorted(templates, key=lambda one: one[0]):
        for number, part in enumerate(re.split(r"^---\s*$", text, flags=re.MULTILINE)):
            found = yaml.load(part, Loader=Loader)  # noqa: S506 - the C twin of the safe loader
            if found is None:
                continue
            if found["kind"] == "Notes":
                notes += found["text"] if found["chart"] == chart else ""
                continue
            objects.append(found)
            manifests.append((source, number, f"# Source: {source}\n{part.strip()}\n"))
    return Rendered(chart, tuple(objects), notes, tuple(text for _, _, text in manifests))


def merged(first: Values, second: Values) -> Values:
    """Helm's way: maps are merged, everything else is replaced."""
    result = copy.deepcopy(first)
    for key, value in second.items():
        old = result.get(key)
        result[key] = merged(old, value) if isinstance(old, dict) and isinstance(value, dict) else copy.deepcopy(value)
    return result


def values_at(path: str, value: Any) -> Values:
    """{"a": {"b": value}} for "a.b"."""
    for part in reversed(path.split(".")):
        value = {part: value}
    return dict(value)


def pods(objects: tuple[Object, ...] | list[Object]) -> Iterator[tuple[str, Object, Object]]:
    """(who, pod metadata, pod spec) of everything that runs."""
    for one in objects:
        who = f"{one['kind']} {one['metadata']['name']}"
        if one["kind"] == "Pod":
            yield who, one["metadata"], one["spec"]
        elif one["kind"] in {"Deployment", "StatefulSet", "Job", "DaemonSet"}:
            yield who, one["spec"]["template"]["metadata"], one["spec"]["template"]["spec"]
        elif one["kind"] == "CronJob":
            template = one["spec"]["jobTemplate"]["spec"]["template"]
            yield who, template["metadata"], template["spec"]


def containers(objects: tuple[Object, ...] | list[Object]) -> Iterator[tuple[str, Object]]:
    """(who, container), init containers too."""
    for who, _, spec in pods(objects):
        for container in (*spec.get("initContainers", ()), *spec["containers"]):
            yield f"{who}: {container['name']}", container


def main_container(rendered: Rendered) -> Object:
    """The container that serves."""
    found: Object = rendered.of("Deployment", "StatefulSet")[0]["spec"]["template"]["spec"]["containers"][0]
    return found
