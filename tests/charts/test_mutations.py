"""Each row of the checklist can fail: a template is damaged in one place, and exactly that row says so."""

import functools
import json
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import checklist
import checklist_renders
import pytest
from charting import RELEASED, Rendered, Values, merged, render_folder, whole_charts
from test_checklist import manifests

LIBRARY = "charts/signalink-lib/templates"


@dataclass(frozen=True)
class Damage:
    """In chart's `file`, `old` becomes `new`; `values` bring the damaged place out."""

    row: str
    chart: str
    file: str
    old: str
    new: str
    values: Values = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.row}-{self.chart}"


def library(row: str, file: str, old: str, new: str, chart: str = "api", **values: object) -> Damage:
    return Damage(row, chart, f"{LIBRARY}/_{file}.tpl", old, new, values)


DAMAGES = [
    library("H01", "security", "    drop: [ALL]", "    drop: [NET_RAW]"),
    library(
        "H01",
        "security",
        "  runAsNonRoot: true\n  runAsUser: {{ .Values.securityContext.runAsUser | int64 }}\n"
        "  runAsGroup: {{ .Values.securityContext.runAsGroup | int64 }}\n  capabilities",
        "  runAsUser: 999\n  runAsGroup: 999\n  capabilities",
    ),
    library("H02", "security", "readOnlyRootFilesystem: true", "readOnlyRootFilesystem: false"),
    library(
        "H02",
        "volumes",
        "- name: tmp\n  emptyDir:\n    sizeLimit: {{ .Values.tmp.sizeLimit | quote }}",
        "- name: tmp\n  emptyDir: {}",
    ),
    library("H03", "security", "automountServiceAccountToken: false\nenableServiceLinks", "enableServiceLinks"),
    library("H04", "security", "serviceAccountName: {{ include", "serviceAccountName: other-{{ include"),
    Damage("H04", "operator", "files/rbac/clusterrole-operator.yaml", "- topics\n", "- '*'\n"),
    library("H05", "resources", "  limits:\n    {{- toYaml .limits | nindent 4 }}\n", ""),
    library("H06", "resources", "readinessProbe:\n", "readinessProbes:\n"),
    library(
        "H06",
        "resources",
        "livenessProbe:\n  httpGet: {path: {{ if $faults.unhealthy }}/unhealthy-on-purpose{{ else }}"
        "{{ .Values.probes.live }}",
        "livenessProbe:\n  httpGet: {path: {{ if $faults.unhealthy }}/x{{ else }}/readyz",
    ),
    library(
        "H06", "resources", "mul (int .Values.probes.startupSeconds) 3", "mul (int .Values.probes.startupSeconds) 0"
    ),
    library(
        "H07",
        "workload",
        "          lifecycle:\n            preStop:\n              sleep:\n                seconds: "
        "{{ .Values.shutdown.preStopSeconds }}\n",
        "",
    ),
    library("H07", "workload", "add .Values.shutdown.preStopSeconds .Values.shutdown.drainSeconds 5", "add 5 5"),
    library("H08", "availability", "  unhealthyPodEvictionPolicy: AlwaysAllow\n", ""),
    library("H08", "availability", "(gt $pods 1)", "(gt $pods 0)", replicaCount=1),
    library(
        "H09",
        "workload",
        "{{- if not (.Values.autoscaling | default dict).enabled }}",
        "{{- if true }}",
        autoscaling={"enabled": True},
    ),
    library("H09", "workload", "maxUnavailable: 0", "maxUnavailable: 1"),
    library(
        "H10",
        "network",
        '  policyTypes: [Ingress, Egress]\n  ingress:\n    {{- include "signalink-lib.ingressRules"',
        '  policyTypes: [Ingress]\n  ingress:\n    {{- include "signalink-lib.ingressRules"',
    ),
    library(
        "H10",
        "network",
        "{{- range concat $s.neededBy",
        "- namespaceSelector: {}\n        {{- range concat $s.neededBy",
        chart="postgres",
    ),
    library(
        "H11",
        "secrets",
        "{{ list .Values.settings .Values.faults",
        "{{ list .Values.podAnnotations .Values.settings .Values.faults",
    ),
    library("H11", "secrets", "checksum/secret: {{ list $source", "checksum/secret: {{ list 1"),
    library(
        "H12",
        "bindings",
        "  value: /run/secrets/signalink/{{ $what }}-{{ index . 2 }}",
        "  valueFrom: {secretKeyRef: {name: x, key: y}}",
    ),
    Damage(
        "H12",
        "valkey",
        f"{LIBRARY}/_backing.tpl",
        "The words of the principals are in",
        '{{ include "signalink-lib.authSecret" . }} are in',
    ),
    library("H13", "monitor", "- port: metrics", "- port: http-metrics"),
    library(
        "H13", "monitor", "{{- if and .Values.metrics.enabled (include", "{{- if or .Values.metrics.enabled (include"
    ),
    library("H14", "image", '@%s" $name (ternary', '%s" $name (ternary'),
    library("H14", "image", '{{ $image.pullPolicy | default "Always" }}', "IfNotPresent"),
    library("H15", "labels", "namespace: {{ $top.Release.Namespace | quote }}\n", ""),
    library("H15", "labels", "app.kubernetes.io/part-of: signalink\n", ""),
    library("H16", "notes", "Address: {{ $url }} after", "At: {{ $url }} after"),
    library(
        "H16",
        "ingress",
        'name: {{ include "signalink-lib.fullname" . | quote }}\n                port',
        "name: other\n                port",
    ),
    library("H17", "backing", "persistentVolumeClaimRetentionPolicy:", "retentionPolicy:", chart="postgres"),
    library("H18", "workload", "revisionHistoryLimit: 3", "revisionHistoryLimit: 4"),
]


