"""What the operator does when a world around it fails: the API, the watch, Kafka, another operator, itself."""

import asyncio
import threading

import httpx
import pytest
from operatorworld import Api, own_settings, working

from signalink_core.errors import ConfigurationError, QueueFull
from signalink_core.telemetry import metrics
from signalink_core.telemetry import names as metric_names
from signalink_core.testing import eventually
from signalink_operator import app
from signalink_operator.lease import LeaseLost
from signalink_operator.model import Failure, ObservedTopic
from signalink_operator.testing import Cluster, MemoryTopics

DELETE = {"deletionPolicy": "Delete"}
DENIALS = [
    ("create_topics", "CreateDenied"),
    ("create_partitions", "GrowDenied"),
    ("incremental_alter_configs", "ConfigDenied"),
]


@pytest.mark.parametrize(("call", "reason"), DENIALS)
async def test_t18_a_denied_change_names_its_right(emulated: Api, memory: MemoryTopics, call: str, reason: str) -> None:
    if call != "create_topics":
        memory.topics["orders"] = ObservedTopic("orders", "id", 1, 1)
    memory.failing[call] = Failure(reason, "Topic authorization failed.")
    async with working(emulated, memory):
        await emulated.apply("orders", {"partitions": 2, "config": {"retention.ms": 5}})
        told = await emulated.until("orders", "False", reason)
    assert "Give the operator's Kafka user" in told["message"]


async def test_t18_a_denied_deletion_blocks_and_names_its_right(emulated: Api, memory: MemoryTopics) -> None:
    memory.failing["delete_topics"] = Failure("DeleteDenied", "Topic authorization failed.")
    async with working(emulated, memory):
        await emulated.apply("orders", DELETE)
        await emulated.until("orders", "True")
        await emulated.delete("orders")
        await emulated.until("orders", "True", "DeleteDenied", "DeletionBlocked")
        assert set(memory.topics) == {"orders"}
        memory.failing.clear()
        await emulated.gone("orders")


async def test_namespaces_are_found_by_globs_also_those_that_come_later(
    cluster: Cluster, emulated: Api, memory: MemoryTopics
) -> None:
    async with working(emulated, memory, watch_namespaces=("team-*",), canary_seconds=0.1):
        await emulated.apply("outside")
        for namespace in ("team-a", "team-later"):
            if namespace == "team-later":
                await emulated.call("POST", "/api/v1/namespaces", {"metadata": {"name": namespace}})
            await emulated.apply(f"in-{namespace}", namespace=namespace)
            await eventually(lambda name=f"in-{namespace}": name in memory.topics)  # type: ignore[misc]
    assert "outside" not in memory.topics


async def test_a_cut_watch_is_opened_again_and_what_came_meanwhile_is_seen(
    cluster: Cluster, emulated: Api, memory: MemoryTopics
) -> None:
    async with working(emulated, memory):
        await emulated.apply("before")
        await emulated.until("before", "True")
        await cluster.cut()
        await emulated.apply("during")
        await emulated.until("during", "True")


async def test_an_api_that_restarts_costs_nothing_but_the_time(
    cluster: Cluster, emulated: Api, memory: MemoryTopics
) -> None:
    async with working(emulated, memory):
        await emulated.apply("before")
        await emulated.until("before", "True")
        await cluster.stop()
        await cluster.start()
        await emulated.apply("after")
        await emulated.until("after", "True")


async def test_statuses_that_could_not_be_written_are_written_later(
    cluster: Cluster, emulated: Api, memory: MemoryTopics
) -> None:
    cluster.fail("PATCH", "/orders/status", 503, times=2)
    async with working(emulated, memory):
        await emulated.apply("orders")
        await emulated.until("orders", "True")
    assert [call for call, _ in memory.writes()] == ["create_topics"]


@pytest.mark.parametrize("status", [409, 422])
async def test_a_finalizer_that_clashes_is_read_and_applied_again(
    cluster: Cluster, emulated: Api, memory: MemoryTopics, status: int
) -> None:
    cluster.fail("PATCH", "/orders$", status, times=2)
    async with working(emulated, memory):
        await emulated.apply("orders", DELETE)
        await emulated.until("orders", "True")
        cluster.fail("PATCH", "/orders$", status, times=4)
        await emulated.delete("orders")
        await emulated.gone("orders")


