"""Deliveries beside a provider that is down or slow: it is left alone, others go on, and no attempt is spent on it."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from posting import Office, attempts, rows_with, settled
from talking import Talk

from signalink_core.database.pool import Pool
from signalink_core.testing import eventually
from signalink_notifications.channels.memory import MemoryChannel
from signalink_notifications.channels.port import Again, Outgoing, Target
from signalink_notifications.delivery.breaker import Rules
from signalink_notifications.delivery.retries import Policy

pytestmark = pytest.mark.engine("postgres")


@pytest.fixture
async def office(talk: Talk, pool: Pool) -> AsyncIterator[Office]:
    yield await Office.opened(talk, pool)


class Down(MemoryChannel):
    """A provider that is down until it is not."""

    down = True

    async def send(self, outgoing: Outgoing) -> Any:
        if not self.down:
            return await super().send(outgoing)
        self.calls.append(outgoing)
        return Again("unreachable")


async def test_dispatch_leaves_a_failing_provider_alone_without_spending_attempts(office: Office) -> None:
    channel, now, before = Down(), [0.0], attempts("email", "deferred")
    await office.take(*[await office.requested() for _ in range(6)])
    policy = Policy(attempts=50, base_seconds=0.01, cap_seconds=0.02)
    rules = Rules(failures=3, open_seconds=0.3)
    async with office.sender(channel, policy=policy, rules=rules, clock=lambda: now[0]):
        await eventually(lambda: attempts("email", "deferred") > before + 10)
        calls = len(channel.calls)
        await eventually(lambda: attempts("email", "deferred") > before + 20)
        assert len(channel.calls) == calls
        channel.down, now[0] = False, 1.0
        assert await settled(office, 6) == [("sent", None)] * 6
    assert sum(row["attempts"] for row in await office.rows("attempts")) == len(channel.calls) <= 6 + calls


class Slow(MemoryChannel):
    """Bob's provider takes its time until it is let go; the others' answer at once."""

    def __init__(self) -> None:
        super().__init__()
        self.let_go = asyncio.Event()

    def provider(self, target: Target) -> str:
        return target.address

    async def send(self, outgoing: Outgoing) -> Any:
        if outgoing.target.address.startswith("bob"):
            await self.let_go.wait()
        return await super().send(outgoing)


async def test_dispatch_leaves_places_for_others_beside_a_slow_provider(office: Office) -> None:
    channel, carol = Slow(), await office.talk.user("carol")
    await office.talk.add(office.channel_id, office.ann, carol)
    await office.take(*[await office.requested() for _ in range(8)])
    await office.take(await office.requested(user_id=carol))
    async with office.sender(channel, at_once=2):
        await eventually(lambda: [one.user_id for one in channel.sent] == [carol])

        async def others_wait() -> bool:  # one that is just taken up again is not among them
            return len(await rows_with(office, "reason = 'provider_busy' AND attempts = 0")) == 6

        await eventually(others_wait)
        channel.let_go.set()
        assert await settled(office, 9) == [("sent", None)] * 9
