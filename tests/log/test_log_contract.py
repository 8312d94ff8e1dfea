"""One contract for reading the log, run on Postgres and on the memory twin."""

from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID, uuid4

import pytest

from signalink_api.writer import Draft
from signalink_core.database import pool
from signalink_core.events import Event, Position
from signalink_core.ids import uuid7
from signalink_core.log import reads, state
from signalink_core.log.memory import MemoryLog
from signalink_core.log.port import LogReader, PostgresLog
from signalink_core.log.reads import SeqRange


class PostgresSide:
    """The twin's writes, done by the real functions; the reads are PostgresLog's as the gateway's role."""

    def __init__(self, world: Any, log: LogReader) -> None:
        self.world = world
        self.resume, self.events_after = log.resume, log.events_after
        self.heads, self.revocations_since = log.heads, log.revocations_since

    async def create_channel(self, owner: UUID, *, history: str = "all") -> UUID:
        await self._known(owner)
        channel: UUID = await self.world.channel(owner, history=history)
        return channel

    async def join(self, channel_id: UUID, user_id: UUID) -> Event:
        await self._known(user_id)
        return await self._change("join_channel", channel_id=channel_id, actor_id=user_id)

    async def leave(self, channel_id: UUID, user_id: UUID) -> Event:
        return await self._change("leave_channel", channel_id=channel_id, actor_id=user_id)

    async def post(self, channel_id: UUID, sender_id: UUID, body: str) -> Event:
        (answer,) = await self.world.post(Draft(channel_id, sender_id, str(uuid7()), body))
        (event,) = await self.events_after(channel_id, answer["seq"] - 1, 1)
        return event

    async def delete_message(self, channel_id: UUID, message: Event, by: UUID) -> Event:
        return await self._change("delete_message", message_id=message.data["id"], actor_id=by)

    async def revoke(self, subject_kind: str, subject_id: UUID) -> None:
        await self.world.api.execute(
            "INSERT INTO messaging.revocations (subject_kind, subject_id) VALUES ($1, $2)", subject_kind, subject_id
        )

    async def retain(self, channel_id: UUID, above: int) -> None:
        await self.world.admin.execute(
            "UPDATE messaging.relay_cursors SET epoch = 1, xid = pg_snapshot_xmax(pg_current_snapshot())"
        )
        await self.world.admin.execute("SET ROLE signalink_retention")
        await self.world.admin.execute("SELECT messaging.delete_events($1, $2)", channel_id, above)
        await self.world.admin.execute("RESET ROLE")

    async def new_epoch(self) -> int:
        owner = await self.world.database.connect("owner")
        raised = await state.new_epoch(owner)
        await owner.close()
        return raised

    async def _change(self, function: str, **command: Any) -> Event:
        event: Event = await self.world.change(function, **command)
        return event

    async def _known(self, user_id: UUID) -> None:
        await self.world.api.execute(
            "INSERT INTO messaging.users (id, username, email, password_hash) VALUES ($1, $2, $2 || '@x.org', 'x')"
            " ON CONFLICT DO NOTHING",
            user_id,
            str(user_id),
        )


@pytest.fixture(params=["memory", pytest.param("postgres", marks=pytest.mark.engine("postgres"))])
def world_behind(request: pytest.FixtureRequest) -> Any:
    """None on the memory side, which needs no engine."""
    return request.getfixturevalue("world") if request.param == "postgres" else None


@pytest.fixture
async def log(world_behind: Any) -> AsyncIterator[Any]:
    """Both sides, one after the other."""
    if world_behind is None:
        yield MemoryLog()
        return
    async with await pool.open_pool(world_behind.database.settings("gateway")) as connections:
        yield PostgresSide(world_behind, PostgresLog(connections))


@pytest.fixture
def owner() -> UUID:
    return uuid7()


def seqs(events: list[Event]) -> list[int | None]:
    return [event.seq for event in events]


async def test_a_resume_brings_what_was_missed_in_order(log: Any, owner: UUID) -> None:
    channel = await log.create_channel(owner)
    posted = [await log.post(channel, owner, f"body {n}") for n in range(5)]
    page = await log.resume(owner, channel, Position(1, 2))
    assert page.events == posted[2:]
    assert (page.member, page.epoch, page.last_seq, page.floor) == (True, 1, 5, 0)
    assert (page.skipped, page.more, page.gap, page.upto) == ([], False, False, 5)


async def test_a_resume_at_the_end_or_without_a_position_brings_only_the_join_point(log: Any, owner: UUID) -> None:
    channel = await log.create_channel(owner)
    await log.post(channel, owner, "x")
    for after in (Position(1, 1), None):
        page = await log.resume(owner, channel, after)
        assert (page.events, page.last_seq, page.skipped, page.more, page.gap) == ([], 1, [], False, False)


async def test_an_outsider_and_an_unknown_channel_look_alike(log: Any, owner: UUID) -> None:
    channel = await log.create_channel(owner)
    await log.post(channel, owner, "x")
    stranger = uuid7()
    unknown = await log.resume(owner, uuid4(), Position(1, 0))
    assert await log.resume(stranger, channel, Position(1, 0)) == unknown == reads.NO_CHANNEL
    assert not unknown.member


@pytest.mark.parametrize("after", [Position(1, 9), Position(2, 0), Position(0, 1)])
async def test_a_position_above_the_log_or_of_another_epoch_is_a_gap(log: Any, owner: UUID, after: Position) -> None:
    channel = await log.create_channel(owner)
    await log.post(channel, owner, "x")
    page = await log.resume(owner, channel, after)
    assert (page.gap, page.events, page.epoch, page.last_seq) == (True, [], 1, 1)


