"""Topic resources from end to end over the Kubernetes API, emulated and real; Kafka's topics are the twin in memory."""

import asyncio
from dataclasses import replace

from operatorworld import Api, working

from signalink_core.testing import eventually
from signalink_operator.model import ConfigEntry, Failure, ObservedTopic
from signalink_operator.plans.intent import RULES
from signalink_operator.testing import MemoryTopics

DOWN = Failure("KafkaUnavailable", "Local: Broker transport failure")
DELETE = {"deletionPolicy": "Delete"}


async def test_t01_a_resource_becomes_a_topic_and_its_status_says_what_was_made(api: Api, memory: MemoryTopics) -> None:
    async with working(api, memory):
        await api.apply("orders", {"partitions": 3, "config": {"retention.ms": 1000}})
        await api.until("orders", "True", "Reconciled")
        body = await api.read("orders")
    assert body is not None
    made = memory.topics["orders"]
    assert (made.partitions, made.config["retention.ms"].value) == (3, "1000")
    assert {key: body["status"][key] for key in ("topicName", "topicId", "partitions", "replicas")} == {
        "topicName": "orders",
        "topicId": made.topic_id,
        "partitions": 3,
        "replicas": 1,
    }
    assert "finalizers" not in body["metadata"]


async def test_t02_an_existing_topic_is_adopted_and_then_made_equal(api: Api, memory: MemoryTopics) -> None:
    memory.topics["orders"] = ObservedTopic("orders", "old", 1, 1, {"segment.bytes": ConfigEntry("9", True)})
    async with working(api, memory):
        await api.apply("orders", {"partitions": 2})
        await api.until("orders", "True")
    assert (memory.topics["orders"].topic_id, memory.topics["orders"].partitions) == ("old", 2)
    assert memory.topics["orders"].config == {}


async def test_t04_t19_an_edit_is_carried_out_and_a_pass_without_a_change_writes_nothing(
    api: Api, memory: MemoryTopics
) -> None:
    async with working(api, memory) as world:
        await api.apply("orders", {"partitions": 1})
        first = await api.until("orders", "True")
        await api.edit("orders", {"spec": {"partitions": 4}})
        second = await api.until("orders", "True")
        assert memory.topics["orders"].partitions == 4
        assert first["lastTransitionTime"] == second["lastTransitionTime"]
        await world.settled()
        before, calls = await api.read("orders"), len(memory.writes())
        await world.full_pass()
        assert (await api.read("orders"), len(memory.writes())) == (before, calls)


async def test_t07_t08_drift_and_a_lost_topic_are_put_right_by_a_full_pass(api: Api, memory: MemoryTopics) -> None:
    async with working(api, memory) as world:
        await api.apply("orders", {"config": {"retention.ms": 1000}})
        await api.until("orders", "True")
        made = memory.topics["orders"]
        memory.topics["orders"] = replace(made, config={"retention.ms": ConfigEntry("7", True)})
        await world.full_pass()
        assert memory.topics["orders"].config["retention.ms"].value == "1000"
        del memory.topics["orders"]
        await world.full_pass()
        body = await api.read("orders")
    assert body is not None
    assert body["status"]["topicId"] == memory.topics["orders"].topic_id != made.topic_id


async def test_t09_the_finalizer_is_there_before_the_topic_and_goes_when_the_policy_does(
    api: Api, memory: MemoryTopics
) -> None:
    memory.failing["create_topics"] = Failure("CreateDenied", "Topic authorization failed.")
    async with working(api, memory):
        await api.apply("orders", DELETE)
        await api.until("orders", "False", "CreateDenied")
        body = await api.read("orders")
        assert body is not None
        assert body["metadata"]["finalizers"] == [RULES["Topic"].finalizer]
        memory.failing.clear()
        await api.edit("orders", {"metadata": {"finalizers": []}})
        await api.until("orders", "True")
        await eventually(lambda: _finalizers(api), within=10)
        await api.edit("orders", {"spec": {"deletionPolicy": "Retain"}})

        async def dropped() -> bool:
            return await _finalizers(api) == []

        await eventually(dropped)


async def _finalizers(api: Api) -> list[str]:
    return list(((await api.read("orders")) or {})["metadata"].get("finalizers", []))


async def test_t10_delete_takes_the_topic_along_and_retain_leaves_it(api: Api, memory: MemoryTopics) -> None:
    async with working(api, memory) as world:
        await api.apply("goes", DELETE)
        await api.apply("stays")
        for name in ("goes", "stays"):
            await api.until(name, "True")
            await api.delete(name)
            await api.gone(name)
        await eventually(lambda: len(world.operator.store) == 0)
    assert set(memory.topics) == {"stays"}


