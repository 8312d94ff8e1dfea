"""What every consumer promises; run on real Kafka with real Postgres and on the memory twin."""

import asyncio
from typing import Any

from consuming import OTHER, Rig, as_record, bodies, changed, fact, message

from signalink_core.events import Event
from signalink_core.ids import uuid7
from signalink_core.kafka import dead_letters
from signalink_core.kafka.delivery import Batch
from signalink_core.kafka.handlers import Handlers
from signalink_core.testing import eventually

WITHIN = 30.0


async def applied(rig: Rig, count: int, **more: Any) -> list[str]:
    return await eventually(lambda: _at_least(rig, count, **more), within=WITHIN)


async def _at_least(rig: Rig, count: int, **more: Any) -> list[str]:
    found = await rig.bodies(**more)
    assert len(found) >= count, found
    return found


async def test_every_event_has_its_effect_once_and_in_order_per_channel(rig: Rig) -> None:
    channels = [uuid7() for _ in range(20)]
    await rig.send(*(message(channel, seq, f"{n}/{seq}") for seq in range(1, 31) for n, channel in enumerate(channels)))
    async with rig.manager(rig.effect()):
        found = await applied(rig, 600)
    assert len(found) == 600
    for n in range(20):
        assert [body for body in found if body.startswith(f"{n}/")] == [f"{n}/{seq}" for seq in range(1, 31)]


async def test_a_second_consumer_goes_on_where_the_first_stopped(rig: Rig) -> None:
    channel = uuid7()
    await rig.send(*(message(channel, seq, str(seq)) for seq in range(1, 11)))
    async with rig.manager(rig.effect()):
        await applied(rig, 10)
    await rig.send(*(message(channel, seq, str(seq)) for seq in range(11, 21)))
    async with rig.manager(rig.effect()):
        await applied(rig, 20)
    assert await rig.bodies() == bodies(20)


async def test_a_batch_that_the_relay_repeats_is_applied_once(rig: Rig) -> None:
    channel, user = uuid7(), uuid7()
    events = [message(channel, seq, str(seq)) for seq in range(1, 11)]
    facts = [fact(user) for _ in range(5)]
    sent = [*(as_record(event) for event in events), *(as_record(event, "analytics") for event in facts)]
    await rig.send(*sent, *sent)
    async with rig.manager(rig.effect(), topics=("messages", "analytics")):
        await applied(rig, 15)
        await rig.send(*sent, message(channel, 11, "11"))
        await applied(rig, 16)
    assert sorted(await rig.bodies()) == sorted([*bodies(11), *["dev.signalink.user.logged_in"] * 5])


async def test_a_newer_epoch_begins_its_seqs_anew(rig: Rig) -> None:
    channel = uuid7()
    await rig.send(message(channel, 7, "old"), message(channel, 3, "new", epoch=2), message(channel, 8, "stale"))
    async with rig.manager(rig.effect()):
        await rig.send(message(channel, 4, "newer", epoch=2))
        await applied(rig, 3)
    assert await rig.bodies() == ["old", "new", "newer"]


async def test_handlers_are_called_by_kind_and_unknown_kinds_are_left_alone(rig: Rig) -> None:
    handlers, effect, channel = Handlers(), rig.effect(), uuid7()

    async def keep(tx: Any, delivered: Any) -> None:
        await effect.write(tx, delivered.data().body, delivered.event.id)

    handlers.on_message_created(keep)
    unknown = changed(message(channel, 2), ce_type="dev.signalink.message.framed", value=b"not even JSON")
    await rig.send(message(channel, 1, "1"), unknown, message(channel, 3, "3"))
    async with rig.manager(handlers.apply):
        assert await applied(rig, 2) == ["1", "3"]
    assert await rig.letters() == []


