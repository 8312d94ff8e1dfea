"""What holds for every kind, for Channel: drift, finalizers, pauses, selectors, races, restarts, and the idle pass."""

import asyncio

from channelworld import ANA, DELETE, FINALIZER, finalizers, snapshot, statused
from operatorworld import Api, working

from signalink_core.testing import eventually
from signalink_operator.adapters.channels import ApiChannels
from signalink_operator.testing import AdminApi, MemoryTopics


async def test_t07_t08_drift_and_a_lost_channel_are_put_right_by_a_full_pass(
    api: Api, memory: MemoryTopics, admin: AdminApi, channels: ApiChannels
) -> None:
    many = api.of("Channel")
    async with working(api, memory, channels=channels) as world:
        await many.apply("general", {"members": [ANA], "displayName": "General"})
        await many.until("general", "True")
        held = admin.platform.channels["general"]
        held.shown["display_name"] = "by hand"
        held.members.clear()
        await world.full_pass()
        assert (held.shown["display_name"], held.members) == ("General", {"ana": "owner"})
        del admin.platform.channels["general"]
        await world.full_pass()
        assert (await statused(api, "general"))["channelId"] == admin.platform.channels["general"].id != held.id


async def test_t09_the_finalizer_is_there_before_the_channel_and_goes_when_the_policy_does(
    api: Api, memory: MemoryTopics, admin: AdminApi, channels: ApiChannels
) -> None:
    many = api.of("Channel")
    admin.fail(503)
    async with working(api, memory, channels=channels):
        await many.apply("general", DELETE)
        await many.until("general", "Unknown", "ApiUnavailable")
        assert await finalizers(api, "general") == [FINALIZER]
        admin.heal()
        await many.until("general", "True")
        await many.edit("general", {"metadata": {"finalizers": []}})

        async def placed() -> bool:
            return await finalizers(api, "general") == [FINALIZER]

        await eventually(placed, within=20)
        await many.edit("general", {"spec": {"deletionPolicy": "Retain"}})

        async def dropped() -> bool:
            return await finalizers(api, "general") == []

        await eventually(dropped, within=20)


async def test_t12_an_unmanaged_resource_is_left_alone_on_edit_and_delete(
    api: Api, memory: MemoryTopics, admin: AdminApi, channels: ApiChannels
) -> None:
    many = api.of("Channel")
    async with working(api, memory, channels=channels) as world:
        await many.apply("general", DELETE)
        await many.until("general", "True")
        await many.annotate("general", managed="false")
        await many.until("general", "True", kind="Unmanaged")
        calls = len(admin.calls)
        await many.edit("general", {"spec": {"displayName": "Other"}})
        await many.until("general", "Unknown", "Unmanaged")
        assert not {"slug", "channelId", "memberCount"} & set(await statused(api, "general"))
        await many.delete("general")
        await many.gone("general")
        await world.settled()
    assert (len(admin.calls), set(admin.platform.channels)) == (calls, {"general"})


async def test_t13_a_pause_holds_changes_and_not_the_deletion(
    api: Api, memory: MemoryTopics, admin: AdminApi, channels: ApiChannels
) -> None:
    many = api.of("Channel")
    async with working(api, memory, channels=channels):
        await many.apply("general", DELETE)
        await many.until("general", "True")
        await many.annotate("general", paused="true")
        await many.until("general", "Unknown", "ReconciliationPaused")
        await many.edit("general", {"spec": {"displayName": "Other"}})
        await many.until("general", "Unknown", "ReconciliationPaused")
        assert admin.platform.channels["general"].shown["display_name"] is None
        await many.annotate("general", paused=None)
        await many.until("general", "True")
        assert admin.platform.channels["general"].shown["display_name"] == "Other"
        await many.annotate("general", paused="true")
        await many.delete("general")
        await many.gone("general")
    assert admin.platform.channels == {}