async def test_paging_by_bytes_ends_at_the_head_and_loses_nothing(log: Any, owner: UUID) -> None:
    channel = await log.create_channel(owner)
    posted = [await log.post(channel, owner, "x" * 1000) for _ in range(20)]
    read: list[Event] = []
    position, pages = Position(1, 0), 0
    while True:
        page = await log.resume(owner, channel, position, 4000)
        read += page.events
        position, pages = Position(1, page.upto), pages + 1
        assert len(page.events) <= 4
        if not page.more:
            break
    assert read == posted
    assert 5 <= pages <= 7


async def test_one_event_larger_than_a_page_still_comes(log: Any, owner: UUID) -> None:
    channel = await log.create_channel(owner)
    await log.post(channel, owner, "x" * 1000)
    await log.post(channel, owner, "y")
    page = await log.resume(owner, channel, Position(1, 0), 10)
    assert (seqs(page.events), page.more, page.upto) == ([1], True, 1)


async def test_history_from_joining_skips_what_was_before_and_between(log: Any, owner: UUID) -> None:
    channel, guest = await log.create_channel(owner, history="joined"), uuid7()
    await log.post(channel, owner, "1")
    await log.join(channel, guest)  # 2
    await log.post(channel, owner, "3")
    await log.leave(channel, guest)  # 4
    await log.post(channel, owner, "5")
    await log.post(channel, owner, "6")
    await log.join(channel, guest)  # 7
    await log.post(channel, owner, "8")
    page = await log.resume(guest, channel, Position(1, 0))
    assert seqs(page.events) == [2, 3, 4, 7, 8]
    assert page.skipped == [SeqRange(1, 1), SeqRange(5, 6)]
    later = await log.resume(guest, channel, Position(1, 4))
    assert (seqs(later.events), later.skipped) == ([7, 8], [SeqRange(5, 6)])
    first = await log.resume(guest, channel, Position(1, 0), 1)
    assert (seqs(first.events), first.skipped, first.more) == ([2], [SeqRange(1, 1)], True)


async def test_whole_history_is_open_to_who_joined_late(log: Any, owner: UUID) -> None:
    channel, guest = await log.create_channel(owner), uuid7()
    await log.post(channel, owner, "1")
    await log.join(channel, guest)
    page = await log.resume(guest, channel, Position(1, 0))
    assert (seqs(page.events), page.skipped) == ([1, 2], [])


async def test_who_left_reads_nothing_more(log: Any, owner: UUID) -> None:
    channel, guest = await log.create_channel(owner), uuid7()
    await log.join(channel, guest)
    await log.leave(channel, guest)
    assert not (await log.resume(guest, channel, Position(1, 0))).member


async def test_a_deleted_body_is_blank_in_every_read_and_the_place_stays(log: Any, owner: UUID) -> None:
    channel = await log.create_channel(owner)
    secret = await log.post(channel, owner, "secret")
    await log.post(channel, owner, "open")
    await log.delete_message(channel, secret, owner)
    for events in (
        await log.events_after(channel, 0),
        (await log.resume(owner, channel, Position(1, 0))).events,
    ):
        assert seqs(events) == [1, 2, 3]
        assert [event.data.get("body") for event in events] == ["", "open", None]
        assert events[0].id == secret.id
        assert events[2].data["message_seq"] == 1


async def test_retention_raises_the_floor_below_which_a_position_is_a_gap(log: Any, owner: UUID) -> None:
    channel = await log.create_channel(owner)
    for n in range(5):
        await log.post(channel, owner, str(n))
    await log.retain(channel, 3)
    assert (await log.resume(owner, channel, Position(1, 2))).gap
    page = await log.resume(owner, channel, Position(1, 3))
    assert (page.gap, page.floor, seqs(page.events)) == (False, 3, [4, 5])


async def test_events_after_is_limited_and_heads_know_only_known_channels(log: Any, owner: UUID) -> None:
    channel, empty = await log.create_channel(owner), await log.create_channel(owner)
    for n in range(5):
        await log.post(channel, owner, str(n))
    assert seqs(await log.events_after(channel, 1, 2)) == [2, 3]
    assert await log.events_after(uuid4(), 0) == []
    assert await log.heads([channel, empty, uuid4()]) == {channel: Position(1, 5), empty: Position(1, 0)}


async def test_a_new_epoch_moves_every_channel_and_makes_old_positions_gaps(log: Any, owner: UUID) -> None:
    channel = await log.create_channel(owner)
    await log.post(channel, owner, "1")
    assert await log.new_epoch() == 2
    await log.post(channel, owner, "2")
    assert (await log.heads([channel]))[channel] == Position(2, 2)
    assert (await log.resume(owner, channel, Position(1, 1))).gap
    page = await log.resume(owner, channel, Position(2, 0))
    assert [event.position for event in page.events] == [Position(2, 1), Position(2, 2)]


async def test_revocations_of_the_last_minute_come_again_and_again(log: Any) -> None:
    user, session = uuid7(), uuid7()
    await log.revoke("user", user)
    await log.revoke("session", session)
    for _ in range(2):
        found = await log.revocations_since(60)
        assert [(one.subject_kind, one.subject_id) for one in found] == [("user", user), ("session", session)]
    assert await log.revocations_since(0) == []
