"""The whole dispatcher on real Kafka, Postgres and an SMTP server: a record ends in a mailbox or in the DLQ."""

import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from channelrigs import SENDER
from posting import PRIVATE, Office
from providers import Answer, FcmServer, SmtpServer
from talking import Talk

from signalink_core.database.pool import Pool
from signalink_core.kafka.producer import KafkaProducer
from signalink_core.kafka.records import Record
from signalink_core.readiness import Readiness
from signalink_core.testing import eventually
from signalink_labs.letters.desk import Desk
from signalink_notifications.delivery.letters import GROUP
from signalink_notifications.delivery.settings import (
    DeliverySettings,
    DispatchSettings,
    EmailSettings,
    PushSettings,
    WebhookSettings,
)
from signalink_notifications.dispatcher import Dispatcher
from signalink_operator import apply
from signalink_operator.adapters import manifests
from signalink_operator.adapters.kafka import KafkaTopics
from signalink_stacks.local.testing import Database, Topics

pytestmark = pytest.mark.engine("postgres", "kafka")
WITHIN = 40.0
QUICK = {"attempts": 3, "retry_seconds": 0.05, "retry_cap_seconds": 0.1, "timeout_seconds": 2.0}


class Stage:
    """Real topics, an office that asks, and dispatchers that are started."""

    def __init__(self, office: Office, topics: Topics, database: Database, producer: KafkaProducer) -> None:
        self.office, self.topics, self.database, self.producer = office, topics, database, producer
        self.readiness = Readiness()

    @asynccontextmanager
    async def dispatcher(self, node: str = "n-0", **groups: Any) -> AsyncIterator[Dispatcher]:
        settings = DeliverySettings(
            groups.get("dispatch", DispatchSettings(lease_seconds=5.0, poll_seconds=0.05)),
            groups.get("email", EmailSettings()),
            groups.get("push", PushSettings()),
            groups.get("webhook", WebhookSettings(**QUICK)),
        )
        async with Dispatcher(
            settings,
            self.topics.settings("notifications"),
            self.office.pool,
            self.producer,
            self.readiness,
            node=node,
            unsubscribe=lambda user: f"https://n.example/u?token={user}",
        ) as dispatcher:
            yield dispatcher

    async def request(self, *channels: Any, **fields: Any) -> Any:
        """A record in the topic, as the planner's relay puts it there."""
        made = await self.office.requested(*channels, **fields)
        record = Record("notifications", made.record.key or b"", made.record.value or b"", made.record.headers)
        assert await self.producer.send_batches([record]) == [None]
        return made

    async def states(self, wanted: list[tuple[str, str | None]]) -> None:
        async def reached() -> bool:
            assert sorted(await self.office.states(), key=str) == sorted(wanted, key=str)
            return True

        await eventually(reached, within=WITHIN)

    def desk(self) -> Desk:
        return Desk(self.topics.settings(), self.database.settings("owner"))


@pytest.fixture
async def stage(talk: Talk, pool: Pool, topics: Topics, noted: Database) -> AsyncIterator[Stage]:
    apply.run(manifests.load([manifests.SHIPPED]), KafkaTopics(topics.settings("operator")))
    async with AsyncExitStack() as stack:
        producer = await stack.enter_async_context(KafkaProducer(topics.settings("notifications")))
        yield Stage(await Office.opened(talk, pool), topics, noted, producer)


def email_of(smtp: SmtpServer, **more: Any) -> EmailSettings:
    return EmailSettings(
        **{"host": "127.0.0.1", "port": smtp.port, "security": "none", "sender": SENDER} | QUICK | more
    )


async def test_dispatch_carries_records_to_mailbox_and_phone_and_repeats_of_them_nowhere(
    stage: Stage, tmp_path: Path
) -> None:
    await stage.office.sql(
        "INSERT INTO messaging.devices (id, user_id, kind, push_token) VALUES (gen_random_uuid(), $1, 'fcm', 'phone')",
        stage.office.bob,
    )
    with SmtpServer() as smtp, FcmServer() as fcm:
        push = PushSettings(credentials_file=fcm.credentials(tmp_path / "account.json"), endpoint=fcm.url, **QUICK)
        channels = {"email": email_of(smtp), "push": push}
        async with stage.dispatcher(**channels), stage.dispatcher("n-1", **channels):
            made = await stage.request("email", "push")
            again = Record("notifications", made.record.key, made.record.value, made.record.headers)
            await stage.producer.send_batches([again])
            await stage.request("email", body="second")
            await stage.states([("sent", None)] * 3)
    assert len(smtp.mails) == 2
    assert {mail.recipients for mail in smtp.mails} == {("bob@example.org",)}
    assert len(fcm.messages) == 1


async def test_dispatch_says_which_channels_are_disabled_and_ends_their_deliveries(stage: Stage) -> None:
    async with stage.dispatcher():
        await stage.office.sql(
            "INSERT INTO messaging.devices (id, user_id, kind, push_token) VALUES (gen_random_uuid(), $1, 'fcm', 't')",
            stage.office.bob,
        )
        await stage.request("email", "push")
        await stage.states([("skipped", "channel_disabled")] * 2)
        shown = stage.readiness.snapshot()["dependencies"]
    assert shown["email"] == {"state": "ok", "detail": "disabled: SIGNALINK_EMAIL_HOST is not set"}
    assert shown["push"]["detail"] == "disabled: SIGNALINK_PUSH_CREDENTIALS_FILE is not set"
    assert shown["webhook"] == {"state": "ok", "detail": ""}
    assert shown["dispatcher_kafka"]["state"] == "ok"


async def test_dispatch_puts_what_failed_into_the_dlq_where_a_redrive_by_command_sends_it_once(
    stage: Stage, capsys: pytest.CaptureFixture[str]
) -> None:
    with SmtpServer() as smtp:
        smtp.answers.always = Answer(451)
        async with stage.dispatcher(email=email_of(smtp), dispatch=_patient()):
            made = await stage.request("email")
            await stage.states([("failed", "smtp_451")])
            (entry,) = await stage.desk().entries(["notifications"])
            assert (entry.state, entry.letter.group, entry.letter.error) == ("parked", GROUP, "email_smtp_451")
            assert entry.letter.event_id == str(made.event.id)
            smtp.answers.always = None
            done = await stage.desk().redrive([entry], WITHIN)
            assert done.applied == 1
            await stage.states([("sent", None)])
            (after,) = await stage.desk().entries(["notifications"])
            assert after.state == "redriven"
    assert len(smtp.mails) == 1
    shown = json.dumps(entry.letter.headers) + repr(entry.letter.stored.value) + capsys.readouterr().out
    assert not [secret for secret in (PRIVATE, "bob@example.org", "token=") if secret in shown]


def _patient() -> DispatchSettings:
    return DispatchSettings(lease_seconds=5.0, poll_seconds=0.05, breaker_failures=1000)


async def test_dispatch_lets_no_provider_hold_its_partitions_up(stage: Stage) -> None:
    with SmtpServer() as smtp:
        smtp.answers.always = Answer(seconds=1.5)
        async with stage.dispatcher(email=email_of(smtp, concurrency=1)):
            for n in range(6):
                await stage.request("email", body=f"text {n}")

            async def taken() -> bool:
                return len(await stage.office.rows("id")) == 6

            await eventually(taken, within=10.0)
            assert len(smtp.mails) < 6
