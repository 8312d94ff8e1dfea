"""Who reaches whom, tried from inside: every service's own pod, and pods of strangers, to every port of the release.

What must hold follows from the manifests (service.toml), not from the charts: a service reaches the engines and the
public ports that it needs and itself, nothing else; a stranger reaches public ports alone; who
is labelled as Prometheus also internal ports; nobody else does. A port that refuses nobody would prove nothing, so each
must let somebody in; and when another policy opens an engine, the same trial must see it.
"""

import concurrent.futures
import json
from collections.abc import Iterable, Mapping
from typing import Any

from cluster import Ground, Missed
from clusterplace import IDLE
from rig import say

from signalink_core.manifest import ServiceManifest
from signalink_stacks.charts import facts
from signalink_stacks.clusters import plan
from signalink_stacks.lib import images

ENGINES = {"postgres": ("postgres", 5432), "redis": ("valkey", 6379), "kafka": ("kafka", 9092)}
"""What a manifest calls an engine -> its chart and port."""
TRIALS = 10
SECONDS = 3.0
"""Of one connection: what a policy drops never answers."""
TRIES = """
import concurrent.futures, json, socket, sys
def one(target):
    try:
        socket.create_connection((target[1], target[2]), timeout=SECONDS).close()
        return True
    except OSError:
        return False
targets = json.load(sys.stdin)
with concurrent.futures.ThreadPoolExecutor(len(targets)) as pool:
    print(json.dumps(dict(zip([t[0] for t in targets], pool.map(one, targets)))))
""".replace("SECONDS", str(SECONDS))
TOKENS = {"operator": "api"}
"""Who holds a token of the api by `global.serviceTokens`, on in the umbrella, and so may use its public port."""
STRANGERS: dict[str, dict[str, str]] = {
    "stranger": {"app.kubernetes.io/name": "stranger"},
    "prometheus": {"app.kubernetes.io/name": "prometheus"},
}
"""Pods in a namespace of their own -> labels."""
NEIGHBOUR = "neighbour"
"""A pod without our labels in the release's namespace."""
Target = tuple[str, str, int]


def manifests() -> list[ServiceManifest]:
    return facts.manifests(images.root())


def targets(ground: Ground) -> list[Target]:
    """Name, pod address and port of everything that listens. Pods, not Services: those have no port for some of it."""
    addresses = {pod.service: pod.address for pod in ground.pods()}
    found = [(f"{chart}:{port}", addresses[chart], port) for chart, port in ENGINES.values()]
    known = manifests()
    for which, ports in (
        ("http", {manifest.name: manifest.ports.http for manifest in known}),
        ("metrics", {manifest.name: manifest.ports.metrics for manifest in known}),
    ):
        found += [(f"{name}:{which}", addresses[name], port) for name, port in ports.items() if port is not None]
    return found


def allowed(source: str, target: str) -> bool:
    """What the manifests say."""
    known = {manifest.name: manifest for manifest in manifests()}
    name, port = target.split(":")
    engines = {chart: need for need, (chart, _) in ENGINES.items()}
    if source == "prometheus":
        return name not in engines
    if source not in known:
        return port == "http"
    if name in engines:
        return engines[name] in known[source].needs
    wanted = {*known[source].needs, TOKENS.get(source)}
    return name == source or (port == "http" and name in wanted)  # a pod always reaches itself


def tried(ground: Ground, sources: Mapping[str, tuple[str, str]], wanted: list[Target]) -> dict[tuple[str, str], bool]:
    """(source, target) -> reached. `sources`: name -> namespace and pod."""
    given = json.dumps(wanted)

    def ask(item: tuple[str, tuple[str, str]]) -> dict[tuple[str, str], bool]:
        source, (namespace, pod) = item
        words = ("exec", "-i", f"--namespace={namespace}", pod, "--", "python", "-c", TRIES)
        return {(source, target): got for target, got in json.loads(ground.cluster(*words, given=given)).items()}

    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        return {pair: got for found in pool.map(ask, sources.items()) for pair, got in found.items()}


