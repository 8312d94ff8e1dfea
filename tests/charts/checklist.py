"""The checklist of the charts: one function a row, from what was rendered to findings. Pure; the tests run them.

Rows that compare several renderings (H11, H13, H18) are in checklist_renders.
"""

import base64
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from charting import ENGINES, NAMESPACE, OBSERVERS, SERVICES, UMBRELLA, Object, Rendered, containers, pods

from signalink_core.manifest import ServiceManifest

UID = 10001
VOLUMES = {"emptyDir", "projected", "secret", "configMap", "persistentVolumeClaim", "downwardAPI", "name"}
DIGEST = re.compile(r"@sha256:[0-9a-f]{64}$")
RANDOM = re.compile(r"\b[A-Za-z0-9]{43}\b|\b[A-Za-z0-9+/]{58}==")
"""How a generated word looks, in clear and in base64."""
LABELS = ("name", "instance", "component", "version", "part-of", "managed-by")
CLUSTER_WIDE = {"ClusterRole", "ClusterRoleBinding", "CustomResourceDefinition"}


@dataclass(frozen=True)
class Subject:
    """One rendering, and what its services say of themselves. `mode` is the name of the case."""

    rendered: Rendered
    case: str
    manifests: dict[str, ServiceManifest]

    @property
    def objects(self) -> tuple[Object, ...]:
        return self.rendered.objects

    def mentions(self, *charts: str) -> bool:
        return self.rendered.chart in {*charts, UMBRELLA}


Row = Callable[[Subject], list[str]]


def h01_pod_security(subject: Subject) -> list[str]:
    """The restricted profile; uid and gid from 10001."""
    found = []
    for who, _, spec in pods(subject.objects):
        context = spec.get("securityContext", {})
        good = context.get("runAsNonRoot") is True and context.get("seccompProfile") == {"type": "RuntimeDefault"}
        good = good and context.get("fsGroup", 0) >= UID
        found += [] if good else [f"{who}: pod security {context}"]
        found += [f"{who}: {key}" for key in ("hostNetwork", "hostPID", "hostIPC") if spec.get(key)]
        strange = [volume["name"] for volume in spec.get("volumes", ()) if not volume.keys() <= VOLUMES]
        found += [f"{who}: volume {name} is of no restricted kind" for name in strange]
    for who, container in containers(subject.objects):
        context = container.get("securityContext", {})
        users = [context.get("runAsUser", 0), context.get("runAsGroup", 0)]
        good = context.get("allowPrivilegeEscalation") is False and context.get("capabilities") == {"drop": ["ALL"]}
        good = good and min(users) >= UID and context.get("seccompProfile") == {"type": "RuntimeDefault"}
        found += [] if good else [f"{who}: container security {context}"]
    return found


def h02_read_only_root(subject: Subject) -> list[str]:
    """What may be written is a sized /tmp and declared volumes."""
    found = []
    for who, container in containers(subject.objects):
        if not container.get("securityContext", {}).get("readOnlyRootFilesystem"):
            found.append(f"{who}: root can be written")
        if "/tmp" not in [mount["mountPath"] for mount in container.get("volumeMounts", ())]:  # noqa: S108
            found.append(f"{who}: no /tmp")
    for who, _, spec in pods(subject.objects):
        unbounded = [v["name"] for v in spec.get("volumes", ()) if "emptyDir" in v and "sizeLimit" not in v["emptyDir"]]
        found += [f"{who}: emptyDir {name} without a size" for name in unbounded]
    return found


def h03_no_token(subject: Subject) -> list[str]:
    """No token of the service account is mounted; the operator's is a projected volume."""
    found = [
        f"{who}: automountServiceAccountToken"
        for who, _, spec in pods(subject.objects)
        if spec.get("automountServiceAccountToken") is not False
    ]
    found += [
        f"ServiceAccount {one['metadata']['name']}: automounts"
        for one in subject.rendered.of("ServiceAccount")
        if one.get("automountServiceAccountToken") is not False
    ]
    for who, metadata, spec in pods(subject.objects):
        tokens = json.dumps(spec.get("volumes", [])).count("serviceAccountToken")
        asks = metadata["labels"]["app.kubernetes.io/component"] in {
            "api-tokens",
            "operator",
            "operator-test",
            "prometheus",
        }
        found += [] if tokens == int(asks) else [f"{who}: {tokens} tokens as volumes"]
    return found


