"""kube-linter and Polaris over every rendering, where they are installed, with the configuration in charts/linters.

A finding is one line. Both read what stays in a cluster: the Jobs of promises are gone after a minute.
"""

import json
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from cases import RENDERS, SHAPES
from charting import ROOT, Object, render
from strict import FOREIGN, OURS, group

CONFIGURATION = ROOT / "charts/linters"
BIN = ROOT / ".linters/bin"
"""Where `make linters` puts them."""
SECONDS = 300


def lasting(chart: str, case: str) -> list[Object]:
    """What a linter sees of a rendering."""
    found = render(chart, SHAPES[case](chart)).objects
    hooks = [one["metadata"].get("annotations", {}).get("helm.sh/hook", "") for one in found]
    return [
        one for one, hook in zip(found, hooks, strict=True) if hook != "test" and group(one) not in (*FOREIGN, OURS)
    ]


def planted(objects: list[Object]) -> list[Object]:
    """The same with a workload that is privileged and has a secret in its environment."""
    found: list[Object] = json.loads(json.dumps(objects))
    workload = next(one for one in found if one["kind"] in {"Deployment", "StatefulSet"})
    container = workload["spec"]["template"]["spec"]["containers"][0]
    container["securityContext"] = {"privileged": True}
    container["env"] = [{"name": "DB_PASSWORD", "value": "opensesame"}, {"name": "MY_SECRET", "value": "word"}]
    return found


def program(name: str) -> str | None:
    """Its path, if it is installed."""
    return shutil.which(name) or shutil.which(name, path=str(BIN))


def kube_linter(objects: list[Object]) -> list[str]:
    report = _run(
        "kube-linter", objects, "lint", "--format", "json", "--config", str(CONFIGURATION / "kube-linter.yaml")
    )
    return [
        f"{one['Check']}: {one['Object']['K8sObject']['Name']}: {one['Diagnostic']['Message']}"
        for one in report["Reports"] or []
    ]


def polaris(objects: list[Object]) -> list[str]:
    report = _run(
        "polaris", objects, "audit", "--format", "json", "--config", str(CONFIGURATION / "polaris.yaml"), "--audit-path"
    )
    found = []
    for result in report["Results"]:
        pod = result.get("PodResult") or {}
        parts = [result["Results"], pod.get("Results"), *(one["Results"] for one in pod.get("ContainerResults") or [])]
        for part in parts:
            bad = [one for one in (part or {}).values() if not one["Success"]]
            found += [
                f"{one['Severity']} {one['ID']}: {result['Kind']} {result['Name']}: {one['Message']}" for one in bad
            ]
    return found


def _run(name: str, objects: list[Object], *arguments: str) -> Any:
    path = program(name)
    assert path, f"there is no {name}"
    with tempfile.TemporaryDirectory(prefix="signalink-lint-") as folder:
        file = Path(folder) / "rendered.yaml"
        file.write_text("\n---\n".join(json.dumps(one) for one in objects), encoding="utf-8")
        done = subprocess.run(
            [path, *arguments, str(file)], capture_output=True, text=True, timeout=SECONDS, check=False
        )  # fmt: skip
    try:
        return json.loads(done.stdout)
    except json.JSONDecodeError:
        raise AssertionError(f"{name} exited {done.returncode}: {(done.stderr or done.stdout)[-2000:]}") from None


LINTERS: dict[str, Callable[[list[Object]], list[str]]] = {"kube-linter": kube_linter, "polaris": polaris}


def allowed(name: str, chart: str, case: str, finding: str) -> bool:
    """One pod of everything is what `minimal` asks for, and with a HorizontalPodAutoscaler replicas is not the chart's.

    Polaris wants both in every Deployment; what else it says of these renderings counts.
    """
    few = "deploymentMissingReplicas" in finding or "missingPodDisruptionBudget" in finding
    return name == "polaris" and few and case in {"minimal", "ha", "everything"}


def findings(name: str, chart: str, case: str) -> list[str]:
    """Of one rendering by one linter."""
    found = LINTERS[name](lasting(chart, case))
    return [f"{chart} ({case}): {one}" for one in found if not allowed(name, chart, case, one)]


def every(name: str) -> tuple[int, list[str]]:
    """(objects, findings) of all renderings; a planted fault that is not found is a finding too."""
    count, found = 0, []
    for chart, case in RENDERS:
        objects = lasting(chart, case)
        count += len(objects)
        found += findings(name, chart, case)
        if not LINTERS[name](planted(objects)):
            found.append(f"{chart} ({case}): {name} does not find what was planted")
    return count, found
