"""Rules about what runs in a cluster: P06 namespaces, P07 images, P08 resources. Pure."""

import re
from collections.abc import Iterator
from typing import Any, Final

from signalink_stacks.lib.policy.thing import Facts, Thing

ENFORCE: Final = "pod-security.kubernetes.io/enforce"
TEMPLATES: Final = {
    "Pod": "spec",
    "Deployment": "spec.template.spec",
    "StatefulSet": "spec.template.spec",
    "DaemonSet": "spec.template.spec",
    "ReplicaSet": "spec.template.spec",
    "Job": "spec.template.spec",
    "CronJob": "spec.jobTemplate.spec.template.spec",
}
"""Kind -> where its pod's specification is."""
ECR: Final = re.compile(r"\d{12}\.dkr\.ecr\.[a-z0-9-]+\.amazonaws\.com(\.cn)?")
NEEDED: Final = ("requests.cpu", "requests.memory", "limits.memory")


def containers(thing: Thing) -> list[dict[str, Any]]:
    """Of a workload, first those that run before; empty for everything else."""
    if not thing.type.startswith("kubernetes:"):
        return []
    path = TEMPLATES.get(thing.type.rpartition(":")[2])
    spec = thing.at(path) if path else None
    if not isinstance(spec, dict):
        return []
    return [each for key in ("initContainers", "containers") for each in spec.get(key) or [] if isinstance(each, dict)]


def restricted(thing: Thing, facts: Facts) -> Iterator[str]:
    """P06: a namespace of ours admits only pods that Kubernetes calls restricted."""
    if thing.type != "kubernetes:core/v1:Namespace":
        return
    if (thing.at("metadata.labels") or {}).get(ENFORCE) != "restricted":
        yield f"the namespace admits privileged pods. Fix: label {ENFORCE}: restricted"


def images(thing: Thing, facts: Facts) -> Iterator[str]:
    """P07: an image is named by digest and comes from a known registry; a tag can be moved."""
    for container in containers(thing):
        image = container.get("image")
        if not isinstance(image, str):
            continue
        name, _, digest = image.partition("@")
        tag = name.rpartition("/")[2].partition(":")[2]
        if not digest and (not facts.by_tag or tag in ("", "latest")):
            yield f"{container.get('name')} runs {image}, which names no digest. Fix: images.digests, or a pinned chart"
        host = host_of(name)
        if not ECR.fullmatch(host) and host not in facts.registries:
            known = ", ".join(each or "the default" for each in facts.registries) or "this account's ECR"
            yield f"{container.get('name')} runs {image}, from no known registry ({known}). Fix: images.registry"


def host_of(name: str) -> str:
    """Of an image's name; empty where it has none."""
    first, slash, _ = name.partition("/")
    return first if slash and ("." in first or ":" in first or first == "localhost") else ""


def resources(thing: Thing, facts: Facts) -> Iterator[str]:
    """P08: every container says what it needs, and how much memory it may take."""
    for container in containers(thing):
        said = Thing("", "", container.get("resources") or {})
        missing = [path for path in NEEDED if not said.at(path)]
        if missing:
            yield f"{container.get('name')} says no {', '.join(missing)}. Fix: set its resources"
