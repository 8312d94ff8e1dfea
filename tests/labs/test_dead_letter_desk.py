"""Dead letters as a person handles them: states, redrive by name and all at once, drop, and a relay's pointer."""

import json
from typing import Any

import pytest
from consuming import GROUP, OTHER, RealRig, message, real

from signalink_core.errors import BadRequest, ConfigurationError, NotFound
from signalink_core.ids import uuid7
from signalink_core.kafka.errors import RecordRefused
from signalink_core.log import parked
from signalink_core.testing import eventually
from signalink_labs.cli import dlq
from signalink_labs.letters.desk import Desk, Entry

__all__ = ["real"]
pytestmark = pytest.mark.engine("postgres", "kafka")
WITHIN = 30.0


def desk_of(real: RealRig) -> Desk:
    return Desk(real.topics.settings(), real.database.settings("owner"))


def states(entries: list[Entry]) -> list[str]:
    return [entry.state for entry in entries]


async def poisoned(real: RealRig, count: int, group: str = GROUP, earlier: int = 0) -> tuple[Any, Any]:
    """A consumer that refuses everything, running, with that many dead letters."""
    effect = real.effect(group)
    effect.fails = lambda event: exec("raise KeyError('secret')")  # noqa: S102
    manager = real.manager(effect, group=group)
    await manager.start()
    desk = desk_of(real)
    await real.send(*(message(uuid7(), 1, f"{group} {n}") for n in range(count)))

    async def there() -> bool:
        entries = await desk.entries(["messages"], group)
        return len(entries) == earlier + count and set(states(entries)) == {"parked"}

    await eventually(there, within=WITHIN)
    return manager, effect


async def test_a_letter_is_listed_shown_redriven_once_and_told_so(real: RealRig) -> None:
    manager, effect = await poisoned(real, 3)
    desk = desk_of(real)
    try:
        first, second, third = await desk.entries()
        shown = dlq.as_document(first)
        assert (shown["letter"], shown["group"], shown["error"], shown["attempts"]) == (
            "messages/0",
            GROUP,
            "KeyError",
            3,
        )
        assert "secret" not in json.dumps(shown)
        assert (await desk.entry("messages/1")).letter == second.letter

        failed = await desk.redrive([first], within=10)
        assert (failed.applied, failed.waiting) == (0, 1)
        entries = await desk.entries()
        assert states(entries) == ["parked"] * 3
        assert {entry.row.attempts for entry in entries if entry.row} == {3, 6}
        with pytest.raises(NotFound, match="a newer letter"):
            await desk.entry("messages/0")

        effect.fails = lambda event: None
        assert await desk.drop([second]) == 1
        done = await desk.redrive([entry for entry in await desk.entries() if entry.waits], within=20)
        assert (done.applied, done.waiting) == (2, 0)
        assert sorted(states(await desk.entries())) == ["dropped", "redriven", "redriven"]
        for entry in await desk.entries():
            with pytest.raises(BadRequest, match="does not wait any more"):
                await desk.redrive([entry], within=0)
        assert await desk.drop([third]) == 0
    finally:
        await manager.stop()
    assert len(await real.effects()) == 2


async def test_all_of_one_group_go_and_the_others_stay(real: RealRig) -> None:
    manager, _ = await poisoned(real, 4)
    await manager.stop()
    other, effect = await poisoned(real, 2, OTHER, earlier=4)
    desk = desk_of(real)
    try:
        chosen = await dlq.chosen_by(desk, "messages", OTHER, every=True)
        assert {entry.letter.group for entry in chosen} == {OTHER}
        effect.fails = lambda event: None
        done = await desk.redrive(chosen, within=20)
        assert done.waiting == 0
    finally:
        await other.stop()
    assert set(states(await desk.entries(["messages"], GROUP))) == {"parked"}
    assert set(states(await desk.entries(["messages"], OTHER))) == {"redriven"}


async def test_a_pointer_is_shown_and_its_redrive_says_why_not(real: RealRig) -> None:
    row = {"shard": 3, "epoch": 1, "xid": 7, "id": 9, "event_id": uuid7(), "channel_id": None, "seq": None}
    row |= {"type": "dev.signalink.user.registered", "topic": "analytics", "aggregateid": uuid7(), "traceparent": None}
    await real.send(parked.pointer(row, RecordRefused("too large")))
    desk = desk_of(real)
    entry = await desk.entry("analytics/0")
    assert (entry.state, entry.letter.error, entry.waits) == ("pointer", "record_refused", False)
    assert dlq.as_document(entry)["record"] is None
    assert dlq.table([entry]).row_count == 1
    with pytest.raises(BadRequest, match="a relay's pointer") as refused:
        await desk.redrive([entry], within=0)
    assert "signalink relay rewind" in str(refused.value.next_step)


async def test_what_a_command_line_names_wrongly_is_said(real: RealRig) -> None:
    desk = desk_of(real)
    for name in ("nothing", "messages/x", "elsewhere/1"):
        with pytest.raises(ConfigurationError, match="is no letter"):
            await desk.entry(name)
    with pytest.raises(ConfigurationError, match="is a topic"):
        await dlq.chosen_by(desk, "messages", None, every=False)
    with pytest.raises(ConfigurationError, match="--all goes with a topic"):
        await dlq.chosen_by(desk, "messages/1", None, every=True)
    with pytest.raises(NotFound):
        await desk.entry("messages/7")
