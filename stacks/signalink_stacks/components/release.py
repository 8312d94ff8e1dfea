"""One chart of ours in the cluster, and how charts are told of Bindings."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pulumi
from pulumi_kubernetes.helm.v4 import Chart, ChartArgs

from signalink_stacks.components.contracts import Binding


@dataclass(frozen=True, slots=True)
class ReleaseArgs:
    """`folder` is a whole chart on this machine; `release` is the name all charts of a stack are installed under."""

    folder: str
    chart: str
    release: str
    namespace: str
    values: Mapping[str, Any]
    wait: bool


class Release(pulumi.ComponentResource):
    """A chart whose every object is a resource of the stack: a preview shows each difference."""

    def __init__(self, name: str, args: ReleaseArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("signalink:platform:Release", name, None, opts)
        self.chart = Chart(
            f"{name}-chart",
            ChartArgs(
                chart=args.folder,
                name=args.release,
                namespace=args.namespace,
                values=dict(args.values),
                resource_prefix=args.chart,
                skip_await=not args.wait,
                skip_crds=True,
            ),
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.register_outputs({"chart": args.chart})


def binding_values(binding: Binding) -> dict[str, Any]:
    """A Binding as `global.bindings` of the charts has it. Empty addresses: the chart knows its own."""
    found: dict[str, Any] = {"provider": binding.provider, "cidrs": list(binding.cidrs)}
    own = binding.provider == "chart"
    if binding.kind == "kafka":
        found |= {"brokers": [] if own else list(binding.endpoints), "security": binding.security}
        found |= {"awsRegion": binding.region} if binding.region else {}
    else:
        found |= {"host": "" if own else binding.host, "port": binding.port}
    if binding.kind == "postgres":
        found["database"] = binding.database
    if binding.kind != "kafka":
        found["tls"] = binding.tls.mode == "on"
        found |= {"auth": "iam", "awsRegion": binding.region} if binding.auth == "iam" else {}
    if binding.cache:
        found["cache"] = binding.cache
    if binding.tls.config_map:
        found["caConfigMap"] = {"name": binding.tls.config_map}
    if binding.user:
        found["user"] = binding.user
    if binding.secret_ref is not None:
        key = binding.secret_ref.keys[0] if binding.secret_ref.keys else ""
        found["passwordSecret"] = {"name": binding.secret_ref.name, "key": key}
    return found
