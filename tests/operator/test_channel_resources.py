"""Channel resources from end to end over the Kubernetes API, emulated and real; the api is its twin over HTTP."""

import asyncio

from channelworld import ANA, DELETE, statused
from operatorworld import COLLECTED_SECONDS, Api, working

from signalink_core.testing import eventually
from signalink_operator.adapters.channels import ApiChannels
from signalink_operator.model import Failure
from signalink_operator.testing import AdminApi, MemoryTopics


async def test_a_resource_becomes_a_channel_and_its_status_says_what_was_made(
    api: Api, memory: MemoryTopics, admin: AdminApi, channels: ApiChannels
) -> None:
    many = api.of("Channel")
    async with working(api, memory, channels=channels):
        spec = {"displayName": "General", "members": [ANA, {"user": "ben"}], "quota": {"messagesPerSecond": 5}}
        await many.apply("general", spec)
        await many.until("general", "True", "Reconciled")
        held = admin.platform.channels["general"]
        status = await statused(api, "general")
    assert (held.managed_by, held.members) == (f"default/{api.namespace}/general", {"ana": "owner", "ben": "member"})
    assert held.shown["display_name"] == "General"
    assert held.shown["quota"]["messages_per_second"] == 5
    assert {key: status.get(key) for key in ("slug", "channelId", "memberCount", "topicName")} == {
        "slug": "general",
        "channelId": held.id,
        "memberCount": 2,
        "topicName": None,
    }
    assert memory.calls == []


async def test_c01_an_answer_that_was_lost_leaves_one_channel_with_the_same_id(
    api: Api, memory: MemoryTopics, admin: AdminApi, channels: ApiChannels
) -> None:
    admin.lose = 1
    async with working(api, memory, channels=channels):
        await api.of("Channel").apply("general")
        await eventually(lambda: admin.platform.channels)
        made = admin.platform.channels["general"].id
        await api.of("Channel").until("general", "True")
        assert (await statused(api, "general"))["channelId"] == made
    assert admin.platform.writes == 1
    assert len(admin.calls) >= 2


async def test_c02_ensure_adds_and_changes_and_exact_removes_all_but_the_last_owner(
    api: Api, memory: MemoryTopics, admin: AdminApi, channels: ApiChannels
) -> None:
    many = api.of("Channel")
    async with working(api, memory, channels=channels):
        await many.apply("general", {"members": [ANA, {"user": "ben"}]})
        await many.until("general", "True")
        held = admin.platform.channels["general"]
        await many.edit("general", {"spec": {"members": [{"user": "cleo", "role": "Moderator"}]}})
        await many.until("general", "True")
        assert held.members == {"ana": "owner", "ben": "member", "cleo": "moderator"}
        exact = {"membersPolicy": "Exact", "members": [{"user": "nobody", "role": "Owner"}, {"user": "cleo"}]}
        await many.edit("general", {"spec": exact})
        told = await many.until("general", "True", "LastOwnerKept", "Warning")
    assert held.members == {"ana": "owner", "cleo": "member"}
    assert "was kept" in told["message"]


async def test_c03_an_unknown_user_is_named_the_others_are_members_and_a_full_pass_heals_it(
    api: Api, memory: MemoryTopics, admin: AdminApi, channels: ApiChannels
) -> None:
    many = api.of("Channel")
    async with working(api, memory, channels=channels) as world:
        await many.apply("general", {"members": [ANA, {"user": "dora"}]})
        told = await many.until("general", "False", "UnknownUsers", "MembersResolved")
        assert "dora" in told["message"]
        assert admin.platform.channels["general"].members == {"ana": "owner"}
        admin.platform.users.add("dora")
        await world.full_pass()
        await many.until("general", "True", "AllKnown", "MembersResolved")
    assert admin.platform.channels["general"].members == {"ana": "owner", "dora": "member"}


async def test_c05_a_topic_is_made_with_the_channel_and_takes_its_events(
    api: Api, memory: MemoryTopics, admin: AdminApi, channels: ApiChannels
) -> None:
    many = api.of("Channel")
    async with working(api, memory, channels=channels):
        await many.apply("general", {"slug": "all-hands", "topic": {"partitions": 3}})
        await many.until("general", "True")
        topic, channel = await api.read("general"), await many.read("general")
        assert topic is not None
        assert channel is not None
        (owner,) = topic["metadata"]["ownerReferences"]
        assert (owner["kind"], owner["uid"]) == ("Channel", channel["metadata"]["uid"])
        assert topic["metadata"]["labels"]["signalink.dev/channel"] == "general"
        assert (topic["spec"]["topicName"], memory.topics["all-hands"].partitions) == ("all-hands", 3)
        assert (await many.condition("general", "TopicReady"))["status"] == "True"
        assert (await statused(api, "general"))["topicName"] == "all-hands"
        assert admin.platform.channels["all-hands"].shown["event_topic"] == "all-hands"
        await many.edit("general", {"spec": {"topic": {"partitions": 4}}})
        await eventually(lambda: memory.topics["all-hands"].partitions == 4)
        await many.edit("general", {"spec": {"topic": None}})
        await api.gone("general")
        await eventually(lambda: admin.platform.channels["all-hands"].shown["event_topic"] is None)
    assert set(memory.topics) == {"all-hands"}


async def test_c05_a_topic_that_was_changed_or_deleted_by_hand_is_put_back(
    api: Api, memory: MemoryTopics, admin: AdminApi, channels: ApiChannels
) -> None:
    many = api.of("Channel")
    async with working(api, memory, channels=channels):
        await many.apply("general", {"topic": {"partitions": 2}})
        await many.until("general", "True")
        await api.edit("general", {"spec": {"config": {"retention.ms": 5}}})

        async def back() -> bool:
            body = await api.read("general")
            return body is not None and "config" not in body["spec"]

        await eventually(back, within=20)
        await api.delete("general")
        await eventually(back, within=20)
        await many.until("general", "True")


