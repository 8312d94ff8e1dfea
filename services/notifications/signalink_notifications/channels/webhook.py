"""Posts to an address that a user chose: signed, to the very address that was checked, without following anything.

Owns the form of a post (docs/notifications.md has it, with a verifier) and what its answers mean. Which addresses are
let through is `egress`'s.
"""

import asyncio
import hashlib
import hmac
import time
from collections.abc import Callable
from typing import Any, Final
from urllib.parse import urlsplit

import httpx
import orjson

from signalink_core import clock
from signalink_core.errors import DependencyUnavailable
from signalink_core.lifecycle import Lifecycle
from signalink_notifications.channels import content
from signalink_notifications.channels.port import Again, Never, Outcome, Outgoing, Sent, Target
from signalink_notifications.channels.trust import trusted
from signalink_notifications.delivery.retries import retry_after
from signalink_notifications.delivery.settings import WebhookSettings
from signalink_notifications.egress import Checked, Resolver, SystemResolver, UrlRefused, inspect

ANSWER_BYTES: Final = 64 * 1024
CONNECT_SECONDS: Final = 3.0
_BUSY: Final = frozenset({408, 425, 429})


class WebhookChannel(Lifecycle):
    """Needs no credentials: each user's post is signed with that user's secret."""

    name, disabled = "webhook", ""

    def __init__(
        self, settings: WebhookSettings, resolver: Resolver | None = None, now: Callable[[], float] = time.time
    ) -> None:
        super().__init__()
        self._settings, self._resolver, self._now = settings, resolver or SystemResolver(), now
        self._tls = trusted(settings.ca_file)

    async def _start(self) -> None:
        # Nothing is kept open: a connection is good for one name at one address, and is pooled by address alone.
        self._client = await self.enter(
            httpx.AsyncClient(
                verify=self._tls,
                trust_env=False,
                follow_redirects=False,
                limits=httpx.Limits(max_connections=self._settings.concurrency * 2, max_keepalive_connections=0),
                timeout=httpx.Timeout(self._settings.timeout_seconds, connect=CONNECT_SECONDS),
            )
        )

    def provider(self, target: Target) -> str:
        return (urlsplit(target.address).hostname or "").lower()

    async def send(self, outgoing: Outgoing) -> Outcome:
        try:
            async with asyncio.timeout(self._settings.timeout_seconds):
                checked = await inspect(outgoing.target.address, self._resolver, self._settings.allow)
                return await self._post(checked, outgoing)
        except UrlRefused as error:
            return Never(f"url_{error.reason}")
        except DependencyUnavailable:
            return Again("name_not_resolved")
        except (TimeoutError, httpx.TimeoutException):
            return Again("timeout")
        except httpx.HTTPError:
            return Again("unreachable")

    async def _post(self, checked: Checked, outgoing: Outgoing) -> Outcome:
        body = orjson.dumps(document(outgoing))
        headers = {
            "Host": checked.authority,
            "Content-Type": "application/json",
            "User-Agent": "Signalink-Webhook/1",
            "Idempotency-Key": str(outgoing.key),
            **signature(outgoing.target.secret or "", int(self._now()), body),
        }
        extensions = {"sni_hostname": checked.host}
        async with self._client.stream(
            "POST", checked.url, content=body, headers=headers, extensions=extensions
        ) as answer:
            await _drop(answer)
            return judged(answer.status_code, answer.headers.get("Retry-After"))


def judged(status: int, after: str | None) -> Outcome:
    """2xx: taken. 3xx is followed by nobody. 408, 425, 429, 5xx: again. The rest: never."""
    if 200 <= status < 300:
        return Sent(f"http_{status}")
    if status in _BUSY or status >= 500:
        return Again(f"http_{status}", retry_after(after, clock.utc_now()))
    return Never(f"redirect_{status}" if 300 <= status < 400 else f"http_{status}")


def document(outgoing: Outgoing) -> dict[str, Any]:
    """The body. A repeat of a post says the same."""
    notice = outgoing.notices[0]
    return {
        "type": "dev.signalink.notification",
        "version": 1,
        "id": str(notice.notification_id),
        "kind": notice.kind,
        "user_id": str(outgoing.user_id),
        "channel": {"id": str(notice.channel_id), "name": notice.channel_name, "kind": notice.channel_kind},
        "message": {
            "id": str(notice.message_id),
            "seq": notice.message_seq,
            "sender_id": str(notice.sender_id),
            "sender_name": notice.sender_name,
            "body": content.body(notice, most=4_000),
            "created_at": clock.isoformat(notice.written_at),
        },
    }


def signature(secret: str, timestamp: int, body: bytes) -> dict[str, str]:
    """The two headers a receiver checks: it refuses a timestamp more than five minutes from its own clock."""
    tag = hmac.digest(secret.encode(), b"%d." % timestamp + body, hashlib.sha256).hex()
    return {"Signalink-Timestamp": str(timestamp), "Signalink-Signature": f"v1={tag}"}


async def _drop(answer: httpx.Response) -> None:
    """Read on for a while, so that a receiver that says much is not cut off at once, and keep nothing."""
    size = 0
    async for chunk in answer.aiter_raw(8_192):
        size += len(chunk)
        if size > ANSWER_BYTES:
            return
