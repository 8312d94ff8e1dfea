"""Scanners of others find nothing in what the charts make, and find what was planted. Each runs where it is on PATH."""

import copy
import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest
import scoring
import strict
import yaml
from cases import RENDERS
from charting import ALL, Object, main_container, render

SECONDS = 110


def needs(program: str) -> None:
    needs_scanner(program, shutil.which(program) is not None, "scan")


def needs_scanner(program: str, there: bool, group: str) -> None:
    """Skips, or fails where SIGNALINK_REQUIRE names the group."""
    if not there:
        reason = f"there is no {program} on PATH"
        if group in os.environ.get("SIGNALINK_REQUIRE", "").split(","):
            pytest.fail(f"SIGNALINK_REQUIRE names {group}, but {reason}")
        pytest.skip(reason)


def run(*command: str, text: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, input=text, capture_output=True, text=True, timeout=SECONDS, check=False)


def planted() -> list[Object]:
    """A chart whose main container was opened up."""
    objects = copy.deepcopy(scoring.scanned("api"))
    deployment = next(one for one in objects if one["kind"] == "Deployment")
    container = deployment["spec"]["template"]["spec"]["containers"][0]
    container["securityContext"] = {"privileged": True}
    container["image"] = "signalink/api:latest"
    del container["resources"]
    return objects


def test_checkov_finds_nothing_in_any_chart() -> None:
    needs("checkov")
    assert {name: sorted(score.failed) for name, score in scoring.ours().items() if score.failed} == {}


def test_checkov_finds_what_was_planted() -> None:
    needs("checkov")
    found = scoring.checkov({"planted": planted()})["planted"].failed
    assert {"CKV_K8S_16", "CKV_K8S_22", "CKV_K8S_43"} <= {finding.split()[0] for finding in found}


def test_the_table_beside_other_charts_is_what_checkov_counts() -> None:
    needs("checkov")
    text = scoring.README.read_text(encoding="utf-8")
    assert scoring.with_table(text) == text, "Next: make charts SCORES=1"


def test_kubeconform_takes_every_object_of_every_rendering_and_finds_what_was_planted() -> None:
    needs("kubeconform")
    found = strict.conformities()
    for chart, case in RENDERS:
        whole, planted = found[chart, case], found[f"{strict.PLANTED}/{chart}", case]
        assert (whole.valid, whole.faults) == (len(strict.known(chart, case)), ()), f"{chart} ({case})"
        assert planted.valid == 0, f"{chart} ({case})"
        assert len(planted.faults) == 1, f"{chart} ({case})"
    assert sum(one.valid for one in found.values()) > 1000


def test_kubeconform_reads_our_own_kinds_by_our_definitions(monkeypatch: pytest.MonkeyPatch) -> None:
    needs("kubeconform")
    topic = copy.deepcopy(render("operator").of("Topic")[0])
    topic["spec"]["partition"] = 3
    monkeypatch.setattr(strict, "RENDERS", [("operator", "defaults")])
    monkeypatch.setattr(strict, "known", lambda *_: [topic, render("operator").one("Deployment")])
    (fault,) = strict.conformities()["operator", "defaults"].faults
    assert "Topic" in fault
    assert "partition" in fault


def critical(objects: list[Object]) -> list[str]:
    done = run("kube-score", "score", "--output-format", "json", "-", text=yaml.safe_dump_all(objects))
    return [
        f"{one['object_name']}: {check['check']['name']}: {comment['summary']}"
        for one in json.loads(done.stdout)
        for check in one["checks"]
        if check["grade"] == 1 and not check["skipped"]
        for comment in check["comments"] or [{"summary": ""}]
    ]


@pytest.mark.parametrize("chart", ALL)
def test_kube_score_has_nothing_critical(chart: str) -> None:
    needs("kube-score")
    assert critical(scoring.scanned(chart)) == []


def test_kube_score_finds_what_was_planted() -> None:
    needs("kube-score")
    assert any("Container Resources" in finding for finding in critical(planted()))
    assert main_container(render("api"))["securityContext"]["readOnlyRootFilesystem"]


def test_promtool_takes_prometheus_with_its_alerts(tmp_path: Path) -> None:
    needs("promtool")
    for name, text in render("prometheus").one("ConfigMap")["data"].items():
        (tmp_path / name).write_text(text.replace("/etc/signalink", str(tmp_path)), encoding="utf-8")
    done = run("promtool", "check", "config", str(tmp_path / "prometheus.yml"))
    assert done.returncode == 0, done.stderr
    assert "rule files found" in done.stdout + done.stderr
    assert "0 rule files found" not in done.stdout
    (tmp_path / "prometheus.yml").write_text("scrape_configs: [{job: x}]")
    assert run("promtool", "check", "config", str(tmp_path / "prometheus.yml")).returncode != 0
