"""Deliveries on their way, on Postgres, with the channels' twin: sent once, skipped, delayed, given up, redriven."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from changes import CHANGES, read_it, remove
from posting import PRIVATE, Office, attempts, rows_with, settled, soon
from talking import Talk

from signalink_core import clock, faults
from signalink_core.database.pool import Pool
from signalink_core.kafka.dead_letters import open_letter
from signalink_core.kafka.errors import KafkaUnavailable
from signalink_core.testing import eventually
from signalink_notifications.channels.memory import MemoryChannel
from signalink_notifications.channels.port import Again, Never, Outgoing, Sent
from signalink_notifications.delivery.letters import GROUP
from signalink_notifications.delivery.rows import Stale
from signalink_notifications.delivery.work import Work

pytestmark = pytest.mark.engine("postgres")


@pytest.fixture
async def office(talk: Talk, pool: Pool) -> AsyncIterator[Office]:
    yield await Office.opened(talk, pool)


@pytest.fixture
def fault_points() -> Any:
    faults.here.enabled = True
    yield faults.here
    faults.here.clear()
    faults.here.enabled = False


async def test_dispatch_sends_each_delivery_once_and_keeps_the_receipt(office: Office) -> None:
    channel, before = MemoryChannel(), attempts("email", "sent")
    await office.take(*[await office.requested(body=f"text {n}") for n in range(10)])
    async with office.sender(channel, "one"), office.sender(channel, "two"):
        assert await settled(office, 10) == [("sent", None)] * 10
    rows = await office.rows("id", "attempts", "provider_id", "settled_at", "lease_until")
    assert {row["attempts"] for row in rows} == {1}
    assert len({row["provider_id"] for row in rows}) == 10
    assert {one.key for one in channel.sent} == {row["id"] for row in rows} and len(channel.calls) == 10
    assert {one.notices[0].body for one in channel.sent} == {f"text {n}" for n in range(10)}
    assert {row["lease_until"] for row in rows} == {None}
    assert attempts("email", "sent") == before + 10


async def test_dispatch_sends_the_text_as_it_reads_now(office: Office) -> None:
    channel, message = MemoryChannel(), await office.talk.say(office.channel_id, office.ann, "first")
    await office.take(await office.requested(message=message))
    await office.talk.edit(message, office.ann, "second")
    async with office.sender(channel):
        await settled(office)
    (sent,) = channel.sent
    assert (sent.notices[0].body, sent.target.address, sent.user_id) == ("second", "bob@example.org", office.bob)
    assert sent.unsubscribe_url.endswith(str(office.bob))


@pytest.mark.parametrize(("reason", "change"), CHANGES, ids=[reason for reason, _ in CHANGES])
async def test_dispatch_skips_what_changed_since_it_was_planned(office: Office, reason: str, change: Any) -> None:
    channel, request = MemoryChannel(), await office.requested()
    await office.take(request)
    await change(office, request)
    async with office.sender(channel):
        assert await settled(office) == [("skipped", reason)]
    assert channel.calls == []
    assert [row["attempts"] for row in await office.rows("attempts")] == [0]


async def test_dispatch_tells_of_an_edit_that_concerns_somebody_who_read_the_message_before(office: Office) -> None:
    message = await office.talk.say(office.channel_id, office.ann, "hello")
    request = await office.requested(message=message, created_at=soon(5))
    await office.take(request)
    await read_it(office, request)
    channel = MemoryChannel()
    async with office.sender(channel):
        assert await settled(office) == [("sent", None)]


async def test_dispatch_skips_with_a_reason_where_there_is_nowhere_to_send_to(office: Office) -> None:
    await office.take(await office.requested("push", "webhook"))
    async with office.sender(MemoryChannel("push")), office.sender(MemoryChannel("webhook")):
        assert await settled(office, 2) == [("skipped", "no_target")] * 2


async def test_dispatch_skips_on_a_channel_without_credentials_and_never_silently(office: Office) -> None:
    before = attempts("email", "skipped")
    await office.take(await office.requested())
    async with office.sender(MemoryChannel("email", disabled="no host")):
        assert await settled(office) == [("skipped", "channel_disabled")]
    assert attempts("email", "skipped") == before + 1


async def test_dispatch_holds_what_is_due_in_quiet_hours_back_until_their_end(office: Office) -> None:
    now = clock.utc_now()
    await office.wish(
        time_zone="UTC",
        quiet_from=(now - timedelta(hours=1)).time().replace(microsecond=0),
        quiet_until=(now + timedelta(hours=2)).time().replace(microsecond=0),
    )
    channel = MemoryChannel()
    await office.take(await office.requested())
    async with office.sender(channel):
        (row,) = await eventually(lambda: rows_with(office, "reason = 'quiet'"))
    assert 1.9 * 3600 < (row["next_attempt_at"] - now).total_seconds() <= 2 * 3600
    assert (row["attempts"], channel.calls) == (0, [])


async def test_dispatch_joins_a_digest_in_one_mail_one_row_per_message(office: Office) -> None:
    channel = MemoryChannel()
    requests = [await office.requested(digest=True, digest_at=soon(-1), body=f"text {n}") for n in range(4)]
    await office.take(*requests)
    await remove(office, requests[1])
    async with office.sender(channel):
        states = await settled(office, 4)
    assert states == [("sent", None), ("skipped", "deleted"), ("sent", None), ("sent", None)]
    (mail,) = channel.sent
    assert [notice.body for notice in mail.notices] == ["text 0", "text 2", "text 3"]
    rows = await rows_with(office, "state = 'sent'")
    assert {row["provider_id"] for row in rows} == {"memory-1"}
    assert {row["idempotency_key"] for row in rows} == {mail.key}


async def test_dispatch_tries_again_with_the_same_key_until_the_provider_takes_it(office: Office) -> None:
    channel = MemoryChannel()
    channel.answers.extend([Again("timeout"), Again("smtp_451")])
    await office.take(await office.requested())
    async with office.sender(channel):
        assert await settled(office) == [("sent", None)]
    assert len({one.key for one in channel.calls}) == 1 and len(channel.calls) == 3
    (row,) = await office.rows("attempts", "last_error")
    assert (row["attempts"], row["last_error"]) == (3, None)


async def test_dispatch_waits_as_long_as_the_provider_asks(office: Office) -> None:
    channel = MemoryChannel()
    channel.answers.append(Again("fcm_429", retry_after=120.0))
    await office.take(await office.requested())
    async with office.sender(channel):
        (row,) = await eventually(lambda: rows_with(office, "last_error = 'fcm_429'"))
    assert 110 < (row["next_attempt_at"] - clock.utc_now()).total_seconds() <= 120
    assert row["state"] == "pending"


async def test_dispatch_gives_up_after_the_last_attempt_with_a_letter_that_says_nothing_private(
    office: Office, capsys: pytest.CaptureFixture[str]
) -> None:
    channel = MemoryChannel()
    channel.answers.extend([Again("smtp_451")] * 3)
    request = await office.requested()
    await office.take(request)
    async with office.sender(channel):
        assert await settled(office) == [("failed", "smtp_451")]
    (stored,) = office.kafka.read("dlq.notifications")
    letter = open_letter(stored)
    assert (letter.group, letter.error, letter.attempts, letter.event_id) == (
        GROUP, "email_smtp_451", 3, str(request.event.id),
    )  # fmt: skip
    assert letter.origin == (request.record.topic, request.record.partition, request.record.offset)
    assert (stored.key, json.loads(stored.value or b"")) == (request.record.key, dict(request.event.data))
    (parked,) = await office.talk.admin.fetch("SELECT * FROM notifications.parked")
    assert (parked["consumer_group"], parked["error"], parked["attempts"]) == (GROUP, "email_smtp_451", 3)
    said = capsys.readouterr().out + repr(stored)
    assert "delivery_failed" in said
    for secret in (PRIVATE, "bob@example.org", "token="):
        assert secret not in said


async def test_dispatch_fails_at_once_for_what_no_repetition_changes(office: Office) -> None:
    channel = MemoryChannel()
    channel.answers.append(Never("smtp_550"))
    await office.take(await office.requested())
    async with office.sender(channel):
        assert await settled(office) == [("failed", "smtp_550")]
    assert len(channel.calls) == 1 and len(office.kafka.read("dlq.notifications")) == 1


async def test_dispatch_attempts_a_redriven_delivery_anew_and_once(office: Office) -> None:
    channel, request = MemoryChannel(), await office.requested()
    channel.answers.extend([Again("smtp_451")] * 3)
    await office.take(request)
    async with office.sender(channel):
        await settled(office)
        await office.redriven(request)
        assert await settled(office) == [("sent", None)]
        await office.redriven(request)
    assert len(channel.sent) == 1 and len(channel.calls) == 4
    assert [row["attempts"] for row in await office.rows("attempts")] == [4]


class Away:
    """A producer whose Kafka does not answer for a while."""

    def __init__(self, producer: Any, times: int) -> None:
        self._producer, self.times = producer, times

    async def send_batches(self, records: Any) -> Any:
        if self.times:
            self.times -= 1
            return [KafkaUnavailable("away")] * len(records)
        return await self._producer.send_batches(records)


async def test_dispatch_fails_no_delivery_before_kafka_confirmed_its_letter(office: Office) -> None:
    channel, away = MemoryChannel(), Away(office.producer, 1)
    channel.answers.append(Never("smtp_550"))
    await office.take(await office.requested())
    async with office.sender(channel, producer=away):
        (row,) = await eventually(lambda: rows_with(office, "reason = 'letter_unconfirmed'"))
        assert (row["state"], row["last_error"], row["attempts"]) == ("pending", "smtp_550", 1)
        assert office.kafka.read("dlq.notifications") == []
        assert await settled(office) == [("failed", "smtp_550")]
    assert len(office.kafka.read("dlq.notifications")) == len(channel.calls) == 1


async def devices(office: Office, *tokens: str) -> None:
    for n, token in enumerate(tokens):
        await office.sql(
            "INSERT INTO messaging.devices (id, user_id, kind, push_token) "
            "VALUES (('00000000-0000-7000-8000-00000000000' || $1::int)::uuid, $2, 'fcm', $3)",
            n,
            office.bob,
            token,
        )


async def test_dispatch_pushes_to_every_device_once_whatever_one_of_them_answers(office: Office) -> None:
    channel = MemoryChannel("push")
    await devices(office, "first", "dead", "last")
    channel.gone.add("dead")
    channel.answers.extend([Sent("a"), Again("fcm_503"), Sent("b")])
    await office.take(await office.requested("push"))
    async with office.sender(channel):
        assert await settled(office) == [("sent", None)]
    assert [one.target.address for one in channel.calls] == ["first", "dead", "last", "last"]
    left = await office.talk.admin.fetch("SELECT push_token FROM messaging.devices ORDER BY 1")
    assert [row["push_token"] for row in left] == ["first", "last"]
    (row,) = await office.rows("receipts", "attempts")
    assert sorted(row["receipts"].values()) == ["a", "b"] and row["attempts"] == 2


async def test_dispatch_skips_a_push_whose_last_device_is_gone(office: Office) -> None:
    channel = MemoryChannel("push")
    await devices(office, "dead")
    channel.gone.add("dead")
    await office.take(await office.requested("push"))
    async with office.sender(channel):
        assert await settled(office) == [("skipped", "no_target")]
    (row,) = await office.rows("last_error")
    assert row["last_error"] == "unregistered"
    assert office.kafka.read("dlq.notifications") == []


class Wild(MemoryChannel):
    """Raises what nobody foresaw."""

    async def send(self, outgoing: Outgoing) -> Any:
        self.calls.append(outgoing)
        raise RuntimeError(f"a bug near {outgoing.target.address}")


async def test_dispatch_ends_a_delivery_that_breaks_its_channel_and_tells_no_address(
    office: Office, capsys: pytest.CaptureFixture[str]
) -> None:
    channel = Wild()
    await office.take(await office.requested())
    async with office.sender(channel):
        assert await settled(office) == [("failed", "internal_error")]
    assert len(channel.calls) == 3
    assert "bob@example.org" not in capsys.readouterr().out


async def test_dispatch_of_a_process_that_was_stopped_right_before_the_call_does_not_make_it(
    office: Office, fault_points: Any
) -> None:
    channel = MemoryChannel()
    fault_points.put({"point": "notify.before_send", "action": "delay_ms", "delay_ms": 1500, "count": 1})
    await office.take(await office.requested())
    means = office.means(channel, lease=2.0)
    (group,) = await means.deliveries.claim("email", 1)
    with pytest.raises(Stale):
        await Work(means, group, asyncio.get_running_loop().time()).run()
    assert channel.calls == []


async def test_dispatch_of_a_process_that_was_stopped_for_long_neither_sends_nor_records(office: Office) -> None:
    channel, means = MemoryChannel(), None
    await office.take(await office.requested())
    means = office.means(channel, lease=5.0)
    (group,) = await means.deliveries.claim("email", 1)
    with pytest.raises(Stale):
        await Work(means, group, asyncio.get_running_loop().time() - 4.5).run()
    assert channel.calls == []
    assert [row["attempts"] for row in await office.rows("attempts")] == [0]


@pytest.mark.parametrize(("point", "calls"), [("notify.before_send", 1), ("notify.after_send", 2)])
async def test_dispatch_fault_points_stand_right_before_and_behind_the_call(
    office: Office, fault_points: Any, point: str, calls: int
) -> None:
    channel = MemoryChannel()
    fault_points.put({"point": point, "action": "error", "count": 1})
    await office.take(await office.requested())
    async with office.sender(channel):
        assert await settled(office) == [("sent", None)]
    assert len(channel.calls) == calls
    assert [row["attempts"] for row in await office.rows("attempts")] == [2]


async def test_dispatch_takes_up_what_a_dead_process_left_and_gives_up_what_killed_all_its_attempts(
    office: Office,
) -> None:
    channel = MemoryChannel()
    await office.take(await office.requested(), await office.requested())
    dead = office.deliveries("dead", lease=0.05)
    groups = await dead.claim("email", 2)
    for group in groups:
        await dead.begin(group, group[0].key)
    await office.sql("UPDATE notifications.deliveries SET attempts = 3 WHERE id = $1", groups[0][0].id)
    async with office.sender(channel):
        states = await settled(office, 2)
    assert sorted(states, key=str) == [("failed", "unknown_outcome"), ("sent", None)]
    assert [str(one.key) for one in channel.calls] == [str(groups[1][0].id)]