async def test_nothing_is_written_to_kafka_while_the_finalizer_cannot_be_placed(
    cluster: Cluster, emulated: Api, memory: MemoryTopics
) -> None:
    cluster.fail("PATCH", "/orders$", 500)
    async with working(emulated, memory):
        await emulated.apply("orders", DELETE)
        await eventually(lambda: len([w for w in cluster.writes if w[1].endswith("/orders")]) >= 2)
        assert memory.writes() == []
        cluster.heal()
        await emulated.until("orders", "True")


async def test_finalizers_of_others_stay(emulated: Api, memory: MemoryTopics) -> None:
    async with working(emulated, memory):
        await emulated.apply("orders", DELETE, finalizers=["example.org/theirs"])
        await emulated.until("orders", "True")
        await emulated.delete("orders")
        await eventually(lambda: memory.topics == {})

        async def theirs_alone() -> bool:
            body = await emulated.read("orders")
            return body is not None and body["metadata"]["finalizers"] == ["example.org/theirs"]

        await eventually(theirs_alone)


async def test_t21_a_batch_is_one_call_per_kind_of_action(emulated: Api, memory: MemoryTopics) -> None:
    for n in range(5):
        await emulated.apply(f"t-{n}", {"partitions": 2})
    async with working(emulated, memory, batch_wait_ms=50):
        for n in range(5):
            await emulated.until(f"t-{n}", "True")
    names = tuple(f"t-{n}" for n in range(5))
    assert memory.calls == [("describe_topics", names), ("create_topics", names)]


async def test_t22_a_full_queue_ends_the_process(emulated: Api, memory: MemoryTopics) -> None:
    memory.hold = threading.Event()
    async with working(emulated, memory, queue_keys=2, batch_keys=1) as world:
        for n in range(8):
            await emulated.apply(f"t-{n}")
        error = await asyncio.wait_for(world.operator.intake.failed, 20)
        memory.hold.set()
    assert isinstance(error, QueueFull)


async def test_t22_a_batch_that_stands_makes_the_process_not_live(emulated: Api, memory: MemoryTopics) -> None:
    memory.hold = threading.Event()
    async with working(emulated, memory, stalled_seconds=0.05) as world:
        assert await health(world.operator) == 200
        await emulated.apply("orders")

        async def standing() -> bool:
            return await health(world.operator) == 503

        await eventually(standing)
        memory.hold.set()
        await emulated.until("orders", "True")


async def health(operator: app.Operator) -> int:
    async with httpx.AsyncClient(timeout=5) as http:
        return (await http.get(f"http://127.0.0.1:{operator.port}/healthz")).status_code


async def test_a_watch_that_brings_nothing_back_makes_the_process_not_live(
    cluster: Cluster, emulated: Api, memory: MemoryTopics
) -> None:
    async with working(emulated, memory, canary_seconds=0.05, stale_seconds=0.6) as world:
        await eventually(lambda: cluster.read("Topic", "default", "signalink-operator-canary"))
        await eventually(lambda: metrics.value(metric_names.OPERATOR_WATCH_ECHO_TIMESTAMP_SECONDS, kind="Topic") > 0)
        assert await health(world.operator) == 200
        await cluster.mute()

        async def silent() -> bool:
            return await health(world.operator) == 503

        await eventually(silent)
        assert "brought nothing back" in str(world.operator.unwell())
    assert memory.calls == []


async def test_of_two_operators_one_works_and_the_other_takes_over_when_it_goes(
    emulated: Api, memory: MemoryTopics
) -> None:
    second_topics = MemoryTopics(memory.topics)
    async with working(emulated, memory, lease_seconds=0.6):
        other = app.Operator(own_settings("default", lease_seconds=0.6), second_topics, emulated.access)
        await other.start()
        await emulated.apply("orders")
        await emulated.until("orders", "True")
        assert not other.working.is_set()
        assert second_topics.calls == []
    await asyncio.wait_for(other.working.wait(), 20)
    await emulated.apply("later")
    await emulated.until("later", "True")
    assert [names for call, names in second_topics.writes()] == [("later",)]
    await other.stop()