def h04_own_account(subject: Subject) -> list[str]:
    """A service account of its own, no wildcard, rights in the whole cluster for the operator alone."""
    made = {one["metadata"]["name"] for one in subject.rendered.of("ServiceAccount")}
    found = [
        f"{who}: service account {spec.get('serviceAccountName')}"
        for who, _, spec in pods(subject.objects)
        if spec.get("serviceAccountName") not in made
    ]
    for role in subject.rendered.of("Role", "ClusterRole"):
        name = f"{role['kind']} {role['metadata']['name']}"
        found += [
            f"{name}: wildcard" for rule in role["rules"] if "*" in [word for words in rule.values() for word in words]
        ]
        if role["kind"] == "ClusterRole" and not subject.mentions("operator"):
            found.append(f"{name}: not for this chart")
    return found


def h05_resources(subject: Subject) -> list[str]:
    """Requests and limits of CPU, memory and disk on every container."""
    return [
        f"{who}: {kind} {container.get('resources', {}).get(kind)}"
        for who, container in containers(subject.objects)
        for kind in ("requests", "limits")
        if not {"cpu", "memory", "ephemeral-storage"} <= (container.get("resources", {}).get(kind) or {}).keys()
    ]


def h06_probes(subject: Subject) -> list[str]:
    """Three probes that differ; the live one asks no dependency; a start has the time the manifest says."""
    found = []
    for one in subject.rendered.of("Deployment", "StatefulSet"):
        container = one["spec"]["template"]["spec"]["containers"][0]
        probes = [container.get(f"{kind}Probe") for kind in ("startup", "readiness", "liveness")]
        who = f"{one['kind']} {one['metadata']['name']}"
        if None in probes or len({json.dumps(probe, sort_keys=True) for probe in probes}) != len(probes):
            found.append(f"{who}: probes {probes}")
            continue
        startup, readiness, liveness = probes
        assert startup and readiness and liveness
        budget = startup["periodSeconds"] * startup["failureThreshold"]
        manifest = subject.manifests.get(container["name"])
        if budget < (manifest.health.startup_seconds if manifest else 60):
            found.append(f"{who}: {budget} s to start")
        if manifest is not None and subject.case != "everything":
            asked = [probe["httpGet"]["path"] for probe in (startup, readiness, liveness)]
            wanted = [manifest.health.live, manifest.health.ready, manifest.health.live]
            found += [] if asked == wanted else [f"{who}: paths {asked}"]
    return found


def h07_stopping(subject: Subject) -> list[str]:
    """Serving goes on while the cluster learns that the pod goes; then there is time to drain."""
    found = []
    for one in subject.rendered.of("Deployment", "StatefulSet"):
        spec = one["spec"]["template"]["spec"]
        sleep = spec["containers"][0].get("lifecycle", {}).get("preStop", {}).get("sleep", {}).get("seconds")
        grace = spec.get("terminationGracePeriodSeconds", 30)
        drain = 25 if one["kind"] == "Deployment" else 5
        good = sleep is not None and grace > sleep + drain
        found += [] if good else [f"{one['metadata']['name']}: preStop {sleep} s, grace {grace} s"]
    return found


def h08_spread(subject: Subject) -> list[str]:
    """Spread over nodes; a disruption budget where, and only where, there is more than one pod."""
    found = []
    budgets = {one["metadata"]["name"]: one["spec"] for one in subject.rendered.of("PodDisruptionBudget")}
    scaled = {
        one["metadata"]["name"]: one["spec"]["minReplicas"] for one in subject.rendered.of("HorizontalPodAutoscaler")
    }
    for one in subject.rendered.of("Deployment", "StatefulSet"):
        name, spec = one["metadata"]["name"], one["spec"]
        spread = spec["template"]["spec"].get("topologySpreadConstraints")
        selector = spec["selector"]["matchLabels"]
        alone = spec["template"]["metadata"]["labels"]["app.kubernetes.io/component"] == "operator"
        if not alone and not (spread and all(each["labelSelector"]["matchLabels"] == selector for each in spread)):
            found.append(f"{name}: spread {spread}")
        many = scaled.get(name, spec.get("replicas", 1)) > 1
        if many != (name in budgets):
            found.append(f"{name}: {'no' if many else 'a'} disruption budget")
    return found + [
        f"{name}: {spec}"
        for name, spec in budgets.items()
        if spec.get("unhealthyPodEvictionPolicy") != "AlwaysAllow" or "maxUnavailable" not in spec
    ]


