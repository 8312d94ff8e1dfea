"""What a chart knows of its service without a user saying it: its manifest, its neighbours, its schema's head.

Pure but for reading manifests and the revisions that packages ship.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

from signalink_core import principals
from signalink_core.database import revisions
from signalink_core.manifest import ServiceManifest, load
from signalink_stacks.charts.observers import METRICS, OBSERVERS

LOG_SCHEMA: Final = "messaging"
"""Whose migrations every service that reads the event log waits for."""
SOCKET: Final = "/v1/socket"
ENGINES: Final = {"postgres": "postgres", "valkey": "redis", "kafka": "kafka"}
"""Chart of a backing service -> what a manifest calls it."""
Facts = dict[str, Any]
OWN_PROMISES: Final = {
    "analytics": ["counted"],
    "api": ["repeat"],
    "gateway": ["order"],
    "operator": ["managed"],
    "prober": ["watched", "round-trip"],
    "relay": ["published"],
}


def manifests(root: Path) -> list[ServiceManifest]:
    """Every service of a checkout, by name."""
    found = [load(path) for path in (*root.glob("services/*/service.toml"), root / "operator/service.toml")]
    return sorted(found, key=lambda manifest: manifest.name)


def of_service(manifest: ServiceManifest, everyone: Iterable[ServiceManifest]) -> Facts:
    """files/service.yaml of a service's chart."""
    everyone = list(everyone)
    account = principals.PRINCIPALS.get(manifest.name)
    facts: Facts = {
        "name": manifest.name,
        "kind": manifest.kind,
        "role": (account and account.postgres_role) or "",
        "needs": sorted(manifest.needs),
        "neededBy": needed_by(manifest.name, everyone),
        "secrets": sorted(manifest.secrets),
        "peers": [peer(other) for other in everyone if other.ports.http is not None],
        "schemas": _schemas(manifest, everyone),
        "promises": promises(manifest),
    }
    if "auth-keys" in manifest.secrets:
        facts["tokens"] = [other.name for other in everyone if "kubernetes" in other.needs]
    if manifest.database is not None:
        own = {"schema": manifest.database.schema_, "migrations": manifest.database.migrations}
        facts["database"] = own | {"head": revisions.head(manifest.database.migrations)}
        facts["before"] = [schema for schema in facts["schemas"] if schema["schema"] != own["schema"]]
    return facts


def of_engine(chart: str, metrics: int, everyone: Iterable[ServiceManifest]) -> Facts:
    """files/service.yaml of a backing service's chart: whose words it holds, who may come in, its exporter's port."""
    engine = ENGINES[chart]
    accounts = {
        "postgres": [principals.ADMIN, *principals.postgres_roles()],
        "redis": principals.redis_principals(),
        "kafka": principals.kafka_principals(),
    }
    return {
        "name": chart,
        "neededBy": needed_by(engine, everyone),
        "keys": [f"{engine}-{name}" for name in accounts[engine]],
        "metrics": metrics,
    }


def of_observer(chart: str, observer: Facts, exporters: Iterable[int], everyone: Iterable[ServiceManifest]) -> Facts:
    """files/service.yaml of a chart that watches: its port, its arguments, which ports it scrapes."""
    facts: Facts = {"name": chart, **observer["facts"], "kubernetes": observer["kubernetes"]}
    if observer["kubernetes"]:
        facts["scrapes"] = [*sorted(manifest.ports.metrics for manifest in everyone), METRICS, *sorted(exporters)]
    return facts


def of_umbrella(everyone: Iterable[ServiceManifest]) -> Facts:
    """files/parts.yaml: who finds whom in a release, at which ports, and whose words a backing service holds."""
    everyone = list(everyone)
    named = {one.name for one in everyone if one.ports.http is not None or "kubernetes" in one.needs}
    named |= {there["chart"] for observer in OBSERVERS.values() for there in observer["facts"].get("reaches", ())}
    ports = {manifest.name: {"http": manifest.ports.http, "metrics": manifest.ports.metrics} for manifest in everyone}
    found = {name: {port: number for port, number in own.items() if number} for name, own in ports.items()}
    return {"named": sorted(named | {*ENGINES}), "ports": found, "engines": ENGINES}


def needed_by(name: str, everyone: Iterable[ServiceManifest]) -> list[str]:
    return sorted(manifest.name for manifest in everyone if name in manifest.needs)


def peer(manifest: ServiceManifest) -> dict[str, Any]:
    """How others reach its public port."""
    socket = manifest.kind == "websocket"
    return {
        "name": manifest.name,
        "scheme": "ws" if socket else "http",
        "port": manifest.ports.http,
        "path": SOCKET if socket else "",
    }


def promises(manifest: ServiceManifest) -> list[str]:
    """What `helm test` shows of it."""
    own = OWN_PROMISES.get(manifest.name, [])
    return (["answers"] if manifest.ports.http is not None else []) + own


def _schemas(manifest: ServiceManifest, everyone: list[ServiceManifest]) -> list[dict[str, str]]:
    """Schemas it cannot start without: its own, and the log's."""
    if "postgres" not in manifest.needs:
        return []
    owners = [other for other in everyone if other.database is not None and other.database.schema_ == LOG_SCHEMA]
    databases = [one.database for one in (*owners, manifest) if one.database is not None]
    found = {database.schema_: database.migrations for database in databases}
    return [{"schema": schema, "migrations": package} for schema, package in found.items()]
