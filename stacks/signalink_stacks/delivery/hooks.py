"""Owns keeping the charts' promises without Helm's release: the Jobs that `helm test` would run, for a stack of Pulumi.

A chart's test hooks are rendered with the values that the stack gives it, made in the cluster, waited for, taken away.
"""

import json
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import yaml

from signalink_core.errors import DependencyUnavailable
from signalink_stacks.clusters import run
from signalink_stacks.clusters.plan import Access
from signalink_stacks.lib.prices import Resource

CHART: Final = "kubernetes:helm.sh/v4:Chart"
HOOK: Final = "helm.sh/hook"
MANAGER: Final = "--field-manager=signalink-promises"
SECONDS: Final = 600.0
ASK_SECONDS: Final = 60.0
POLL_SECONDS: Final = 1.0
LINES: Final = 5
Say = Callable[[str], None]
Object = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Chart:
    """One chart as a stack installs it."""

    folder: str
    release: str
    namespace: str
    values: Mapping[str, Any]


def charts(resources: Iterable[Resource]) -> list[Chart]:
    """Those of a recorded graph."""
    return [
        Chart(
            str(each.inputs["chart"]),
            str(each.inputs["name"]),
            str(each.inputs["namespace"]),
            dict(each.inputs.get("values") or {}),
        )
        for each in resources
        if each.type == CHART
    ]


def tests(text: str) -> list[Object]:
    """A chart's test hooks in a rendered text, in the order of their weights."""
    found = [each for each in yaml.safe_load_all(text) if each and _hook(each, HOOK) == "test"]
    return sorted(found, key=lambda each: int(_hook(each, f"{HOOK}-weight") or "0"))


def _hook(document: Mapping[str, Any], key: str) -> str:
    return str(((document.get("metadata") or {}).get("annotations") or {}).get(key, ""))


def promise(wanted: Sequence[Chart], access: Access, say: Say, seconds: float = SECONDS) -> str:
    """What is not kept; empty when everything is. Nothing of it stays in the cluster."""
    problems, kept = [], 0
    version = json.loads(_ask(access.kubectl("version", "--output=json")))["serverVersion"]["gitVersion"]
    for chart in wanted:
        found = tests(_render(chart, version))
        jobs = [each["metadata"]["name"] for each in found if each["kind"] == "Job"]
        if jobs:
            wrong = _keep(found, jobs, chart.namespace, access, seconds)
            problems += wrong
            kept += len(jobs) - len(wrong)
    say(f"promises: {kept} kept" + (f", {len(problems)} not" if problems else ""))
    if not kept and not problems:
        return "No chart makes a promise (promises.enabled of the charts)."
    return "; ".join(problems)


def _render(chart: Chart, version: str) -> str:
    """`version`: the cluster's; without it Helm takes the one that it was built with."""
    words = ["helm", "template", chart.release, chart.folder, f"--namespace={chart.namespace}", "--values=-"]
    return _ask([*words, f"--kube-version={version}"], json.dumps(chart.values))


def _keep(found: Sequence[Object], jobs: Sequence[str], namespace: str, access: Access, seconds: float) -> list[str]:
    """Make, await, take away; what went wrong with each Job."""
    text = yaml.safe_dump_all(found)
    named = f"--namespace={namespace}"
    away = access.kubectl("delete", "-f", "-", named, "--ignore-not-found", "--timeout=50s")
    _ask(away, text)
    try:
        _ask(access.kubectl("apply", "--server-side", MANAGER, "-f", "-", named), text)
        return _ends(jobs, named, access, seconds)
    finally:
        _ask(away, text)


def _ends(jobs: Sequence[str], named: str, access: Access, seconds: float) -> list[str]:
    ends = time.monotonic() + seconds
    while True:
        states = {name: _state(name, named, access) for name in jobs}
        if time.monotonic() > ends or all(states.values()):
            return [
                f"{name} {state or f'has no end after {seconds:.0f} s'}{_last(name, named, access)}"
                for name, state in states.items()
                if state != "Complete"
            ]
        time.sleep(POLL_SECONDS)


def _state(name: str, named: str, access: Access) -> str:
    """Complete, Failed, or nothing yet."""
    status = json.loads(_ask(access.kubectl("get", "job", name, named, "--output=json"))).get("status") or {}
    ended = [each["type"] for each in status.get("conditions") or [] if each.get("status") == "True"]
    return next((each for each in ("Complete", "Failed") if each in ended), "")


def _last(name: str, named: str, access: Access) -> str:
    """What the Job said last."""
    try:
        said = _ask(access.kubectl("logs", f"job/{name}", named, f"--tail={LINES}")).strip()
    except DependencyUnavailable:
        return ""
    return f" ({said.replace(chr(10), ' / ')})" if said else ""


def _ask(words: Sequence[str], given: str = "") -> str:
    return run.ask(words, given, ASK_SECONDS)
