"""The MessageWriter: one commit for many posts, honest answers, order per channel."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Any
from uuid import UUID

import pytest
from asyncpg.exceptions import InternalClientError

from signalink_api.writer import Draft, MessageWriter, PostFailed, PostUnknown, Verdict, statement
from signalink_core import faults
from signalink_core.errors import DependencyUnavailable, LogMismatch, QueueFull
from signalink_core.events import Event
from signalink_core.ids import uuid7
from signalink_core.log import reads
from signalink_core.settings import PostgresSettings, ProcessSettings
from signalink_core.telemetry import names
from signalink_core.telemetry.trace import use_traceparent
from signalink_core.testing import eventually

TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def draft(channel: UUID, sender: UUID, client_id: str = "", **fields: Any) -> Draft:
    return Draft(channel, sender, client_id or str(uuid7()), **{"body": "hello", **fields})


class Published:
    """What a writer committed, in the order it said so."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.batches: list[int] = []

    def __call__(self, events: Sequence[Event]) -> None:
        self.events += events
        self.batches.append(len(events))

    def seqs(self, channel: UUID) -> list[int | None]:
        return [event.seq for event in self.events if event.channel == channel]


@pytest.fixture
def published() -> Published:
    return Published()


@pytest.fixture
async def writer(world: Any, published: Published) -> AsyncIterator[MessageWriter]:
    async with MessageWriter(world.database.settings("api"), on_committed=published) as made:
        yield made


@pytest.fixture
def fault_points() -> Iterator[faults.Faults]:
    """Fault points of this process, all off again afterwards."""
    faults.here.configure(ProcessSettings(faults="on"))
    yield faults.here
    faults.here.configure(ProcessSettings(faults="off"))


async def hold(world: Any, channel: UUID) -> Any:
    """Another session's lock on a channel; commit by `await transaction.rollback()`, then close."""
    connection = await world.database.connect("api")
    transaction = connection.transaction()
    await transaction.start()
    await connection.execute("SELECT messaging.lock_channels($1, true)", [channel])
    return connection, transaction


async def release(held: Any) -> None:
    connection, transaction = held
    await transaction.rollback()
    await connection.close()


async def test_two_hundred_concurrent_posts_are_seqs_1_to_200_in_few_commits(
    world: Any, writer: MessageWriter, published: Published
) -> None:
    owner = await world.user()
    channel = await world.channel(owner)
    verdicts = await asyncio.gather(*(writer.post(draft(channel, owner)) for _ in range(200)))
    assert [verdict.seq for verdict in verdicts] == list(range(1, 201)), "in the order in which they came"
    assert published.seqs(channel) == list(range(1, 201))
    assert len(published.batches) <= 3, "all that queued while one statement ran went in the next"


async def test_the_published_event_equals_the_one_in_the_log(
    world: Any, writer: MessageWriter, published: Published
) -> None:
    owner = await world.user()
    channel = await world.channel(owner)
    with use_traceparent(TRACE):
        first = await writer.post(draft(channel, owner, metadata={"a": [1, 2.5, "x"]}, format="markdown"))
    await writer.post(draft(channel, owner, reply_to=first.message_id))
    assert published.events == await reads.events_after(world.api, channel, 0)
    assert published.events[0].traceparent == TRACE


async def test_a_repeat_is_replayed_and_not_published_again(
    world: Any, writer: MessageWriter, published: Published
) -> None:
    owner = await world.user()
    post = draft(await world.channel(owner), owner)
    first, again = await writer.post(post), await writer.post(post)
    assert (first.kind, again.kind) == ("created", "replayed")
    assert (again.message_id, again.seq, again.created_at) == (first.message_id, first.seq, first.created_at)
    assert published.batches == [1]


