"""Owns what `signalink up --target kind|existing` runs: the commands in their order, from wishes alone. Pure.

Running them is `run`; the charts say what the cluster then holds.
"""

import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

import yaml

from signalink_core.errors import ConfigurationError

Target = Literal["kind", "existing"]
RELEASE: Final = "signalink"
CHART: Final = "dist/charts/signalink"
"""The umbrella with everything it depends on inside, as the step `dependencies` puts it together."""
SMALL: Final = "charts/values-kind.yaml"
"""One of everything: a kind cluster shares one machine with whoever uses it."""
DEFINITIONS: Final = "operator/crds/"
PRODUCTION: Final = re.compile(r"(^|[^a-z])prod(uction)?([^a-z]|$)", re.IGNORECASE)
MINUTE: Final = 60.0


@dataclass(frozen=True, slots=True)
class Wishes:
    """What was asked for. `context` is never guessed: kind's is known, for another cluster it must be named."""

    target: Target
    cluster: str = RELEASE
    namespace: str = RELEASE
    kubeconfig: str = ""
    context: str = ""
    node_image: str = ""
    values: tuple[str, ...] = ()
    settings: tuple[str, ...] = ()
    images: tuple[str, ...] = ()
    """Further images of this engine that the nodes of a kind cluster get, so that they pull nothing."""
    yes: bool = False


@dataclass(frozen=True, slots=True)
class Step:
    """One command with what people are told, what it reads from standard input, and how many seconds it may take."""

    name: str
    command: list[str]
    given: str = ""
    patience: float = 10 * MINUTE
    about: str = ""


@dataclass(frozen=True, slots=True)
class Access:
    """The options that name one cluster, for kubectl and for helm."""

    kubeconfig: str
    context: str

    def kubectl(self, *words: str) -> list[str]:
        named = [f"--kubeconfig={self.kubeconfig}"] if self.kubeconfig else []
        return ["kubectl", *named, f"--context={self.context}", *words]

    def helm(self, *words: str) -> list[str]:
        named = [f"--kubeconfig={self.kubeconfig}"] if self.kubeconfig else []
        return ["helm", *named, f"--kube-context={self.context}", *words]


@dataclass(frozen=True, slots=True)
class Built:
    """Images of ours that are in the engine: their tag and their references. Empty: the charts' digests are used."""

    tag: str = ""
    references: tuple[str, ...] = field(default=())


def check(wishes: Wishes) -> Access:
    """Which cluster is meant; ConfigurationError when that is not said, or when it is called like production."""
    if wishes.target == "kind":
        return Access(wishes.kubeconfig, wishes.context or f"kind-{wishes.cluster}")
    if not wishes.context:
        raise ConfigurationError(
            "Which cluster? --target existing never takes the current context.",
            next_step="`kubectl config get-contexts` lists them; name one with --context.",
        )
    if PRODUCTION.search(wishes.context) and not wishes.yes:
        raise ConfigurationError(
            f"The context {wishes.context} is called like production.", next_step="say --yes if it is meant."
        )
    return Access(wishes.kubeconfig, wishes.context)


def cluster(wishes: Wishes, there: Sequence[str]) -> list[Step]:
    """Make the kind cluster, unless it is among those that are `there`."""
    if wishes.target != "kind" or wishes.cluster in there:
        return []
    nodes = {
        "kind": "Cluster",
        "apiVersion": "kind.x-k8s.io/v1alpha4",
        "networking": {"apiServerAddress": "127.0.0.1"},
        "nodes": [{"role": "control-plane"}],
    }
    words = ["kind", "create", "cluster", "--name", wishes.cluster, "--config", "-", "--wait", "180s"]
    words += ["--kubeconfig", wishes.kubeconfig] if wishes.kubeconfig else []
    words += ["--image", wishes.node_image] if wishes.node_image else []
    return [Step("cluster", words, yaml.safe_dump(nodes), about=f"making the kind cluster {wishes.cluster}")]


