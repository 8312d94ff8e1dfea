"""Which charts there are, which concerns their values have, and which defaults are theirs. Pure.

A service's chart follows from its manifest alone; only what no manifest can say stands in DIFFERENCES.
"""

from collections.abc import Sequence
from typing import Any, Final

from signalink_core.manifest import ServiceManifest
from signalink_core.process import DRAIN_SECONDS
from signalink_stacks.charts.observers import OBSERVERS

CPU_BURST: Final = 4
"""The limit of CPU over what is asked for: starts and bursts are short."""
INTERNET: Final = frozenset({"notifications"})
"""Who goes to the internet: mail, push and webhooks, never inside."""
DIFFERENCES: Final[dict[str, dict[str, Any]]] = {"prober": {"replicaCount": 1}}
DESCRIPTIONS: Final = {
    "api": "REST, authentication and writes of Signalink, and its browser page",
    "gateway": "WebSockets, fan-out, presence and recovery of Signalink",
    "relay": "Publishes Signalink's event log to Kafka in commit order",
    "analytics": "Counts Signalink's events in windows and answers questions about them",
    "notifications": "E-mail, push and webhooks of Signalink",
    "prober": "Measures Signalink from outside what a hung part cannot report",
    "operator": "Keeps Kafka topics equal to Topic resources",
    "postgres": "One PostgreSQL with Signalink's roles, for kind, labs and small teams",
    "valkey": "One Valkey with Signalink's ACL users, for kind, labs and small teams",
    "kafka": "One Apache Kafka node (KRaft) with Signalink's users and rights, for kind, labs and small teams",
    "prometheus": "Prometheus that scrapes Signalink in its namespace and evaluates its alerts",
    "alertmanager": "Alertmanager for Signalink's alerts",
    "grafana": "Grafana with Signalink's dashboards, and Prometheus and Jaeger as data sources",
    "otel-collector": "OpenTelemetry collector: takes spans over OTLP, keeps errors, slow traces and a sample",
    "jaeger": "Jaeger: keeps traces and shows them",
    "signalink": "The whole of Signalink: services, operator and, where wanted, its backing services",
}
ENGINES: Final[dict[str, dict[str, Any]]] = {
    "postgres": {
        "image": "postgres",
        "exporter": "postgres-exporter",
        "metrics": 9187,
        "provision": "api",
        "configuration": {
            "max_connections": 200,
            "password_encryption": "scram-sha-256",
            "dynamic_shared_memory_type": "mmap",
            "shared_buffers": "128MB",
            "max_locks_per_transaction": 256,
            "max_prepared_transactions": 0,
            "wal_level": "logical",
            "track_commit_timestamp": "on",
            "max_wal_size": "512MB",
            "jit": "off",
            "timezone": "UTC",
            "log_timezone": "UTC",
        },
        "cpu": "500m",
        "memory": "512Mi",
        "persistence": True,
        "major": True,
        "stop": 60,
    },
    "valkey": {
        "image": "valkey",
        "exporter": "redis-exporter",
        "metrics": 9121,
        "provision": "relay",
        "configuration": {
            "maxmemory": "256mb",
            "maxmemory-policy": "noeviction",
            "client-output-buffer-limit": "pubsub 32mb 8mb 60",
        },
        "cpu": "100m",
        "memory": "384Mi",
        "persistence": False,
        "major": False,
        "stop": 15,
    },
    "kafka": {
        "image": "kafka",
        "exporter": "kafka-exporter",
        "metrics": 9308,
        "provision": "relay",
        "configuration": {
            "auto.create.topics.enable": "false",
            "broker.session.timeout.ms": 2000,
            "broker.heartbeat.interval.ms": 250,
            "controller.quorum.append.linger.ms": 1,
            "log.cleaner.dedupe.buffer.size": 2097152,
            "num.network.threads": 2,
            "num.io.threads": 4,
            "background.threads": 2,
            "group.initial.rebalance.delay.ms": 0,
            "offsets.topic.num.partitions": 4,
            "offsets.topic.replication.factor": 1,
            "transaction.state.log.num.partitions": 4,
            "transaction.state.log.replication.factor": 1,
            "transaction.state.log.min.isr": 1,
            "share.coordinator.state.topic.num.partitions": 2,
            "share.coordinator.state.topic.replication.factor": 1,
            "share.coordinator.state.topic.min.isr": 1,
        },
        "cpu": "500m",
        "memory": "1Gi",
        "persistence": True,
        "major": False,
        "stop": 60,
    },
}
BINDINGS: Final = ("postgres", "redis", "kafka")
SPREAD: Final = ["topologySpread.topologyKeys", "topologySpread.whenUnsatisfiable"]
IDLE: Final = {
    "valkey": [
        f"bootstrap.{key}" for key in ("enabled", "backoffLimit", "activeDeadlineSeconds", "ttlSecondsAfterFinished")
    ]
}
"""Keys that do nothing in the chart of an engine: Valkey's users are made by an init container, not by a Job."""
KAFKA_KEYS: Final = {
    "clusterId": {
        "type": "string",
        "description": "Id of the data, 22 characters of base64url; empty: made from namespace and name.",
        "pattern": "^([_a-zA-Z0-9][-_a-zA-Z0-9]{21})?$",
        "default": "",
    },
    "heap": {"type": "string", "description": "Heap of the JVM.", "pattern": "^-X", "default": "-Xms256m -Xmx512m"},
    "home": {
        "type": "string",
        "description": "Where the image keeps Kafka.",
        "pattern": "^/[-a-zA-Z0-9._/]+$",
        "default": "/opt/kafka",
    },
}


