"""The gateway's fault points do what they say and nothing is lost by them."""

from collections.abc import Iterator
from typing import Any

import pytest

from signalink_core import faults
from signalink_core.testing import eventually

pytestmark = pytest.mark.engine("postgres", "valkey")


@pytest.fixture
def faulty() -> Iterator[faults.Faults]:
    faults.here.enabled = True
    yield faults.here
    faults.here.clear()
    faults.here.enabled = False


async def test_a_delayed_write_comes_later_and_whole(platform: Any, faulty: faults.Faults) -> None:
    ana = await platform.user()
    channel = await platform.channel(ana)
    client = await platform.connect(await platform.gateway(), ana)
    await client.subscribe(channel)
    await client.got("subscribed")
    faulty.put({"point": "gateway.delay_write", "action": "delay_ms", "delay_ms": 300, "count": 1})
    await platform.post(channel, ana, 5)
    assert client.seqs(channel) == []
    await platform.post(channel, ana, 5)
    assert await client.saw(channel, 10) == list(range(1, 11))


async def test_a_refused_accept_is_answered_before_the_101(platform: Any, raw: Any, faulty: faults.Faults) -> None:
    app = await platform.gateway()
    faulty.put({"point": "gateway.accept", "action": "error", "count": 1})
    refused = await raw(app)
    await refused.send(refused.request())
    assert await refused.status() == 503
    await eventually(lambda: not app.gateway.sessions)
    accepted = await raw(app)
    await accepted.send(accepted.request())
    assert await accepted.status() == 101


async def test_a_heal_that_cannot_read_tries_until_it_can(platform: Any, faulty: faults.Faults) -> None:
    ana = await platform.user()
    channel = await platform.channel(ana)
    client = await platform.connect(await platform.gateway(), ana)
    await client.subscribe(channel)
    await client.got("subscribed")
    faulty.put({"point": "gateway.log_read", "action": "error", "count": 3})
    await platform.change("update_channel", publish=False, channel_id=channel, actor_id=ana, changes={"name": "x"})
    await platform.post(channel, ana, 2)
    assert await client.saw(channel, 3) == [1, 2, 3]