def h09_scaling(subject: Subject) -> list[str]:
    """An autoscaler owns the number of pods; a new pod serves before an old one goes."""
    found = []
    scaled = {one["spec"]["scaleTargetRef"]["name"] for one in subject.rendered.of("HorizontalPodAutoscaler")}
    for one in subject.rendered.of("Deployment"):
        name, spec = one["metadata"]["name"], one["spec"]
        if ("replicas" in spec) == (name in scaled):
            found.append(f"{name}: replicas {spec.get('replicas')} beside an autoscaler: {name in scaled}")
        alone = spec["template"]["metadata"]["labels"]["app.kubernetes.io/component"] == "operator"
        wanted: Any = {"type": "Recreate"} if alone else "RollingUpdate"
        good = (
            spec["strategy"] == wanted
            if alone
            else spec["strategy"].get("rollingUpdate", {}).get("maxUnavailable") == 0
        )
        found += [] if good else [f"{name}: strategy {spec['strategy']}"]
    return found


def h10_network(subject: Subject) -> list[str]:
    """Every pod is closed in both directions but for DNS and named peers; no rule is for everybody on every port."""
    found = []
    policies = [one["spec"] for one in subject.rendered.of("NetworkPolicy")]
    for who, metadata, _ in pods(subject.objects):
        chosen = [p for p in policies if p["podSelector"]["matchLabels"].items() <= metadata["labels"].items()]
        if not any(set(policy["policyTypes"]) == {"Ingress", "Egress"} for policy in chosen):
            found.append(f"{who}: no policy closes it")
    for policy in policies:
        name = policy["podSelector"]["matchLabels"].get("app.kubernetes.io/name")
        dns = [rule for rule in policy["egress"] if {"port": 53, "protocol": "UDP"} in rule["ports"]]
        found += [] if dns else [f"{name}: no DNS"]
        rules = [(rule.get("from"), rule.get("ports")) for rule in policy.get("ingress", ())]
        rules += [(rule.get("to"), rule.get("ports")) for rule in policy["egress"]]
        found += [f"{name}: a rule without peers or ports: {rule}" for rule in rules if not (rule[0] and rule[1])]
        if name in ENGINES:
            open_to = [peer for rule in policy.get("ingress", ()) for peer in rule["from"] if "podSelector" not in peer]
            found += [f"{name}: open to {peer}" for peer in open_to]
    return found


def h12_secrets(subject: Subject) -> list[str]:
    """Secrets are files: no word of one is in an environment, an argument, a ConfigMap, an annotation or the notes."""
    found = []
    for who, container in containers(subject.objects):
        named = [item["name"] for item in container.get("env", ()) if "secretKeyRef" in item.get("valueFrom", {})]
        found += [f"{who}: {name} is a secret in the environment" for name in named]
        found += [f"{who}: envFrom" for _ in container.get("envFrom", ())]
    words = [
        word
        for secret in subject.rendered.of("Secret")
        for data in (secret.get("data") or {}).values()
        for word in (data, base64.b64decode(data).decode())
    ]
    others = json.dumps([one for one in subject.objects if one["kind"] != "Secret"]) + subject.rendered.notes
    found += [f"a word, {word[:4]}..., is outside its Secret" for word in words if word in others]
    found += [f"a random word, {word[:4]}..., is outside a Secret" for word in RANDOM.findall(others)]
    given = {one["spec"]["target"]["name"] for one in subject.rendered.of("ExternalSecret")}
    made = {one["metadata"]["name"] for one in subject.rendered.of("Secret")}
    return found + [f"{name} has two sources" for name in given & made]


