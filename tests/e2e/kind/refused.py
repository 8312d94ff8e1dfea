"""Pods that break Pod Security `restricted` are refused in the release's namespace, one broken rule at a time."""

import copy
import json
import subprocess
from typing import Any

from cluster import Ground, Missed
from rig import say

CONTAINER = {
    "name": "one",
    "image": "example.invalid/none:1",
    "securityContext": {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "runAsNonRoot": True,
        "runAsUser": 10001,
        "seccompProfile": {"type": "RuntimeDefault"},
    },
}
BROKEN: dict[str, dict[str, Any]] = {
    "privileged": {"privileged": True, "allowPrivilegeEscalation": True},
    "allowPrivilegeEscalation": {"allowPrivilegeEscalation": True},
    "capabilities": {"capabilities": {"add": ["NET_ADMIN"], "drop": ["ALL"]}},
    "runAsNonRoot": {"runAsNonRoot": False},
    "runAsUser": {"runAsUser": 0},
    "seccompProfile": {"seccompProfile": {"type": "Unconfined"}},
}
"""What the refusal names -> what breaks it."""
HOST = {"hostNetwork": {"hostNetwork": True}, "hostPath": {"volumes": [{"name": "v", "hostPath": {"path": "/"}}]}}
NEEDLE = "violates PodSecurity"


def proof(ground: Ground) -> None:
    """Missed when one is taken, refused for another reason, or when the good one is refused."""
    if why := _refusal(ground, _pod({}, {})):
        raise Missed(f"a pod that keeps the restricted profile is refused: {why}")
    pods = {name: _pod(broken, {}) for name, broken in BROKEN.items()}
    pods |= {name: _pod({}, broken) for name, broken in HOST.items()}
    for name, pod in pods.items():
        why = _refusal(ground, pod)
        if NEEDLE not in why or name.lower() not in why.lower().replace(" ", ""):
            raise Missed(
                f"a pod that breaks {name} of the restricted profile is not refused for that: {why or 'taken'}"
            )
    say(f"Pod Security: {len(pods)} pods that break the restricted profile are refused, one that keeps it is taken")


def _pod(container: dict[str, Any], spec: dict[str, Any]) -> dict[str, Any]:
    one = copy.deepcopy(CONTAINER)
    one["securityContext"] |= container
    metadata = {"name": "refuse-me"}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": {"containers": [one], **spec}}


def _refusal(ground: Ground, pod: dict[str, Any]) -> str:
    """What the cluster says against it; empty when it would take it (nothing is made)."""
    words = ground.access.kubectl("create", f"--namespace={ground.namespace}", "--dry-run=server", "-f", "-")
    done = subprocess.run(words, input=json.dumps(pod), capture_output=True, text=True, timeout=60, check=False)
    return done.stderr.strip() if done.returncode else ""
