"""Each channel beside a provider that speaks its protocol, behind one set of questions for the contract suite."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from authorities import Authority
from providers import Answer, FcmServer, Server, SmtpServer, WebhookReceiver

from signalink_core.ids import uuid7
from signalink_notifications.channels.email import EmailChannel
from signalink_notifications.channels.memory import MemoryChannel
from signalink_notifications.channels.port import Again, Channel, Never, Notice, Outgoing, Target
from signalink_notifications.channels.push import PushChannel
from signalink_notifications.channels.webhook import WebhookChannel
from signalink_notifications.delivery.settings import EmailSettings, PushSettings, WebhookSettings
from signalink_notifications.egress import Place

WRITTEN = datetime(2026, 11, 27, 12, 30, tzinfo=UTC)
SENDER = "Signalink <notify@signalink.example>"
QUICK = {"timeout_seconds": 3.0}


def notice(**fields: Any) -> Notice:
    values: dict[str, Any] = {
        "notification_id": uuid7(), "kind": "mention", "message_id": uuid7(), "message_seq": 7, "channel_id": uuid7(),
        "channel_name": "general", "channel_kind": "public", "sender_id": uuid7(), "sender_name": "Ann",
        "body": "hello @bob", "written_at": WRITTEN,
    }  # fmt: skip
    return Notice(**values | fields)


def outgoing(target: Target, *notices: Notice, **fields: Any) -> Outgoing:
    values = {"key": uuid7(), "user_id": uuid7(), "user_name": "Bob", "unsubscribe_url": "https://n.example/u?token=t"}
    return Outgoing(notices=notices or (notice(),), target=target, **values | fields)


class Rig:
    """One channel, its provider, and what the contract asks of both."""

    server: Server
    channel: Channel
    again: int
    never: int

    def target(self) -> Target:
        raise NotImplementedError

    def taken(self) -> list[str]:
        """The idempotency keys of what the provider took, in order."""
        raise NotImplementedError

    def answer(self, status: int, **more: Any) -> None:
        self.server.answers.queue(Answer(status, **more))


class EmailRig(Rig):
    again, never = 451, 554

    def __init__(self, folder: Path) -> None:
        self.server = self.smtp = SmtpServer()
        settings = EmailSettings(host="127.0.0.1", port=self.smtp.port, security="none", sender=SENDER, **QUICK)
        self.channel = EmailChannel(settings)

    def target(self) -> Target:
        return Target("", "bob@example.org")

    def taken(self) -> list[str]:
        return [mail.message_id.strip("<>").partition("@")[0] for mail in self.smtp.mails]


class PushRig(Rig):
    again, never = 503, 400

    def __init__(self, folder: Path) -> None:
        self.server = self.fcm = FcmServer()
        file = self.fcm.credentials(folder / "account.json")
        self.channel = PushChannel(PushSettings(credentials_file=file, endpoint=self.fcm.url, **QUICK))

    def target(self) -> Target:
        return Target("device", "token-1")

    def taken(self) -> list[str]:
        return [message["data"]["idempotency_key"] for message in self.fcm.messages]


class WebhookRig(Rig):
    again, never = 500, 404

    def __init__(self, folder: Path) -> None:
        authority = Authority(folder)
        self.server = self.receiver = WebhookReceiver(authority.server())
        place = Place("127.0.0.1", self.receiver.port)
        self.channel = WebhookChannel(WebhookSettings(allow=(place,), ca_file=authority.ca_file, **QUICK))

    def target(self) -> Target:
        return Target("", f"{self.receiver.url}/hook", "whisper")

    def taken(self) -> list[str]:
        return [request.headers["idempotency-key"] for request in self.receiver.taken]


class _Nothing(Server):
    """The twin's provider is the twin."""

    def up(self) -> None:
        """Nothing to start."""

    def down(self) -> None:
        """Nothing to stop."""


class MemoryRig(Rig):
    again, never = 500, 400

    def __init__(self, folder: Path) -> None:
        self.server, self.channel = _Nothing(), MemoryChannel()

    def target(self) -> Target:
        return Target("", "bob@example.org")

    def taken(self) -> list[str]:
        assert isinstance(self.channel, MemoryChannel)
        return [str(one.key) for one in self.channel.sent]

    def answer(self, status: int, **more: Any) -> None:
        assert isinstance(self.channel, MemoryChannel)
        if "seconds" in more:
            self.channel.answers.append(Again("timeout"))
            return
        after = float(more["retry_after"]) if "retry_after" in more else None
        self.channel.answers.append(Again(f"memory_{status}", after) if status == self.again else Never("memory_400"))


RIGS = {"email": EmailRig, "push": PushRig, "webhook": WebhookRig, "memory": MemoryRig}


@asynccontextmanager
async def opened(rig: Rig) -> AsyncIterator[Rig]:
    """The provider up, the channel started."""
    async with AsyncExitStack() as stack:
        stack.enter_context(rig.server)
        if isinstance(rig.channel, PushChannel | WebhookChannel):
            await stack.enter_async_context(rig.channel)
        yield rig


@pytest.fixture(params=list(RIGS))
async def rig(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Rig]:
    async with opened(RIGS[request.param](tmp_path)) as made:
        yield made