async def test_t10_a_topic_that_is_gone_already_lets_the_resource_go(api: Api, memory: MemoryTopics) -> None:
    async with working(api, memory):
        await api.apply("orders", DELETE)
        await api.until("orders", "True")
        memory.topics.clear()
        await api.delete("orders")
        await api.gone("orders")


async def test_t11_a_deletion_that_is_blocked_says_so_once_and_goes_on_when_it_can(
    api: Api, memory: MemoryTopics
) -> None:
    async with working(api, memory):
        await api.apply("orders", DELETE)
        await api.until("orders", "True")
        memory.failing["delete_topics"] = Failure("DeletionDisabled", "Topic deletion is disabled.")
        await api.delete("orders")
        await api.until("orders", "True", "DeletionDisabled", "DeletionBlocked")
        tried = len(memory.writes())
        await eventually(lambda: len(memory.writes()) > tried + 1)
        blocked = [item for item in await api.events("orders") if item["reason"] == "DeletionDisabled"]
        assert len(blocked) == 1
        memory.failing.clear()
        await api.gone("orders")
    assert memory.topics == {}


async def test_t11_force_release_lets_the_resource_go_and_keeps_the_topic(api: Api, memory: MemoryTopics) -> None:
    async with working(api, memory):
        await api.apply("orders", DELETE)
        await api.until("orders", "True")
        memory.failing["delete_topics"] = DOWN
        await api.delete("orders")
        await api.until("orders", "True", "KafkaUnavailable", "DeletionBlocked")
        await api.annotate("orders", force_release="true")
        await api.gone("orders")
    assert set(memory.topics) == {"orders"}


async def test_a_deletion_is_released_by_itself_after_the_set_time(api: Api, memory: MemoryTopics) -> None:
    async with working(api, memory, deletion_release_seconds=1.0):
        await api.apply("orders", DELETE)
        await api.until("orders", "True")
        memory.failing["delete_topics"] = DOWN
        await api.delete("orders")
        await api.gone("orders")
    assert set(memory.topics) == {"orders"}


async def test_t12_an_unmanaged_resource_is_left_alone_on_edit_and_delete(api: Api, memory: MemoryTopics) -> None:
    async with working(api, memory) as world:
        await api.apply("orders", DELETE)
        await api.until("orders", "True")
        await api.annotate("orders", managed="false")
        await api.until("orders", "True", kind="Unmanaged")
        calls = len(memory.writes())
        await api.edit("orders", {"spec": {"partitions": 9}})
        await api.until("orders", "Unknown", "Unmanaged")
        body = await api.read("orders")
        assert body is not None
        assert not {"topicName", "topicId"} & set(body["status"])
        await api.delete("orders")
        await api.gone("orders")
        await world.settled()
    assert (len(memory.writes()), set(memory.topics)) == (calls, {"orders"})


async def test_t13_a_pause_holds_changes_and_not_the_deletion(api: Api, memory: MemoryTopics) -> None:
    async with working(api, memory):
        await api.apply("orders", DELETE | {"partitions": 1})
        await api.until("orders", "True")
        await api.annotate("orders", paused="true")
        await api.until("orders", "Unknown", "ReconciliationPaused")
        await api.edit("orders", {"spec": {"partitions": 2}})
        await api.until("orders", "Unknown", "ReconciliationPaused")
        assert memory.topics["orders"].partitions == 1
        await api.annotate("orders", paused=None)
        await api.until("orders", "True")
        assert memory.topics["orders"].partitions == 2
        await api.annotate("orders", paused="true")
        await api.delete("orders")
        await api.gone("orders")
    assert memory.topics == {}


async def test_t14_only_resources_that_the_selector_fits_are_looked_after(api: Api, memory: MemoryTopics) -> None:
    async with working(api, memory, selector="team=a") as world:
        await api.apply("mine", labels={"team": "a"})
        await api.apply("other", labels={"team": "b"})
        await api.until("mine", "True")
        await api.edit("mine", {"metadata": {"labels": {"team": "b"}}})
        await eventually(lambda: len(world.operator.store) == 0)
        await api.edit("other", {"metadata": {"labels": {"team": "a"}}})
        await api.until("other", "True")
    assert set(memory.topics) == {"mine", "other"}


async def test_t15_of_two_resources_one_has_the_topic_and_the_other_gets_it_when_that_one_goes(
    api: Api, memory: MemoryTopics
) -> None:
    async with working(api, memory):
        await api.apply("first", {"topicName": "orders"})
        await api.until("first", "True")
        await api.apply("second", {"topicName": "orders", "partitions": 3})
        told = await api.until("second", "False", "ResourceConflict")
        assert f"{api.namespace}/first" in told["message"]
        assert memory.topics["orders"].partitions == 1
        await api.delete("first")
        await api.until("second", "True")
    assert memory.topics["orders"].partitions == 3


