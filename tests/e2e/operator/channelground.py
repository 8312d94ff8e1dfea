"""A whole platform beside the Kubernetes API: Channels through the real api, people in them, their events in Kafka.

Owns the platform's side of the proof; what is expected of it is the program's.
"""

import asyncio
import dataclasses
import json
import os
import signal
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from operatorground import Ground, Process
from operatorworld import Api
from rig import Platform

from signalink_core.client import ApiClient
from signalink_core.events import from_record
from signalink_core.kafka import reader
from signalink_core.settings import KafkaSettings
from signalink_core.testing import eventually

NAMES = ("ana", "ben", "cleo")
PASSWORD = "a good long sentence 7"
SERVICE = "operator"


@dataclass
class ChannelGround(Ground):
    """`channels` are Channel resources of the namespace; operators started here speak to the platform's api."""

    platform: Platform = None  # type: ignore[assignment]  # fields of a subclass come last
    people: dict[str, ApiClient] = field(default_factory=dict)

    @property
    def channels(self) -> Api:
        return self.api.of("Channel")

    @property
    def url(self) -> str:
        return self.platform.urls["api"]

    @property
    def token_file(self) -> Path:
        return self.folder / "service-token"

    def kafka(self, principal: str = "operator") -> KafkaSettings:
        """Who reads topics here is the super user; it is no service of the platform's and has no binding."""
        ours = self.platform.kafka("operator")
        assert ours.password_file is not None
        return ours.model_copy(
            update={"user": principal, "password_file": ours.password_file.with_name(f"kafka-{principal}")}
        )

    def start(self, *, environment: Mapping[str, str] | None = None, **options: Any) -> Process:
        ours = {"SIGNALINK_API_URL": self.url, "SIGNALINK_OPERATOR_API_TOKEN_FILE": str(self.token_file)}
        return super().start(environment={**ours, **(environment or {})}, **options)

    # -- the platform --------------------------------------------------------------------------------------------------

    def issue_token(self) -> None:
        """Another service token, into the operator's file."""
        self.platform.signalink(["token", "service", SERVICE, "--out", str(self.token_file)], 60)

    def revoke_tokens(self) -> None:
        self.platform.signalink(["token", "revoke", SERVICE], 60)

    @contextmanager
    def paused_api(self) -> Any:
        """The api's process stands still; calls are not answered."""
        pid = self.platform.process("api-0")["pid"]
        os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(pid, signal.SIGCONT)

    async def register(self, name: str) -> ApiClient:
        client = ApiClient(self.url)
        await client.register(name, f"{name}@example.org", PASSWORD, name)
        await client.login(name, PASSWORD)
        self.people[name] = client
        return client

    async def held(self, slug: str) -> Mapping[str, Any] | None:
        """The channel as the admin endpoint has it."""
        headers = {"Authorization": f"Bearer {self.token_file.read_text(encoding='utf-8').strip()}"}
        async with httpx.AsyncClient(base_url=self.url, timeout=10, trust_env=False) as http:
            answer = await http.get(f"/v1/admin/channels/{slug}", headers=headers)
        if answer.status_code == 404:
            return None
        found: Mapping[str, Any] = answer.raise_for_status().json()
        return found

    async def roles(self, slug: str) -> dict[str, str]:
        """Username to role, as a member sees it."""
        held = await self.held(slug)
        assert held is not None
        page = await self.people["ana"]._repeat("GET", f"/v1/channels/{held['id']}/members")
        return {item["username"]: item["role"] for item in page["items"]}

    async def in_topic(self, topic: str, message_id: str) -> int:
        """How many records of the topic are about this message."""
        records = await reader.read_topic(self.kafka("admin"), topic, within=20)
        events = [from_record(record.headers, record.value) for record in records]
        return sum(json.dumps(event.data, default=str).count(message_id) > 0 for event in events)

    # -- the resources -------------------------------------------------------------------------------------------------

    async def status(self, name: str) -> dict[str, Any]:
        return dict(((await self.channels.read(name)) or {}).get("status", {}))

    async def until(self, name: str, status: str, reason: str | None = None, kind: str = "Ready") -> dict[str, Any]:
        """As the api's `until`, with the patience that a process and its retries need."""

        async def there() -> bool:
            body = await self.channels.read(name)
            found = await self.channels.condition(name, kind)
            fits = found.get("status") == status and (reason is None or found["reason"] == reason)
            return fits and body is not None and found["observedGeneration"] == body["metadata"]["generation"]

        await eventually(there, within=60)
        return await self.channels.condition(name, kind)


@asynccontextmanager
async def on_platform(at: Ground, platform: Platform) -> AsyncIterator[ChannelGround]:
    """The same Kubernetes API with the platform's api and Kafka, a service token, and three people."""
    known = {one.name: getattr(at, one.name) for one in dataclasses.fields(Ground)}
    ground = ChannelGround(**known, platform=platform)
    ground.issue_token()
    await asyncio.gather(*map(ground.register, NAMES))
    try:
        yield ground
    finally:
        await asyncio.gather(*(client.close() for client in ground.people.values()))
