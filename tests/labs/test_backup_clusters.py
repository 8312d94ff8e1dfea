"""`signalink backup` and `restore` on clusters: what options mean, and what becomes of a pod that does not answer."""

import json
import stat
from pathlib import Path
from typing import Any

import pytest

from signalink_core.errors import ConfigurationError, DependencyUnavailable
from signalink_labs.cli import app
from signalink_stacks.clusters import errands
from signalink_stacks.clusters.plan import Access
from signalink_stacks.clusters.writers import Namespace

Captured = pytest.CaptureFixture[str]
PLACE = Namespace(Access("k.yaml", "lab"), "shop")
POD = {"metadata": {"name": "signalink-restore-ends"}}
EXISTING = ["--target", "existing", "--context", "lab"]


@pytest.fixture
def asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A `kubectl` that answers `get` and `logs` with files of that name, and notes what it was asked."""
    program = tmp_path / "kubectl"
    program.write_text(
        f'#!/bin/sh\necho "$*" >> {tmp_path}/asked\n'
        f"for word; do case $word in get|logs) cat {tmp_path}/$word 2>/dev/null; exit 0;; esac; done\n"
    )
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    return tmp_path / "asked"


def shows(asked: Path, status: dict[str, Any], logs: str = "") -> None:
    asked.with_name("get").write_text(json.dumps({"status": status}))
    asked.with_name("logs").write_text(logs)


@pytest.mark.parametrize(
    ("words", "what"),
    [
        (["restore"], "Restore from what?"),
        (["restore", "x.dump", "--after", *EXISTING], "Restore from what?"),
        (["restore", "--before", "--after", *EXISTING], "Restore from what?"),
        (["restore", "--before"], "are for a Postgres of a cluster"),
        (["restore", "x.dump", "--json"], "would be replaced"),
        (["restore", "--after"], "are for a Postgres of a cluster"),
        (["restore", "x.dump", "--yes", "--target", "existing"], "Which cluster?"),
        (["backup", "x.dump", "--target", "existing"], "Which cluster?"),
        (["restore", "x.dump", "--target", "existing", "--context", "eu-prod"], "called like production"),
        (["restore", "x.dump", "--yes", *EXISTING], "x.dump is no backup"),
    ],
)
def test_what_is_not_said_whole_is_refused_before_a_cluster_is_asked(
    asked: Path, words: list[str], what: str, capsys: Captured
) -> None:
    assert app.run(words) == 64
    assert what in capsys.readouterr().err
    assert not asked.exists()


def test_a_backup_of_a_cluster_without_a_platform_says_so(asked: Path, tmp_path: Path, capsys: Captured) -> None:
    asked.with_name("get").write_text('{"items": []}')
    assert app.run(["backup", str(tmp_path / "x.dump"), *EXISTING, "--namespace", "shop"]) == 64
    assert "no platform in the namespace shop" in capsys.readouterr().err
    assert "--context=lab get deployments,statefulsets,cronjobs --output=json --namespace=shop" in asked.read_text()


def test_a_pod_answers_by_its_last_marked_line_and_is_removed_before_and_after(asked: Path) -> None:
    shows(asked, {"phase": "Succeeded"}, 'noise {}\nsignalink-restore [1]\nsignalink-restore [["messages", 0, 9]]\n')
    assert errands.answer(PLACE, POD) == [["messages", 0, 9]]
    verbs = [line.split()[2] for line in asked.read_text().splitlines()]
    assert verbs == ["delete", "create", "get", "logs", "delete"]


def test_a_kafka_without_topics_is_refused_since_offsets_would_go_to_the_start(asked: Path) -> None:
    shows(asked, {"phase": "Succeeded"}, "signalink-restore []\n")
    template = {"metadata": {"labels": {}}, "spec": {"containers": [{"name": "relay", "image": "x"}]}}
    with pytest.raises(ConfigurationError, match="tells the relay of no topic"):
        errands.topic_ends(PLACE, errands.Parts(template, template))


@pytest.mark.parametrize(
    ("status", "logs", "what"),
    [
        ({"phase": "Failed"}, "Kafka did not tell the ends of its topics within 20 s\n", "did not tell the ends"),
        ({"phase": "Succeeded"}, "nothing of ours\n", "nothing of ours"),
        ({"phase": "Failed"}, "", "failed: Failed"),
    ],
)
def test_a_pod_that_fails_says_why_and_does_not_stay(asked: Path, status: dict[str, Any], logs: str, what: str) -> None:
    shows(asked, status, logs)
    with pytest.raises(DependencyUnavailable, match=what):
        errands.answer(PLACE, POD)
    assert asked.read_text().splitlines()[-1].split()[2] == "delete"


def test_a_pod_that_cannot_start_is_not_waited_for_to_the_end(asked: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(errands, "PATIENCE", 0.0)
    waiting = {"state": {"waiting": {"reason": "ImagePullBackOff", "message": "no such image"}}}
    shows(asked, {"phase": "Pending", "initContainerStatuses": [waiting]})
    with pytest.raises(DependencyUnavailable, match="ImagePullBackOff: no such image"):
        errands.answer(PLACE, POD)


def test_a_pod_that_takes_too_long_is_given_up(asked: Path) -> None:
    shows(asked, {"phase": "Running"})
    with pytest.raises(DependencyUnavailable, match="it is Running after 0 s"):
        errands.answer(PLACE, POD, seconds=0)
