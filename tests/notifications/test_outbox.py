"""The planner's outbox: one plan and one event per message and user, published under the user's key."""

from typing import Any
from uuid import UUID

import asyncpg
import pytest

from signalink_api import commands
from signalink_core import clock
from signalink_core.database import migrate
from signalink_core.database.pool import Pool
from signalink_core.events import from_record
from signalink_core.events.types import NOTIFICATION_REQUESTED, NotificationRequested
from signalink_core.ids import uuid7
from signalink_core.kafka.memory import MemoryKafka, MemoryProducer
from signalink_core.log.relay import OutboxRelay
from signalink_core.log.rewind import rewind_all
from signalink_core.testing import eventually
from signalink_notifications import SCHEMA
from signalink_stacks.local.testing import Database

TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def wanted(message: UUID, user: UUID) -> dict[str, Any]:
    notification = uuid7()
    data = NotificationRequested(
        notification_id=notification,
        user_id=user,
        kind="mention",
        channel_id=uuid7(),
        message_id=message,
        message_seq=7,
        sender_id=uuid7(),
        created_at=clock.utc_now(),
        channels=("email", "push"),
    )
    return {
        "user_id": user,
        "message_id": message,
        "notification_id": notification,
        "kind": data.kind,
        "channels": data.channels,
        "digest": False,
        "traceparent": TRACE,
        "data": data.model_dump(mode="json"),
    }


async def request(pool: Pool, *plans: dict[str, Any]) -> int:
    async with pool.acquire() as conn:
        made: int = await conn.fetchval("SELECT notifications.request($1)", list(plans))
        return made


async def test_a_message_is_planned_once_per_user_however_often_it_is_asked_for(pool: Pool, admin: Any) -> None:
    message, first, second = uuid7(), uuid7(), uuid7()
    assert await request(pool, wanted(message, first)) == 1
    assert await request(pool, wanted(message, first), wanted(message, second)) == 1
    rows = await admin.fetch("SELECT user_id, notification_id FROM notifications.plans ORDER BY planned_at")
    assert [row["user_id"] for row in rows] == [first, second]
    logged = await admin.fetch("SELECT event_id, aggregateid FROM notifications.events ORDER BY id")
    assert [(row["notification_id"], row["user_id"]) for row in rows] == [tuple(row) for row in logged]


async def test_the_relay_publishes_requests_under_the_users_key(pool: Pool) -> None:
    kafka = MemoryKafka({"notifications": 12})
    plan = wanted(uuid7(), uuid7())
    await request(pool, plan)
    async with OutboxRelay(pool, MemoryProducer(kafka), node="n", schema=SCHEMA):
        record = (await eventually(lambda: kafka.read("notifications")))[0]
    event = from_record(record.headers, record.value)
    assert record.key == str(plan["user_id"]).encode()
    assert (event.id, event.type, event.traceparent) == (plan["notification_id"], NOTIFICATION_REQUESTED, TRACE)
    assert NotificationRequested.model_validate(event.data).channels == ("email", "push")


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE notifications.events SET topic = 'x'",
        "DELETE FROM notifications.events",
        "UPDATE notifications.log_state SET epoch = 9",
        "SELECT notifications.new_epoch()",
        "SELECT * FROM messaging.users",
        "SELECT * FROM messaging.messages",
    ],
)
async def test_the_service_may_not(pool: Pool, statement: str) -> None:
    async with pool.acquire() as conn:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await conn.execute(statement)


async def test_even_the_owner_deletes_no_event_and_retention_none_that_waits(noted: Database, pool: Pool) -> None:
    await request(pool, wanted(uuid7(), uuid7()))
    owner = await noted.connect("owner")
    try:
        with pytest.raises(asyncpg.PostgresError, match="events are immutable"):
            await owner.execute("DELETE FROM notifications.events")
        await owner.execute("SET ROLE signalink_retention")
        with pytest.raises(asyncpg.PostgresError, match="not published yet"):
            await owner.execute("DELETE FROM notifications.events")
    finally:
        await owner.close()


async def test_a_rewind_after_a_loss_of_kafka_publishes_the_outbox_again_too(noted: Database, pool: Pool) -> None:
    kafka = MemoryKafka({"notifications": 12})
    await request(pool, wanted(uuid7(), uuid7()))
    async with OutboxRelay(pool, MemoryProducer(kafka), node="n", schema=SCHEMA):
        (first,) = await eventually(lambda: kafka.read("notifications"))
        owner = await noted.connect("owner")
        try:
            done = await rewind_all(owner, None)
        finally:
            await owner.close()
        assert list(done) == ["messaging", "notifications"]
        assert (done["notifications"].shards, done["notifications"].events) == (1, 1)
        _, again = await eventually(lambda: kafka.read("notifications")[1:] and kafka.read("notifications"))
    assert again.headers == first.headers


async def test_another_server_is_refused_until_all_logs_have_a_new_epoch(
    noted: Database, pool: Pool, admin: Any
) -> None:
    await admin.execute("UPDATE notifications.log_state SET system_id = 1")
    with pytest.raises(asyncpg.PostgresError, match="was written on server 1") as caught:
        await request(pool, wanted(uuid7(), uuid7()))
    assert caught.value.sqlstate == "SL001"
    assert await commands.new_epoch(noted.settings("owner")) == 2
    assert await admin.fetchval("SELECT epoch FROM notifications.log_state") == 2
    assert await request(pool, wanted(uuid7(), uuid7())) == 1


async def test_migrating_again_changes_nothing(noted: Database) -> None:
    package = "signalink_notifications.migrations"
    assert await migrate.upgrade(noted.settings("owner"), package=package, schema=SCHEMA) == migrate.head(package)
