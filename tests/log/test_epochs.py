"""Epochs: the check of the server, the refusal to write elsewhere, and the step that accepts a new server."""

import asyncio
from typing import Any

import pytest

from signalink_api import commands
from signalink_api.writer import Draft
from signalink_core import ids
from signalink_core.errors import LogMismatch, NotFound
from signalink_core.log import state


@pytest.mark.parametrize("changed", ["timeline = timeline + 1", "system_id = system_id + 1"])
async def test_another_timeline_or_server_is_refused_until_a_new_epoch(world: Any, changed: str) -> None:
    owner = await world.user()
    channel = await world.channel(owner)
    await world.post(Draft(channel, owner, "1", "x"))
    await world.admin.execute(f"UPDATE messaging.log_state SET {changed}")
    for role in ("api", "relay"):
        connection = await world.database.connect(role)
        with pytest.raises(LogMismatch, match="new-epoch"):
            await state.verify_server(connection)
        await connection.close()
    for function in ("create_channel", "join_channel", "archive_channel"):
        with pytest.raises(Exception, match="the log was written on server") as refused:
            await world.call(function, channel_id=channel, actor_id=owner, slug="s", name="n", kind="public")
        assert state.mismatch(refused.value) is not None
    assert await world.seqs(channel) == [1]
    assert await commands.new_epoch(world.database.settings("owner")) == 2
    (answer,) = await world.post(Draft(channel, owner, "2", "x"))
    assert (answer["verdict"], answer["seq"], answer["epoch"]) == ("created", 2, 2)
    epochs = await world.admin.fetch("SELECT epoch FROM messaging.events WHERE seq IS NOT NULL ORDER BY epoch, xid, id")
    assert [row["epoch"] for row in epochs] == [1, 2], "a row keeps the epoch it was written in"


async def test_a_provider_without_timelines_must_say_that_its_failover_is_lossless(world: Any) -> None:
    await world.admin.execute("UPDATE messaging.log_state SET timeline = 99, failover = 'lossless'")
    assert await state.verify_server(world.api) == 1


async def test_the_timeline_and_the_system_id_are_those_of_the_server(world: Any) -> None:
    mine = await world.admin.fetchrow("SELECT messaging.server_timeline(), messaging.server_system_id()")
    theirs = await world.admin.fetchrow(
        "SELECT (SELECT timeline_id FROM pg_control_checkpoint()), (SELECT system_identifier FROM pg_control_system())"
    )
    assert tuple(mine) == tuple(theirs)


@pytest.mark.parametrize("written", ["a message", "a fact"])
async def test_a_new_epoch_waits_for_writers_that_are_still_at_it(world: Any, written: str) -> None:
    owner = await world.user()
    channel = await world.channel(owner)
    writer = await world.database.connect("api")
    transaction = writer.transaction()
    await transaction.start()
    if written == "a message":
        await world.post(Draft(channel, owner, "1", "x"), connection=writer)
    else:
        fact = {"type": "user.registered", "aggregatetype": "user", "aggregateid": owner, "event_id": ids.uuid7()}
        await writer.execute("SELECT messaging.record_fact($1)", {**fact, "payload": {"user_id": owner}})
    raising = asyncio.create_task(commands.new_epoch(world.database.settings("owner")))
    done, _ = await asyncio.wait({raising}, timeout=0.3)
    assert not done
    await transaction.commit()
    assert await raising == 2
    order = await world.admin.fetch("SELECT epoch, xid FROM messaging.events WHERE epoch = 1")
    assert len(order) == 2, "everything of the old epoch was committed before the new one began"
    await writer.close()


async def test_promote_makes_an_admin_once_and_ends_their_sessions(world: Any) -> None:
    user = await world.user()
    settings, name = world.database.settings("owner"), f"USER-{user}"
    assert await commands.promote_user(settings, name) is True
    assert await commands.promote_user(settings, name) is False
    assert await world.api.fetchval("SELECT role FROM messaging.users WHERE id = $1", user) == "admin"
    assert await world.api.fetchval("SELECT count(*) FROM messaging.revocations WHERE subject_id = $1", user) == 1
    assert await world.api.fetchval("SELECT action FROM messaging.audit_log") == "user.promote"
    with pytest.raises(NotFound, match="register"):
        await commands.promote_user(settings, "nobody")
