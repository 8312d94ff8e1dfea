"""Promises that need Kafka: the relay publishes, the prober sees its canary, and the way of a message is whole."""

import re
import time
from contextlib import AsyncExitStack
from functools import partial
from typing import Final

import httpx

from signalink_core.client import ApiClient
from signalink_core.client.api import Posted
from signalink_core.events import Position
from signalink_core.kafka import search
from signalink_core.settings import KafkaSettings
from signalink_core.testing import eventually
from signalink_core.testing.promising import Broken, address, enter, expect, follow, new_channel, reached, until

PUBLISHED_SECONDS: Final = 5.0
COUNTED_SECONDS: Final = 45.0
CANARY_SECONDS: Final = 120.0
"""As old as the alert CanaryFailing lets it be."""
SOCKET_SECONDS: Final = 20.0
CANARY: Final = re.compile(r"^signalink_canary_last_success_timestamp_seconds\{[^}]*\} ([0-9.e+]+)$", re.MULTILINE)


async def published() -> None:
    """A message is a record in Kafka, under its channel's key, at most 5 s after it was acknowledged."""
    kafka = KafkaSettings.from_env()
    async with ApiClient(address("API_URL")) as client:
        await enter(client)
        channel = await new_channel(client)
        since = int(time.time() * 1000) - 60_000  # clocks of nodes differ
        posted = await client.post_message(channel, "to Kafka")
    await _in_kafka(kafka, posted, since, PUBLISHED_SECONDS)


async def watched() -> None:
    """The prober is ready, and a message of its own bots has gone the whole way in the last two minutes."""
    url = address("PROMISE_METRICS_URL")
    async with httpx.AsyncClient(timeout=5.0, trust_env=False) as http:

        async def seen() -> list[float]:
            page = await http.get(f"{url}/metrics")
            page.raise_for_status()
            moments = [float(value) for value in CANARY.findall(page.text)]
            expect(bool(moments), "the prober reports no canary")
            late = [time.time() - moment for moment in moments if time.time() - moment > CANARY_SECONDS]
            if late:
                raise AssertionError(f"a canary last arrived {late[0]:.0f} s ago")
            return moments

        await until(seen, COUNTED_SECONDS, every=1.0)


async def round_trip() -> None:
    """Two people: one posts; the other's socket, Kafka and a window of the figures show it, once."""
    kafka, origin = KafkaSettings.from_env(), address("WS_ORIGINS").split(",")[0]
    async with ApiClient(address("API_URL")) as ada, ApiClient(address("API_URL")) as bob:
        await enter(ada)
        await enter(bob)
        channel = await new_channel(ada)
        await bob.join(channel)
        seen: list[int] = []
        async with AsyncExitStack() as stack:
            start: dict[str, Position | None] = {channel: Position(epoch=1, seq=0)}
            socket = await follow(stack, address("GATEWAY_URL"), origin, bob, start, seen)
            since = int(time.time() * 1000) - 60_000
            posted = await ada.post_message(channel, "to everybody")
            await eventually(partial(reached, socket, channel, posted.seq), within=SOCKET_SECONDS)
        expect(seen == list(range(1, posted.seq + 1)), f"the other's socket saw {seen}, not 1 to {posted.seq}")
        await _in_kafka(kafka, posted, since, SOCKET_SECONDS)
        await _in_a_window(ada)


async def _in_kafka(kafka: KafkaSettings, posted: Posted, since_ms: int, within: float) -> None:
    """Finds the record of a message; the moment of sending is Kafka's own."""
    key, text = posted.channel_id.encode(), posted.id.encode()

    async def there() -> search.Found:
        found = await search.find_text(kafka, "messages", key, text, since_ms=since_ms)
        if found.offset is None:
            raise AssertionError(f"message {posted.id} is not in Kafka; {found.read} records were read")
        return found

    await until(there, within, every=0.2)


async def _in_a_window(client: ApiClient) -> None:
    async with httpx.AsyncClient(base_url=address("ANALYTICS_URL"), timeout=5.0, trust_env=False) as http:

        async def counted() -> int:
            headers = {"Authorization": f"Bearer {client.access_token}"}
            answer = await http.get("/v1/analytics/summary", params={"interval": "1m"}, headers=headers)
            answer.raise_for_status()
            found = int(answer.json()["totals"]["messages"])
            if found < 1:
                raise AssertionError("no window of the figures counts the message")
            return found

        found: int = await eventually(counted, within=COUNTED_SECONDS, every=1.0)
    if found != 1:
        raise Broken(f"{found} messages are counted, 1 was posted")