def load(wishes: Wishes, built: Built) -> list[Step]:
    """Copy images from this engine into the nodes."""
    wanted = [*built.references, *wishes.images] if wishes.target == "kind" else []
    return [
        Step(
            "images",
            ["kind", "load", "docker-image", "--name", wishes.cluster, each],
            "",
            5 * MINUTE,
            f"loading {each}",
        )
        for each in wanted
    ]


def install(wishes: Wishes, access: Access, built: Built) -> list[Step]:
    """Namespace under the strictest Pod Security, resource definitions (Helm never renews them), then the charts."""
    labels = {f"pod-security.kubernetes.io/{mode}": "restricted" for mode in ("enforce", "warn")}
    namespace = {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {"name": wishes.namespace, "labels": labels},
    }
    apply = ["apply", "--server-side", "--field-manager=signalink"]
    return [
        Step("namespace", access.kubectl(*apply, "-f", "-"), yaml.safe_dump(namespace), MINUTE, wishes.namespace),
        # Whoever made them before, this version's are wanted.
        Step("definitions", access.kubectl(*apply, "--force-conflicts", "-f", DEFINITIONS), "", MINUTE, DEFINITIONS),
        Step("dependencies", [sys.executable, "-m", "signalink_stacks.charts", "vendor"], "", MINUTE, CHART),
        Step("charts", access.helm(*upgrade(wishes, built)), "", 20 * MINUTE, "until all is ready, 15 min at most"),
    ]


def upgrade(wishes: Wishes, built: Built, chart: str = CHART) -> list[str]:
    """Helm's words for installing or upgrading the release; `chart`: another version's umbrella."""
    words = ["upgrade", RELEASE, chart, "--install", f"--namespace={wishes.namespace}", "--wait", "--timeout=15m"]
    if built.tag:
        words += ["--set=global.devImages=true", f"--set-string=global.imageTag={built.tag}"]
    words += [f"--values={path}" for path in ([SMALL] if wishes.target == "kind" else [])]
    words += [f"--values={path}" for path in wishes.values]
    return [*words, *(f"--set={each}" for each in wishes.settings)]


def remove(wishes: Wishes, access: Access) -> list[Step]:
    """A kind cluster goes whole; of another one only what is ours, the operator's resources before the operator."""
    if wishes.target == "kind":
        words = ["kind", "delete", "cluster", "--name", wishes.cluster]
        words += ["--kubeconfig", wishes.kubeconfig] if wishes.kubeconfig else []
        return [Step("cluster", words, about=f"deleting {wishes.cluster}")]
    namespace = f"--namespace={wishes.namespace}"
    return [
        release(wishes, access),
        Step("charts", access.helm("uninstall", RELEASE, namespace, "--ignore-not-found", "--wait"), about="removing"),
    ]


def undefine(access: Access) -> Step:
    """Take away the kinds themselves, with all that there is of them in the whole cluster."""
    words = access.kubectl("delete", "-f", DEFINITIONS, "--ignore-not-found", "--timeout=120s")
    return Step("definitions", words, about="deleting the kinds Topic and Channel")


def release(wishes: Wishes, access: Access) -> Step:
    """Let go of Channels and Topics while the operator is there: without it nobody would, and the namespace stays."""
    kinds = "channels.signalink.dev,topics.signalink.dev"
    words = access.kubectl("delete", kinds, "--all", f"--namespace={wishes.namespace}", "--timeout=120s")
    return Step("topics", words, about="deleting Channels and Topics")


def addresses(wishes: Wishes, access: Access, ports: Sequence[tuple[str, int]]) -> list[str]:
    """How people reach it where there is no ingress: a command for each Service and port."""
    forward = access.kubectl("port-forward", f"--namespace={wishes.namespace}")
    return [" ".join([*forward, f"service/{RELEASE}-{name}", f"{port}:{port}"]) for name, port in ports]
