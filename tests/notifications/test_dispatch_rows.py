"""The table of deliveries on Postgres: no duplicates, one holder at a time, digests whole, late holders refused."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import asyncpg
import pytest
from posting import Office, soon
from talking import Talk

from signalink_core.database.pool import Pool
from signalink_core.ids import uuid7
from signalink_core.kafka.delivery import Delivered
from signalink_core.kafka.errors import BadRecord
from signalink_notifications.delivery.rows import Deliveries, Held, Stale

pytestmark = pytest.mark.engine("postgres")


@pytest.fixture
async def office(talk: Talk, pool: Pool) -> AsyncIterator[Office]:
    yield await Office.opened(talk, pool)


async def expire(office: Office) -> None:
    """Every lease has run out."""
    await office.sql("UPDATE notifications.deliveries SET lease_until = clock_timestamp() - interval '1 s'")


async def one(deliveries: Deliveries, channel: str = "email") -> list[Held]:
    (group,) = await deliveries.claim(channel, 10)
    return group


async def test_dispatch_keeps_one_row_per_event_user_and_channel_however_often_it_is_asked_for(office: Office) -> None:
    request = await office.requested("email", "push", "webhook", "email")
    await office.take(request, request)
    await office.take(request)
    assert [row["channel"] for row in await office.rows()] == ["email", "push", "webhook"]
    with pytest.raises(asyncpg.UniqueViolationError):
        await office.sql(
            "INSERT INTO notifications.deliveries "
            "SELECT (jsonb_populate_record(d, jsonb_build_object('id', $1::uuid))).* "
            "FROM notifications.deliveries d LIMIT 1",
            uuid7(),
        )


async def test_dispatch_keeps_the_record_for_its_letter_and_nothing_of_the_message(office: Office) -> None:
    request = await office.requested()
    await office.take(request)
    (row,) = await office.rows()
    assert row["record_value"].encode() == request.record.value
    assert [tuple(pair) for pair in row["record_headers"]] == [(n, v.decode()) for n, v in request.record.headers]
    assert not [value for value in row.values() if isinstance(value, str) and "words" in value]


async def test_dispatch_parks_what_is_no_request(office: Office) -> None:
    request = await office.requested()
    broken = Delivered.of(request.record, replace(request.event, data={"user_id": "nobody"}))
    with pytest.raises(BadRecord, match="does not fit its model"):
        await office.take(broken)
    assert await office.rows() == []


async def test_dispatch_waits_for_quiet_hours_and_digests_but_never_for_a_broken_clock(office: Office) -> None:
    await office.take(
        await office.requested("push", not_before=soon(3600)),
        await office.requested("email", "push", digest=True, digest_at=soon(900)),
        await office.requested("email", not_before=soon(10**8), created_at=soon(10**8)),
    )
    rows = await office.talk.admin.fetch(
        "SELECT round(extract(epoch FROM next_attempt_at - created_at) / 60) AS minutes, digest, "
        "asked_at <= created_at AS sane FROM notifications.deliveries ORDER BY record_offset, channel"
    )
    assert [(int(row["minutes"]), row["digest"]) for row in rows] == [
        (60, False),
        (15, True),
        (0, False),
        (26 * 60, False),
    ]
    assert all(row["sane"] for row in rows)


async def test_dispatch_gives_a_row_to_one_holder_at_a_time(office: Office) -> None:
    await office.take(*[await office.requested() for _ in range(20)])
    holders = [office.deliveries(f"holder-{n}") for n in range(4)]
    taken: list[Held] = []
    while len(taken) < 20:
        found = await asyncio.gather(*(holder.claim("email", 3) for holder in holders))
        taken += [held for groups in found for group in groups for held in group]
    assert len({held.id for held in taken}) == len(taken) == 20
    assert [await holder.claim("email", 3) for holder in holders] == [[]] * 4


async def test_dispatch_refuses_everything_a_late_holder_records(office: Office) -> None:
    await office.take(await office.requested())
    late, next_ = office.deliveries("late"), office.deliveries("next")
    stopped = await one(late)
    await late.begin(stopped, stopped[0].key)
    await expire(office)
    taken = await one(next_)
    assert (taken[0].id, taken[0].attempts, taken[0].fence) == (stopped[0].id, 1, stopped[0].fence + 1)
    for record in (
        late.begin(stopped, stopped[0].key),
        late.receipt(stopped, "device", "x"),
        late.settle(stopped, "sent", provider_id="late"),
        late.fail(stopped, "late", "SELECT 1", []),
    ):
        with pytest.raises(Stale):
            await record
    await next_.begin(taken, taken[0].key)
    await next_.settle(taken, "sent", provider_id="in time")
    (row,) = await office.rows()
    assert (row["state"], row["provider_id"], row["attempts"]) == ("sent", "in time", 2)


async def test_dispatch_lets_a_holder_record_after_its_lease_while_nobody_else_took_the_row(office: Office) -> None:
    await office.take(await office.requested())
    holder = office.deliveries()
    held = await one(holder)
    await expire(office)
    await holder.settle(held, "sent", provider_id="late but alone")
    assert await office.states() == [("sent", None)]


async def digests(office: Office, count: int, seconds: float = -1.0) -> None:
    await office.take(
        *[await office.requested("email", digest=True, digest_at=soon(seconds + 60 * n)) for n in range(count)]
    )


async def test_dispatch_takes_all_mails_of_a_digest_when_the_first_is_due(office: Office) -> None:
    await digests(office, 5)
    await office.take(await office.requested("email", digest=True, digest_at=soon(3600), not_before=soon(3600)))
    assert len(await one(office.deliveries())) == 5


async def test_dispatch_repeats_a_digest_as_it_was_with_the_same_key(office: Office) -> None:
    await digests(office, 3)
    first = office.deliveries("first")
    group = await one(first)
    await first.begin(group, group[0].id)
    await digests(office, 2)
    await expire(office)
    groups = await office.deliveries("second").claim("email", 10)
    repeated = next(group for group in groups if group[0].attempts)
    assert {held.id for held in repeated} == {held.id for held in group}
    assert {held.key for held in repeated} == {group[0].id}
    assert sorted(map(len, groups)) == [2, 3]


async def test_dispatch_never_splits_a_digest_between_processes(office: Office) -> None:
    await digests(office, 8, seconds=-600)
    for attempt in range(6):
        holders = [office.deliveries(f"holder-{n}") for n in range(4)]
        found = await asyncio.gather(*(holder.claim("email", 1) for holder in holders))
        groups = [(holder, group) for holder, groups in zip(holders, found, strict=True) for group in groups]
        assert [len(group) for _, group in groups] == [8], f"attempt {attempt}"
        ((holder, group),) = groups
        await holder.begin(group, group[0].id if attempt == 0 else group[0].key)
        await expire(office)


async def test_dispatch_redrives_failed_deliveries_only_each_with_a_key_of_its_own(office: Office) -> None:
    request = await office.requested("email", "push", digest=True, digest_at=soon(-1))
    other = await office.requested("email", digest=True, digest_at=soon(-1))
    await office.take(request, other)
    holder = office.deliveries()
    (push,) = await holder.claim("push", 10)
    await holder.settle(push, "sent", provider_id="p")
    group = await one(holder)
    await holder.begin(group, group[0].id)
    await holder.settle(group, "failed", reason="smtp_451")
    await office.redriven(other)
    await office.redriven(request)
    rows = await office.rows()
    assert [(row["channel"], row["state"], row["attempts"] - row["round_from"]) for row in rows] == [
        ("email", "pending", 0), ("push", "sent", 0), ("email", "pending", 0),
    ]  # fmt: skip
    assert all(row["idempotency_key"] == row["id"] for row in rows)
    assert sorted(map(len, await holder.claim("email", 10))) == [1, 1]


async def test_dispatch_forgets_what_was_settled_long_ago_and_nothing_that_is_pending(office: Office) -> None:
    await office.take(await office.requested("email", "push"))
    holder = office.deliveries()
    await holder.settle(await one(holder), "sent", provider_id="x")
    await office.sql("UPDATE notifications.deliveries SET settled_at = now() - interval '91 days' WHERE state = 'sent'")
    await holder.prune(90.0, rows=1)
    assert [row["channel"] for row in await office.rows()] == ["push"]


async def test_dispatch_forgets_old_plans_once_their_deliveries_are_gone(office: Office) -> None:
    planned = "INSERT INTO notifications.plans SELECT $1, $2, $3, 'mention', '{email}', false, now() - $4::interval"
    request = await office.requested("email")
    await office.take(request)
    young = uuid7()
    for notification, days in ((request.event.id, 91), (uuid7(), 91), (uuid7(), 92), (young, 89)):
        await office.talk.admin.execute(planned, uuid7(), office.bob, notification, timedelta(days=days))
    await office.deliveries().prune(90.0, rows=1)
    rows = await office.talk.admin.fetch("SELECT notification_id FROM notifications.plans")
    assert {row["notification_id"] for row in rows} == {request.event.id, young}


async def test_dispatch_finds_due_rows_by_an_index(office: Office) -> None:
    plan: Any = await office.talk.admin.fetch(
        "EXPLAIN SELECT id FROM notifications.deliveries WHERE channel = 'email' AND state = 'pending' "
        "AND next_attempt_at <= now() ORDER BY next_attempt_at LIMIT 5"
    )
    assert "deliveries_due_idx" in str(plan)
