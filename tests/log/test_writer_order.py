"""Order in the writer: the queue's algebra, two writers on the same channels, and a process that dies in mid-batch."""

import asyncio
import os
import signal
import sys
from collections import defaultdict
from typing import Any
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from signalink_api.writer import Draft, MessageWriter
from signalink_api.writer.drafts import Entry
from signalink_api.writer.waiting import Waiting
from signalink_core.ids import uuid7
from signalink_core.testing import eventually

CHANNELS = [UUID(int=n) for n in range(4)]
steps = st.lists(
    st.one_of(
        st.tuples(st.just("put"), st.integers(0, 3)),
        st.tuples(st.just("take"), st.integers(1, 5)),
        st.tuples(st.just("done"), st.integers(0, 3)),
        st.tuples(st.just("busy"), st.integers(0, 3)),
    ),
    max_size=60,
)


@given(steps)
def test_whatever_happens_each_channel_leaves_the_queue_in_the_order_it_came(plan: list[tuple[str, int]]) -> None:
    """`done` ends the oldest batch; `busy` ends it with everything of one channel given back."""
    loop = asyncio.new_event_loop()
    waiting, batches = Waiting(), list[list[Entry]]()
    came: dict[UUID, list[Entry]] = defaultdict(list)
    left: dict[UUID, list[Entry]] = defaultdict(list)
    for step, n in plan:
        if step == "put":
            entry = Entry(Draft(CHANNELS[n], UUID(int=9), "k", "x"), loop.create_future(), 0.0, b"")
            came[entry.channel_id].append(entry)
            waiting.put(entry)
        elif step == "take":
            held = {entry.channel_id for batch in batches for entry in batch}
            batch = waiting.take(n, held)
            assert len(batch) <= n
            assert not held & {entry.channel_id for entry in batch}
            batches.append(batch)
        elif batches:
            batch = batches.pop(0)
            back = [entry for entry in batch if step == "busy" and entry.channel_id == CHANNELS[n]]
            for entry in batch:
                if entry not in back:
                    left[entry.channel_id].append(entry)
            waiting.give_back(back)
    for batch in batches:
        for entry in batch:
            left[entry.channel_id].append(entry)
    assert len(waiting) == sum(len(line) for line in came.values()) - sum(len(line) for line in left.values())
    for entry in waiting.clear():
        left[entry.channel_id].append(entry)
    assert left == came
    assert len(waiting) == 0
    loop.close()


async def test_two_writers_on_the_same_channels_each_keep_their_order(world: Any) -> None:
    owner = await world.user()
    channels = [await world.channel(owner) for _ in range(3)]
    settings = world.database.settings("api")
    published: list[list[Any]] = [[], []]
    async with (
        MessageWriter(settings, on_committed=published[0].extend, max_batch=16) as one,
        MessageWriter(settings, on_committed=published[1].extend, max_batch=16) as two,
    ):
        posts = [[Draft(channels[n % 3], owner, str(uuid7()), "x") for n in range(600)] for _ in range(2)]
        verdicts = await asyncio.gather(
            *(writer.post(draft) for writer, mine in ((one, posts[0]), (two, posts[1])) for draft in mine)
        )
    for n, channel in enumerate(channels):
        mine, theirs = ([v.seq for v in verdicts[start + n : start + 600 : 3]] for start in (0, 600))
        assert mine == sorted(mine)
        assert theirs == sorted(theirs)
        assert sorted(mine + theirs) == list(range(1, 401))
        assert await world.seqs(channel) == list(range(1, 401))
        for events in published:
            seqs = [event.seq for event in events if event.channel == channel]
            assert seqs == sorted(seqs)


POSTER = """
import asyncio, sys
from uuid import UUID
from signalink_api.writer import Draft, MessageWriter
from signalink_core.settings import PostgresSettings
from signalink_core.ids import uuid7
async def main(dsn, password_file, channel, owner):
    async with MessageWriter(PostgresSettings(dsn=dsn, password_file=password_file), on_committed=len) as writer:
        async def client():
            while True:
                verdict = await writer.post(Draft(UUID(channel), UUID(owner), str(uuid7()), "x"))
                sys.stdout.write(f"{verdict.seq}\\n")
                sys.stdout.flush()
        await asyncio.gather(*(client() for _ in range(32)))
asyncio.run(main(*sys.argv[1:]))
"""


async def test_a_writer_killed_in_mid_batch_leaves_no_gap_and_loses_nothing_acknowledged(world: Any) -> None:
    owner = await world.user()
    channel = await world.channel(owner)
    settings = world.database.settings("api")
    acknowledged: list[int] = []
    for _ in range(3):
        arguments = [settings.dsn, str(settings.password_file), str(channel), str(owner)]
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", POSTER, *arguments, stdout=asyncio.subprocess.PIPE
        )
        assert process.stdout is not None
        acknowledged += [int(await process.stdout.readline()) for _ in range(100)]
        os.kill(process.pid, signal.SIGKILL)
        acknowledged += [int(line) for line in (await process.stdout.read()).splitlines() if line]
        assert await process.wait() == -signal.SIGKILL
    await eventually(lambda: _quiet(world))
    seqs = await world.seqs(channel)
    assert seqs == list(range(1, len(seqs) + 1))
    assert sorted(acknowledged) == sorted(set(acknowledged))
    assert set(acknowledged) <= set(seqs)
    (answer,) = await world.post(Draft(channel, owner, "after", "x"))
    assert answer["seq"] == len(seqs) + 1


async def _quiet(world: Any) -> bool:
    """No statement of a killed process is still running."""
    running = "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query LIKE '%post_messages%'"
    return bool(await world.admin.fetchval(f"{running} AND pid <> pg_backend_pid()") == 0)
