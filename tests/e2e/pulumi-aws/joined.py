"""What joins pods to load balancers, in a cluster that is not EKS: stand-ins of the kinds, and what was made of them.

EKS Auto Mode brings its kind along; beside a node group the controller's chart does. Here the first is applied to the
API server, the second is a chart with the definition and nothing else: no controller acts on either.
"""

import json
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Literal

Mode = Literal["auto", "managed"]
GROUP: Final[Mapping[Mode, tuple[str, str]]] = {
    "auto": ("eks.amazonaws.com", "v1"),
    "managed": ("elbv2.k8s.aws", "v1beta1"),
}
"""How nodes are run -> API group and version of its TargetGroupBinding."""
SERVICES: Final = ("analytics", "api", "gateway", "notifications")
SECONDS: Final = 120
CLASS, POLICIES = "signalink-gp3", "amazon-vpc-cni"
PROVISIONERS: Final[Mapping[Mode, str]] = {"auto": "ebs.csi.eks.amazonaws.com", "managed": "ebs.csi.aws.com"}


def kind(mode: Mode) -> str:
    return f"targetgroupbindings.{GROUP[mode][0]}"


def definition(mode: Mode) -> dict[str, Any]:
    """A TargetGroupBinding as the API server must know it: any spec."""
    group, version = GROUP[mode]
    anything = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    schema = {"openAPIV3Schema": {"type": "object", "properties": {"spec": anything, "status": anything}}}
    names = {"kind": "TargetGroupBinding", "plural": "targetgroupbindings", "singular": "targetgroupbinding"}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": kind(mode)},
        "spec": {
            "group": group,
            "scope": "Namespaced",
            "names": names | {"listKind": "TargetGroupBindingList"},
            "versions": [{"name": version, "served": True, "storage": True, "schema": schema}],
        },
    }


def chart(folder: Path) -> Path:
    """A chart called like the controller's, which brings the kind."""
    made = folder / "aws-load-balancer-controller"
    (made / "crds").mkdir(parents=True, exist_ok=True)
    (made / "Chart.yaml").write_text("apiVersion: v2\nname: aws-load-balancer-controller\nversion: 0.0.1\n")
    (made / "crds/binding.yaml").write_text(json.dumps(definition("managed")))
    (made / "templates").mkdir(exist_ok=True)
    (made / "templates/account.yaml").write_text(
        "apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: {{ .Values.serviceAccount.name | quote }}}\n"
    )
    return made


def kubectl(context: str, *words: str, given: str = "") -> str:
    """What it prints; RuntimeError with its words when it fails."""
    command = ["kubectl", "--context", context, *words]
    done = subprocess.run(command, input=given, capture_output=True, text=True, timeout=SECONDS)
    if done.returncode:
        raise RuntimeError(f"`{' '.join(command[:6])}` failed: {done.stderr.strip()[-400:]}")
    return done.stdout


def plant(context: str) -> None:
    """Auto Mode's kind: there before any stack."""
    kubectl(context, "apply", "--server-side", "-f", "-", given=json.dumps(definition("auto")))
    kubectl(context, "wait", "--for=condition=Established", f"crd/{kind('auto')}", "--timeout=60s")


def bindings(context: str, mode: Mode, namespace: str) -> dict[str, str]:
    """Service -> ARN of the target group that its pods would join."""
    items = json.loads(kubectl(context, "get", kind(mode), "--namespace", namespace, "--output", "json"))["items"]
    return {each["spec"]["serviceRef"]["name"]: each["spec"]["targetGroupARN"] for each in items}


def fitted(context: str, mode: Mode) -> str:
    """Whether the API server took the class of volumes, and with Auto Mode the switch of network policies."""
    made = json.loads(kubectl(context, "get", "storageclass", CLASS, "--output", "json"))
    said = (made["provisioner"], made["parameters"].get("encrypted"))
    if said != (PROVISIONERS[mode], "true"):
        raise RuntimeError(f"the class {CLASS} is {said}")
    names = json.loads(kubectl(context, "get", "configmap", "--namespace", "kube-system", "--output", "json"))["items"]
    if (POLICIES in [each["metadata"]["name"] for each in names]) != (mode == "auto"):
        raise RuntimeError(f"network policies: {POLICIES} is {'missing' if mode == 'auto' else 'there'}")
    return f"volumes by {said[0]}, encrypted"
