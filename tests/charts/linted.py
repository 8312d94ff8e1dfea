"""The default checks of kube-linter 0.7.4 and Polaris 10, read from their sources, on objects of a rendering.

For machines where neither program is installed. A check is a row of the checklist that asks for the same or more, or a
function here that gives findings.
"""

import re
from collections.abc import Callable, Iterator

from charting import Object, containers, pods

Check = Callable[[list[Object]], Iterator[str]]
PORT_NAME = re.compile(r"^(?=.*[a-z])(?!.*--)[a-z0-9]([a-z0-9-]{0,13}[a-z0-9])?$")
WORD = re.compile(r"(?i)(secret|password|token|bearer)")
KEY = re.compile(r"(?i)-BEGIN\s+.*PRIVATE KEY-")
SERVING = ("Deployment", "StatefulSet")


def _of(objects: list[Object], *kinds: str) -> list[Object]:
    return [one for one in objects if one["kind"] in kinds]


def _labels(objects: list[Object]) -> list[dict[str, str]]:
    return [metadata["labels"] for _, metadata, _ in pods(objects)]


def _name(one: Object) -> str:
    return f"{one['kind']} {one['metadata']['name']}"


def dangling_service(objects: list[Object]) -> Iterator[str]:
    for one in _of(objects, "Service"):
        if not any(one["spec"]["selector"].items() <= labels.items() for labels in _labels(objects)):
            yield f"{_name(one)} leads to no pod"


def old_account_field(objects: list[Object]) -> Iterator[str]:
    yield from (f"{who}: serviceAccount" for who, _, spec in pods(objects) if "serviceAccount" in spec)


def host_paths(objects: list[Object]) -> Iterator[str]:
    for who, _, spec in pods(objects):
        yield from (f"{who}: {one['name']}" for one in spec.get("volumes", ()) if "hostPath" in one)


def twice_in_env(objects: list[Object]) -> Iterator[str]:
    for who, container in containers(objects):
        names = [item["name"] for item in container.get("env", ())]
        yield from (f"{who}: {name} twice" for name in sorted({one for one in names if names.count(one) > 1}))


def secret_in_env(objects: list[Object]) -> Iterator[str]:
    for who, container in containers(objects):
        for item in container.get("env", ()):
            value = item.get("value", "/")
            if KEY.search(value) or (WORD.search(item["name"]) and value and not value.startswith("/")):
                yield f"{who}: {item['name']}"


def port_names(objects: list[Object]) -> Iterator[str]:
    for who, container in containers(objects):
        names = [port.get("name", "a") for port in container.get("ports", ())]
        yield from (f"{who}: port {name}" for name in names if not PORT_NAME.match(name))
    for one in _of(objects, "Service"):
        targets = [str(port.get("targetPort", port["port"])) for port in one["spec"]["ports"]]
        yield from (f"{_name(one)}: {to}" for to in targets if not to.isdecimal() and not PORT_NAME.match(to))


def probes_of_closed_ports(objects: list[Object]) -> Iterator[str]:
    for who, container in containers(objects):
        open_ports = {key for port in container.get("ports", ()) for key in (port.get("name"), port["containerPort"])}
        for kind in ("startup", "readiness", "liveness"):
            probe = container.get(f"{kind}Probe", {})
            asked = next((probe[way]["port"] for way in ("httpGet", "tcpSocket", "grpc") if way in probe), None)
            if asked is not None and asked not in open_ports:
                yield f"{who}: the {kind} probe asks {asked}"


def selectors(objects: list[Object]) -> Iterator[str]:
    for one in _of(objects, *SERVING):
        labels = one["spec"]["template"]["metadata"]["labels"]
        if not one["spec"]["selector"]["matchLabels"].items() <= labels.items():
            yield _name(one)