async def test_an_idle_partition_is_told_so_inside_a_transaction(rig: Rig) -> None:
    idle: list[Batch] = []

    async def on_idle(tx: Any, batch: Batch) -> None:
        idle.append(batch)

    await rig.send(message(uuid7(), 1, "1"))
    async with rig.manager(rig.effect(), on_idle=on_idle):
        await eventually(lambda: {batch.partition for batch in idle} == set(range(12)), within=WITHIN)
        seen = len(idle)
        await eventually(lambda: len(idle) >= seen + 24, within=WITHIN)
    assert all(batch.at_end and not batch.events for batch in idle)
    assert len(await rig.store().load([("messages", n) for n in range(12)])) == 12


async def test_two_members_share_the_partitions_and_nothing_is_applied_twice(rig: Rig) -> None:
    channels = [uuid7() for _ in range(24)]
    first, second = rig.manager(rig.effect()), rig.manager(rig.effect(), node="second")
    seqs = iter(range(1, 1000))
    async with first:
        for _ in range(5):
            await rig.send(*(message(channel, next(seqs), "x") for channel in channels))
        async with second:
            await eventually(lambda: len(first.assignment) == len(second.assignment) == 6, within=WITHIN)
            for _ in range(5):
                await rig.send(*(message(channel, next(seqs), "x") for channel in channels))
            await applied(rig, 240)
        await eventually(lambda: len(first.assignment) == 12, within=WITHIN)
        await rig.send(*(message(channel, next(seqs), "x") for channel in channels))
        await applied(rig, 264)
    assert len({event for _, event in await rig.effects()}) == len(await rig.effects()) == 264


def refuse(word: str) -> Any:
    def fails(event: Event) -> None:
        if event.data.get("body") == word:
            raise ZeroDivisionError(f"this text must not leave: {event.data['body']}")

    return fails


async def test_a_poison_record_goes_to_its_dead_letters_and_those_behind_it_go_on(rig: Rig) -> None:
    channel, effect = uuid7(), rig.effect()
    effect.fails = refuse("57")
    sent = [message(channel, seq, str(seq)) for seq in range(1, 101)]
    await rig.send(*sent)
    async with rig.manager(effect):
        await applied(rig, 99)
    assert await rig.bodies() == [body for body in bodies(100) if body != "57"]
    (letter,) = await rig.letters()
    stored = next(
        record for record in await rig.read("messages") if dict(record.headers)["ce_id"].decode() == str(sent[56].id)
    )
    assert letter.origin == ("messages", stored.partition, 56)
    assert (letter.group, letter.error, letter.attempts) == ("signalink-analytics", "ZeroDivisionError", 3)
    assert letter.stored.value == stored.value
    assert {name: value for name, value in letter.stored.headers if not name.startswith("dlq_")} == dict(stored.headers)
    assert "must not leave" not in str(letter.headers)
    assert letter.first_at <= letter.last_at


async def test_every_kind_of_bad_record_is_isolated_with_its_reason(rig: Rig) -> None:
    channel, effect = uuid7(), rig.effect()

    async def typed(tx: Any, batch: Batch) -> None:
        for delivered in batch.events:
            delivered.data()
        await effect(tx, batch)

    bad = {
        "bad_json": changed(message(channel, 2), value=b"{"),
        "unknown_version": changed(message(channel, 4), ce_dataschema="https://signalink.dev/schemas/x/2"),
        "bad_headers": changed(message(channel, 6), drop="ce_id"),
        "bad_data": as_record(message(channel, 8, sender_id="nobody")),
    }
    good = [message(channel, seq, str(seq)) for seq in range(1, 11, 2)]
    pairs = zip(good, [*bad.values(), message(channel, 10, "x" * 900_000)], strict=True)
    await rig.send(*(one for pair in pairs for one in pair))
    async with rig.manager(typed):
        found = await applied(rig, 6)
        assert [len(body) for body in found] == [1, 1, 1, 1, 1, 900_000]
        letters = await rig.letters()
    assert [letter.error for letter in letters] == list(bad)