async def test_c05_a_topic_of_somebody_else_is_left_alone(
    api: Api, memory: MemoryTopics, admin: AdminApi, channels: ApiChannels
) -> None:
    many = api.of("Channel")
    async with working(api, memory, channels=channels):
        await api.apply("general", {"partitions": 1})
        await api.until("general", "True")
        await many.apply("general", {"topic": {"partitions": 5}})
        told = await many.until("general", "False", "TopicNotReady")
        assert "not of this Channel" in told["message"]
        await many.delete("general")
        await many.gone("general")
        assert await api.read("general") is not None
    assert memory.topics["general"].partitions == 1


async def test_c06_a_topic_that_is_not_ready_is_said_with_its_reason_and_the_channel_works(
    api: Api, memory: MemoryTopics, admin: AdminApi, channels: ApiChannels
) -> None:
    many = api.of("Channel")
    async with working(api, memory, channels=channels):
        await many.apply("general", {"members": [ANA], "topic": {"replicas": 9}})
        told = await many.until("general", "False", "TopicNotReady")
        assert "InvalidReplicas" in told["message"]
        assert (await many.condition("general", "TopicReady"))["reason"] == "InvalidReplicas"
        held = admin.platform.channels["general"]
        assert (held.members, held.shown["event_topic"]) == ({"ana": "owner"}, None)
        await many.edit("general", {"spec": {"topic": {"replicas": 1}}})
        await many.until("general", "True")
        await eventually(lambda: held.shown["event_topic"] == "general")


async def test_c06_a_topic_that_is_referred_to_is_followed(
    api: Api, memory: MemoryTopics, admin: AdminApi, channels: ApiChannels
) -> None:
    many = api.of("Channel")
    async with working(api, memory, channels=channels):
        await many.apply("general", {"topicRef": "orders"})
        await many.until("general", "False", "TopicNotReady")
        await api.apply("orders", {"topicName": "orders.v1"})
        await many.until("general", "True")
        assert admin.platform.channels["general"].shown["event_topic"] == "orders.v1"
        await api.delete("orders")
        await many.until("general", "False", "TopicNotReady")
        assert (await many.condition("general", "TopicReady"))["reason"] == "TopicNotFound"
    assert admin.platform.channels["general"].shown["event_topic"] is None


async def test_c07_the_topic_goes_with_its_channel_and_its_own_policy_decides_on_the_data(
    api: Api, memory: MemoryTopics, channels: ApiChannels
) -> None:
    many = api.of("Channel")
    async with working(api, memory, channels=channels):
        await many.apply("kept", {"topic": {}})
        await many.apply("gone", {"topic": {"deletionPolicy": "Delete"}})
        for name in ("kept", "gone"):
            await many.until(name, "True")
            await many.delete(name)
            await many.gone(name)
            await api.gone(name, COLLECTED_SECONDS)
        await eventually(lambda: set(memory.topics) == {"kept"})


async def test_c08_retain_leaves_archive_closes_and_delete_removes_before_the_resource_goes(
    api: Api, memory: MemoryTopics, admin: AdminApi, channels: ApiChannels
) -> None:
    many = api.of("Channel")
    async with working(api, memory, channels=channels):
        for policy in ("Retain", "Archive", "Delete"):
            name = policy.lower()
            await many.apply(name, {"deletionPolicy": policy})
            await many.until(name, "True")
            await many.delete(name)
            await many.gone(name)
    left = {slug: (held.archived, held.managed_by is None) for slug, held in admin.platform.channels.items()}
    assert left == {"retain": (False, False), "archive": (True, True)}


async def test_c08_a_channel_that_is_gone_already_lets_the_resource_go(
    api: Api, memory: MemoryTopics, admin: AdminApi, channels: ApiChannels
) -> None:
    many = api.of("Channel")
    async with working(api, memory, channels=channels):
        await many.apply("general", DELETE)
        await many.until("general", "True")
        admin.platform.channels.clear()
        await many.delete("general")
        await many.gone("general")


async def test_c09_a_slug_that_another_holds_is_taken_only_with_the_annotation(
    api: Api, memory: MemoryTopics, admin: AdminApi, channels: ApiChannels
) -> None:
    many = api.of("Channel")
    async with working(api, memory, channels=channels) as world:
        await many.apply("general")
        await many.until("general", "True")
        held = admin.platform.channels["general"]
        held.managed_by = None  # as people made it
        await world.full_pass()
        told = await many.until("general", "False", "NameTaken")
        assert "signalink.dev/adopt=true" in told["message"]
        assert held.managed_by is None
        await many.delete("general")
        await many.gone("general")
        await many.apply("general", annotations={"signalink.dev/adopt": "true"})
        await many.until("general", "True")
    assert held.managed_by == f"default/{api.namespace}/general"


async def test_a_topic_goes_on_being_made_while_the_api_is_down(
    api: Api, memory: MemoryTopics, admin: AdminApi, channels: ApiChannels
) -> None:
    admin.hold = asyncio.Event()
    memory.failing["delete_topics"] = Failure("KafkaUnavailable", "no")
    many = api.of("Channel")
    async with working(api, memory, channels=channels):
        for n in range(4):
            await many.apply(f"c-{n}")
        await eventually(lambda: admin.calls)
        await api.apply("orders")
        await api.until("orders", "True")
        assert admin.platform.channels == {}
        admin.hold.set()
        for n in range(4):
            await many.until(f"c-{n}", "True")
