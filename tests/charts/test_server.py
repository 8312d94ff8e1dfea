"""A real API server takes what the charts make under the strictest Pod Security, and refuses what it should.

Runs where KUBECONFIG names a cluster and kubectl is on PATH; only a namespace and our definitions are really made.
"""

import copy
import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest
import yaml
from cases import CASES
from charting import CHARTS, NAMESPACE, Object, pods, render

FOREIGN = ("monitoring.coreos.com", "external-secrets.io", "gateway.networking.k8s.io")
RESTRICTED = {f"pod-security.kubernetes.io/{mode}": "restricted" for mode in ("enforce", "warn")}
SECONDS = 100
Cluster = str
"""The namespace."""


def kubectl(*arguments: str, text: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["kubectl", *arguments], input=text, capture_output=True, text=True, timeout=SECONDS, check=False
    )


def made(*arguments: str, text: str = "") -> str:
    done = kubectl(*arguments, text=text)
    assert done.returncode == 0, done.stderr
    return done.stderr


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    reason = "no KUBECONFIG" if not os.environ.get("KUBECONFIG") else "no kubectl on PATH"
    if not os.environ.get("KUBECONFIG") or shutil.which("kubectl") is None:
        if "kube" in os.environ.get("SIGNALINK_REQUIRE", "").split(","):
            pytest.fail(f"SIGNALINK_REQUIRE names kube, but there is {reason}")
        pytest.skip(f"{reason}: no chart was shown to a real Kubernetes API")
    name = f"signalink-charts-{uuid4().hex[:8]}"
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": RESTRICTED}}
    made("apply", "--server-side", "-f", "-", text=json.dumps(namespace))
    made("apply", "--server-side", "--force-conflicts", "-f", str(CHARTS / "operator/crds"))
    names = [yaml.safe_load(path.read_text())["metadata"]["name"] for path in (CHARTS / "operator/crds").iterdir()]
    made("wait", "--for=condition=Established", "crd", *names, "--timeout=60s")
    yield name
    kubectl("delete", "namespace", name, "--wait=false")


def there(objects: list[Object] | tuple[Object, ...], namespace: Cluster) -> str:
    """The objects for that namespace, without kinds that a bare cluster lacks."""
    chosen = [one for one in objects if one["apiVersion"].split("/")[0] not in FOREIGN]
    text = yaml.safe_dump_all(chosen)
    return text.replace(f"namespace: {NAMESPACE}\n", f"namespace: {namespace}\n")


def bare_pods(objects: tuple[Object, ...]) -> list[Object]:
    """Every pod template as a pod: Pod Security judges pods alone."""
    found = []
    for number, (_, metadata, spec) in enumerate(pods(objects)):
        body = {"restartPolicy": "Always"} | copy.deepcopy(spec)
        body.pop("priorityClassName", None)
        where = {"name": f"judged-{number}", "namespace": NAMESPACE, "labels": metadata["labels"]}
        volumes: list[Any] = body.get("volumes", [])
        claims = [{"name": "data", "emptyDir": {}}] if "data" not in {one["name"] for one in volumes} else []
        found.append(
            {"apiVersion": "v1", "kind": "Pod", "metadata": where, "spec": body | {"volumes": volumes + claims}}
        )
    return found


@pytest.mark.parametrize("case", CASES)
def test_the_server_takes_every_object(cluster: Cluster, case: str) -> None:
    rendered = render("signalink", CASES[case]("signalink"))
    warnings = made("apply", "--server-side", "--dry-run=server", "-f", "-", text=there(rendered.objects, cluster))
    assert "violate" not in warnings


@pytest.mark.parametrize("case", CASES)
def test_pod_security_takes_every_pod(cluster: Cluster, case: str) -> None:
    found = bare_pods(render("signalink", CASES[case]("signalink")).objects)
    assert len(found) >= 10
    made("create", "--dry-run=server", "-f", "-", text=there(found, cluster))


def test_pod_security_refuses_a_pod_that_may_more(cluster: Cluster) -> None:
    pod = bare_pods(render("api").objects)[0]
    pod["spec"]["containers"][0]["securityContext"]["capabilities"] = {"add": ["NET_ADMIN"]}
    done = kubectl("create", "--dry-run=server", "-f", "-", text=there([pod], cluster))
    assert done.returncode != 0
    assert "violates PodSecurity" in done.stderr


def test_the_server_refuses_what_our_schemas_would_let_through(cluster: Cluster) -> None:
    policy = copy.deepcopy(render("api").one("NetworkPolicy"))
    policy["spec"]["egress"][0]["ports"][0]["protocol"] = "CARRIER-PIGEON"
    assert (
        kubectl("apply", "--server-side", "--dry-run=server", "-f", "-", text=there([policy], cluster)).returncode != 0
    )
