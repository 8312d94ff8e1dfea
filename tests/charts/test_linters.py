"""kube-linter and Polaris find nothing in any rendering; where neither is installed, their default checks as read.

The programs run over all renderings in `make e2e NAME=charts`; here over the umbrella.
"""

import copy
import datetime
import re
from typing import Any

import checklist
import linted
import linting
import pytest
import yaml
from cases import RENDERS
from charting import UMBRELLA, Object
from test_scanners import needs_scanner

LEFT_OUT = re.compile(r"# until (\d{4}-\d\d-\d\d): .{25,}$")
EXCLUDED = re.compile(r"^\s*[\w]+: ignore\b|^    - [a-z0-9-]+\b|controllerNames|namespace:")
FILES = sorted(linting.CONFIGURATION.glob("*.yaml"))


@pytest.mark.parametrize("check", sorted(linted.CHECKS, key=lambda one: one.__name__), ids=lambda one: one.__name__)
def test_a_default_check_finds_nothing_in_any_rendering(check: linted.Check) -> None:
    found = {f"{chart} ({case})": list(check(linting.lasting(chart, case))) for chart, case in RENDERS}
    assert {where: findings for where, findings in found.items() if findings} == {}


def test_every_default_check_is_a_row_or_is_here() -> None:
    rows = {one for one in (*linted.KUBE_LINTER.values(), *linted.POLARIS.values()) if isinstance(one, str)}
    assert rows - {"the schemas of Kubernetes"} <= checklist.ROWS.keys()
    configured = yaml.safe_load((linting.CONFIGURATION / "polaris.yaml").read_text(encoding="utf-8"))
    ignored = {name for name, severity in configured["checks"].items() if severity == "ignore"}
    assert configured["checks"].keys() - configured["customChecks"].keys() == (
        linted.POLARIS.keys() | {"priorityClassNotSet", "metadataAndInstanceMismatched"}
    )
    assert ignored - linted.POLARIS.keys() == {"priorityClassNotSet", "metadataAndInstanceMismatched"}


def damages(objects: list[Object]) -> dict[str, Object]:
    """Check -> the rendering with what it looks for."""
    found: dict[str, Any] = {name: copy.deepcopy(objects) for name in (one.__name__ for one in linted.CHECKS)}

    def first(name: str, *kinds: str) -> Any:
        return next(one for one in found[name] if one["kind"] in kinds)

    def pod(name: str) -> Any:
        return first(name, "Deployment")["spec"]["template"]

    def container(name: str) -> Any:
        return pod(name)["spec"]["containers"][0]

    first("dangling_service", "Service")["spec"]["selector"] = {"app": "other"}
    pod("old_account_field")["spec"]["serviceAccount"] = "x"
    pod("host_paths")["spec"]["volumes"].append({"name": "x", "hostPath": {"path": "/"}})
    container("twice_in_env")["env"] += container("twice_in_env")["env"][:1]
    container("secret_in_env")["env"].append({"name": "SOME_SECRET", "value": "word"})
    container("port_names")["ports"][0]["name"] = "more-than-fifteen-letters"
    container("probes_of_closed_ports")["readinessProbe"]["httpGet"]["port"] = 1
    first("selectors", "Deployment")["spec"]["selector"]["matchLabels"] = {"app": "other"}
    del pod("together")["spec"]["affinity"]
    pod("accounts")["spec"]["serviceAccountName"] = "default"
    first("budgets", "PodDisruptionBudget")["spec"]["maxUnavailable"] = 0
    container("ssh")["ports"].append({"containerPort": 22})
    pod("kernel")["spec"]["securityContext"]["sysctls"] = [{"name": "net.x", "value": "1"}]
    container("host_ports")["ports"][0]["hostPort"] = 80
    del first("ended_jobs", "Job")["spec"]["ttlSecondsAfterFinished"]
    del container("unprobed")["livenessProbe"]
    scale = {"minReplicas": 1, "maxReplicas": 1, "scaleTargetRef": {"name": "x"}}
    found["scaling"].append({"kind": "HorizontalPodAutoscaler", "metadata": {"name": "x"}, "spec": scale})
    found["open_pods"] = [one for one in found["open_pods"] if one["kind"] != "NetworkPolicy"]
    found["clear_ways_in"].append({"kind": "Ingress", "metadata": {"name": "x"}, "spec": {}})
    found["secret_maps"].append({"kind": "ConfigMap", "metadata": {"name": "x"}, "data": {"password": "y"}})
    role = {"kind": "Role", "metadata": {"name": "x"}, "rules": [{"resources": ["pods/exec"]}]}
    found["powers"].append(role)
    return found


def test_every_default_check_can_fail() -> None:
    damaged = damages(linting.lasting("api", "defaults"))
    silent = [one.__name__ for one in linted.CHECKS if not list(one(damaged[one.__name__]))]
    assert silent == []


@pytest.mark.parametrize("name", linting.LINTERS)
def test_a_linter_finds_nothing_and_then_what_was_planted(name: str) -> None:
    needs_scanner(name, linting.program(name) is not None, "lint")
    assert linting.findings(name, UMBRELLA, "defaults") == []
    assert linting.LINTERS[name](linting.planted(linting.lasting("api", "defaults")))


def left_out(text: str, today: datetime.date) -> list[str]:
    """Lines that leave something out without a reason, or longer than they said."""
    lines = [line for line in text.splitlines() if EXCLUDED.search(line)]
    found = [(line, LEFT_OUT.search(line)) for line in lines]
    return [line for line, until in found if until is None or datetime.date.fromisoformat(until[1]) < today]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_what_a_linter_leaves_out_says_why_and_until_when(path: Any) -> None:
    text = path.read_text(encoding="utf-8")
    assert left_out(text, datetime.datetime.now(datetime.UTC).date()) == []
    assert len(left_out(text, datetime.date(2099, 1, 1))) == {"kube-linter": 1, "polaris": 4}[path.stem]
    assert left_out("  hostIPCSet: ignore\n", datetime.date(2026, 1, 1)) != []
