"""Rules that the schema itself keeps: names, shards, intervals, places."""

from typing import Any
from uuid import UUID

import asyncpg
import pytest

from signalink_api.writer import Draft
from signalink_core.ids import uuid7


@pytest.mark.parametrize(("column", "value"), [("username", "AÏDA"), ("email", "aïda@EXAMPLE.org")])
async def test_names_and_addresses_are_unique_without_regard_to_case(world: Any, column: str, value: str) -> None:
    insert = "INSERT INTO messaging.users (id, username, email, password_hash) VALUES ($1, $2, $3, 'x')"
    await world.api.execute(insert, uuid7(), "aïda", "AÏDA@example.org")
    other = {"username": "other", "email": "other@example.org"} | {column: value}
    with pytest.raises(asyncpg.UniqueViolationError, match=f"users_{column}_key"):
        await world.api.execute(insert, uuid7(), other["username"], other["email"])


async def test_the_shard_is_the_last_byte_of_the_id_and_never_depends_on_the_server(world: Any) -> None:
    for tail in (0, 1, 63, 64, 255):
        channel = UUID(bytes=uuid7().bytes[:15] + bytes([tail]))
        assert await world.admin.fetchval("SELECT messaging.shard_of($1)", channel) == tail % 64


async def test_there_is_one_cursor_per_shard_and_one_log_state(world: Any) -> None:
    assert await world.admin.fetchval("SELECT array_agg(shard ORDER BY shard) FROM messaging.relay_cursors") == list(
        range(64)
    )
    with pytest.raises(asyncpg.UniqueViolationError):
        await world.admin.execute("INSERT INTO messaging.log_state (timeline, system_id) VALUES (1, 1)")


async def test_a_user_has_at_most_one_open_membership_in_a_channel(world: Any) -> None:
    owner = await world.user()
    channel = await world.channel(owner)
    with pytest.raises(asyncpg.UniqueViolationError, match="memberships_current_key"):
        await world.api.execute(
            "INSERT INTO messaging.memberships (channel_id, user_id, from_seq) VALUES ($1, $2, 2)", channel, owner
        )


async def test_a_place_in_a_channel_is_taken_once_whatever_a_writer_does(world: Any) -> None:
    owner = await world.user()
    channel = await world.channel(owner)
    await world.post(Draft(channel, owner, "1", "x"))
    await world.admin.execute("UPDATE messaging.channels SET last_seq = 0")
    with pytest.raises(asyncpg.UniqueViolationError):
        await world.post(Draft(channel, owner, "2", "x"))
    assert await world.seqs(channel) == [1]


async def test_times_are_whole_milliseconds_everywhere(world: Any) -> None:
    owner = await world.user()
    channel = await world.channel(owner)
    (answer,) = await world.post(Draft(channel, owner, "1", "x"))
    row = await world.admin.fetchrow(
        "SELECT e.occurred_at, m.created_at, messaging.iso(m.created_at) AS text"
        " FROM messaging.events e JOIN messaging.messages m ON m.id = e.aggregateid"
    )
    assert row["occurred_at"] == row["created_at"]
    assert row["created_at"].microsecond % 1000 == 0
    assert row["text"] == answer["created_at"]
