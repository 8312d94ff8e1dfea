"""Where a message is in the log and how far the relay's cursor is, asked from a real Postgres."""

import socket
from collections.abc import AsyncIterator
from typing import Any

import pytest

from signalink_api.writer import Draft, MessageWriter, Verdict
from signalink_core.clock import utc_now
from signalink_core.errors import DependencyUnavailable, NotFound
from signalink_core.ids import uuid7
from signalink_core.telemetry.trace import new_traceparent, use_traceparent
from signalink_labs.journey import stores
from signalink_stacks.local.testing import Database

pytestmark = pytest.mark.engine("postgres")
OWNER = uuid7()
CHANNEL = uuid7()


@pytest.fixture
async def sql(database: Database) -> AsyncIterator[Any]:
    """As the superuser, with a user and a channel."""
    connection = await database.connect()
    await connection.execute(
        "INSERT INTO messaging.users (id, username, email, password_hash, role) "
        "VALUES ($1, 'ada', 'ada@example.org', 'x', 'member')",
        OWNER,
    )
    command = {"id": CHANNEL, "slug": "ships", "name": "Ships", "kind": "public", "actor_id": OWNER}
    answer = await connection.fetchval(
        "SELECT messaging.create_channel($1)", {"event_id": uuid7(), "traceparent": None, **command}
    )
    assert answer["verdict"] == "ok"
    yield connection
    await connection.close()


async def posted(database: Database, *bodies: str) -> list[Verdict]:
    async with MessageWriter(database.settings("api"), on_committed=lambda _: None) as writer:
        return [await writer.post(Draft(CHANNEL, OWNER, body, body)) for body in bodies]


async def test_a_message_is_found_with_its_event_commit_time_and_cursor(database: Database, sql: Any) -> None:
    header = new_traceparent()
    with use_traceparent(header):
        _, second = await posted(database, "one", "two")
    assert second.message_id is not None
    found = await stores.find(database.settings("owner"), second.message_id)
    row = found.row
    assert (row["sender"], row["client_id"], row["channel"], row["seq"]) == ("ada", "two", "Ships", 2)
    assert row["traceparent"] == header
    assert found.committed is not None
    assert abs((found.committed - utc_now()).total_seconds()) < 60
    assert (row["relayed"], row["leased"], row["hidden"]) == (False, False, False)
    assert row["waiting"] >= 1
    await sql.execute(
        "UPDATE messaging.relay_cursors SET epoch = $1, xid = $2::text::xid8, event_id = $3, holder = 'relay-7', "
        "lease_until = now() + interval '5 s' WHERE shard = $4",
        row["epoch"], row["xid"], row["event_row"], row["shard"],
    )  # fmt: skip
    row = (await stores.find(database.settings("owner"), second.message_id)).row
    assert (row["relayed"], row["leased"], row["holder"], row["waiting"]) == (True, True, "relay-7", 0)


async def test_an_open_transaction_hides_what_committed_after_it(database: Database, sql: Any) -> None:
    async with sql.transaction():
        await sql.fetchval("SELECT pg_current_xact_id()::text")
        (verdict,) = await posted(database, "one")
        assert verdict.message_id is not None
        assert (await stores.find(database.settings("owner"), verdict.message_id)).row["hidden"]


async def test_an_id_that_is_no_message_s_is_told_what_it_is(database: Database, sql: Any) -> None:
    (verdict,) = await posted(database, "one")
    event = await sql.fetchval("SELECT event_id FROM messaging.events WHERE aggregateid = $1", verdict.message_id)
    for other, words in (
        (uuid7(), "There is no message"),
        (CHANNEL, "is the id of a channel"),
        (OWNER, "is the id of a user"),
        (event, f"is the id of the event of message {verdict.message_id}"),
    ):
        with pytest.raises(NotFound, match=words):
            await stores.find(database.settings("owner"), other)


async def test_a_server_that_is_away_is_named(database: Database) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        dsn = f"postgresql://signalink_owner@127.0.0.1:{silent.getsockname()[1]}/signalink"
        with pytest.raises(DependencyUnavailable, match="Postgres does not answer"):
            await stores.find(database.settings("owner").model_copy(update={"dsn": dsn}), uuid7())
