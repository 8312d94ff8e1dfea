"""Owns Kafka at AWS: MSK Serverless, which knows IAM and nothing else, and is reached from inside the network alone."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import pulumi
import pulumi_aws as aws

PORT: Final = 9098
SECURITY: Final = "aws_msk_iam"
ALTERABLE: Final = (
    "cleanup.policy",
    "compression.type",
    "max.message.bytes",
    "message.timestamp.type",
    "message.timestamp.difference.max.ms",
    "retention.bytes",
    "retention.ms",
)
"""The only settings of a topic that MSK Serverless lets anybody change; the operator is told of them."""


@dataclass(frozen=True, slots=True)
class MskArgs:
    """Subnets in two zones or more."""

    cluster_name: str
    subnet_ids: Sequence[pulumi.Input[str]]
    group_id: pulumi.Input[str]
    tags: Mapping[str, str]


class Msk(pulumi.ComponentResource):
    """A serverless cluster. `bootstrap` is host:port; `arn` is what grants begin from."""

    def __init__(self, name: str, args: MskArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("signalink:aws:Msk", name, None, opts)
        iam = aws.msk.ServerlessClusterClientAuthenticationSaslIamArgs(enabled=True)
        self.cluster = aws.msk.ServerlessCluster(
            f"{name}-cluster",
            cluster_name=args.cluster_name,
            client_authentication=aws.msk.ServerlessClusterClientAuthenticationArgs(
                sasl=aws.msk.ServerlessClusterClientAuthenticationSaslArgs(iam=iam)
            ),
            vpc_configs=[
                aws.msk.ServerlessClusterVpcConfigArgs(
                    subnet_ids=[*args.subnet_ids], security_group_ids=[args.group_id]
                )
            ],
            tags={**args.tags},
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.arn = self.cluster.arn
        self.bootstrap = self.cluster.bootstrap_brokers_sasl_iam
        self.register_outputs({"bootstrap": self.bootstrap})
