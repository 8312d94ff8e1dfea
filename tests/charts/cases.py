"""The values each chart is checked with: as it comes, with everything on, with everything off that may be off.

`CASES` meet the checklist and a real API server. `SHAPES` add highly available and against backing services elsewhere:
they meet every schema and linter.
"""

from typing import Any

from charting import ALL, ENGINES, MONITORING, OBSERVERS, SERVICES, UMBRELLA, Values, merged

PLAIN = {
    "podAnnotations": {"example.org/note": "of-the-pod"},
    "podLabels": {"example.org/team": "chat"},
    "commonLabels": {"example.org/cost": "lab"},
    "extraEnv": [{"name": "EXTRA", "value": "1"}],
    "extraVolumes": [{"name": "more", "emptyDir": {"sizeLimit": "1Mi"}}],
    "extraVolumeMounts": [{"name": "more", "mountPath": "/more"}],
    "extraObjects": [
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "more", "namespace": "signalink"}, "data": {}}
    ],
    "image": {"pullSecrets": ["mirror"]},
    "nodeSelector": {"kubernetes.io/os": "linux"},
    "tolerations": [{"key": "lab", "operator": "Exists"}],
    "affinity": {"nodeAffinity": {}},
    "priorityClassName": "important",
    "serviceAccount": {"annotations": {"example.org/role": "a"}},
}
GLOBAL = {
    "global": {
        "environment": "local",
        "imagePullSecrets": ["registry"],
        "apiVersions": [*MONITORING, "external-secrets.io/v1", "gateway.networking.k8s.io/v1"],
        "topicPrefix": "lab.",
        "serviceTokens": True,
    }
}
EXTERNAL = {"externalSecret": {"enabled": True, "store": {"name": "vault"}, "remoteKey": "signalink"}}
FAULTS = {
    "enabled": True,
    "points": [{"point": "db.connect", "action": "error", "rate": 0.5, "ttl_seconds": 60}],
    "unready": True,
    "unhealthy": True,
    "testFail": True,
}
SCALED = {"enabled": True, "minReplicas": 3, "behavior": {"scaleDown": {"stabilizationWindowSeconds": 60}}}
WATCHED: Values = {"tags": {"observability": True}}
OUTSIDE: Values = {
    "global": {
        "imageRegistry": "mirror.example.org",
        "apiVersions": ["gateway.networking.k8s.io/v1"],
        "bindings": {
            "postgres": {
                "provider": "aws",
                "host": "db.example.org",
                "cidrs": ["10.1.0.0/16"],
                "passwordSecret": {"name": "db"},
            },
            "redis": {
                "provider": "external",
                "host": "cache.example.org",
                "tls": True,
                "passwordSecret": {"name": "cache"},
            },
            "kafka": {
                "provider": "operator",
                "brokers": ["k-0.example.org:9093"],
                "security": "sasl_ssl",
                "passwordSecret": {"name": "kafka"},
            },
        },
    }
}
PUBLIC = {
    "service": {"type": "LoadBalancer", "annotations": {"example.org/lb": "yes"}},
    "ingress": {
        "mode": "ingress",
        "host": "chat.example.org",
        "className": "web",
        "tlsSecret": "chat-tls",
        "annotations": {"example.org/timeout": "60"},
    },
}


def everything(chart: str) -> Values:
    """All that can be on, as far as it goes together."""
    if chart == UMBRELLA:
        parts = {name: own(name, everything) for name in (*SERVICES, *ENGINES, *OBSERVERS)}
        return merged(GLOBAL, {"tags": {"observability": True}} | parts)
    values = merged(GLOBAL, PLAIN)
    if chart in ENGINES:
        return merged(values, {"auth": EXTERNAL, "exporter": {"enabled": True}})
    if chart == "grafana":
        return merged(values, {"auth": EXTERNAL})
    if chart in OBSERVERS:
        return values
    values = merged(
        values, {"secrets": EXTERNAL, "settings": {"LIMITS_POSTS_PER_SECOND_PER_USER": 5}, "faults": FAULTS}
    )
    values = merged(values, {"metrics": {"labels": {"release": "prom"}, "rules": {"runbookUrl": "https://x.org/"}}})
    if chart in {"api", "gateway", "analytics", "notifications"}:
        values = merged(values, PUBLIC)
    return merged(values, {"watchNamespaces": ["*"]} if chart == "operator" else {"autoscaling": SCALED})


