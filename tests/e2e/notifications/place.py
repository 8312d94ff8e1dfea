"""Where the proof happens: a platform beside providers that speak the real protocols, people on it, and what it shows.

Owns what is looked at: rows, metrics, log lines, readiness, letters. What is expected of them is the program's.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from authorities import Authority
from crowd import People
from providers import FcmServer, SmtpServer, WebhookReceiver
from rig import REPLAY_PROFILE, Platform

from signalink_core.database import pool
from signalink_core.testing import eventually

PROCESS = "notifications-0"
WITHIN = 30.0
SENDER = "ann"


class Missed(Exception):
    """A bar was missed; the text says which."""


def expect(fine: object, text: str) -> None:
    if not fine:
        raise Missed(text)


@dataclass(frozen=True)
class Said:
    """A message that was posted."""

    id: str
    canary: str


class Providers:
    """The servers, all up. `sink` must never be reached."""

    def __init__(self, folder: Path) -> None:
        authority = Authority(folder)
        self.folder, self.ca_file = folder, authority.ca_file
        self.smtp, self.fcm = SmtpServer(), FcmServer()
        self.hooks, self.slow, self.moved, self.sink = (WebhookReceiver(authority.server()) for _ in range(4))
        self.all = (self.smtp, self.fcm, self.hooks, self.slow, self.moved, self.sink)

    def settings(self, scale: float) -> dict[str, str]:
        """Of the platform. `scale`: so many times faster than the defaults, where time passes."""
        seconds = {
            "EMAIL_RETRY_SECONDS": 15, "EMAIL_RETRY_CAP_SECONDS": 1800, "PUSH_RETRY_SECONDS": 5,
            "WEBHOOK_RETRY_SECONDS": 5, "DISPATCH_BREAKER_SECONDS": 10, "DISPATCH_BREAKER_CAP_SECONDS": 300,
        }  # fmt: skip
        allowed = ",".join(f"127.0.0.1:{server.port}" for server in (self.hooks, self.slow, self.moved))
        return REPLAY_PROFILE | {
            "EMAIL_HOST": "127.0.0.1", "EMAIL_PORT": str(self.smtp.port), "EMAIL_SECURITY": "none",
            "EMAIL_SENDER": "Signalink <notify@signalink.example>",
            "PUSH_CREDENTIALS_FILE": str(self.fcm.credentials(self.folder / "account.json")),
            "PUSH_ENDPOINT": self.fcm.url, "WEBHOOK_ALLOW": allowed, "WEBHOOK_CA_FILE": str(self.ca_file),
            "WEBHOOK_ATTEMPTS": "3", "WEBHOOK_TIMEOUT_SECONDS": "2", "EMAIL_TIMEOUT_SECONDS": "4",
            "PUSH_TIMEOUT_SECONDS": "6", "DISPATCH_LEASE_SECONDS": "10",
            "NOTIFICATIONS_DIGEST_MINUTES": "1", "NOTIFICATIONS_DIGEST_AFTER": "1",
        } | {key: f"{value / scale:g}" for key, value in seconds.items()}  # fmt: skip


class Place:
    """One run. Every message is from ann to a person of the step, in their direct channel."""

    def __init__(self, platform: Platform, providers: Providers, people: People, scale: float) -> None:
        self.platform, self.providers, self.people, self.scale = platform, providers, people, scale
        self.said: list[str] = []
        self._channels: dict[str, str] = {}
        self._http = httpx.AsyncClient(base_url=platform.urls["notifications"], timeout=10, trust_env=False)
        process = platform.process(PROCESS)
        self._internal = f"http://127.0.0.1:{process['ports']['metrics']}"

    @classmethod
    @asynccontextmanager
    async def opened(cls, platform: Platform, providers: Providers, scale: float) -> AsyncIterator["Place"]:
        async with People(platform.urls["api"]) as people:
            await people.enroll([SENDER])
            place = cls(platform, providers, people, scale)
            try:
                yield place
            finally:
                await place._http.aclose()

    # -- people --------------------------------------------------------------------------------------------------------

    async def person(self, name: str, *channels: str) -> str:
        """Somebody with an account, who hears of direct messages by these channels alone; their user id."""
        await self.people.enroll([name])
        for channel in {"email", "push", "webhook"} - set(channels):
            await self.prefer(name, "PUT", f"/choices/direct/{channel}", {"enabled": False})
        answer = await self.people[SENDER].client.open_direct(self.people[name].id)
        self._channels[name] = str(answer["id"])
        return self.people[name].id

    async def prefer(self, name: str, method: str, path: str, body: Any = None) -> httpx.Response:
        """Speak to the preferences api as somebody."""
        headers = self.people[name].client._bearer()
        return await self._http.request(method, f"/v1/preferences{path}", json=body, headers=headers)

    async def device(self, name: str, token: str) -> None:
        body = {"kind": "fcm", "push_token": token, "name": "phone"}
        await self.people[name].client._authorised("PUT", "/v1/users/me/devices", body)

    async def devices(self, name: str) -> Sequence[Any]:
        answer = await self.people[name].client._authorised("GET", "/v1/users/me/devices")
        found: Sequence[Any] = answer.get("devices") or answer.get("items") or []
        return found

    async def tell(self, name: str, text: str) -> "Said":
        """A message to somebody, with a canary that must be seen nowhere but at providers."""
        canary = f"canary-{len(self.said):03d}-{name}"
        self.said.append(canary)
        posted = await self.people[SENDER].client.post_message(self._channels[name], f"{canary} {text}")
        return Said(str(posted.id), canary)

    # -- what there is to see ------------------------------------------------------------------------------------------

    async def rows(self, name: str) -> Sequence[Any]:
        """Somebody's deliveries, the oldest first."""
        return await self.sql(
            "SELECT * FROM notifications.deliveries WHERE user_id = $1 ORDER BY created_at, id", self.people[name].id
        )

    async def sql(self, statement: str, *values: Any) -> Sequence[Any]:
        owner = await pool.connect(self.platform.postgres("owner"))
        try:
            found: Sequence[Any] = await owner.fetch(statement, *values)
            return found
        finally:
            await owner.close()

    async def states(self, name: str, *wanted: tuple[str, str | None], within: float = WITHIN) -> Sequence[Any]:
        """Wait until somebody's deliveries are in these states; the rows."""

        async def reached() -> Sequence[Any]:
            rows = await self.rows(name)
            found = [(row["state"], row["reason"]) for row in rows]
            assert found == list(wanted), f"{name}: {found} instead of {list(wanted)}"
            return rows

        return await eventually(reached, within=within, every=0.1)

    async def metric(self, name: str, **labels: str) -> float:
        """The sum over all series of the metric with these labels."""
        page = (await self._get("/metrics")).text
        wanted = [f'{key}="{value}"' for key, value in labels.items()]
        rows = [line for line in page.splitlines() if line.startswith((f"{name} ", f"{name}{{"))]
        return sum(float(row.rsplit(" ", 1)[1]) for row in rows if all(label in row for label in wanted))

    async def readiness(self) -> Mapping[str, Any]:
        document: Mapping[str, Any] = (await self._get("/readyz")).json()
        return document

    async def _get(self, path: str) -> httpx.Response:
        async with httpx.AsyncClient(timeout=5, trust_env=False) as client:
            return await client.get(self._internal + path)

    def lines(self, event: str) -> list[Mapping[str, Any]]:
        """Log lines of the service with this event."""
        found = []
        for line in self.logs().splitlines():
            if event in line and line.startswith("{"):
                entry = json.loads(line)
                if entry.get("event") == event:
                    found.append(entry)
        return found

    def logs(self) -> str:
        """Everything every process has logged."""
        paths = [path for path in (self.platform.state / "logs").rglob("*") if path.is_file()]
        return "\n".join(path.read_text(encoding="utf-8", errors="replace") for path in sorted(paths))

    async def letters(self) -> Sequence[Mapping[str, Any]]:
        answer = await self.command("list", "notifications")
        found: Sequence[Mapping[str, Any]] = answer["letters"]
        return found

    async def command(self, *arguments: str) -> Mapping[str, Any]:
        text = await asyncio.to_thread(self.platform.signalink, ["dlq", *arguments, "--json"], 90, codes=(0, 1))
        document: Mapping[str, Any] = json.loads(text)
        return document
