"""Somebody from outside comes in by a node port only when the values let their address in, and to the http port alone.

They come by a node without a pod of the api: what a node sends to its own pods no policy may stop, for it probes them.
"""

import json
import socket
from contextlib import suppress
from typing import Any

from cluster import Ground, Missed
from rig import say

from signalink_core.testing import eventually
from signalink_stacks.clusters import plan
from signalink_stacks.lib import images

PORT = 30880
SECONDS = 3.0
"""Of one connection: what a policy drops never answers."""
TRIALS = 3
CHANGE_SECONDS = 30.0


def nodes(ground: Ground) -> dict[str, str]:
    """Name -> address of every node."""
    items = json.loads(ground.cluster("get", "nodes", "--output=json"))["items"]
    found = {each["metadata"]["name"]: each["status"]["addresses"] for each in items}
    return {name: next(one["address"] for one in told if one["type"] == "InternalIP") for name, told in found.items()}


def answers(host: str) -> bool:
    """Whether somebody speaks HTTP there; what they say is the api's own business."""
    with suppress(OSError), socket.create_connection((host, PORT), timeout=SECONDS) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        return connection.recv(5) == b"HTTP/"
    return False


async def proof(ground: Ground) -> None:
    """Open by the node's address, closed without it; the release keeps the last values until it is installed again."""
    busy = {pod.node for pod in ground.pods() if pod.service == "api"}
    free = [address for name, address in nodes(ground).items() if name not in busy]
    if not free:
        say("node port: not tried, every node has a pod of the api")
        return
    inside: list[dict[str, Any]] = [{"namespaceSelector": {}}]
    _values(ground, [*inside, {"ipBlock": {"cidr": f"{free[0]}/32"}}])
    await eventually(lambda: answers(free[0]), within=CHANGE_SECONDS, every=0.5)
    ports = ground.document("service", f"{plan.RELEASE}-api-public")["spec"]["ports"]
    if [port["name"] for port in ports] != ["http"]:
        raise Missed(f"a node port leads to {[port['name'] for port in ports]}")
    _values(ground, inside)
    await eventually(lambda: not answers(free[0]), within=CHANGE_SECONDS, every=0.5)
    if any(answers(free[0]) for _ in range(TRIALS)):
        raise Missed(f"{free[0]}:{PORT} answers although no value lets its address in")
    say(f"node port: {free[0]}:{PORT} is open for an address that values let in, and closed for any other")


def _values(ground: Ground, peers: list[dict[str, Any]]) -> None:
    chart = str(images.root() / plan.CHART)
    words = [f"--set=api.service.nodePort={PORT}", f"--set-json=api.networkPolicy.httpFrom={json.dumps(peers)}"]
    words += ["--set=api.service.type=NodePort", "--reuse-values", "--wait", "--timeout=5m"]
    ground.helm("upgrade", plan.RELEASE, chart, *words)
