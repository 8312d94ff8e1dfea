"""What layers ask of a cloud's components, and the one place where AWS is imported: only by the stacks that use it."""

import importlib
from collections.abc import Mapping, Sequence
from typing import Any, Final, Protocol, cast

import pulumi

from signalink_stacks.components.contracts import BackingService, Cluster, ClusterOutputs, Statement
from signalink_stacks.lib.settings import Config, Engine

AWS: Final = "signalink_stacks.components.aws.stack"


class Cloud(Protocol):
    """A cloud's side of the program."""

    def EksCluster(self) -> Cluster:  # noqa: N802 - a class of the module
        """Who gives its Kubernetes cluster, with the network below it."""

    def first(self, config: Config) -> Mapping[str, Any]:
        """What must be there before images can be pushed; outputs of the stack."""

    def backing(self, engine: Engine) -> BackingService:
        """Who gives a Binding to what the cloud runs."""

    def role(self, cluster: ClusterOutputs, config: Config, service: str, statements: Sequence[Statement]) -> Any:
        """The identity of one service."""

    def chart_values(self, cluster: ClusterOutputs) -> Mapping[str, Any]:
        """What every service's chart must know of this cloud."""

    def edge(
        self,
        cluster: ClusterOutputs,
        config: Config,
        ports: Mapping[str, tuple[int, int, str]],
        after: Sequence[pulumi.Resource],
    ) -> Mapping[str, Any]:
        """Load balancers, names, certificates; outputs of the stack. `ports`: public, internal, path of readiness."""

    def lite(self, config: Config) -> Mapping[str, Any]:
        """The one machine of aws-lite; outputs of the stack."""


def aws() -> Cloud:
    """AWS. It takes seconds to import."""
    return cast(Cloud, importlib.import_module(AWS))


def values(cluster: ClusterOutputs, *, public: bool) -> dict[str, Any]:
    """What a service's chart must know of the cloud below it; without a `public` port its chart knows no `httpFrom`."""
    if cluster.identity != "pod-identity":
        return {}
    found = dict(aws().chart_values(cluster))
    policy = {key: value for key, value in found.get("networkPolicy", {}).items() if public or key != "httpFrom"}
    return found | {"networkPolicy": policy}