async def test_an_operator_that_loses_its_lease_ends(cluster: Cluster, emulated: Api, memory: MemoryTopics) -> None:
    async with working(emulated, memory, lease_seconds=0.6) as world:
        name = ("leases", "default", "signalink-operator-default")
        cluster.objects.merge(name, {"spec": {"holderIdentity": "somebody else"}}, status=False)
        assert isinstance(await asyncio.wait_for(world.operator.lease.failed, 20), LeaseLost)


async def test_an_operator_that_cannot_renew_its_lease_ends_before_it_runs_out(
    cluster: Cluster, emulated: Api, memory: MemoryTopics
) -> None:
    async with working(emulated, memory, lease_seconds=0.9) as world:
        cluster.fail("PUT", "/leases/", 500)
        assert isinstance(await asyncio.wait_for(world.operator.lease.failed, 20), LeaseLost)


async def test_missing_definitions_end_the_start_with_the_next_step(
    cluster: Cluster, emulated: Api, memory: MemoryTopics
) -> None:
    cluster.fail("GET", "/topics$", 404)
    with pytest.raises(ConfigurationError, match="not installed") as refused:
        async with working(emulated, memory):
            pass
    assert "kubectl apply" in str(refused.value.next_step)


async def test_t25_a_crash_before_the_status_leaves_one_event_and_one_topic(
    cluster: Cluster, emulated: Api, memory: MemoryTopics
) -> None:
    memory.failing["create_topics"] = Failure("InvalidConfig", "Unknown topic config name: x")
    cluster.fail("PATCH", "/orders/status", 503)
    async with working(emulated, memory):
        await emulated.apply("orders")
        await eventually(lambda: len(cluster.events("orders")) == 1)
    async with working(emulated, memory):
        tried = len(memory.writes())
        await eventually(lambda: len(memory.writes()) > tried)
        cluster.heal()
        await emulated.until("orders", "False", "InvalidConfig")
    assert len(cluster.events("orders")) == 1


@pytest.mark.parametrize(("by_itself", "lines"), [(True, 1), (False, 0), (None, 0)])
async def test_t24_a_broker_that_makes_topics_by_itself_is_one_warning_at_the_start(
    emulated: Api, memory: MemoryTopics, capsys: pytest.CaptureFixture[str], by_itself: bool | None, lines: int
) -> None:
    memory.by_itself = by_itself
    async with working(emulated, memory) as world:
        await eventually(lambda: memory.asked)
        await world.full_pass()
    assert memory.asked == 1
    assert capsys.readouterr().out.count("broker_makes_topics") == lines


async def test_t23_every_metric_moves(emulated: Api, memory: MemoryTopics) -> None:
    drift = metrics.value(metric_names.OPERATOR_DRIFT_TOTAL, kind="Topic")
    async with working(emulated, memory, canary_seconds=0.05) as world:
        await emulated.apply("orders", {"partitions": 1})
        await emulated.until("orders", "True")
        del memory.topics["orders"]
        await world.full_pass()
        assert metrics.value(metric_names.OPERATOR_DRIFT_TOTAL, kind="Topic") == drift + 1
        assert metrics.value(metric_names.OPERATOR_RESOURCES, kind="Topic", ready="true") == 1
        assert metrics.value(metric_names.OPERATOR_LEASE_HELD) == 1
        assert metrics.value(metric_names.OPERATOR_DELETION_BLOCKED) == 0
        assert metrics.value(metric_names.OPERATOR_QUEUE_KEYS) == 0
        async with httpx.AsyncClient(timeout=5) as http:
            page = (await http.get(f"http://127.0.0.1:{world.operator.port}/metrics")).text
    assert 'signalink_operator_reconcile_seconds_count{kind="Topic",result="changed"}' in page
    assert "signalink_operator_batch_keys_count" in page
    assert metrics.value(metric_names.OPERATOR_LEASE_HELD) == 0
