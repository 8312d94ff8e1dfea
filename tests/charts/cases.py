"""The values each chart is checked with: as it comes, with everything on, with everything off that may be off."""

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
    return values if chart == "operator" else merged(values, {"autoscaling": SCALED})


def minimal(chart: str) -> Values:
    """One pod of each, and nothing that can be left out."""
    if chart == UMBRELLA:
        parts = {name: own(name, minimal) for name in (*SERVICES, *ENGINES, *OBSERVERS)}
        return {"tags": {"observability": True}} | parts
    values: Values = {"replicaCount": 1, "promises": {"enabled": False}}
    if chart in OBSERVERS:
        return values if chart == "otel-collector" else values | {"persistence": {"enabled": False}}
    if chart in ENGINES:
        return (
            values
            | {"bootstrap": {"enabled": False}}
            | ({} if chart == "valkey" else {"persistence": {"enabled": False}})
        )
    values |= {"metrics": {"enabled": False, "rules": {"enabled": False}}}
    values |= {"waitForSchema": {"enabled": False}} if chart != "operator" else {"topics": {"create": False}}
    values |= {"migrations": {"mode": "off"}} if chart in {"api", "analytics", "notifications"} else {}
    return values if chart == "operator" else values | {"podDisruptionBudget": {"enabled": False}}


def own(chart: str, case: Any) -> Values:
    """A chart's values without the globals, for the umbrella."""
    return {key: value for key, value in case(chart).items() if key != "global"}


CASES: dict[str, Any] = {"defaults": lambda chart: {}, "everything": everything, "minimal": minimal}
PAIRS = [(chart, case) for chart in ALL for case in CASES]