async def test_t15_ten_races_have_one_winner_each(api: Api, memory: MemoryTopics) -> None:
    async with working(api, memory) as world:
        names = [(f"{side}-{n}", f"topic-{n}") for n in range(10) for side in ("a", "b")]
        await asyncio.gather(*(api.apply(name, {"topicName": topic}) for name, topic in names))
        await eventually(lambda: len(world.operator.store) == 20, within=20)
        await world.settled()
        for n in range(10):
            pair = [(await api.condition(f"{side}-{n}")).get("status") for side in ("a", "b")]
            assert sorted(map(str, pair)) == ["False", "True"], (n, pair)
    created = [name for call, names_ in memory.calls if call == "create_topics" for name in names_]
    assert sorted(created) == sorted(f"topic-{n}" for n in range(10))


async def test_t05_a_shrink_is_refused_while_the_settings_of_the_same_edit_are_applied(
    api: Api, memory: MemoryTopics
) -> None:
    async with working(api, memory) as world:
        await api.apply("orders", {"partitions": 2})
        await api.until("orders", "True")
        # The definition lets nobody write a smaller number; that somebody grew the topic by hand comes to the same.
        memory.topics["orders"] = replace(memory.topics["orders"], partitions=5)
        await api.edit("orders", {"spec": {"config": {"retention.ms": 9}}})
        told = await api.until("orders", "False", "NotSupported")
        assert told["message"] == "partitions 5 -> 2: no topic can shrink"
        assert memory.topics["orders"].config["retention.ms"].value == "9"
        await world.full_pass()
        assert memory.topics["orders"].partitions == 5


async def test_t06_replicas_that_a_running_reassignment_leads_to_are_accepted(api: Api, memory: MemoryTopics) -> None:
    async with working(api, memory) as world:
        await api.apply("orders")
        await api.until("orders", "True")
        await api.edit("orders", {"spec": {"replicas": 3}})
        await api.until("orders", "False", "NotSupported")
        memory.targets["orders"] = 3
        await world.full_pass()
        await api.until("orders", "True")


async def test_t16_a_name_that_was_changed_past_the_definition_is_refused_and_the_status_keeps_the_old_one(
    api: Api, memory: MemoryTopics
) -> None:
    async with working(api, memory) as world:
        await api.apply("orders")
        await api.until("orders", "True")
        # No server lets anybody edit the name; a status that tells of another one is the same to the operator.
        await api.put_status("orders", {"topicName": "orders.old"})
        await world.full_pass()
        told = await api.until("orders", "False", "NotSupported")
        assert "topicName orders.old -> orders" in told["message"]
        body = await api.read("orders")
        assert body is not None
        assert body["status"]["topicName"] == "orders.old"
    assert set(memory.topics) == {"orders"}


async def test_t17_what_kafka_refuses_is_said_in_its_words_and_tried_once_a_pass(
    api: Api, memory: MemoryTopics
) -> None:
    async with working(api, memory) as world:
        await api.apply("orders", {"replicas": 9})
        told = await api.until("orders", "False", "InvalidReplicas")
        assert "Unable to replicate" in told["message"]
        await world.settled()
        tried = len(memory.writes())
        await world.full_pass()
        assert len(memory.writes()) == tried + 1
        await api.edit("orders", {"spec": {"replicas": 1}})
        await api.until("orders", "True")


async def test_kafka_down_is_unknown_with_a_steady_time_and_heals_by_itself(api: Api, memory: MemoryTopics) -> None:
    memory.failing["describe_topics"] = DOWN
    async with working(api, memory):
        await api.apply("orders")
        first = await api.until("orders", "Unknown", "KafkaUnavailable")
        tried = len(memory.calls)
        await eventually(lambda: len(memory.calls) > tried + 1)
        assert await api.condition("orders") == first
        memory.failing.clear()
        await api.until("orders", "True")


async def test_t25_an_operator_that_starts_again_finds_what_was_edited_meanwhile(
    api: Api, memory: MemoryTopics
) -> None:
    async with working(api, memory):
        await api.apply("orders", {"partitions": 1})
        await api.apply("gone", DELETE)
        await api.until("orders", "True")
        await api.until("gone", "True")
    await api.edit("orders", {"spec": {"partitions": 2}})
    await api.delete("gone")
    async with working(api, memory):
        await api.until("orders", "True")
        await api.gone("gone")
    assert {name: topic.partitions for name, topic in memory.topics.items()} == {"orders": 2}


async def test_a_resource_made_anew_under_another_name_keeps_the_topic(api: Api, memory: MemoryTopics) -> None:
    async with working(api, memory):
        await api.apply("before", {"topicName": "orders"})
        await api.until("before", "True")
        made = memory.topics["orders"].topic_id
        await api.delete("before")
        await api.apply("after", {"topicName": "orders"})
        await api.until("after", "True")
        body = await api.read("after")
    assert body is not None
    assert body["status"]["topicId"] == made
