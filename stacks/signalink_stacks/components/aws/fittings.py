"""Owns what an EKS cluster lacks before its first pod: a StorageClass, and with Auto Mode enforced network policies."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

import pulumi
import pulumi_kubernetes as kubernetes
from pulumi_kubernetes.meta.v1 import ObjectMetaArgs

PROVISIONERS: Final = {"auto": "ebs.csi.eks.amazonaws.com", "managed": "ebs.csi.aws.com"}
"""Auto Mode's own driver, and that of the add-on: neither takes a volume of the other."""
CLASS: Final = "signalink-gp3"
POLICIES: Final = "amazon-vpc-cni"
"""The ConfigMap by which Auto Mode is told to enforce NetworkPolicies; without it it ignores them."""


@dataclass(frozen=True, slots=True)
class FittingsArgs:
    """`tags`: what every volume carries; `labels`: of the objects here; `volumes` off: the stack names a class."""

    mode: Literal["auto", "managed"]
    volumes: bool
    tags: Mapping[str, str]
    labels: Mapping[str, str]
    cluster: pulumi.Resource


class Fittings(pulumi.ComponentResource):
    """Objects of the whole cluster, gone when it goes."""

    def __init__(self, name: str, args: FittingsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("signalink:aws:Fittings", name, None, opts)
        inside = pulumi.ResourceOptions(parent=self, deleted_with=args.cluster)
        if args.volumes:
            kubernetes.storage.v1.StorageClass(
                f"{name}-class",
                metadata=ObjectMetaArgs(name=CLASS, labels={**args.labels}),
                provisioner=PROVISIONERS[args.mode],
                parameters=parameters(args.tags),
                volume_binding_mode="WaitForFirstConsumer",
                reclaim_policy="Delete",
                allow_volume_expansion=True,
                opts=inside,
            )
        if args.mode == "auto":
            kubernetes.core.v1.ConfigMap(
                f"{name}-policies",
                metadata=ObjectMetaArgs(name=POLICIES, namespace="kube-system", labels={**args.labels}),
                data={"enable-network-policy-controller": "true"},
                opts=inside,
            )
        self.register_outputs({})


def parameters(tags: Mapping[str, str]) -> dict[str, str]:
    """Of both drivers: encrypted with the account's key for EBS, and a volume says whose it is.

    Claims are not deleted before the cluster, so a sweep must find what they leave.
    """
    said = {f"tagSpecification_{place}": f"{key}={value}" for place, (key, value) in enumerate(sorted(tags.items()), 1)}
    return {"type": "gp3", "encrypted": "true", "csi.storage.k8s.io/fstype": "ext4", **said}
