"""What a gateway shows of a channel on its internal port, and what it logs of the events it takes."""

from typing import Any

import pytest
from structlog.testing import capture_logs

from signalink_core.errors import BadRequest
from signalink_core.ids import uuid7
from signalink_core.telemetry.trace import new_traceparent
from signalink_core.telemetry.traced import Lines
from signalink_core.testing import eventually
from signalink_gateway import frames, inspection, telling
from signalink_gateway.channel import Channel
from signalink_gateway.ring import Entry


@pytest.mark.engine("postgres", "valkey")
async def test_a_channel_is_shown_with_its_position_and_its_sessions(platform: Any) -> None:
    ana = await platform.user()
    channel = await platform.channel(ana)
    node = await platform.gateway()
    show = inspection.channel_view("gateway-7", node.recovery.hub)
    assert show({"id": str(channel)}) == {"node": "gateway-7", "bus_connected": True, "known": False}
    client = await platform.connect(node, ana)
    await client.subscribe(channel)
    await client.got("subscribed")
    with capture_logs() as lines:
        await platform.post(channel, ana, 3)
        await client.saw(channel, 3)
    shown: Any = show({"id": str(channel)})
    await eventually(lambda: node.recovery.hub.channels[channel].seq == 3)
    assert {"seq": 3, "sessions": 1, "live": 1, "attached": True}.items() <= shown.items()
    assert shown["ring"] == {"first": 1, "last": 3}
    taken = [(line["seq"], line["path"]) for line in lines if line["event"] == "event_taken"]
    assert [seq for seq, _ in taken] == [1, 2, 3]


def test_an_id_that_is_none_is_refused() -> None:
    show = inspection.channel_view("gateway-0", None)  # type: ignore[arg-type]
    with pytest.raises(BadRequest):
        show({"id": "7"})
    with pytest.raises(BadRequest):
        show({})


@pytest.mark.parametrize("size", [0, 200, 70_000])
def test_the_line_of_an_event_is_written_in_its_trace(size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(telling, "lines", Lines())
    header = new_traceparent()
    payload = f'{{"op":"event","data":"{"x" * size}","trace":"{header}"}}'.encode()
    assert frames.payload_of(frames.text_frame(payload)) == payload
    seen: list[str | None] = []
    monkeypatch.setattr(telling.log, "info", lambda *_, **__: seen.append(telling.trace.current_traceparent()))
    telling.taken(Channel(uuid7()), Entry(5, frames.text_frame(payload)), "live")
    assert seen == [header]


def test_an_event_without_a_trace_is_logged_without_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(telling, "lines", Lines())
    seen: list[str | None] = []
    monkeypatch.setattr(telling.log, "info", lambda *_, **__: seen.append(telling.trace.current_traceparent()))
    telling.taken(Channel(uuid7()), Entry(5, frames.text_frame(b'{"op":"event"}')), "healed")
    assert seen == [None]