def proof(ground: Ground) -> int:
    """Try all pairs, then once more with Postgres opened; answers how many connections were tried."""
    wanted = targets(ground)
    apart = f"{ground.namespace}-strangers"
    try:
        sources = places(ground, apart)
        found = tried(ground, sources, wanted)
        if wrong := _differs(found):
            raise Missed(f"network policies: {'; '.join(wrong)}")
        closed = {target for _, target in found} - {target for (_, target), got in found.items() if got}
        if closed:
            raise Missed(f"nobody reaches {sorted(closed)}: that they are closed to others shows nothing")
        _opened(ground, sources, [target for target in wanted if target[0].startswith("postgres")])
    finally:
        ground.cluster("delete", "namespace", apart, "--ignore-not-found", "--wait=false")
        ground.kubectl("delete", "pod", NEIGHBOUR, "--ignore-not-found", "--wait=false", "--grace-period=1")
    opened = sum(found.values())
    say(f"network: {len(found)} connections from {len(sources)} places tried, {opened} open, all as the manifests say")
    return len(found)


def _differs(found: Mapping[tuple[str, str], bool]) -> list[str]:
    return [
        f"{source} {'reaches' if got else 'does not reach'} {target}"
        for (source, target), got in found.items()
        if got != allowed(source, target)
    ]


def _opened(ground: Ground, sources: Mapping[str, tuple[str, str]], wanted: list[Target]) -> None:
    """The trial is shown to fail: policies add up, so one more lets strangers in to an engine."""
    chosen = {"app.kubernetes.io/name": "postgres", "app.kubernetes.io/instance": plan.RELEASE}
    spec = {"podSelector": {"matchLabels": chosen}, "policyTypes": ["Ingress"], "ingress": [{}]}
    metadata = {"name": "proof-opens-postgres"}
    ground.apply({"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": metadata, "spec": spec})
    try:
        stranger = {"stranger": sources["stranger"]}
        for _ in range(TRIALS):
            if _differs(tried(ground, stranger, wanted)):
                return
        raise Missed("Postgres is as closed as before when a policy opens it: the trial is blind")
    finally:
        ground.kubectl("delete", "networkpolicy", metadata["name"])


def places(ground: Ground, apart: str) -> dict[str, tuple[str, str]]:
    """Every service's pod, strangers in a namespace of their own, a neighbour without our labels."""
    deployment = ground.document("deployment", f"{plan.RELEASE}-api")["spec"]["template"]["spec"]
    ground.cluster("create", "namespace", apart)
    for name, labels in STRANGERS.items():
        _stand(ground, apart, name, labels, deployment)
    _stand(ground, ground.namespace, NEIGHBOUR, {"app.kubernetes.io/name": NEIGHBOUR}, deployment)
    pods = {pod.service: (ground.namespace, pod.name) for pod in ground.pods() if pod.service in _names(manifests())}
    strangers = {name: (apart, name) for name in STRANGERS}
    for name, (namespace, pod) in (strangers | {NEIGHBOUR: (ground.namespace, NEIGHBOUR)}).items():
        words = ("wait", "--for=condition=Ready", f"pod/{pod}", "--timeout=90s", f"--namespace={namespace}")
        ground.cluster(*words, seconds=120)
        pods[name] = (namespace, pod)
    return pods


def _names(found: Iterable[ServiceManifest]) -> set[str]:
    return {manifest.name for manifest in found}


def _stand(ground: Ground, namespace: str, name: str, labels: Mapping[str, str], like: Mapping[str, Any]) -> None:
    """A pod that does nothing, with the image and the restrictions of ours."""
    container = {key: like["containers"][0][key] for key in ("name", "image", "imagePullPolicy", "securityContext")}
    container |= {"command": ["python", "-c", IDLE], "resources": {"limits": {"cpu": "200m", "memory": "128Mi"}}}
    spec = {
        "automountServiceAccountToken": False,
        "containers": [container],
        "securityContext": like["securityContext"],
        "terminationGracePeriodSeconds": 1,
    }
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "labels": dict(labels)}, "spec": spec}
    ground.cluster("create", "-f", "-", f"--namespace={namespace}", given=json.dumps(pod))