async def test_the_second_post_of_a_key_in_flight_joins_the_first(world: Any, writer: MessageWriter) -> None:
    owner = await world.user()
    channel = await world.channel(owner)
    same, other = draft(channel, owner, "k"), draft(channel, owner, "k", body="other")
    one, two, three = await asyncio.gather(writer.post(same), writer.post(same), writer.post(other))
    assert one == two == Verdict("created", one.message_id, 1, 1, one.created_at)
    assert three.kind == "conflict"
    assert await world.seqs(channel) == [1]


async def test_a_key_whose_first_post_was_refused_is_free_for_another(world: Any, writer: MessageWriter) -> None:
    owner, sender = await world.user(), await world.user()
    closed, channel = await world.channel(owner), await world.channel(sender)
    refused, posted = await asyncio.gather(
        writer.post(draft(closed, sender, "k")), writer.post(draft(channel, sender, "k"))
    )
    assert (refused.kind, posted.kind) == ("forbidden", "created")


async def test_one_bad_message_fails_alone_and_its_neighbours_keep_their_order(
    world: Any, writer: MessageWriter
) -> None:
    owner = await world.user()
    channel = await world.channel(owner)
    posts = [draft(channel, owner, body="nul \0" if n == 17 else f"body {n}") for n in range(50)]
    outcomes = await asyncio.gather(*(writer.post(post) for post in posts), return_exceptions=True)
    assert isinstance(outcomes[17], PostFailed)
    good = [outcome for outcome in outcomes if isinstance(outcome, Verdict)]
    assert [verdict.seq for verdict in good] == list(range(1, 50))
    assert await world.seqs(channel) == list(range(1, 50))


async def test_a_busy_channel_holds_up_no_other_and_keeps_its_order(
    world: Any, writer: MessageWriter, published: Published
) -> None:
    owner = await world.user()
    busy, free = await world.channel(owner), await world.channel(owner)
    held = await hold(world, busy)
    waiting = [asyncio.create_task(writer.post(draft(busy, owner))) for _ in range(30)]
    through = [await writer.post(draft(free, owner)) for _ in range(30)]
    assert [verdict.seq for verdict in through] == list(range(1, 31))
    assert not any(task.done() for task in waiting)
    waiting += [asyncio.create_task(writer.post(draft(busy, owner))) for _ in range(30)]
    await release(held)
    assert [(await task).seq for task in waiting] == list(range(1, 61))
    assert published.seqs(busy) == list(range(1, 61))


async def test_pipelined_posts_to_many_channels_keep_their_order_over_two_slots(
    world: Any, writer: MessageWriter, published: Published
) -> None:
    owner = await world.user()
    channels = [await world.channel(owner) for _ in range(6)]
    posts = [draft(channels[n % 6], owner) for n in range(1500)]
    verdicts = await asyncio.gather(*(writer.post(post) for post in posts))
    for n, channel in enumerate(channels):
        assert [verdict.seq for verdict in verdicts[n::6]] == list(range(1, 251))
        assert published.seqs(channel) == list(range(1, 251))


async def test_a_caller_out_of_time_gets_unknown_and_the_batch_goes_on(world: Any, published: Published) -> None:
    owner = await world.user()
    channel = await world.channel(owner)
    held = await hold(world, channel)
    post = draft(channel, owner)
    async with MessageWriter(world.database.settings("api"), on_committed=published, caller_seconds=0.2) as writer:
        with pytest.raises(PostUnknown) as unknown:
            await writer.post(post)
        assert (unknown.value.status, unknown.value.code, unknown.value.retry_after) == (503, "unknown_outcome", 1.0)
        await release(held)
        await eventually(lambda: published.seqs(channel) == [1])

        async def repeated() -> bool:  # whoever comes before the batch is over joins it, and hears what it made
            return (await writer.post(post)).kind == "replayed"

        await eventually(repeated)