def minimal(chart: str) -> Values:
    """One pod of each, and nothing that can be left out."""
    if chart == UMBRELLA:
        parts = {name: own(name, minimal) for name in (*SERVICES, *ENGINES, *OBSERVERS)}
        return {"tags": {"observability": True}} | parts
    values: Values = {"replicaCount": 1, "promises": {"enabled": False}}
    if chart in OBSERVERS:
        return values if chart == "otel-collector" else values | {"persistence": {"enabled": False}}
    if chart in ENGINES:
        off = {"enabled": False}
        return values if chart == "valkey" else values | {"bootstrap": off, "persistence": off}
    values |= {"metrics": {"enabled": False, "rules": {"enabled": False}}}
    values |= {"waitForSchema": {"enabled": False}} if chart != "operator" else {"topics": {"create": False}}
    values |= {"migrations": {"mode": "off"}} if chart in {"api", "analytics", "notifications"} else {}
    return values if chart == "operator" else values | {"podDisruptionBudget": {"enabled": False}}


def own(chart: str, case: Any) -> Values:
    """A chart's values without the globals, for the umbrella."""
    return {key: value for key, value in case(chart).items() if key != "global"}


def highly_available(chart: str) -> Values:
    """More pods than one wherever there may be, on different nodes or not at all; volumes of a class of their own."""
    if chart == UMBRELLA:
        return {name: own(name, highly_available) for name in (*SERVICES, *ENGINES, *OBSERVERS)} | WATCHED
    if chart in (*ENGINES, *OBSERVERS):
        return (
            {} if chart in {"otel-collector", "valkey"} else {"persistence": {"size": "20Gi", "storageClass": "fast"}}
        )
    if chart == "operator":
        return {"priorityClassName": "chat"}
    spread = {"topologySpread": {"whenUnsatisfiable": "DoNotSchedule"}}
    return spread | {"priorityClassName": "chat", "autoscaling": SCALED, "replicaCount": 3}


def external(chart: str) -> Values:
    """Backing services, secrets and images are somebody else's; people come through a Gateway."""
    if chart == UMBRELLA:
        parts = {name: own(name, external) for name in (*SERVICES, *OBSERVERS)}
        return merged(OUTSIDE, parts | WATCHED | {name: {"enabled": False} for name in ENGINES})
    if chart in (*ENGINES, "grafana"):
        return {"auth": {"existingSecret": "theirs"}}
    if chart in OBSERVERS:
        return {"global": {"imageRegistry": "mirror.example.org"}}
    values = merged(OUTSIDE, {"secrets": {"existingSecret": "theirs"}})
    if chart in {"api", "analytics", "notifications"}:
        values = merged(values, {"migrations": {"mode": "hook", "database": {"passwordSecret": {"name": "db"}}}})
    if chart in {"api", "gateway", "analytics", "notifications"}:
        route = {"mode": "gateway", "host": "chat.example.org", "parentRefs": [{"name": "web"}]}
        values = merged(values, {"ingress": route})
    return merged(values, {"authKeys": {"existingSecret": "keys"}}) if chart == "api" else values


CASES: dict[str, Any] = {"defaults": lambda chart: {}, "everything": everything, "minimal": minimal}
PAIRS = [(chart, case) for chart in ALL for case in CASES]
SHAPES: dict[str, Any] = CASES | {"ha": highly_available, "external": external}
RENDERS = [(chart, case) for chart in ALL for case in SHAPES]
