"""The place of a `Stage` on a cluster: doors that outlive every pod, limits for a crowd, both stores read in pods.

A door is a NodePort Service before the api or the gateway: people connect to the cluster, which passes each new
connection to a pod that is ready, as an ingress or a load balancer does; `kubectl port-forward` would stick to one pod.
SIGNALINK_NODE: the host name under which node ports are reached, else the first node's own address.
"""

import asyncio
import json
import os
import tempfile
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import stores
import yaml
from cluster import Ground
from rig import REPLAY_PROFILE
from stores import Told

from signalink_stacks.clusters import plan

NODE_PORTS = {"api": 30800, "gateway": 30801}
PORTS = {"api": 8000, "gateway": 8001}
FROM_ANYWHERE = [{"namespaceSelector": {}}, {"ipBlock": {"cidr": "0.0.0.0/0"}}]
"""What comes through a node port has the address of a node, which is in no namespace."""
READER_MEMORY = "1Gi"
IDLE = "import time; time.sleep(7200)"
DUMP_SECONDS = 240.0
LEFT_OUT = {"startupProbe", "readinessProbe", "livenessProbe", "lifecycle", "ports"}


def node_address() -> str:
    """Where node ports are reached."""
    if given := os.environ.get("SIGNALINK_NODE"):
        return given
    nodes = json.loads(Ground("default").cluster("get", "nodes", "--output=json"))["items"]
    addresses = {each["type"]: each["address"] for each in nodes[0]["status"]["addresses"]}
    return str(addresses.get("InternalIP") or next(iter(addresses.values())))


class ClusterPlace:
    """Values for the release, its doors, and what a `Stage` asks of its place."""

    def __init__(self, name: str, replicas: int) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix=f"signalink-{name}-"))
        host = node_address()
        self.urls = {
            "api": f"http://{host}:{NODE_PORTS['api']}",
            "gateway": f"ws://{host}:{NODE_PORTS['gateway']}/v1/socket",
        }
        self.values = self.folder / "values.yaml"
        self.values.write_text(yaml.safe_dump(self._values(replicas)), encoding="utf-8")
        self.ground = Ground(f"signalink-{name}", [str(self.values)])

    def _values(self, replicas: int) -> dict[str, Any]:
        front = {
            "replicaCount": replicas,
            "settings": dict(REPLAY_PROFILE),
            "networkPolicy": {"httpFrom": FROM_ANYWHERE},
        }
        public = {"api": self.urls["api"], "gateway": self.urls["gateway"]}
        return {"global": {"publicUrls": public}, "api": front, "gateway": front}

    def open_doors(self) -> None:
        """Once the namespace is there; pods may come and go behind them."""
        for service, number in NODE_PORTS.items():
            names = {"name": service, "instance": plan.RELEASE, "component": service}
            ports = [{"name": "http", "port": PORTS[service], "targetPort": "http", "nodePort": number}]
            spec = {
                "type": "NodePort",
                "selector": {f"app.kubernetes.io/{key}": value for key, value in names.items()},
                "ports": ports,
            }
            metadata = {"name": f"door-{service}"}
            self.ground.apply({"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": spec})

    async def log(self, channels: Collection[str]) -> list[Told]:
        """Read with the relay's account, as the local target's programs do."""
        return await asyncio.to_thread(self._read, "relay", {"store": "log", "channels": list(channels)})

    async def topic(self, channels: Collection[str], wanted: int, within: float) -> list[Told]:
        """Read with the prober's account."""
        request = {"store": "topic", "channels": list(channels), "wanted": wanted, "within": within}
        return await asyncio.to_thread(self._read, "prober", request)

    def _read(self, service: str, request: Mapping[str, Any]) -> list[Told]:
        pod = self._twin(service)
        source = Path(stores.__file__).read_text(encoding="utf-8")
        lines = self.ground.execute(pod, "python", "-c", source, given=json.dumps(request), seconds=DUMP_SECONDS)
        self.ground.kubectl("delete", "pod", pod, "--wait=false", "--grace-period=1")
        return [Told(**json.loads(line)) for line in lines.splitlines()]

    def _twin(self, service: str) -> str:
        """A pod with a service's image, account and network, that does nothing: reading whole stores takes memory."""
        template = self.ground.document("deployment", f"{plan.RELEASE}-{service}")["spec"]["template"]
        name = f"twin-{service}"
        labels = {key: value for key, value in template["metadata"]["labels"].items() if "hash" not in key}
        self.ground.apply(
            {
                "apiVersion": "v1",
                "kind": "Pod",
                "metadata": {"name": name, "labels": labels},
                "spec": idle(template["spec"]),
            }
        )
        self.ground.kubectl("wait", "--for=condition=Ready", f"pod/{name}", "--timeout=120s", seconds=150)
        return name


def idle(spec: Mapping[str, Any]) -> dict[str, Any]:
    """The spec of a pod with the same containers' image, environment and volumes, without their work."""
    container = {key: value for key, value in spec["containers"][0].items() if key not in LEFT_OUT}
    container["command"] = ["python", "-c", IDLE]
    container["resources"]["limits"]["memory"] = READER_MEMORY
    kept = {key: value for key, value in spec.items() if key not in ("initContainers", "topologySpreadConstraints")}
    return kept | {"containers": [container], "restartPolicy": "Never", "terminationGracePeriodSeconds": 1}
