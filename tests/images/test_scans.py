"""L2: hadolint and checkov over the Dockerfile, and checkov over compose's; each counts what it read and finds a fault.

Run where the programs are on PATH, else skipped with the reason; SIGNALINK_REQUIRE=scan makes that a failure.
"""

import json
import os
import re
import shutil
import subprocess
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from signalink_core.clock import utc_now
from signalink_stacks.lib import images

DOCKERFILES = [images.root() / "services/Dockerfile"]
FAULTY = "FROM python:latest\nRUN cd /tmp && pip install flask\nADD x /x\n"


def program(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        assert "scan" not in os.environ.get("SIGNALINK_REQUIRE", "").split(","), f"{name} is not on PATH"
        pytest.skip(f"{name} is not on PATH")
    return found


def hadolint(path: Path) -> list[dict[str, Any]]:
    words = [program("hadolint"), "--no-fail", "--format", "json", str(path)]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=True)
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize("path", DOCKERFILES, ids=lambda path: path.parent.name)
def test_hadolint_finds_nothing(path: Path) -> None:
    assert [f"{each['line']}: {each['code']} {each['message']}" for each in hadolint(path)] == []


def test_hadolint_finds_a_planted_fault(tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text(FAULTY)
    assert {each["code"] for each in hadolint(tmp_path / "Dockerfile")} >= {"DL3007", "DL3013", "DL3020"}


def checkov(path: Path) -> dict[str, Any]:
    words = [program("checkov"), "--quiet", "--compact", "--skip-download", "--framework", "dockerfile"]
    words += ["--output", "json", "--file", str(path)]
    done = subprocess.run(words, capture_output=True, text=True, timeout=110, check=False)
    found: Any = json.loads(done.stdout)
    report: dict[str, Any] = found[0] if isinstance(found, list) else found
    return report


def test_checkov_passes_every_check_of_the_dockerfile() -> None:
    report = checkov(DOCKERFILES[0])
    assert report["summary"]["resource_count"] >= 1
    assert report["summary"]["passed"] >= 10
    assert [f"{each['check_id']} {each['check_name']}" for each in report["results"]["failed_checks"]] == []


def test_a_suppression_has_a_reason_and_an_end_that_has_not_come() -> None:
    lines = re.findall(r"checkov:skip=(.*)", DOCKERFILES[0].read_text(encoding="utf-8"))
    found = [re.fullmatch(r"CKV_DOCKER_\d+: until (\d{4}-\d\d-\d\d): .{20,}", line) for line in lines]
    assert lines
    assert all(match and date.fromisoformat(match[1]) > utc_now().date() for match in found)


def test_checkov_finds_a_planted_fault(tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text(FAULTY)
    failed = {each["check_id"] for each in checkov(tmp_path / "Dockerfile")["results"]["failed_checks"]}
    assert {"CKV_DOCKER_2", "CKV_DOCKER_3", "CKV_DOCKER_7"} <= failed