async def test_t14_only_resources_that_the_selector_fits_are_looked_after_and_their_topics_fit_too(
    api: Api, memory: MemoryTopics, admin: AdminApi, channels: ApiChannels
) -> None:
    many = api.of("Channel")
    async with working(api, memory, channels=channels, selector="team=a") as world:
        await many.apply("mine", {"topic": {}}, labels={"team": "a", "app": "chat"})
        await many.apply("other", labels={"team": "b"})
        await many.until("mine", "True")
        topic = await api.read("mine")
        assert topic is not None
        assert topic["metadata"]["labels"] == {"team": "a", "signalink.dev/channel": "mine"}
        await many.edit("other", {"metadata": {"labels": {"team": "a"}}})
        await many.until("other", "True")
        await many.edit("other", {"metadata": {"labels": {"team": "b"}}})
        await eventually(lambda: len(world.operator.store) == 2)
    assert set(admin.platform.channels) == {"mine", "other"}


async def test_t15_ten_races_for_a_slug_have_one_winner_each(
    api: Api, memory: MemoryTopics, admin: AdminApi, channels: ApiChannels
) -> None:
    many = api.of("Channel")
    async with working(api, memory, channels=channels) as world:
        names = [(f"{side}-{n}", f"slug-{n}") for n in range(10) for side in ("a", "b")]
        await asyncio.gather(*(many.apply(name, {"slug": slug}) for name, slug in names))
        await eventually(lambda: len(world.operator.store) == 20, within=20)
        await world.settled()
        for n in range(10):
            pair = [(await many.condition(f"{side}-{n}")).get("status") for side in ("a", "b")]
            assert sorted(map(str, pair)) == ["False", "True"], (n, pair)
        loser = "a-0" if (await many.condition("a-0"))["status"] == "False" else "b-0"
        winner = "b-0" if loser == "a-0" else "a-0"
        assert (await many.condition(loser))["reason"] == "ResourceConflict"
        await many.delete(winner)
        # The channel still belongs to the one that is gone: its successor has to say that it wants it.
        await many.until(loser, "False", "NameTaken")
        await many.annotate(loser, adopt="true")
        await many.until(loser, "True")
    assert set(admin.platform.channels) == {f"slug-{n}" for n in range(10)}


async def test_t15_who_is_seen_later_in_the_same_second_and_comes_first_by_name_takes_over(
    api: Api, memory: MemoryTopics, admin: AdminApi, channels: ApiChannels
) -> None:
    """Creation times have whole seconds: the one that is to have a slug may come when another has got it."""
    many = api.of("Channel")
    async with working(api, memory, channels=channels):
        for n in range(5):
            await many.apply(f"b-{n}", {"slug": f"slug-{n}"})
            await many.until(f"b-{n}", "True")
            await many.apply(f"a-{n}", {"slug": f"slug-{n}"})

            async def decided(n: int = n) -> bool:
                pair = [str((await many.condition(f"{side}-{n}")).get("status")) for side in ("a", "b")]
                return sorted(pair) == ["False", "True"]

            await eventually(decided)
    assert set(admin.platform.channels) == {f"slug-{n}" for n in range(5)}


async def test_t19_an_edit_is_carried_out_and_a_pass_without_a_change_writes_nothing_anywhere(
    api: Api, memory: MemoryTopics, admin: AdminApi, channels: ApiChannels
) -> None:
    many = api.of("Channel")
    async with working(api, memory, channels=channels) as world:
        await many.apply("general", {"members": [ANA], "topic": {"config": {"retention.ms": 5}}})
        first = await many.until("general", "True")
        await many.edit("general", {"spec": {"displayName": "Other"}})
        second = await many.until("general", "True")
        assert first["lastTransitionTime"] == second["lastTransitionTime"]
        await world.settled()
        before = await snapshot(world, admin, memory)
        await world.full_pass()
        assert await snapshot(world, admin, memory) == before


async def test_t25_an_operator_that_starts_again_finds_what_was_edited_meanwhile(
    api: Api, memory: MemoryTopics, admin: AdminApi, channels: ApiChannels
) -> None:
    many = api.of("Channel")
    async with working(api, memory, channels=channels):
        await many.apply("general")
        await many.apply("gone", DELETE)
        await many.until("general", "True")
        await many.until("gone", "True")
        made = admin.platform.channels["general"].id
    await many.edit("general", {"spec": {"displayName": "Other"}})
    await many.delete("gone")
    async with working(api, memory, channels=channels):
        await many.until("general", "True")
        await many.gone("gone")
        assert (await statused(api, "general"))["channelId"] == made
    assert {slug: held.shown["display_name"] for slug, held in admin.platform.channels.items()} == {"general": "Other"}