async def test_posts_to_a_channel_that_stays_busy_are_given_up_and_never_made_late(
    world: Any, published: Published
) -> None:
    owner = await world.user()
    stuck, free = await world.channel(owner), await world.channel(owner)
    held = await hold(world, stuck)
    async with MessageWriter(world.database.settings("api"), on_committed=published, caller_seconds=0.3) as writer:
        callers = [asyncio.create_task(writer.post(draft(stuck, owner))) for _ in range(20)]
        outcomes = await asyncio.gather(*callers, return_exceptions=True)
        assert all(isinstance(outcome, DependencyUnavailable) for outcome in outcomes)
        assert (await writer.post(draft(free, owner))).seq == 1
        await eventually(lambda: _nobody_waits(world))
        await release(held)
        assert (await writer.post(draft(stuck, owner))).seq == 1
    assert published.seqs(stuck) == [1]


async def test_a_server_without_space_refuses_a_whole_batch_at_once(world: Any, writer: MessageWriter) -> None:
    owner = await world.user()
    channel = await world.channel(owner)
    await world.admin.execute(
        "CREATE OR REPLACE FUNCTION messaging.insert_posts(judged messaging.judged_post[], log_epoch integer)"
        " RETURNS void LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'full' USING ERRCODE = '53100'; END $$"
    )
    outcomes = await asyncio.gather(*(writer.post(draft(channel, owner)) for _ in range(50)), return_exceptions=True)
    assert all(isinstance(outcome, DependencyUnavailable) for outcome in outcomes)
    assert {getattr(outcome, "retry_after", None) for outcome in outcomes} == {5.0}


async def test_cancelling_a_caller_never_cancels_its_batch(
    world: Any, writer: MessageWriter, published: Published
) -> None:
    owner = await world.user()
    channel = await world.channel(owner)
    held = await hold(world, channel)
    callers = [asyncio.create_task(writer.post(draft(channel, owner))) for _ in range(3)]
    await eventually(lambda: _waits_for_a_lock(world))
    for caller in callers:
        caller.cancel()
    await asyncio.gather(*callers, return_exceptions=True)
    await release(held)
    await eventually(lambda: published.seqs(channel) == [1, 2, 3])


async def _waits_for_a_lock(world: Any) -> bool:
    waiting = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
    return bool(await world.admin.fetchval(waiting))


async def test_a_full_queue_refuses_at_once_with_retry_after(world: Any, published: Published) -> None:
    owner = await world.user()
    channel = await world.channel(owner)
    held = await hold(world, channel)
    async with MessageWriter(world.database.settings("api"), on_committed=published, queue_limit=5) as writer:
        first = asyncio.create_task(writer.post(draft(channel, owner)))
        await eventually(lambda: _waits_for_a_lock(world))
        queued = [asyncio.create_task(writer.post(draft(channel, owner))) for _ in range(5)]
        await asyncio.sleep(0)
        with pytest.raises(QueueFull) as full:
            await writer.post(draft(channel, owner))
        assert full.value.retry_after == 1.0
        await release(held)
        assert [(await task).seq for task in [first, *queued]] == [1, 2, 3, 4, 5, 6]


async def test_stop_drains_what_is_queued_and_refuses_what_comes_later(world: Any, published: Published) -> None:
    owner = await world.user()
    channel = await world.channel(owner)
    writer = MessageWriter(world.database.settings("api"), on_committed=published)
    await writer.start()
    callers = [asyncio.create_task(writer.post(draft(channel, owner))) for _ in range(20)]
    await asyncio.sleep(0)
    await writer.stop()
    await writer.stop()
    assert [(await caller).seq for caller in callers] == list(range(1, 21))
    with pytest.raises(DependencyUnavailable):
        await writer.post(draft(channel, owner))


