"""Owns how somebody is told from outside the cluster: one topic that writes to a person, and alarms that ring there.

What is watched is the matter of `alarms`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from signalink_stacks.components.aws.alarms import Alarm


@dataclass(frozen=True, slots=True)
class NoticeArgs:
    """`email` empty: the topic is there, and people subscribe to it themselves."""

    topic_name: str
    email: str
    key_arn: pulumi.Input[str]
    tags: Mapping[str, str]


class Notice(pulumi.ComponentResource):
    """An encrypted topic, one for all alarms of a stack: its address is confirmed once."""

    def __init__(self, name: str, args: NoticeArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("signalink:aws:Notice", name, None, opts)
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
        self.topic_arn = topic.arn
        self.register_outputs({"topic": topic.arn})


@dataclass(frozen=True, slots=True)
class WatchArgs:
    """`topic_arn`: where alarms ring, and say when it is over."""

    topic_arn: pulumi.Input[str]
    alarms: Sequence[Alarm]
    tags: Mapping[str, str]


class Watch(pulumi.ComponentResource):
    """The alarms of one part."""

    def __init__(self, name: str, args: WatchArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("signalink:aws:Watch", name, None, opts)
        for alarm in args.alarms:
            self._alarm(name, alarm, args)
        self.register_outputs({})

    def _alarm(self, name: str, alarm: Alarm, args: WatchArgs) -> None:
        aws.cloudwatch.MetricAlarm(
            f"{name}-{alarm.part}",
            alarm_description=alarm.why,
            namespace=alarm.namespace,
            metric_name=alarm.metric,
            statistic=None if alarm.percentile else alarm.statistic,
            extended_statistic=alarm.statistic if alarm.percentile else None,
            # A percentile of three requests says nothing.
            evaluate_low_sample_count_percentiles="ignore" if alarm.percentile else None,
            dimensions={**alarm.dimensions},
            comparison_operator="LessThanThreshold" if alarm.below else "GreaterThanThreshold",
            threshold=alarm.threshold,
            period=300,
            evaluation_periods=3,
            treat_missing_data="breaching" if alarm.silence else "notBreaching",
            alarm_actions=[args.topic_arn],
            ok_actions=[args.topic_arn],
            tags={**args.tags},
            opts=pulumi.ResourceOptions(parent=self),
        )