def together(objects: list[Object]) -> Iterator[str]:
    scaled = {one["spec"]["scaleTargetRef"]["name"] for one in _of(objects, "HorizontalPodAutoscaler")}
    for one in _of(objects, *SERVING):
        template = one["spec"]["template"]
        terms = template["spec"].get("affinity", {}).get("podAntiAffinity", {})
        terms = terms.get("preferredDuringSchedulingIgnoredDuringExecution", [])
        good = [
            each["podAffinityTerm"]["topologyKey"] == "kubernetes.io/hostname"
            and each["podAffinityTerm"]["labelSelector"]["matchLabels"].items()
            <= template["metadata"]["labels"].items()
            for each in terms
        ]
        if one["spec"].get("replicas", 1) > 1 and one["metadata"]["name"] not in scaled and not any(good):
            yield f"{_name(one)}: pods may share a node"


def accounts(objects: list[Object]) -> Iterator[str]:
    made = {one["metadata"]["name"] for one in _of(objects, "ServiceAccount")}
    used = [(who, spec["serviceAccountName"]) for who, _, spec in pods(objects)]
    yield from (f"{who}: {name}" for who, name in used if name not in made)


def budgets(objects: list[Object]) -> Iterator[str]:
    for one in _of(objects, "PodDisruptionBudget"):
        if str(one["spec"].get("maxUnavailable", 0)) in {"0", "0%"} or "minAvailable" in one["spec"]:
            yield f"{_name(one)} lets no pod go"


def ssh(objects: list[Object]) -> Iterator[str]:
    for who, container in containers(objects):
        yield from (f"{who}: port 22" for port in container.get("ports", ()) if port["containerPort"] == 22)


def kernel(objects: list[Object]) -> Iterator[str]:
    for who, _, spec in pods(objects):
        if spec["securityContext"].get("sysctls") or spec["securityContext"].get("windowsOptions"):
            yield f"{who}: sysctls"
    for who, container in containers(objects):
        if container["securityContext"].get("procMount", "Default") != "Default":
            yield f"{who}: procMount"


def host_ports(objects: list[Object]) -> Iterator[str]:
    for who, container in containers(objects):
        yield from (f"{who}: hostPort" for port in container.get("ports", ()) if "hostPort" in port)


def ended_jobs(objects: list[Object]) -> Iterator[str]:
    yield from (_name(one) for one in _of(objects, "Job") if "ttlSecondsAfterFinished" not in one["spec"])
    for one in _of(objects, "CronJob"):
        if "ttlSecondsAfterFinished" in one["spec"]["jobTemplate"]["spec"]:
            yield _name(one)


def unprobed(objects: list[Object]) -> Iterator[str]:
    for one in _of(objects, *SERVING):
        for container in one["spec"]["template"]["spec"]["containers"]:
            missing = {"readinessProbe", "livenessProbe"} - container.keys()
            yield from (f"{_name(one)}: {container['name']} has no {probe}" for probe in sorted(missing))


def scaling(objects: list[Object]) -> Iterator[str]:
    for one in _of(objects, "HorizontalPodAutoscaler"):
        if not 1 < one["spec"]["minReplicas"] < one["spec"]["maxReplicas"]:
            yield f"{_name(one)}: {one['spec']['minReplicas']} to {one['spec']['maxReplicas']}"


def open_pods(objects: list[Object]) -> Iterator[str]:
    chosen = [one["spec"]["podSelector"].get("matchLabels", {}) for one in _of(objects, "NetworkPolicy")]
    for who, metadata, _ in pods(objects):
        if not any(selector.items() <= metadata["labels"].items() for selector in chosen):
            yield f"{who}: no NetworkPolicy"


def clear_ways_in(objects: list[Object]) -> Iterator[str]:
    yield from (f"{_name(one)}: no TLS" for one in _of(objects, "Ingress") if not one["spec"].get("tls"))


def secret_maps(objects: list[Object]) -> Iterator[str]:
    for one in _of(objects, "ConfigMap"):
        for key, value in (one.get("data") or {}).items():
            if WORD.search(key) or KEY.search(value):
                yield f"{_name(one)}: {key}"