@pytest.fixture
def damaged(request: pytest.FixtureRequest) -> Iterator[tuple[Damage, Path]]:
    """A whole copy of the chart with the damage done."""
    damage: Damage = request.param
    with tempfile.TemporaryDirectory(prefix="signalink-damage-") as folder:
        chart = Path(shutil.copytree(whole_charts() / damage.chart, Path(folder) / damage.chart))
        file = chart / damage.file
        text = file.read_text(encoding="utf-8")
        assert damage.old in text, f"{damage.file} has no {damage.old!r} to damage"
        file.write_text(text.replace(damage.old, damage.new), encoding="utf-8")
        yield damage, chart


def complaints(chart: Path, values: Values) -> set[str]:
    """The rows that find something. H18 finds every difference, so it counts only where no other row does."""

    @functools.cache
    def cached(text: str) -> Rendered:
        return render_folder(chart, json.loads(text))

    def render(_: str, more: Values) -> Rendered:
        return cached(json.dumps(merged(merged(RELEASED, values), more), sort_keys=True))

    subject = checklist.Subject(render(chart.name, {}), "defaults", manifests())
    found = {name for name, row in checklist.ROWS.items() if row(subject)}
    rows = {name: row for name, row in checklist_renders.ROWS.items() if checklist_renders.applies(name, chart.name)}
    found |= {name for name, row in rows.items() if name != "H18" and row(chart.name, render)}
    return found or {name for name, row in rows.items() if name == "H18" and row(chart.name, render)}


@pytest.mark.parametrize("damaged", DAMAGES, ids=str, indirect=True)
def test_a_damaged_template_fails_its_row_and_no_other(damaged: tuple[Damage, Path]) -> None:
    damage, chart = damaged
    assert complaints(chart, damage.values) == {damage.row}


def test_every_row_has_a_damage() -> None:
    assert {damage.row for damage in DAMAGES} == checklist.ROWS.keys() | checklist_renders.ROWS.keys()
