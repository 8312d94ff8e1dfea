"""Scanners of others find nothing in what the charts make, and find what was planted. Each runs where it is on PATH."""

import copy
import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml
from charting import ALL, ENGINES, Object, main_container, render
from checklist_renders import TOKENS

SECONDS = 110
NOT_OURS = ("monitoring.coreos.com", "external-secrets.io", "gateway.networking.k8s.io", "signalink.dev")


def needs(program: str) -> None:
    if shutil.which(program) is None:
        reason = f"there is no {program} on PATH"
        if "scan" in os.environ.get("SIGNALINK_REQUIRE", "").split(","):
            pytest.fail(f"SIGNALINK_REQUIRE names scan, but {reason}")
        pytest.skip(reason)


def run(*command: str, text: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, input=text, capture_output=True, text=True, timeout=SECONDS, check=False)


def scanned(chart: str) -> list[Object]:
    """All a chart makes by itself, with the Job of tokens and the exporters too."""
    values = TOKENS | ({"exporter": {"enabled": True}} if chart in ENGINES else {})
    return [one for one in render(chart, values).objects if one["apiVersion"].split("/")[0] not in NOT_OURS]


def planted() -> list[Object]:
    """A chart whose main container was opened up."""
    objects = copy.deepcopy(scanned("api"))
    deployment = next(one for one in objects if one["kind"] == "Deployment")
    container = deployment["spec"]["template"]["spec"]["containers"][0]
    container["securityContext"] = {"privileged": True}
    container["image"] = "signalink/api:latest"
    del container["resources"]
    return objects


def checkov(objects: dict[str, list[Object]], folder: Path) -> dict[str, set[str]]:
    """Name -> ids of failed checks, of all at once: a start costs seconds. None is skipped."""
    for name, found in objects.items():
        (folder / f"{name}.yaml").write_text(yaml.safe_dump_all(found), encoding="utf-8")
    done = run(
        "checkov",
        "--directory",
        str(folder),
        "--framework",
        "kubernetes",
        "--output",
        "json",
        "--skip-download",
        "--quiet",
    )
    report = json.loads(done.stdout)
    assert report["summary"]["resource_count"] >= sum(map(len, objects.values())) / 2
    failed: dict[str, set[str]] = {name: set() for name in objects}
    for check in report["results"]["failed_checks"]:
        failed[Path(check["file_path"]).stem].add(f"{check['check_id']} {check['resource']}")
    return failed


def test_checkov_finds_nothing_but_what_was_planted(tmp_path: Path) -> None:
    needs("checkov")
    found = checkov({chart: scanned(chart) for chart in ALL if chart != "signalink"} | {"planted": planted()}, tmp_path)
    ids = {finding.split()[0] for finding in found.pop("planted")}
    assert {"CKV_K8S_16", "CKV_K8S_22", "CKV_K8S_43"} <= ids
    assert {name: sorted(findings) for name, findings in found.items() if findings} == {}


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
    assert critical(scanned(chart)) == []


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