def powers(objects: list[Object]) -> Iterator[str]:
    for one in _of(objects, "Role", "ClusterRole"):
        for rule in one["rules"]:
            if {"pods/exec", "pods/attach", "pods/*", "*"} & set(rule.get("resources", ())):
                yield f"{_name(one)}: {rule['resources']}"
    for one in _of(objects, "RoleBinding", "ClusterRoleBinding"):
        if one["roleRef"]["name"] in {"cluster-admin", "admin"}:
            yield f"{_name(one)}: {one['roleRef']['name']}"


KUBE_LINTER: dict[str, Check | str] = {
    "dangling-service": dangling_service,
    "deprecated-service-account-field": old_account_field,
    "docker-sock": host_paths,
    "drop-net-raw-capability": "H01",
    "duplicate-env-var": twice_in_env,
    "env-var-secret": secret_in_env,
    "host-ipc": "H01",
    "host-network": "H01",
    "host-pid": "H01",
    "invalid-target-ports": port_names,
    "job-ttl-seconds-after-finished": ended_jobs,
    "latest-tag": "H14",
    "liveness-port": probes_of_closed_ports,
    "mismatching-selector": selectors,
    "no-anti-affinity": together,
    "no-extensions-v1beta": "the schemas of Kubernetes",
    "no-read-only-root-fs": "H02",
    "non-existent-service-account": accounts,
    "pdb-max-unavailable": budgets,
    "pdb-min-available": budgets,
    "pdb-unhealthy-pod-eviction-policy": "H08",
    "privilege-escalation-container": "H01",
    "privileged-container": "H01",
    "readiness-port": probes_of_closed_ports,
    "run-as-non-root": "H01",
    "sensitive-host-mounts": host_paths,
    "ssh-port": ssh,
    "startup-port": probes_of_closed_ports,
    "unsafe-sysctls": kernel,
    "unset-cpu-requirements": "H05",
    "unset-memory-requirements": "H05",
}
POLARIS: dict[str, Check | str] = {
    "deploymentMissingReplicas": "H08",
    "tagNotSpecified": "H14",
    "pullPolicyNotAlways": "H14",
    "readinessProbeMissing": unprobed,
    "livenessProbeMissing": unprobed,
    "pdbDisruptionsIsZero": budgets,
    "missingPodDisruptionBudget": "H08",
    "topologySpreadConstraint": "H08",
    "hpaMaxAvailability": scaling,
    "hpaMinAvailability": scaling,
    "pdbMinAvailableGreaterThanOrEqualToHPAMinReplicas": budgets,
    "cpuRequestsMissing": "H05",
    "cpuLimitsMissing": "H05",
    "memoryRequestsMissing": "H05",
    "memoryLimitsMissing": "H05",
    "automountServiceAccountToken": "H03",
    "hostIPCSet": "H01",
    "hostPathSet": host_paths,
    "hostProcess": kernel,
    "hostPIDSet": "H01",
    "linuxHardening": "H01",
    "missingNetworkPolicy": open_pods,
    "notReadOnlyRootFilesystem": "H02",
    "privilegeEscalationAllowed": "H01",
    "procMount": kernel,
    "runAsRootAllowed": "H01",
    "runAsPrivileged": "H01",
    "dangerousCapabilities": "H01",
    "insecureCapabilities": "H01",
    "hostNetworkSet": "H01",
    "hostPortSet": host_ports,
    "tlsSettingsMissing": clear_ways_in,
    "sensitiveContainerEnvVar": secret_in_env,
    "sensitiveConfigmapContent": secret_maps,
    "clusterrolePodExecAttach": powers,
    "rolePodExecAttach": powers,
    "clusterrolebindingPodExecAttach": powers,
    "rolebindingClusterRolePodExecAttach": powers,
    "rolebindingRolePodExecAttach": powers,
    "clusterrolebindingClusterAdmin": powers,
    "rolebindingClusterAdminClusterRole": powers,
    "rolebindingClusterAdminRole": powers,
}
CHECKS: frozenset[Check] = frozenset(
    one for one in (*KUBE_LINTER.values(), *POLARIS.values()) if not isinstance(one, str)
)
