"""Owns what lies under a cluster on AWS, and how the layers' other components find it again."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi
import pulumi_aws

from signalink_stacks.components.aws.alarms import Alarm
from signalink_stacks.components.aws.budget import Budget
from signalink_stacks.components.aws.eks import Eks
from signalink_stacks.components.aws.network import Network
from signalink_stacks.components.aws.registry import Registry
from signalink_stacks.components.aws.vault import Vault
from signalink_stacks.components.aws.watch import Notice, Watch, WatchArgs
from signalink_stacks.components.contracts import ClusterOutputs
from signalink_stacks.lib.settings import Aws, Config

PROD_LOG_DAYS, LAB_LOG_DAYS = 90, 7
PROD_KEY_DAYS, LAB_KEY_DAYS = 30, 7
"""For so long a deleted key can be had back, and with it what it encrypted, as the last snapshot."""


@dataclass(frozen=True, slots=True)
class Ground:
    """`ClusterOutputs.cloud` of EKS."""

    provider: pulumi_aws.Provider
    budget: Budget
    account: pulumi.Output[str]
    network: Network
    vault: Vault
    registry: Registry
    cluster: Eks
    notice: Notice
    tags: Mapping[str, str]

    def options(self, *after: pulumi.Resource) -> pulumi.ResourceOptions:
        """For a component that stands on it: the account's provider, and after the budget."""
        return pulumi.ResourceOptions(providers=[self.provider], depends_on=[self.budget, *after])


def of(cluster: ClusterOutputs) -> Ground:
    """TypeError for a cluster of anybody else: who asks for AWS's Postgres beside it has passed `lib.config`."""
    if not isinstance(cluster.cloud, Ground):
        raise TypeError("this cluster is not one of EksCluster's")
    return cluster.cloud


def aws(config: Config) -> Aws:
    """The settings of AWS, which every stack there has."""
    if config.aws is None:
        raise ValueError("a stack on AWS has settings of AWS; lib.config sees to it")
    return config.aws


def prod(config: Config) -> bool:
    return config.environment == "prod"


def guarded(config: Config) -> bool:
    """Whether AWS is to refuse the deletion of what cannot be made again."""
    return prod(config) and not aws(config).deletable


def log_days(config: Config) -> int:
    return PROD_LOG_DAYS if prod(config) else LAB_LOG_DAYS


def key_days(config: Config) -> int:
    return PROD_KEY_DAYS if prod(config) else LAB_KEY_DAYS


def watch(under: Ground, part: str, alarms: Sequence[Alarm]) -> Watch:
    """Alarms of one part, told to the person whom the budget's alarm is told."""
    return Watch(f"{part}-watch", WatchArgs(under.notice.topic_arn, alarms, under.tags), under.options())
