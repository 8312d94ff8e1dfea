"""The providers of this run: a real SMTP server, one that speaks FCM v1, one that takes webhooks.

Owns the settings that lead the platform to them and what each took, by the key that a repeat must carry again.
"""

import re
import tempfile
from collections import Counter
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

from providers import LOOPBACK, FcmServer, Server, SmtpServer, WebhookReceiver

CHANNELS = ("email", "push", "webhook")
LEASE_SECONDS, TIMEOUT_SECONDS = 6, 3
"""Short, so that what a dead process had in hand is soon taken by another."""
CALLS = {"CONCURRENCY": "1", "TIMEOUT_SECONDS": str(TIMEOUT_SECONDS), "ATTEMPTS": "50", "RETRY_CAP_SECONDS": "1"}
"""One at a time, so that a death repeats at most one; soon again, since providers are down now and then."""
_KEY = re.compile(r"^<([0-9a-f-]{36})@")


class Mailroom:
    """A context: providers up on entry, gone on exit."""

    def __init__(self) -> None:
        self._exits = ExitStack()

    def __enter__(self) -> Self:
        self.smtp = self._exits.enter_context(SmtpServer())
        self.fcm = self._exits.enter_context(FcmServer())
        self.webhook = self._exits.enter_context(WebhookReceiver())
        folder = Path(self._exits.enter_context(tempfile.TemporaryDirectory(prefix="signalink-mailroom-")))
        self._credentials = self.fcm.credentials(folder / "account.json")
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._exits.close()

    @property
    def servers(self) -> Mapping[str, Server]:
        """By the channel that calls them."""
        return {"email": self.smtp, "push": self.fcm, "webhook": self.webhook}

    @property
    def settings(self) -> Mapping[str, str]:
        """For the platform."""
        each = {f"{channel.upper()}_{name}": value for channel in CHANNELS for name, value in CALLS.items()}
        return each | {
            "DISPATCH_LEASE_SECONDS": str(LEASE_SECONDS),
            "DISPATCH_BREAKER_FAILURES": "1000",
            "NOTIFICATIONS_DIGEST_MINUTES": "0",
            "EMAIL_HOST": LOOPBACK,
            "EMAIL_PORT": str(self.smtp.port),
            "EMAIL_SECURITY": "none",
            "PUSH_CREDENTIALS_FILE": str(self._credentials),
            "PUSH_ENDPOINT": self.fcm.url,
            "WEBHOOK_ALLOW": f"{LOOPBACK}:{self.webhook.port}",
        }

    def taken(self) -> dict[str, Counter[str]]:
        """Channel -> idempotency key -> how often the provider took it."""
        mails = Counter(_key(mail.message_id) for mail in self.smtp.mails)
        pushes = Counter(str(message["data"]["idempotency_key"]) for message in self.fcm.messages)
        return {"email": mails, "push": pushes, "webhook": self.webhook.keys}


def _key(message_id: str) -> str:
    """The part of a Message-ID that is the delivery's key; whole when it has another form."""
    found = _KEY.match(message_id)
    return found.group(1) if found else message_id
