"""Alarms of the stacks on AWS: what they watch, by which names at AWS, where they ring, and what the runbook says."""

import re

import awsgraphs
import pytest
from awsgraphs import ON_EKS, STACKS, of, recorded

from signalink_stacks.graph.recording import Registration
from signalink_stacks.lib import consumers, words
from signalink_stacks.lib.images import root

WATCHED = {
    "postgres-watch-postgres-disk", "postgres-watch-postgres-cpu", "redis-watch-redis-memory-1",
    "redis-watch-redis-memory-2", "edge-watch-http-errors", "edge-watch-sockets-errors", "edge-watch-pages-errors",
    *(f"edge-watch-{service}-{what}" for service in ("api", "gateway", "analytics", "notifications")
      for what in ("errors", "unhealthy", "gone", "slow")),
}  # fmt: skip
"""Alarms of every eks stack with a domain."""
LAG = {
    f"kafka-watch-{group.removeprefix('signalink-')}-{topic}-{what}"
    for group, topics in consumers.GROUPS.items()
    for topic in topics
    for what in ("late", "records")
}


@pytest.mark.parametrize("stack", ON_EKS)
def test_alarms_watch_what_aws_runs_and_ring_at_one_topic(stack: str) -> None:
    graph = awsgraphs.stack(stack)
    found = {each.name: each.inputs for each in of(graph, "MetricAlarm")}
    assert set(found) == (WATCHED if stack == "eks-lite" else WATCHED | LAG)
    topics = [each for each in graph if each.type == "aws:sns/topic:Topic"]
    (rung,) = [graph_output(each) for each in topics]
    for name, alarm in found.items():
        assert alarm["alarmActions"] == alarm["okActions"] == [rung], name
        assert 10 < len(alarm["alarmDescription"]) < 1024 and alarm["period"] * alarm["evaluationPeriods"] == 900
    assert bool(of(graph, "TopicSubscription")) is (stack != "eks-auto"), "an address is written to where one is named"


def graph_output(topic: Registration) -> str:
    return f"arn:aws:sns:us-east-1:111122223333:{topic.name}"


def test_alarms_of_a_load_balancer_name_it_and_the_group_of_its_service() -> None:
    found = {each.name: each.inputs for each in of(awsgraphs.stack("eks-full"), "MetricAlarm")}
    behind = {"gateway": "sockets", **dict.fromkeys(("api", "analytics", "notifications"), "pages")}
    for service, part in behind.items():
        for what in ("errors", "unhealthy", "gone", "slow"):
            where = found[f"edge-watch-{service}-{what}"]["dimensions"]
            assert where["LoadBalancer"].startswith("app/") and f"-{part}/" in where["LoadBalancer"], service
            assert where["TargetGroup"].startswith(f"targetgroup/edge-{part}-{service}/"), service
    assert set(found["edge-watch-pages-errors"]["dimensions"]) == {"LoadBalancer"}
    gone = found["edge-watch-api-gone"]
    assert (gone["comparisonOperator"], gone["treatMissingData"]) == ("LessThanThreshold", "breaching")
    assert found["edge-watch-api-unhealthy"]["treatMissingData"] == "notBreaching"


@pytest.mark.parametrize(("replicas", "environment", "nodes"), [(1, "local", 1), (1, "prod", 2), (3, "prod", 3)])
def test_memory_is_watched_on_each_node_of_the_cache(replicas: int, environment: str, nodes: int) -> None:
    """ElastiCache publishes the metric by node: an alarm on the name of the group never rings."""
    graph = recorded(STACKS["eks-lite"] | {"environment": environment, "bindings": {"redis": {"replicas": replicas}}})
    (group,) = [each.inputs for each in of(graph, "ReplicationGroup")]
    assert group["numCacheClusters"] == nodes and "numNodeGroups" not in group, "names of nodes are of one shard"
    found = [each.inputs for each in of(graph, "MetricAlarm") if each.inputs["namespace"] == "AWS/ElastiCache"]
    assert [each["metricName"] for each in found] == ["DatabaseMemoryUsagePercentage"] * nodes
    assert [each["dimensions"] for each in found] == [
        {"CacheClusterId": f"{group['replicationGroupId']}-00{number}"} for number in range(1, nodes + 1)
    ]


def test_a_service_is_slow_by_its_own_slo() -> None:
    found = {each.name: each.inputs for each in of(awsgraphs.stack("eks-full"), "MetricAlarm")}
    for manifest in words.manifests(root()):
        if manifest.slo is not None:
            alarm = found[f"edge-watch-{manifest.name}-slow"]
            assert alarm["threshold"] == manifest.slo.latency_seconds
            assert alarm["extendedStatistic"] == f"p{manifest.slo.latency_objective:g}" and "statistic" not in alarm
            assert alarm["evaluateLowSampleCountPercentiles"] == "ignore"


def test_lag_is_watched_for_every_group_and_topic_by_their_names_at_kafka() -> None:
    raw = STACKS["eks-full"] | {"values": {"global": {"topicPrefix": "eu."}}}
    for each in of(recorded(raw), "MetricAlarm"):
        if each.name.startswith("kafka-watch-"):
            where = each.inputs["dimensions"]
            assert set(where) == {"Cluster Name", "Consumer Group", "Topic"}
            assert where["Cluster Name"] == "signalink-eks-kafka"
            group, topic = (where[key].removeprefix("eu.") for key in ("Consumer Group", "Topic"))
            assert where["Topic"] == f"eu.{topic}" and topic in consumers.GROUPS[group]


def test_the_runbook_says_of_each_alarm_what_to_do() -> None:
    page = (root() / "docs/deployment.md").read_text(encoding="utf-8")
    rows = [re.escape(row).replace("NAME", ".+") for row in re.findall(r"^\| `(\S+)` \|", page, re.MULTILINE)]
    for each in of(awsgraphs.stack("eks-full"), "MetricAlarm"):
        assert [row for row in rows if re.fullmatch(row, each.name)], f"{each.name} is in no row"
    for row in rows:
        assert [each for each in of(awsgraphs.stack("eks-full"), "MetricAlarm") if re.fullmatch(row, each.name)], row
