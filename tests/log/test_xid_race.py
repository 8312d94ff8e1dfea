"""The race of xid against seq (design/messaging.md 3): forced, harmless with the locks, shown to bite without."""

import asyncio
import random
from typing import Any
from uuid import UUID

import pytest

from signalink_api.writer import Draft
from signalink_core.ids import uuid7

CLIENTS, ROUNDS, CHANNELS = 16, 40, 3
# The protocol with row locks instead of advisory ones: FOR UPDATE takes the xid before it waits.
ROW_LOCKS = """
CREATE OR REPLACE FUNCTION messaging.lock_channels(wanted uuid[], wait boolean) RETURNS uuid[]
LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    PERFORM FROM messaging.channels WHERE id = ANY (wanted) ORDER BY id FOR UPDATE;
    PERFORM set_config('signalink.locked', wanted::text, true);
    RETURN wanted;
END $$;
GRANT UPDATE ON messaging.channels TO signalink_api;
"""
INVERSIONS = """
SELECT count(*) FROM (
    SELECT seq, max(seq) OVER (PARTITION BY channel_id ORDER BY epoch, xid, id) AS highest
    FROM messaging.events WHERE seq IS NOT NULL
) s WHERE seq < highest
"""


async def storm(world: Any) -> int:
    """16 clients post to three channels, one in five batches rolled back, some of them to all; returns inversions."""
    owner = await world.user()
    channels = [await world.channel(owner) for _ in range(CHANNELS)]
    connections = [await world.database.connect("api") for _ in range(CLIENTS)]

    async def client(n: int) -> None:
        chance = random.Random(n)
        for _ in range(ROUNDS):
            targets = channels if chance.random() < 0.2 else [chance.choice(channels)]
            rolled_back = chance.random() < 0.2
            await _batch(world, connections[n], owner, targets, rolled_back=rolled_back)

    await asyncio.gather(*(client(n) for n in range(CLIENTS)))
    for channel in channels:
        seqs = sorted(await world.seqs(channel))
        assert seqs == list(range(1, len(seqs) + 1)), "no gap, no double, in either variant"
    for connection in connections:
        await connection.close()
    found: int = await world.admin.fetchval(INVERSIONS)
    return found


async def _batch(world: Any, connection: Any, owner: UUID, targets: list[UUID], *, rolled_back: bool) -> None:
    transaction = connection.transaction()
    await transaction.start()
    await world.post(*(Draft(target, owner, str(uuid7()), "x") for target in targets), connection=connection)
    await (transaction.rollback() if rolled_back else transaction.commit())


async def test_with_the_channel_locks_log_order_is_seq_order(world: Any) -> None:
    assert await storm(world) == 0


async def test_with_row_locks_alone_a_smaller_xid_gets_a_larger_seq(world: Any) -> None:
    await world.admin.execute(ROW_LOCKS)
    assert await storm(world) > 0


async def test_repeatable_read_would_read_a_stale_last_seq_and_is_stopped(world: Any) -> None:
    owner = await world.user()
    channel = await world.channel(owner)
    connection = await world.database.connect("api")
    with pytest.raises(Exception, match=r"serialize|duplicate"):
        async with connection.transaction(isolation="repeatable_read"):
            await connection.execute("SELECT 1 FROM messaging.channels")
            await world.post(Draft(channel, owner, "1", "x"))
            await world.post(Draft(channel, owner, "2", "x"), connection=connection)
    assert await world.seqs(channel) == [1]
    await connection.close()
