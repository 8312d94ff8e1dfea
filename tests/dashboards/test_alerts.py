"""Alerts: each has a runbook with every part, is about metrics that exist, and fires, stays quiet and resolves."""

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
ALERTS = ROOT / "dashboards" / "alerts"
RUNBOOKS = ROOT / "docs" / "runbooks"
SCHEMA = ROOT / "services" / "core" / "signalink_core" / "telemetry" / "schema.yaml"
FILES = sorted(path for path in ALERTS.glob("*.yaml") if not path.name.endswith(".test.yaml"))
PARTS = ["Meaning", "Impact", "Diagnosis", "Mitigation", "Verify fixed", "Drill", "Owner", "Last drilled"]
NAME = re.compile(r"signalink_[a-z0-9_]+")


def rules() -> list[dict[str, Any]]:
    documents = [yaml.safe_load(path.read_text(encoding="utf-8")) for path in FILES]
    return [rule for document in documents for group in document["groups"] for rule in group["rules"]]


RULES = {rule["alert"]: rule for rule in rules()}


def test_there_are_alerts() -> None:
    assert set(RULES) >= {"OperatorWatchStale", "OperatorDeletionBlocked", "OperatorNotReady"}


@pytest.mark.parametrize("name", RULES)
def test_each_alert_says_what_it_is_about_and_where_to_read_on(name: str) -> None:
    rule = RULES[name]
    assert {"for", "keep_firing_for"} <= set(rule)
    assert rule["labels"]["severity"] in {"page", "ticket"}
    said = rule["annotations"]
    assert "$" not in said["summary"], "values belong into the description"
    assert said["description"]
    assert said["runbook_url"].endswith(f"/{name}")


@pytest.mark.parametrize("name", RULES)
def test_each_alert_has_a_runbook_with_every_part(name: str) -> None:
    text = (RUNBOOKS / f"{name}.md").read_text(encoding="utf-8")
    assert text.startswith(f"# {name}\n")
    assert re.findall(r"^## (.+)$", text, re.MULTILINE) == PARTS


def test_each_runbook_is_of_an_alert() -> None:
    assert {path.stem for path in RUNBOOKS.glob("*.md")} == set(RULES)


def test_alerts_and_runbooks_are_about_metrics_that_exist() -> None:
    known = {metric["name"] for metric in yaml.safe_load(SCHEMA.read_text(encoding="utf-8"))["metrics"]}
    texts = {name: rule["expr"] for name, rule in RULES.items()}
    texts |= {path.name: path.read_text(encoding="utf-8") for path in RUNBOOKS.glob("*.md")}
    for where, text in texts.items():
        assert set(NAME.findall(text)) <= known, where


def test_what_a_runbook_names_as_its_drill_is_there() -> None:
    for path in RUNBOOKS.glob("*.md"):
        drill = path.read_text(encoding="utf-8").partition("## Drill\n")[2].partition("\n## ")[0]
        for file, test in re.findall(r"`(tests/[a-z_/]+\.py)::(\w+)`", drill):
            assert f"def {test}(" in (ROOT / file).read_text(encoding="utf-8"), (path.name, test)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_each_alert_fires_stays_quiet_and_resolves(path: Path) -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("no promtool on PATH: the alerts were not evaluated")
    tests = path.with_suffix(".test.yaml")
    for words in (["check", "rules", "--lint=all", "--lint-fatal", str(path)], ["test", "rules", str(tests)]):
        ran = subprocess.run([promtool, *words], capture_output=True, text=True, timeout=60, check=False)
        assert ran.returncode == 0, ran.stdout + ran.stderr
    asserted = tests.read_text(encoding="utf-8")
    names = [
        rule["alert"] for group in yaml.safe_load(path.read_text(encoding="utf-8"))["groups"] for rule in group["rules"]
    ]
    for name in names:
        fired, quiet = (re.findall(rf"alertname: {name}\W+exp_alerts:{end}", asserted) for end in (r"\s*\n", r" \[\]"))
        assert fired, f"{name} fires in no test"
        assert quiet, f"{name} is quiet in no test"