def concerns_of_service(manifest: ServiceManifest, promises: Sequence[str] = ()) -> list[str]:
    """Fragments of a service's values, in the order people read them."""
    public, alone = manifest.ports.http is not None, "kubernetes" in manifest.needs
    chosen = ["naming", "image", "replicas-one" if alone else "replicas", "logging", "settings"]
    chosen += ["ports", "service", "ingress"] if public else ["ports-internal"]
    chosen += ["bindings", "secrets"] + (["auth-keys", "service-tokens"] if "auth-keys" in manifest.secrets else [])
    chosen += ["wait"] if "postgres" in manifest.needs else []
    chosen += ["migrations"] if manifest.database is not None else []
    chosen += ["operator"] if alone else []
    chosen += ["probes", "resources", "shutdown", "security", "tmp", "scheduling", "service-account"]
    chosen += [] if alone else ["availability", "autoscaling"]
    chosen += ["network-policy" if public else "network-policy-internal"]
    chosen += ["internet"] if manifest.name in INTERNET else []
    chosen += ["metrics"]
    chosen += ["promises"] if promises else []
    chosen += ["faults"]
    return [*chosen, "extras", "global"]


def idle_of_service(manifest: ServiceManifest) -> list[str]:
    """Keys of those fragments that do nothing in this chart: engines it does not use, spreading of the only pod."""
    unused = [engine for engine in BINDINGS if engine not in manifest.needs]
    return [f"bindings.{engine}" for engine in unused] + (SPREAD if "kubernetes" in manifest.needs else [])


def defaults_of_service(manifest: ServiceManifest) -> dict[str, Any]:
    """Dotted path -> default: what the manifest says, then what only this chart has."""
    asked = manifest.resources
    found: dict[str, Any] = {
        "image.repository": f"signalink/{manifest.name}",
        "ports.metrics": manifest.ports.metrics,
        "probes.live": manifest.health.live,
        "probes.ready": manifest.health.ready,
        "probes.startupSeconds": manifest.health.startup_seconds,
        "shutdown.drainSeconds": int(DRAIN_SECONDS),
        "resources.requests.cpu": asked.cpu,
        "resources.requests.memory": asked.memory,
        "resources.limits.cpu": burst(asked.cpu),
        "resources.limits.memory": asked.memory,
    }
    if manifest.ports.http is not None:
        found["ports.http"] = manifest.ports.http
    return found | DIFFERENCES.get(manifest.name, {})


