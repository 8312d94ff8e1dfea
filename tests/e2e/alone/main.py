"""`make e2e NAME=alone`: every chart installed alone, each in a namespace of its own, tied together by Bindings only.

The three engines in one namespace stand for servers that somebody else runs: services get host names, ports and a copy
of the words as a Secret, and learn where the api and the gateway are from `global.serviceUrls`. Each must be ready and
keep its own promises (`helm test`). Takes what cluster.py says; what it installed it removes.
"""

import argparse
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import yaml

sys.path.insert(0, str(Path(__file__).parents[1]))

from cluster import Ground, proved
from rig import say

from signalink_stacks.clusters import plan, run
from signalink_stacks.lib import images

RELEASE = "one"
PLACE = "signalink-alone"
"""Namespace of the engines, and the beginning of the services' namespaces."""
ENGINES = {"postgres": "postgres", "redis": "valkey", "kafka": "kafka"}
"""Binding -> chart."""
PORTS = {"postgres": 5432, "valkey": 6379, "kafka": 9092}
MIGRATING = {"analytics", "api", "notifications"}
ORDER = ("api", "operator", "relay", "gateway", "analytics", "notifications", "prober")
"""The api migrates the log that the others wait for; the operator makes the topics."""
HOST = "{name}.{namespace}.svc.cluster.local"
WAIT = ("--install", "--wait", "--timeout=6m")


def merged(first: Mapping[str, Any], second: Mapping[str, Any]) -> dict[str, Any]:
    """The first with what the second says otherwise, table by table."""
    found = dict(first)
    for key, value in second.items():
        both = isinstance(value, Mapping) and isinstance(found.get(key), Mapping)
        found[key] = merged(found[key], value) if both else value
    return found


def asked(files: tuple[str, ...]) -> dict[str, Any]:
    """The umbrella's values that were asked for."""
    found: dict[str, Any] = {}
    for path in files:
        found = merged(found, yaml.safe_load(Path(path).read_text(encoding="utf-8")) or {})
    return found


def own(values: Mapping[str, Any], chart: str) -> dict[str, Any]:
    """What the umbrella would give one chart."""
    return {"global": dict(values.get("global", {})), **values.get(chart, {})}


def engine_values(chart: str) -> dict[str, Any]:
    places = [f"{PLACE}-{name}" for name in ORDER]
    label = {"key": "kubernetes.io/metadata.name", "operator": "In", "values": places}
    clients = [{"namespaceSelector": {"matchExpressions": [label]}}]
    return {"networkPolicy": {"clientsFrom": clients}, "fullnameOverride": f"{RELEASE}-{chart}"}


def service_values(chart: str) -> dict[str, Any]:
    """Everything a service alone must be told: where engines and other services are, and whose words it uses."""

    def host(name: str, namespace: str) -> str:
        return HOST.format(name=f"{RELEASE}-{name}", namespace=namespace)

    bindings: dict[str, Any] = {}
    for binding, engine in ENGINES.items():
        server = {"brokers": [f"{host(engine, PLACE)}:{PORTS[engine]}"]} if engine == "kafka" else {}
        address = server or {"host": host(engine, PLACE), "port": PORTS[engine]}
        bindings[binding] = {
            "provider": "external",
            "passwordSecret": {"name": f"words-{engine}"},
            "cidrs": ["0.0.0.0/0"],
            **address,
        }
    urls = {
        "api": f"http://{host('api', f'{PLACE}-api')}:8000",
        "gateway": f"ws://{host('gateway', f'{PLACE}-gateway')}:8001/v1/socket",
        "analytics": f"http://{host('analytics', f'{PLACE}-analytics')}:8003",
    }
    urls.pop(chart, None)
    values: dict[str, Any] = {"global": {"bindings": bindings, "serviceUrls": urls}}
    if chart in MIGRATING:
        values["migrations"] = {"database": {"passwordSecret": {"name": "words-postgres"}}}
    return values


def steps(ground: Ground) -> Iterator[plan.Step]:
    """Namespace, resource definitions and whole charts, as for the umbrella."""
    yield from plan.install(ground.wishes, ground.access, ground.built)[:-1]


def install(ground: Ground, chart: str, values: Mapping[str, Any], folder: Path) -> None:
    """One chart as release `one`."""
    path = folder / f"{chart}.yaml"
    path.write_text(yaml.safe_dump(dict(values)), encoding="utf-8")
    whole = images.root() / Path(plan.CHART).with_name(chart)
    tags = ("--set=global.devImages=true", f"--set-string=global.imageTag={ground.built.tag}")
    began = time.monotonic()
    ground.helm(
        "upgrade",
        RELEASE + (f"-{chart}" if chart in ENGINES.values() else ""),
        str(whole),
        *WAIT,
        *tags,
        f"--values={path}",
    )
    say(f"{chart} alone in {ground.namespace}: ready after {time.monotonic() - began:.0f} s")


def words_of_engines(ground: Ground) -> list[dict[str, Any]]:
    """The Secrets with the words of every principal, as somebody would hand them over."""
    found = []
    for engine in ENGINES.values():
        data = ground.document("secret", f"{RELEASE}-{engine}-auth")["data"]
        metadata = {"name": f"words-{engine}"}
        found.append({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "type": "Opaque", "data": data})
    return found


def proof(folder: Path, grounds: list[Ground]) -> str:
    engines = Ground(PLACE)
    grounds.append(engines)
    values = asked(engines.wishes.values)
    run.steps(list(steps(engines)), images.root(), say)
    for chart in ENGINES.values():
        install(engines, chart, merged(own(values, chart), engine_values(chart)), folder)
    promised = sum(promises(engines, f"{RELEASE}-{chart}") for chart in ENGINES.values())
    words = words_of_engines(engines)
    for chart in ORDER:
        ground = Ground(f"{PLACE}-{chart}")
        grounds.append(ground)
        run.steps([next(steps(ground))], images.root(), lambda line: None)
        for secret in words:
            ground.apply(secret)
        install(ground, chart, merged(own(values, chart), service_values(chart)), folder)
        promised += promises(ground, RELEASE)
    return f"{len(ENGINES) + len(ORDER)} charts alone, all ready, {promised} promises kept (bar: all of them)"


def promises(ground: Ground, release: str) -> int:
    """Show them; answers how many there are."""
    shown = ground.promises(release)
    say(f"{ground.namespace}: kept {', '.join(sorted(shown))}")
    return len(shown)


def remove(grounds: list[Ground]) -> None:
    """The operator's resources before the operator, then namespace by namespace."""
    for ground in reversed(grounds):
        ground.kubectl("delete", "topics.signalink.dev", "--all", "--timeout=60s", "--ignore-not-found", seconds=90)
    for ground in reversed(grounds):
        for release in ground.helm("list", "--short").split():
            ground.helm("uninstall", release, "--ignore-not-found")
        ground.cluster("delete", "namespace", ground.namespace, "--ignore-not-found", "--wait=false")


def program(keep: bool) -> str:
    grounds: list[Ground] = []
    with TemporaryDirectory(prefix="signalink-alone-") as folder:
        try:
            return proof(Path(folder), grounds)
        finally:
            if not keep:
                remove(grounds)


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--size", choices=("small", "full"), help="the same: every chart, once")
    parser.add_argument("--seed", type=int, help="nothing here is left to chance")
    parser.add_argument("--keep", action="store_true", help="leave the releases there")
    chosen = parser.parse_args()
    return proved("alone", lambda: program(chosen.keep))


if __name__ == "__main__":
    sys.exit(main())
