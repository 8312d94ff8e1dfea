"""What only a real server can show: wakes, killed pub/sub connections, wrong credentials, unreadable messages."""

import pytest

from signalink_core import clock, ids
from signalink_core.bus import Publisher, Subscriber, Wake, keys
from signalink_core.events import Event
from signalink_core.settings import RedisSettings
from signalink_core.testing import eventually
from signalink_stacks.local.testing.valkeys import ValkeyServer

pytestmark = pytest.mark.engine("valkey")


def created(channel: object = None) -> Event:
    return Event(
        id=ids.uuid7(), type="dev.signalink.message.created", time=clock.utc_now(), epoch=1, data={},
        channel=ids.uuid7(), seq=1,
    )  # fmt: skip


async def test_a_publish_wakes_the_relay(valkey: ValkeyServer) -> None:
    async with Wake(valkey.settings("relay")) as wake, Publisher(valkey.settings("api")) as publisher:
        assert await wake.wait(5), "connecting counts as a wake: earlier ones may have been lost"
        assert not await wake.wait(0.05)
        publisher.publish([created()])
        assert await wake.wait(5)


async def test_a_killed_pubsub_connection_is_noticed_and_attached_anew(valkey: ValkeyServer) -> None:
    attached, lost, channel = [], [], ids.uuid7()
    admin = valkey.settings().client()
    async with Subscriber(
        valkey.settings("gateway"),
        on_event=lambda *_: None,
        on_attached=attached.append,
        on_lost=lambda: lost.append(True),
    ) as subscriber:
        subscriber.attach(channel)
        await eventually(lambda: attached == [channel])
        await admin.client_kill_filter(_type="pubsub")
        await eventually(lambda: lost == [True] and attached == [channel, channel])
    await admin.aclose()


async def test_a_subscriber_with_a_wrong_password_stays_unconnected_and_stops_cleanly(valkey: ValkeyServer) -> None:
    right = valkey.settings("gateway")
    assert right.password_file is not None
    wrong = RedisSettings(url=right.url, password_file=valkey.settings("api").password_file)
    async with Subscriber(wrong, on_event=lambda *_: None) as subscriber:
        assert not subscriber.connected
        assert not subscriber.failed.done()


async def test_messages_nobody_understands_do_not_stop_the_feed(valkey: ValkeyServer) -> None:
    heads: list[keys.Head] = []
    admin = valkey.settings().client()
    async with Subscriber(valkey.settings("gateway"), on_event=lambda *_: 1 / 0, on_heads=heads.extend) as subscriber:
        channel = ids.uuid7()
        subscriber.attach(channel)
        await eventually(lambda: subscriber.attached(channel))
        for noise in (b"", b"{}", b"[1]", b'[["x",1,1]]', b"[[1,2,3]]", b"\xff"):
            await admin.publish(keys.HEADS, noise)
            await admin.publish(keys.events_key(channel), noise)
        await admin.publish(keys.HEADS, keys.encode_heads([(channel, 1, 5)]))
        await eventually(lambda: heads == [(channel, 1, 5)])
    await admin.aclose()


def test_a_ticket_is_never_the_name_of_its_key() -> None:
    assert "secret" not in keys.ticket_key("secret")
    assert keys.ticket_key("secret") == keys.ticket_key("secret") != keys.ticket_key("Secret")
