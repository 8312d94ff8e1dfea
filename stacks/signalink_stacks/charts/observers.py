"""What the charts that watch differ in: their server's ports, paths and arguments. Pure data.

`facts` become files/service.yaml of the chart; without `live` a pod lives while its port is open. `size` is that of the
claim; without one the server keeps nothing.
"""

from typing import Any, Final

OTLP: Final = {"otlp-grpc": 4317, "otlp-http": 4318}
"""Ports that take spans."""
HEALTH: Final = 13133
METRICS: Final = 8888
"""Of the collector and of Jaeger, which is built on it."""
OBSERVERS: Final[dict[str, dict[str, Any]]] = {
    "prometheus": {
        "cpu": "250m",
        "memory": "1Gi",
        "size": "20Gi",
        "kubernetes": True,
        "facts": {
            "port": 9090,
            "promise": "targets",
            "ready": "/-/ready",
            "live": "/-/healthy",
            "args": [
                "--config.file=/etc/signalink/prometheus.yml",
                "--storage.tsdb.path=/data",
                "--storage.tsdb.retention.time={{ .Values.retention }}",
                "--enable-feature=exemplar-storage",
            ],
            "neededBy": ["grafana", "prometheus"],
            "reaches": [{"chart": "alertmanager", "port": 9093}],
        },
    },
    "alertmanager": {
        "cpu": "50m",
        "memory": "128Mi",
        "size": "1Gi",
        "kubernetes": False,
        "facts": {
            "port": 9093,
            "promise": "alerts",
            "ready": "/-/ready",
            "live": "/-/healthy",
            "args": [
                "--config.file=/etc/signalink/alertmanager.yml",
                "--storage.path=/data",
                "--data.retention={{ .Values.retention }}",
                "--cluster.listen-address=",
            ],
            "neededBy": ["prometheus"],
        },
    },
    "grafana": {
        "cpu": "100m",
        "memory": "256Mi",
        "size": "1Gi",
        "kubernetes": False,
        "facts": {
            "port": 3000,
            "promise": "sources",
            "ready": "/api/health",
            "live": "/healthz",
            "command": ["grafana", "server"],
            "args": ["--homepath=/usr/share/grafana", "--config=/etc/signalink/grafana.ini"],
            "files": {
                "grafana.ini": "grafana.ini",
                "datasources.yaml": "provisioning/datasources/signalink.yaml",
                "dashboards.yaml": "provisioning/dashboards/signalink.yaml",
            },
            "folders": {"dashboards": "/etc/signalink-dashboards"},
            "keys": ["grafana-admin"],
            "neededBy": [],
            "reaches": [{"chart": "prometheus", "port": 9090}, {"chart": "jaeger", "port": 16686}],
        },
    },
    "otel-collector": {
        "cpu": "100m",
        "memory": "256Mi",
        "kubernetes": False,
        "facts": {
            "port": OTLP["otlp-http"],
            "promise": "spans",
            "ports": {"otlp-grpc": OTLP["otlp-grpc"], "health": HEALTH, "metrics": METRICS},
            "serves": {"otlp-grpc": OTLP["otlp-grpc"]},
            "probe": "health",
            "ready": "/",
            "args": ["--config=/etc/signalink/collector.yaml"],
            "neededBy": [],
            "open": True,
            "reaches": [{"chart": "jaeger", "port": OTLP["otlp-grpc"]}, {"chart": "jaeger", "port": 16686}],
        },
    },
    "jaeger": {
        "cpu": "100m",
        "memory": "512Mi",
        "size": "5Gi",
        "kubernetes": False,
        "facts": {
            "port": 16686,
            "promise": "spans",
            "ports": {**OTLP, "health": HEALTH, "metrics": METRICS},
            "serves": OTLP,
            "probe": "health",
            "ready": "/status",
            "args": ["--config=/etc/signalink/jaeger.yaml"],
            "neededBy": ["grafana", "otel-collector"],
        },
    },
}
