"""The canary of a node: a deaf reader makes it unready within 5 s, a missing Redis does not; nobody else notices it."""

import time
from pathlib import Path
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed

from signalink_core.bus.keys import CANARY_PREFIX
from signalink_core.telemetry import metrics, names
from signalink_core.testing import eventually
from signalink_stacks.local.engines import ValkeyEngine
from signalink_stacks.local.testing.valkeys import ValkeyServer

pytestmark = pytest.mark.engine("postgres", "valkey")


def state(app: Any) -> str:
    return str(app.readiness.snapshot()["dependencies"].get("canary", {}).get("state", "none"))


async def test_a_wedged_reader_is_unready_within_5_s_and_ready_when_it_reads_again(platform: Any) -> None:
    """centrifugal/centrifugo#1189: sockets are open, publishes succeed, nothing is delivered."""
    app = await platform.gateway()
    await eventually(lambda: state(app) == "ok")
    feed = app.bus._feed
    hears, feed._on_message = feed._on_message, lambda name, payload: None
    began = time.monotonic()
    await eventually(lambda: not app.readiness.ready, within=10)
    took = time.monotonic() - began
    assert took <= 5, f"{took:.1f} s"
    assert app.bus.connected, "to everybody else this looks well"
    feed._on_message = hears
    await eventually(lambda: app.readiness.ready and state(app) == "ok")


async def test_a_fan_out_that_stands_still_is_unready_too(platform: Any) -> None:
    app = await platform.gateway()
    await eventually(lambda: state(app) == "ok")
    fanout = app.gateway.fanout
    fanout._turn, turn = (lambda: None), fanout._turn
    await eventually(lambda: state(app) == "down", within=10)
    fanout._turn = turn
    turn()
    await eventually(lambda: state(app) == "ok")


async def test_without_redis_the_node_is_degraded_and_stays_ready(platform: Any, tmp_path: Path) -> None:
    with ValkeyEngine(tmp_path / "valkey") as engine:
        app = await platform.gateway(redis=ValkeyServer(engine).settings("gateway"))
        await eventually(lambda: state(app) == "ok")
    began = app.canary._number
    await eventually(lambda: state(app) == "degraded")
    await eventually(lambda: app.canary._number > began + 4, within=15)
    assert state(app) == "degraded", "more misses than make a node unready, but Redis does not answer"
    assert app.readiness.ready


async def test_the_socket_counts_for_nothing_and_comes_back_when_it_is_cut(platform: Any) -> None:
    opened, sessions = metrics.value(names.WS_OPENED_TOTAL), metrics.value(names.WS_SESSIONS)
    app = await platform.gateway()
    await eventually(lambda: state(app) == "ok")
    (subscription,) = app.canary._channel.live
    assert not app.gateway.sessions
    assert not app.recovery.hub.channels
    assert (metrics.value(names.WS_OPENED_TOTAL), metrics.value(names.WS_SESSIONS)) == (opened, sessions)
    number = app.canary._number
    subscription.session.transport.abort()
    await eventually(lambda: app.canary._number > number + 3, within=15)
    await eventually(lambda: app.canary._channel.live and app.canary._channel.live[0] is not subscription)
    assert app.readiness.ready


async def test_nobody_gets_the_nodes_own_socket_without_its_word_or_says_anything_with_it(platform: Any) -> None:
    app = await platform.gateway()
    guessed = await platform.open(app, protocols=("signalink.v1", "ticket.guessed"))
    with pytest.raises(ConnectionClosed) as refused:
        await guessed.recv()
    assert refused.value.rcvd is not None and refused.value.rcvd.code == 4101
    own = await platform.open(app, protocols=("signalink.v1", f"ticket.{app.canary._ticket}"))
    await own.send('{"op": "ping", "n": 1}')
    with pytest.raises(ConnectionClosed) as closed:
        while True:
            await own.recv()
    assert closed.value.rcvd is not None and closed.value.rcvd.code == 4401


async def test_each_node_hears_only_itself(platform: Any, admin: Any) -> None:
    first, second = await platform.gateway(), await platform.gateway()
    await eventually(lambda: state(first) == state(second) == "ok")
    own = [name for name in await admin.pubsub_channels() if name.startswith(CANARY_PREFIX)]
    assert len(own) == 2
    assert first.canary._key != second.canary._key
