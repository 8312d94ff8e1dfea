"""Rows of the checklist that compare renderings with each other or with what is committed.

Each takes a function that renders one chart with values, so that a mutated copy can be judged as well.
"""

import json
import re
from collections.abc import Callable
from typing import Any

import yaml
from charting import (
    ENGINES,
    MONITORING,
    OBSERVERS,
    ROOT,
    SERVICES,
    UMBRELLA,
    Loader,
    Rendered,
    Values,
    containers,
    values_at,
)

Render = Callable[[str, Values], Rendered]
Row = Callable[[str, Render], list[str]]
ROUTES = ["gateway.networking.k8s.io/v1"]
TOKENS: Values = {"global": {"serviceTokens": True}}
"""What the umbrella has besides its parts' own defaults."""
WATCHING: dict[str, Values] = {
    "alertmanager": {"route": {"receiver": "x"}},
    "grafana": {"dashboards": {"mine": "{}"}},
    "jaeger": {"retention": "1h"},
    "otel-collector": {"sampling": {"percent": 1}},
    "prometheus": {"scrapeInterval": "1s"},
}
"""What changes the configuration of each chart that watches."""
MODES: dict[str, Values] = {
    "none": {},
    "ingress": {"ingress": {"mode": "ingress", "host": "chat.example.org"}},
    "gateway": {
        "ingress": {"mode": "gateway", "host": "chat.example.org", "parentRefs": [{"name": "web"}]},
        "global": {"apiVersions": ROUTES},
    },
}

ADDRESSES = {"gateway": "ws://chat.example.org/v1/socket"}
"""What people type where it is not a page."""


def h11_checksums(chart: str, render: Render) -> list[str]:
    """The two checksums change when, and only when, what they are named after changes."""
    engine, observer = chart in ENGINES, chart in OBSERVERS
    before = _checksums(render(chart, {}))
    config = {"configuration": {"x": 1}} if engine else {"settings": {"X": 1}}
    if observer:
        config = WATCHING[chart]
    plain = observer and chart != "grafana"
    secret = {"rotation": "2"} if plain else values_at(f"{'secrets' if chart in SERVICES else 'auth'}.rotation", "2")
    changes: list[tuple[str, Values, set[str]]] = [
        ("nothing", {}, set()),
        ("pod annotations", {"podAnnotations": {"a": "b"}}, set()),
        ("configuration", config, {"checksum/config"}),
        ("secrets", secret, {"checksum/secret"}),
    ]
    found = []
    for what, values, wanted in changes:
        after = _checksums(render(chart, values))
        changed = {key for key in before | after if before.get(key) != after.get(key)}
        found += [] if changed == wanted and before else [f"{what} changed {sorted(changed)}, not {sorted(wanted)}"]
    return found


def _checksums(rendered: Rendered) -> dict[str, str]:
    one = rendered.of("Deployment", "StatefulSet")[0]
    annotations: dict[str, str] = one["spec"]["template"]["metadata"].get("annotations", {})
    return {key: value for key, value in annotations.items() if key.startswith("checksum/")}


def h13_monitors(chart: str, render: Render) -> list[str]:
    """Objects of the Prometheus operator exactly where the cluster knows them, for a port that exists."""
    kinds = ("ServiceMonitor", "PodMonitor", "PrometheusRule")
    found = [f"{one['kind']} without the API" for one in render(chart, {}).of(*kinds)]
    if chart in (*ENGINES, *OBSERVERS):
        return found
    there = render(chart, {"global": {"apiVersions": MONITORING}})
    monitors = there.of("ServiceMonitor", "PodMonitor")
    if len(monitors) != 1 or len(there.of("PrometheusRule")) != 1:
        return [*found, f"monitors {[one['kind'] for one in there.of(*kinds)]}"]
    (endpoint,) = monitors[0]["spec"].get("endpoints") or monitors[0]["spec"]["podMetricsEndpoints"]
    target = there.of("Service") if monitors[0]["kind"] == "ServiceMonitor" else there.of("Deployment")
    labels = monitors[0]["spec"]["selector"]["matchLabels"]
    if target[0]["kind"] == "Service":
        ports = [port["name"] for port in target[0]["spec"]["ports"]]
    else:
        ports = [port["name"] for _, one in containers(target) for port in one.get("ports", ())]
    if endpoint["port"] not in ports or not labels.items() <= target[0]["metadata"]["labels"].items():
        found.append(f"monitor of port {endpoint['port']} and labels {labels}, there are {ports}")
    alerts = [rule["alert"] for group in there.one("PrometheusRule")["spec"]["groups"] for rule in group["rules"]]
    return found if alerts[:2] == ["TargetDown", "FaultLeftOn"] else [*found, f"alerts {alerts}"]


