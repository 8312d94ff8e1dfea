"""Owns what is watched from outside the cluster: a topic that tells a person, and alarms on what AWS runs for us."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws


@dataclass(frozen=True, slots=True)
class Alarm:
    """`metric` of `namespace` beyond `threshold` (below it, for what must not run out) three times five minutes."""

    part: str
    namespace: str
    metric: str
    statistic: str
    threshold: float
    dimensions: Mapping[str, pulumi.Input[str]]
    why: str
    below: bool = False


@dataclass(frozen=True, slots=True)
class WatchArgs:
    """`email` empty: the topic is there, and people subscribe to it themselves."""

    topic_name: str
    email: str
    key_arn: pulumi.Input[str]
    alarms: Sequence[Alarm]
    tags: Mapping[str, str]


class Watch(pulumi.ComponentResource):
    """An encrypted topic and its alarms."""

    def __init__(self, name: str, args: WatchArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("signalink:aws:Watch", name, None, opts)
        inside = pulumi.ResourceOptions(parent=self)
        topic = aws.sns.Topic(
            f"{name}-topic",
            name=args.topic_name,
            kms_master_key_id=args.key_arn,
            tags={**args.tags},
            opts=inside,
        )
        if args.email:
            aws.sns.TopicSubscription(
                f"{name}-email", topic=topic.arn, protocol="email", endpoint=args.email, opts=inside
            )
        for alarm in args.alarms:
            self._alarm(name, alarm, topic, args.tags)
        self.register_outputs({"topic": topic.arn})

    def _alarm(self, name: str, alarm: Alarm, topic: aws.sns.Topic, tags: Mapping[str, str]) -> None:
        aws.cloudwatch.MetricAlarm(
            f"{name}-{alarm.part}",
            alarm_description=alarm.why,
            namespace=alarm.namespace,
            metric_name=alarm.metric,
            statistic=alarm.statistic,
            dimensions={**alarm.dimensions},
            comparison_operator="LessThanThreshold" if alarm.below else "GreaterThanThreshold",
            threshold=alarm.threshold,
            period=300,
            evaluation_periods=3,
            treat_missing_data="notBreaching",
            alarm_actions=[topic.arn],
            ok_actions=[topic.arn],
            tags={**tags},
            opts=pulumi.ResourceOptions(parent=self),
        )


def postgres(identifier: pulumi.Input[str]) -> list[Alarm]:
    """What ends a small Postgres: its disk, its memory, its credits."""
    where = {"DBInstanceIdentifier": identifier}
    return [
        Alarm("postgres-disk", "AWS/RDS", "FreeStorageSpace", "Minimum", 2 * 2**30, where, "Postgres: < 2 GiB", True),
        Alarm("postgres-cpu", "AWS/RDS", "CPUUtilization", "Average", 80, where, "Postgres: more than 80 % CPU"),
    ]


def redis(group_name: pulumi.Input[str]) -> list[Alarm]:
    """Memory that is full makes Valkey refuse writes."""
    where = {"ReplicationGroupId": group_name}
    metric = "DatabaseMemoryUsagePercentage"
    return [Alarm("redis-memory", "AWS/ElastiCache", metric, "Maximum", 80, where, "Valkey: memory > 80 % full")]


def http_api(api_id: pulumi.Input[str]) -> list[Alarm]:
    """Answers that are the platform's fault."""
    return [Alarm("http-errors", "AWS/ApiGateway", "5xx", "Sum", 10, {"ApiId": api_id}, "HTTP API: more than 10 x 5xx")]
