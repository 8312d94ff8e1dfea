"""Owns what is watched of what AWS runs, and beyond which line somebody is told. How they are told is `watch`'s.

docs/deployment.md, "When an alarm of AWS rings", says for each what it means and what to do first.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import pulumi
import pulumi_aws as aws

from signalink_core.manifest import Slo
from signalink_stacks.lib import consumers

BALANCERS: Final = "AWS/ApplicationELB"
KAFKA: Final = "AWS/Kafka"
ERRORS: Final = 10
"""Answers 5xx in five minutes."""
LAG_SECONDS: Final = 300
LAG_RECORDS: Final = 10_000


@dataclass(frozen=True, slots=True)
class Alarm:
    """`metric` of `namespace` beyond `threshold` (below it, for what must not run out) three times five minutes.

    `silence`: that nothing is reported is the fault itself.
    """

    part: str
    namespace: str
    metric: str
    statistic: str
    threshold: float
    dimensions: Mapping[str, pulumi.Input[str]]
    why: str
    below: bool = False
    silence: bool = False

    @property
    def percentile(self) -> bool:
        """Whether the statistic is one, such as p99."""
        return self.statistic.startswith("p")


def postgres(identifier: pulumi.Input[str]) -> list[Alarm]:
    """What ends a small Postgres: its disk and its processor."""
    where = {"DBInstanceIdentifier": identifier}
    return [
        Alarm("postgres-disk", "AWS/RDS", "FreeStorageSpace", "Minimum", 2 * 2**30, where, "Postgres: < 2 GiB", True),
        Alarm("postgres-cpu", "AWS/RDS", "CPUUtilization", "Average", 80, where, "Postgres: more than 80 % CPU"),
    ]


def redis(group_name: str, nodes: int) -> list[Alarm]:
    """Memory that is full makes Valkey refuse writes. Metrics are of each node: a group has none under its own name.

    Nodes of a group with one shard, which ours is, are called after it: `-001`, `-002`.
    """
    metric, why = "DatabaseMemoryUsagePercentage", "Valkey, node {}: memory > 80 % full"
    return [
        Alarm(
            f"redis-memory-{node}", "AWS/ElastiCache", metric, "Maximum", 80,
            {"CacheClusterId": f"{group_name}-{node:03}"}, why.format(node),
        )
        for node in range(1, nodes + 1)
    ]  # fmt: skip


def kafka(cluster_name: pulumi.Input[str], prefix: str = "") -> list[Alarm]:
    """Consumers that are behind: MSK Serverless tells of topics and groups, of no broker and of no throttling.

    A group is known there by the offsets that it commits. The time is an estimate, and none where nothing is read.
    """
    found: list[Alarm] = []
    for group, topics in consumers.GROUPS.items():
        for topic in topics:
            where = {"Cluster Name": cluster_name, "Consumer Group": prefix + group, "Topic": prefix + topic}
            late = f"{group}: more than {LAG_SECONDS // 60} minutes behind on {topic}"
            many = f"{group}: more than {LAG_RECORDS} records behind on {topic}"
            name = f"{group.removeprefix('signalink-')}-{topic}"
            found += [
                Alarm(f"{name}-late", KAFKA, "EstimatedMaxTimeLag", "Maximum", LAG_SECONDS, where, late),
                Alarm(f"{name}-records", KAFKA, "SumOffsetLag", "Maximum", LAG_RECORDS, where, many),
            ]
    return found


def http_api(api_id: pulumi.Input[str]) -> list[Alarm]:
    """Answers that are the platform's fault."""
    why = f"HTTP API: more than {ERRORS} x 5xx"
    return [Alarm("http-errors", "AWS/ApiGateway", "5xx", "Sum", ERRORS, {"ApiId": api_id}, why)]


def balancer(
    part: str, made: aws.lb.LoadBalancer, targets: Mapping[str, aws.lb.TargetGroup], slos: Mapping[str, Slo]
) -> list[Alarm]:
    """Answers of a load balancer's own, and of each service behind it: errors, pods, time by the service's own SLO."""
    front: dict[str, pulumi.Input[str]] = {"LoadBalancer": made.arn_suffix}
    own = f"Load balancer {part}: more than {ERRORS} x 5xx of its own: no pod took the request"
    found = [Alarm(f"{part}-errors", BALANCERS, "HTTPCode_ELB_5XX_Count", "Sum", ERRORS, front, own)]
    for service, group in targets.items():
        found += _target(service, {**front, "TargetGroup": group.arn_suffix}, slos.get(service))
    return found


def _target(service: str, where: Mapping[str, pulumi.Input[str]], slo: Slo | None) -> list[Alarm]:
    found = [
        Alarm(
            f"{service}-errors", BALANCERS, "HTTPCode_Target_5XX_Count", "Sum", ERRORS, where,
            f"{service}: more than {ERRORS} x 5xx of its pods",
        ),
        Alarm(
            f"{service}-unhealthy", BALANCERS, "UnHealthyHostCount", "Maximum", 0, where,
            f"{service}: a pod is not ready for its load balancer",
        ),
        Alarm(
            f"{service}-gone", BALANCERS, "HealthyHostCount", "Minimum", 1, where,
            f"{service}: no pod is ready for its load balancer", below=True, silence=True,
        ),
    ]  # fmt: skip
    if slo:
        share, slow = slo.latency_objective, slo.latency_seconds
        why = f"{service}: more than {100 - share:g} % of requests take longer than {slow:g} s, its SLO"
        found.append(Alarm(f"{service}-slow", BALANCERS, "TargetResponseTime", f"p{share:g}", slow, where, why))
    return found