def h16_ingress(chart: str, render: Render) -> list[str]:
    """Every way in renders, leads to the port http of the Service, which takes its name; the notes say where it is."""
    found = []
    for mode, values in MODES.items():
        rendered = render(chart, values)
        ways = rendered.of("Ingress", "HTTPRoute")
        service = rendered.one("Service")
        if [one["kind"] for one in ways] != {"none": [], "ingress": ["Ingress"], "gateway": ["HTTPRoute"]}[mode]:
            found.append(f"{mode}: {[one['kind'] for one in ways]}")
            continue
        names = re.findall(r'"backend(?:Refs)?":.*?"name": "([^"]+)"', json.dumps(ways))
        found += [f"{mode}: leads to {name}" for name in names if name != service["metadata"]["name"]]
        address = ADDRESSES.get(chart, "http://chat.example.org/") if ways else "kubectl --namespace"
        found += [] if address in rendered.notes else [f"{mode}: the notes name no {address}"]
        (hosts,) = [
            one["value"] for _, each in containers(rendered.of("Deployment")) for one in each["env"] if _hosts(one)
        ]
        if ("chat.example.org" in hosts.split(",")) != bool(ways):
            found.append(f"{mode}: the service answers to {hosts}")
    return found


def _hosts(variable: dict[str, Any]) -> bool:
    return bool(variable["name"].endswith("_HOSTS"))


def h18_rendered(chart: str, render: Render) -> list[str]:
    """The committed rendering is what comes out, so that a change of a template is reviewed as YAML.

    The umbrella is the sum of the others, and nothing besides.
    """
    if chart == UMBRELLA:
        parts = "---\n".join(rendered_text(render(name, TOKENS)) for name in (*SERVICES, *ENGINES, *OBSERVERS))
        return (
            []
            if _objects(rendered_text(render(chart, {"tags": {"observability": True}}))) == _objects(parts)
            else ["it is not the sum of its parts"]
        )
    path = ROOT / "charts/rendered" / f"{chart}.yaml"
    wanted = path.read_text(encoding="utf-8") if path.exists() else ""
    return [] if rendered_text(render(chart, {})) == wanted else [f"{path.name} is old. Next: make charts"]


def _objects(text: str) -> list[str]:
    return sorted(json.dumps(one, sort_keys=True) for one in yaml.load_all(text, Loader=Loader) if one)


def rendered_text(rendered: Rendered) -> str:
    """What is committed: without random words, and without the object that only shows the notes."""
    text = re.sub(r"^  00[0-9a-f]{14}\.pem: .*$", "  <kid>.pem: <generated>", rendered.text, flags=re.MULTILINE)
    text = re.sub(r"(?<=: )[A-Za-z0-9+/]{56,60}={0,2}$", "<generated>", text, flags=re.MULTILINE)
    return "\n".join(line.rstrip() for line in text.splitlines() if line.strip()) + "\n"


ROWS: dict[str, Row] = {"H11": h11_checksums, "H13": h13_monitors, "H16": h16_ingress, "H18": h18_rendered}


def applies(row: str, chart: str) -> bool:
    """The umbrella has no pod of its own; ways in have services with a public port."""
    public: Any = {"api", "gateway", "analytics", "notifications"}
    return {"H11": chart != UMBRELLA, "H13": chart != UMBRELLA, "H16": chart in public, "H18": True}[row]