async def test_a_connection_lost_in_mid_statement_is_repeated_and_posts_once(
    world: Any, writer: MessageWriter, published: Published
) -> None:
    owner = await world.user()
    channel = await world.channel(owner)
    held = await hold(world, channel)
    posts = [asyncio.create_task(writer.post(draft(channel, owner))) for _ in range(5)]
    await eventually(lambda: _waits_for_a_lock(world))
    await world.admin.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
    )
    await release(held)
    assert [((await post).kind, (await post).seq) for post in posts] == [("created", n) for n in range(1, 6)]
    assert published.seqs(channel) == [1, 2, 3, 4, 5]
    assert await world.seqs(channel) == [1, 2, 3, 4, 5]


async def test_a_connection_that_asyncpg_left_between_two_states_is_dropped_and_the_post_made(
    world: Any, writer: MessageWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a statement meets that begins in the very moment in which the server is killed."""
    owner = await world.user()
    channel = await world.channel(owner)
    await writer.post(draft(channel, owner))
    real, used = statement.call, []

    async def once(connection: Any, part: Any, *, wait: bool) -> Any:
        used.append(connection)
        if len(used) == 1:
            raise InternalClientError("cannot switch to state 12; another operation (2) is in progress")
        return await real(connection, part, wait=wait)

    monkeypatch.setattr(statement, "call", once)
    assert (await writer.post(draft(channel, owner))).seq == 2
    assert used[0] is not used[1]
    assert used[0].is_closed()


async def test_a_server_that_is_not_there_is_a_fast_honest_503(published: Published) -> None:
    nowhere = PostgresSettings(dsn="postgresql://signalink_api@127.0.0.1:1/signalink")
    async with MessageWriter(nowhere, on_committed=published) as writer:
        with pytest.raises(DependencyUnavailable) as refused:
            await writer.post(draft(uuid7(), uuid7()))
        assert not isinstance(refused.value, PostUnknown), "nothing was sent, so the outcome is known"


async def test_a_changed_server_is_refused_until_a_new_epoch(world: Any, writer: MessageWriter) -> None:
    owner = await world.user()
    channel = await world.channel(owner)
    await world.admin.execute("UPDATE messaging.log_state SET timeline = timeline + 1")
    with pytest.raises(LogMismatch, match="new-epoch"):
        await writer.post(draft(channel, owner))
    assert await world.seqs(channel) == []


async def test_an_error_after_the_commit_is_unknown_and_the_repeat_a_replay(
    world: Any, writer: MessageWriter, fault_points: faults.Faults
) -> None:
    owner = await world.user()
    post = draft(await world.channel(owner), owner)
    fault_points.put({"point": "api.post.after_commit", "action": "error", "count": 1})
    with pytest.raises(PostUnknown):
        await writer.post(post)
    assert (await writer.post(post)).kind == "replayed"


async def test_an_error_before_the_commit_is_no_post(
    world: Any, writer: MessageWriter, fault_points: faults.Faults
) -> None:
    owner = await world.user()
    post = draft(await world.channel(owner), owner)
    fault_points.put({"point": "api.post.before_commit", "action": "error", "count": 1})
    with pytest.raises(DependencyUnavailable):
        await writer.post(post)
    assert (await writer.post(post)).kind == "created"


async def test_verdicts_batches_and_waits_are_counted(world: Any, writer: MessageWriter) -> None:
    def value(metric: Any, name: str, **labels: str) -> float:
        return sum(s.value for m in metric.collect() for s in m.samples if s.name.endswith(name) and s.labels == labels)

    before = value(names.MESSAGES_POSTED_TOTAL, "_total", verdict="created")
    waits = value(names.WRITER_WAIT_SECONDS, "_count")
    owner = await world.user()
    channel = await world.channel(owner)
    await asyncio.gather(*(writer.post(draft(channel, owner)) for _ in range(7)))
    assert value(names.MESSAGES_POSTED_TOTAL, "_total", verdict="created") == before + 7
    assert value(names.WRITER_WAIT_SECONDS, "_count") == waits + 7
    assert value(names.WRITER_STATEMENT_SECONDS, "_count") > 0


async def _nobody_waits(world: Any) -> bool:
    return not await _waits_for_a_lock(world)