async def test_a_redriven_record_is_applied_once_by_its_group_and_skipped_by_others(rig: Rig) -> None:
    channel, broken, other = uuid7(), rig.effect(), rig.effect(OTHER)
    broken.fails = refuse("2")
    await rig.send(*(message(channel, seq, str(seq)) for seq in range(1, 4)))
    async with rig.manager(broken), rig.manager(other, group=OTHER):
        await applied(rig, 2)
        (letter,) = await eventually(rig.letters, within=WITHIN)
        broken.fails = lambda event: None
        again = dead_letters.redrive(letter)
        await rig.send(again, again, message(channel, 4, "4"))
        await applied(rig, 4)
        await applied(rig, 4, group=OTHER)
        await rig.send(again, message(channel, 5, "5"))
        await applied(rig, 5)
    assert await rig.bodies() == ["1", "3", "2", "4", "5"]
    assert (await rig.bodies(OTHER))[:4] == bodies(4)


async def test_a_redriven_record_that_fails_again_is_parked_again_and_may_be_redriven(rig: Rig) -> None:
    channel, effect = uuid7(), rig.effect()
    effect.fails = refuse("1")
    await rig.send(message(channel, 1, "1"))
    async with rig.manager(effect):
        (letter,) = await eventually(rig.letters, within=WITHIN)
        await rig.send(dead_letters.redrive(letter))
        (_, second) = await eventually(lambda: _two(rig), within=WITHIN)
        assert second.origin == letter.origin
        assert not any(name == "dlq_redrive" for name in second.headers)
        effect.fails = lambda event: None
        await rig.send(dead_letters.redrive(second))
        assert await applied(rig, 1) == ["1"]


async def _two(rig: Rig) -> list[Any]:
    letters = await rig.letters()
    return letters if len(letters) == 2 else []


async def test_the_repeat_of_a_parked_record_is_not_parked_again(rig: Rig) -> None:
    channel, effect = uuid7(), rig.effect()
    effect.fails = refuse("1")
    event = message(channel, 1, "1")
    await rig.send(event, event)
    async with rig.manager(effect):
        await rig.send(event, message(channel, 2, "2"))
        await applied(rig, 1)
    assert len(await rig.letters()) == 1


async def test_one_blocked_partition_leaves_the_others_alone(rig: Rig) -> None:
    effect, channels = rig.effect(), [uuid7() for _ in range(8)]
    held = asyncio.Event()

    async def hold(batch: Batch) -> None:
        if batch.events[0].event.channel == channels[0]:
            await held.wait()

    effect.before = hold
    await rig.send(message(channels[0], 1, "blocked"))
    async with rig.manager(effect):
        await eventually(lambda: effect.batches, within=WITHIN)
        await rig.send(*(message(channel, 1, "free") for channel in channels[1:]))
        blocked = effect.batches[0].partition
        free = [r for r in await rig.read("messages") if r.partition != blocked]
        await applied(rig, len(free))
        held.set()
        assert len(await applied(rig, 8)) == 8


async def test_a_stop_finishes_what_is_in_hand_and_leaves_the_group(rig: Rig) -> None:
    effect, channel = rig.effect(), uuid7()
    release, began = asyncio.Event(), asyncio.Event()

    async def hold(batch: Batch) -> None:
        began.set()
        await release.wait()

    effect.before = hold
    manager = rig.manager(effect)
    await manager.start()
    await rig.send(message(channel, 1, "1"))
    await asyncio.wait_for(began.wait(), WITHIN)
    stopping = asyncio.ensure_future(manager.stop())
    release.set()
    await asyncio.wait_for(stopping, 10)
    assert await rig.bodies() == ["1"]
    assert manager.assignment == set()
    began_at = asyncio.get_running_loop().time()
    async with rig.manager(rig.effect(), node="next") as following:
        await eventually(lambda: len(following.assignment) == 12, within=WITHIN)
        assert asyncio.get_running_loop().time() - began_at < 5
        await rig.send(message(channel, 2, "2"))
        await applied(rig, 2)
    assert await rig.bodies() == bodies(2)