def h14_images(subject: Subject) -> list[str]:
    """Digests on every image, asked for at the registry each time, with the pull secrets of chart and release."""
    found = []
    for who, container in containers(subject.objects):
        good = DIGEST.search(container["image"]) and container.get("imagePullPolicy") == "Always"
        found += [] if good else [f"{who}: {container['image']} {container.get('imagePullPolicy')}"]
    if subject.case == "everything":
        for who, _, spec in pods(subject.objects):
            names = [one["name"] for one in spec.get("imagePullSecrets", ())]
            found += [] if names == ["registry", "mirror"] else [f"{who}: pull secrets {names}"]
    return found


def h15_metadata(subject: Subject) -> list[str]:
    """The recommended labels and the namespace on every object; names that are legal and used once."""
    found = []
    seen: set[tuple[str, str]] = set()
    for one in subject.objects:
        name, kind = one["metadata"]["name"], one["kind"]
        if one["metadata"].get("labels", {}) == {} and name == "more":
            continue  # the object of a user
        if (kind, name) in seen and "extra" not in name:
            found.append(f"{kind} {name} is there twice")
        seen.add((kind, name))
        labels = one["metadata"].get("labels", {})
        missing = [label for label in LABELS if not labels.get(f"app.kubernetes.io/{label}")]
        if kind != "CustomResourceDefinition" and missing:
            found.append(f"{kind} {name}: labels {missing}")
        if kind not in CLUSTER_WIDE and one["metadata"].get("namespace") != NAMESPACE:
            found.append(f"{kind} {name}: namespace {one['metadata'].get('namespace')}")
        if len(name) > (253 if kind in CLUSTER_WIDE else 63) or not re.fullmatch(
            r"[a-z0-9]([-a-z0-9.]*[a-z0-9])?", name
        ):
            found.append(f"{kind} {name}: no legal name")
    return found


def h16_notes(subject: Subject) -> list[str]:
    """A user reads the address, the first command and how to test."""
    notes = subject.rendered.notes
    wanted = [f"helm --namespace {NAMESPACE} test", "kubectl --namespace"]
    wanted += (
        ["Address: "]
        if subject.rendered.chart in (*ENGINES, *OBSERVERS, "api", "gateway", "analytics", "notifications")
        else []
    )
    found = [f"notes say no {text!r}" for text in wanted if subject.rendered.chart != UMBRELLA and text not in notes]
    if subject.case == "everything" and subject.rendered.chart in SERVICES and "WARNING: faults" not in notes:
        found.append("notes do not warn of faults")
    return found


def h17_state(subject: Subject) -> list[str]:
    """What must survive a pod is on a claim that says how large, of which class and what becomes of it."""
    found = []
    for one in subject.rendered.of("StatefulSet"):
        spec, name = one["spec"], one["metadata"]["name"]
        if name.endswith(("valkey", "otel-collector")) or subject.case == "minimal":
            continue  # keeps nothing
        claims = spec.get("volumeClaimTemplates", [])
        sizes = [claim["spec"]["resources"]["requests"]["storage"] for claim in claims]
        policy = spec.get("persistentVolumeClaimRetentionPolicy")
        if not sizes or policy != {"whenDeleted": "Retain", "whenScaled": "Retain"}:
            found.append(f"{name}: claims {sizes}, retention {policy}")
        if spec["template"]["spec"]["securityContext"].get("fsGroup", 0) < UID and claims:
            found.append(f"{name}: no fsGroup")
    return found


ROWS: dict[str, Row] = {
    "H01": h01_pod_security,
    "H02": h02_read_only_root,
    "H03": h03_no_token,
    "H04": h04_own_account,
    "H05": h05_resources,
    "H06": h06_probes,
    "H07": h07_stopping,
    "H08": h08_spread,
    "H09": h09_scaling,
    "H10": h10_network,
    "H12": h12_secrets,
    "H14": h14_images,
    "H15": h15_metadata,
    "H16": h16_notes,
    "H17": h17_state,
}
