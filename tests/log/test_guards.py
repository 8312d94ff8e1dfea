"""What keeps the log honest whatever the code above does: triggers, the lock protocol, retention's limits."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
import pytest

import signalink_api.migrations
from signalink_api.writer import Draft
from signalink_core.ids import uuid7

INSERT = """
INSERT INTO messaging.events (event_id, epoch, shard, topic, aggregatetype, aggregateid, type, channel_id, seq, payload)
VALUES (gen_random_uuid(), 1, 0, 'messages', 'channel', $1, 'test', $1, $2, '{}')
"""
PUBLISHED = "UPDATE messaging.relay_cursors SET epoch = 1, xid = pg_snapshot_xmax(pg_current_snapshot())"


@pytest.fixture
async def channel(world: Any) -> UUID:
    """A channel with ten messages."""
    owner = await world.user()
    made: UUID = await world.channel(owner)
    await world.post(*(Draft(made, owner, str(n), "hello") for n in range(10)))
    return made


@pytest.fixture
async def retention(world: Any) -> AsyncIterator[Any]:
    """A connection as the retention job has it: the owner in the retention role."""
    connection = await world.database.connect("owner")
    await connection.execute("SET ROLE signalink_retention")
    yield connection
    await connection.close()


@pytest.mark.parametrize(
    "statement",
    ["UPDATE messaging.events SET payload = '{}'", "DELETE FROM messaging.events", "TRUNCATE messaging.events"],
)
@pytest.mark.parametrize("role", ["owner", "admin"])
async def test_events_are_immutable_even_for_their_owner_and_a_super_user(
    world: Any, channel: UUID, statement: str, role: str
) -> None:
    connection = await world.database.connect(role)
    with pytest.raises(asyncpg.PostgresError, match="immutable"):
        await connection.execute(statement)
    await connection.close()
    assert len(await world.seqs(channel)) == 10


async def test_an_event_without_its_channels_lock_is_refused(world: Any, channel: UUID) -> None:
    for connection in (world.api, world.admin):
        with pytest.raises(asyncpg.PostgresError, match="without its lock"):
            await connection.execute(INSERT, channel, 11)
    async with world.api.transaction():
        await world.api.execute("SELECT messaging.lock_channels($1, true)", [channel])
        await world.api.execute(INSERT, channel, 11)
    assert (await world.seqs(channel))[-1] == 11


async def test_the_lock_of_another_channel_or_of_an_earlier_transaction_does_not_count(
    world: Any, channel: UUID
) -> None:
    await world.api.execute("SELECT messaging.lock_channels($1, true)", [channel])
    with pytest.raises(asyncpg.PostgresError, match="without its lock"):
        await world.api.execute(INSERT, channel, 11)
    with pytest.raises(asyncpg.PostgresError, match="without its lock"):
        async with world.api.transaction():
            await world.api.execute("SELECT messaging.lock_channels($1, true)", [uuid7()])
            await world.api.execute(INSERT, channel, 11)


async def test_a_lock_that_a_savepoint_took_and_lost_does_not_count(world: Any, channel: UUID) -> None:
    with pytest.raises(asyncpg.PostgresError, match="without its lock"):
        async with world.api.transaction():
            await world.api.execute("SAVEPOINT before")
            await world.api.execute("SELECT messaging.lock_channels($1, true)", [channel])
            await world.api.execute("ROLLBACK TO before")
            await world.api.execute(INSERT, channel, 11)


async def test_lock_channels_refuses_once_something_was_written(world: Any, channel: UUID) -> None:
    with pytest.raises(asyncpg.PostgresError, match="before the first write"):
        async with world.api.transaction():
            await world.api.execute("UPDATE messaging.users SET status = 'x'")
            await world.api.execute("SELECT messaging.lock_channels($1, true)", [channel])


async def test_the_trigger_knows_a_lock_exactly_as_pg_locks_does(world: Any, channel: UUID) -> None:
    async with world.api.transaction():
        await world.api.execute("SELECT messaging.lock_channels($1, true)", [channel, uuid7()])
        held = await world.api.fetchval(
            "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objsubid = 1 AND pid = pg_backend_pid()"
        )
        assert held == 2
        assert len(await world.api.fetchval("SELECT current_setting('signalink.locked')::uuid[]")) == 2
    assert await world.api.fetchval("SELECT coalesce(nullif(current_setting('signalink.locked'), ''), '{}')") == "{}"


async def test_retention_deletes_a_published_prefix_and_records_the_floor(
    world: Any, channel: UUID, retention: Any
) -> None:
    await world.admin.execute(PUBLISHED)
    assert await retention.fetchval("SELECT messaging.delete_events($1, 4)", channel) == 4
    assert await world.seqs(channel) == [5, 6, 7, 8, 9, 10]
    assert await retention.fetchval("SELECT messaging.delete_events($1, 2)", channel) == 4, "the floor never falls"


async def test_retention_never_goes_above_a_cursor(world: Any, channel: UUID, retention: Any) -> None:
    assert await retention.fetchval("SELECT messaging.delete_events($1, 10)", channel) == 0
    with pytest.raises(asyncpg.PostgresError, match="not published"):
        await retention.execute("DELETE FROM messaging.events WHERE seq <= 3")
    assert len(await world.seqs(channel)) == 10


async def test_retention_cannot_make_a_hole(world: Any, channel: UUID, retention: Any) -> None:
    await world.admin.execute(PUBLISHED)
    with pytest.raises(asyncpg.PostgresError, match="older than a deleted one"):
        await retention.execute("DELETE FROM messaging.events WHERE seq BETWEEN 3 AND 5")
    for statement in ("UPDATE messaging.events SET payload = '{}'", "TRUNCATE messaging.events"):
        with pytest.raises(asyncpg.PostgresError):
            await retention.execute(statement)
    await retention.execute("DELETE FROM messaging.events WHERE seq <= 3")
    assert await world.seqs(channel) == [4, 5, 6, 7, 8, 9, 10]


def test_only_the_two_appending_functions_and_facts_insert_events() -> None:
    folder = Path(signalink_api.migrations.__file__).parent / "sql"
    writers = [
        line
        for path in folder.rglob("*.sql")
        for function in path.read_text().split("CREATE FUNCTION messaging.")[1:]
        if "INSERT INTO messaging.events " in function
        for line in [function.split("(")[0]]
    ]
    assert sorted(writers) == ["append_event", "insert_posts", "record_fact"]


def test_no_python_of_the_product_inserts_events() -> None:
    root = Path(__file__).parents[2]
    product = [path for part in ("services", "stacks", "labs", "operator") for path in (root / part).rglob("*.py")]
    assert len(product) > 50
    assert [path for path in product if "into messaging.events" in path.read_text().lower()] == []


async def test_a_revision_keeps_what_an_edit_replaced_and_a_deletion_takes_all_of_it(world: Any, channel: UUID) -> None:
    owner = await world.api.fetchval("SELECT created_by FROM messaging.channels WHERE id = $1", channel)
    message = await world.api.fetchval("SELECT id FROM messaging.messages WHERE seq = 1")
    for body in ("second", "third"):
        await world.change("edit_message", message_id=message, actor_id=owner, body=body)
    kept = await world.api.fetch("SELECT revision, body FROM messaging.message_revisions ORDER BY revision")
    assert [tuple(row) for row in kept] == [(0, "hello"), (1, "second")]
    await world.change("delete_message", message_id=message, actor_id=owner)
    assert await world.api.fetchval("SELECT count(*) FROM messaging.message_revisions") == 0
    assert await world.api.fetchval("SELECT body FROM messaging.messages WHERE id = $1", message) == ""
