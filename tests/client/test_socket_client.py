"""The socket client against a small real WebSocket server: it resumes by position and obeys close codes."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import orjson
import pytest
from websockets.asyncio.server import ServerConnection, serve

from signalink_core.client import OutcomeUnknown, SendRefused, SocketClient
from signalink_core.events import Position
from signalink_core.testing import eventually

Talk = Callable[["Gateway", ServerConnection], Awaitable[None]]


class Gateway:
    """Plays one scripted talk per connection; the last one repeats."""

    def __init__(self) -> None:
        self.talks: list[Talk] = []
        self.heard: list[dict[str, Any]] = []
        self.tickets: list[str] = []
        self.url = ""

    async def handle(self, connection: ServerConnection) -> None:
        talk = self.talks.pop(0) if len(self.talks) > 1 else self.talks[0]
        self.tickets += connection.request.headers["Sec-WebSocket-Protocol"].split(", ")[1:]
        await say(connection, op="welcome", session="s", node="gateway-0", heartbeat_ms=25000, limits={})
        await talk(self, connection)

    async def hear(self, connection: ServerConnection) -> dict[str, Any]:
        command: dict[str, Any] = orjson.loads(await connection.recv())
        self.heard.append(command)
        return command


async def say(connection: ServerConnection, **frame: Any) -> None:
    await connection.send(orjson.dumps(frame).decode())


async def event(connection: ServerConnection, seq: int, channel: str = "c") -> None:
    await say(connection, op="event", channel=channel, epoch=1, seq=seq, type="t", id=f"e{seq}", time="", data={})


@pytest.fixture
async def gateway() -> AsyncIterator[Gateway]:
    played = Gateway()
    async with serve(played.handle, "127.0.0.1", 0, subprotocols=["signalink.v1"]) as server:  # type: ignore[list-item]
        played.url = f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1/socket"
        yield played


class Reader:
    """A socket client that keeps what it got."""

    def __init__(self, url: str) -> None:
        self.raw: list[dict[str, Any]] = []
        self.seqs: list[int] = []
        self.asked = 0
        self.socket = SocketClient(
            url,
            self.ticket,
            on_frame=lambda raw: self.raw.append(orjson.loads(raw)),
            on_event=lambda frame: self.seqs.append(frame["seq"]),
            proxy=False,
        )

    async def ticket(self) -> str:
        self.asked += 1
        return f"t{self.asked}"

    def raw_seqs(self) -> list[int]:
        return [frame["seq"] for frame in self.raw if frame["op"] == "event"]


async def stay(gateway: Gateway, connection: ServerConnection) -> None:
    """Answer a subscribe and wait."""
    command = await gateway.hear(connection)
    for wanted in command["channels"]:
        after = wanted.get("after", {"epoch": 1, "seq": 0})
        await say(connection, op="subscribed", channel=wanted["id"], position=after, recovered=True)
    await connection.wait_closed()


def after_of(command: dict[str, Any]) -> list[dict[str, int]]:
    return [wanted["after"] for wanted in command["channels"]]


async def test_it_resumes_after_the_last_contiguous_seq_with_a_fresh_ticket(gateway: Gateway) -> None:
    async def cut(gateway: Gateway, connection: ServerConnection) -> None:
        await gateway.hear(connection)
        await say(connection, op="subscribed", channel="c", position={"epoch": 1, "seq": 0}, recovered=True)
        for seq in (1, 2, 3):
            await event(connection, seq)
        connection.transport.abort()

    gateway.talks = [cut, stay]
    reader = Reader(gateway.url)
    async with reader.socket:
        await reader.socket.subscribe({"c": Position(1, 0)})
        await eventually(lambda: len(gateway.heard) == 2)
    assert [after_of(command) for command in gateway.heard] == [[{"epoch": 1, "seq": 0}], [{"epoch": 1, "seq": 3}]]
    assert gateway.tickets == ["ticket.t1", "ticket.t2"]
    assert reader.seqs == [1, 2, 3]


async def test_raw_frames_are_handed_over_before_duplicates_are_dropped(gateway: Gateway) -> None:
    async def repeat(gateway: Gateway, connection: ServerConnection) -> None:
        await gateway.hear(connection)
        for seq in (1, 1, 2, 2, 1, 3):
            await event(connection, seq)
        await connection.wait_closed()

    gateway.talks = [repeat]
    reader = Reader(gateway.url)
    async with reader.socket:
        await reader.socket.subscribe({"c": Position(1, 0)})
        await eventually(lambda: 3 in reader.seqs)
    assert reader.raw_seqs() == [1, 1, 2, 2, 1, 3]
    assert reader.seqs == [1, 2, 3]


async def test_an_event_beyond_a_hole_is_held_back_and_the_socket_resumes(gateway: Gateway) -> None:
    async def skip(gateway: Gateway, connection: ServerConnection) -> None:
        await gateway.hear(connection)
        await event(connection, 1)
        await event(connection, 3)
        await connection.wait_closed()

    async def fill(gateway: Gateway, connection: ServerConnection) -> None:
        await gateway.hear(connection)
        await event(connection, 2)
        await event(connection, 3)
        await connection.wait_closed()

    gateway.talks = [skip, fill]
    reader = Reader(gateway.url)
    async with reader.socket:
        await reader.socket.subscribe({"c": Position(1, 0)})
        await eventually(lambda: reader.seqs == [1, 2, 3])
    assert reader.socket.holes == 1
    assert after_of(gateway.heard[1]) == [{"epoch": 1, "seq": 1}]


async def test_a_code_that_says_stop_ends_the_socket_for_good(gateway: Gateway) -> None:
    async def ban(_: Gateway, connection: ServerConnection) -> None:
        await connection.close(4410, "the account is disabled")

    gateway.talks = [ban]
    reader = Reader(gateway.url)
    async with reader.socket:
        ended = await eventually(lambda: reader.socket.ended)
        assert (ended.code, ended.reason) == (4410, "the account is disabled")
    assert reader.asked == 1


@pytest.mark.parametrize("code", [4000, 4001, 4100, 4101, 1011])
async def test_the_other_codes_reconnect(gateway: Gateway, code: int) -> None:
    async def close(_: Gateway, connection: ServerConnection) -> None:
        await connection.close(code, "later")

    gateway.talks = [close, stay]
    reader = Reader(gateway.url)
    async with reader.socket:
        await reader.socket.subscribe({"c": None})
        await eventually(lambda: gateway.heard)
        assert reader.socket.ended is None
    assert reader.asked == 2


async def test_a_gateway_that_closes_each_socket_at_once_is_tried_less_and_less_often(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def close(_: Gateway, connection: ServerConnection) -> None:
        await connection.close(1011, "broken")

    attempts: list[int] = []

    def jitter(attempt: int, **_: float) -> float:
        attempts.append(attempt)
        return 0.0

    monkeypatch.setattr("signalink_core.client.socket.full_jitter", jitter)
    gateway.talks = [close]
    async with Reader(gateway.url).socket:
        await eventually(lambda: len(attempts) >= 4)
    assert attempts[:4] == [1, 2, 3, 4]


async def test_a_draining_gateway_says_how_long_to_wait(gateway: Gateway) -> None:
    async def drain(_: Gateway, connection: ServerConnection) -> None:
        await say(connection, op="draining", reconnect_after_ms=300)
        await connection.close(4000, "draining")

    gateway.talks = [drain, stay]
    reader = Reader(gateway.url)
    loop = asyncio.get_running_loop()
    async with reader.socket:
        await reader.socket.subscribe({"c": None})
        await eventually(lambda: reader.asked == 1)
        began = loop.time()
        await eventually(lambda: reader.asked == 2)
        assert loop.time() - began >= 0.25


async def test_a_gateway_that_is_down_is_tried_until_it_is_back(gateway: Gateway) -> None:
    gateway.talks = [stay]
    reader = Reader("ws://127.0.0.1:9/v1/socket")
    async with reader.socket:
        await reader.socket.subscribe({"c": None})
        await eventually(lambda: reader.asked >= 2)
        reader.socket._url = gateway.url
        await eventually(lambda: gateway.heard)


async def test_more_channels_than_a_frame_holds_are_subscribed_in_batches(gateway: Gateway) -> None:
    async def listen(gateway: Gateway, connection: ServerConnection) -> None:
        while True:
            await gateway.hear(connection)

    gateway.talks = [listen]
    reader = Reader(gateway.url)
    wanted = [f"channel-{number}" for number in range(450)]
    async with reader.socket:
        await reader.socket.subscribe(dict.fromkeys(wanted, Position(1, 0)))
        await eventually(lambda: len(gateway.heard) == 3)
    assert [channel["id"] for command in gateway.heard for channel in command["channels"]] == wanted


async def test_a_gap_frame_moves_the_position_that_a_resume_starts_from(gateway: Gateway) -> None:
    async def gap(gateway: Gateway, connection: ServerConnection) -> None:
        await gateway.hear(connection)
        await say(connection, op="gap", channel="c", **{"from": 1, "to": 40}, position={"epoch": 2, "seq": 40})
        await connection.close(4002, "restart")

    gateway.talks = [gap, stay]
    reader = Reader(gateway.url)
    async with reader.socket:
        await reader.socket.subscribe({"c": Position(1, 0)})
        await eventually(lambda: len(gateway.heard) == 2)
    assert after_of(gateway.heard[1]) == [{"epoch": 2, "seq": 40}]


async def test_a_send_is_answered_by_its_ack_or_raises_what_the_nack_says(gateway: Gateway) -> None:
    async def answer(gateway: Gateway, connection: ServerConnection) -> None:
        await gateway.hear(connection)
        await say(connection, op="ack", client_id="k1", id="m1", seq=5, epoch=1)
        await gateway.hear(connection)
        await say(connection, op="nack", client_id="k2", code="muted", detail="until noon")
        await gateway.hear(connection)
        await connection.close(4000, "draining")

    gateway.talks = [answer, stay]
    reader = Reader(gateway.url)
    async with reader.socket as socket:
        assert (await socket.send("c", "k1", "hello"))["seq"] == 5
        with pytest.raises(SendRefused, match="muted"):
            await socket.send("c", "k2", "hello")
        with pytest.raises(OutcomeUnknown):
            await socket.send("c", "k3", "hello")


async def test_a_gateway_that_never_welcomes_is_left_again(gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    async def mute(connection: ServerConnection) -> None:
        await connection.wait_closed()

    monkeypatch.setattr("signalink_core.client.socket.WELCOME_SECONDS", 0.05)
    async with serve(mute, "127.0.0.1", 0, subprotocols=["signalink.v1"]) as server:  # type: ignore[list-item]
        reader = Reader(f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/")
        async with reader.socket as socket:
            await eventually(lambda: reader.asked >= 2)
            assert not socket.connected