def burst(cpu: str) -> str:
    return f"{CPU_BURST * int(cpu.removesuffix('m'))}m" if cpu.endswith("m") else str(CPU_BURST * int(cpu))


def concerns_of_engine(chart: str) -> list[str]:
    held = ["persistence"] if ENGINES[chart]["persistence"] else []
    before = ["naming", "image", "replicas-one", "configuration", "auth", *held, "bootstrap", "resources", "terminate"]
    before += ["exporter", "promises"]
    return [*before, "security", "tmp", "scheduling", "service-account", "network-policy-backing", "extras", "global"]


def concerns_of_observer(chart: str) -> list[str]:
    held = ["persistence"] if "size" in OBSERVERS[chart] else []
    words = ["auth"] if "keys" in OBSERVERS[chart]["facts"] else ["restart"]
    first = ["naming-observer", "image", "replicas-one", chart, *held, "resources", "terminate", *words]
    first += ["promises-observer"]
    return [*first, "security", "tmp", "scheduling", "service-account", "network-policy-backing", "extras", "global"]


def defaults_of_observer(chart: str, images: dict[str, dict[str, Any]]) -> dict[str, Any]:
    observer, image = OBSERVERS[chart], images[chart]
    held = {"persistence.size": observer["size"]} if "size" in observer else {}
    return held | {
        "image.repository": image["repository"],
        "image.tag": str(image["tag"]),
        "image.digest": image.get("digest") or "",
        "promises.image.repository": "signalink/prober",
        "resources.requests.cpu": observer["cpu"],
        "resources.requests.memory": observer["memory"],
        "resources.limits.cpu": burst(observer["cpu"]),
        "resources.limits.memory": observer["memory"],
    }


def defaults_of_engine(chart: str, images: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """`images`: name -> entry of charts/images.yaml."""
    engine, image = ENGINES[chart], images[ENGINES[chart]["image"]]
    exporter = images[engine["exporter"]]
    return {
        "image.repository": image["repository"],
        "image.tag": str(image["tag"]),
        "image.digest": image.get("digest") or "",
        "bootstrap.image.repository": f"signalink/{engine['provision']}",
        "exporter.image.repository": exporter["repository"],
        "exporter.image.tag": str(exporter["tag"]),
        "exporter.image.digest": exporter.get("digest") or "",
        "configuration": engine["configuration"],
        "resources.requests.cpu": engine["cpu"],
        "resources.requests.memory": engine["memory"],
        "resources.limits.cpu": burst(engine["cpu"]),
        "resources.limits.memory": engine["memory"],
        "terminationGracePeriodSeconds": engine["stop"],
    }


def templates_of_service(manifest: ServiceManifest, promises: Sequence[str]) -> dict[str, str]:
    """File below templates/ -> its text: one include each."""
    names = {"serviceaccount": "serviceAccount", "deployment": "deployment", "networkpolicy": "networkPolicy"}
    names |= {"secret": "secret", "faults": "faultsConfig", "monitor": "monitor", "rules": "rule"}
    names |= {"extra": "extraObjects"}
    if "kubernetes" not in manifest.needs:
        names |= {"poddisruptionbudget": "pdb", "autoscaler": "hpa"}
    if manifest.ports.http is not None:
        names |= {"service": "servicePorts", "ingress": "ingress"}
    if manifest.database is not None:
        names |= {"migration": "migrationJob"}
    if "auth-keys" in manifest.secrets:
        names |= {"tokens": "serviceTokens"}
    found = {f"{file}.yaml": _include(name, ".") for file, name in names.items()}
    found["NOTES.txt"] = _include("notes", ".")
    if set(promises) & {"managed", "published", "round-trip", "watched"}:
        found["tests/means.yaml"] = _include("promiseMeans", ".")
    return found | {f"tests/{name}.yaml": _include("promise", f'(list . "{name}")') for name in promises}


def _include(name: str, scope: str) -> str:
    return f'{{{{ include "signalink-lib.{name}" {scope} }}}}\n'
