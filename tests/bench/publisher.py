"""A process that publishes message events over Valkey as the api does, at absolute times: the load of fan-out figures.

Reads JSON lines {"first", "ticks", "interval", "channels"}: numbers `first`.. in each channel (ids), one pipeline per
tick and all channels. Answers {"sent", "late_p99_us", "late_max_us"}: how late the generator itself was.
"""

import json
import socket
import sys
import time
from typing import Any
from uuid import UUID

import hiredis

from signalink_core.bus import keys
from signalink_core.bus.wire import address
from signalink_core.clock import utc_now
from signalink_core.events import Event, encode_live
from signalink_core.events.types import MESSAGE_CREATED
from signalink_core.ids import uuid7
from signalink_core.settings import RedisSettings

SPIN_SECONDS = 0.0003
TEXT = "A sentence of the length that people write when they answer somebody in a channel, give or take."


def stamp(channel: int, number: int, when: int) -> str:
    """What the sink looks for; `when` in ns of CLOCK_MONOTONIC."""
    return f"@{channel:04d}:{number:08d}:{when:020d}@ {TEXT}"


def event(channel_id: UUID, channel: int, number: int, when: int) -> Event:
    """As the writer makes it; the seq follows the number."""
    message_id, at = uuid7(), utc_now()
    data = {
        "id": str(message_id),
        "channel_id": str(channel_id),
        "seq": number + 1,
        "sender_id": str(channel_id),
        "client_id": f"bench-{number}",
        "body": stamp(channel, number, when),
        "format": "text",
        "metadata": {},
        "reply_to": None,
        "thread_root": None,
        "created_at": at.isoformat(),
    }
    return Event(
        id=uuid7(), type=MESSAGE_CREATED, time=at, epoch=1, channel=channel_id, seq=number + 1, data=data,
        traceparent="00-11111111111111111111111111111111-2222222222222222-01",
    )  # fmt: skip


class Publishing:
    """One blocking connection; a tick is one write."""

    def __init__(self, settings: RedisSettings) -> None:
        where = address(settings)
        self._socket = socket.create_connection((where["host"], where["port"]), 5)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._replies = hiredis.Reader()
        self._send([("AUTH", where["username"], where["password"])])

    def _send(self, commands: list[tuple[Any, ...]]) -> None:
        self._socket.sendall(b"".join(hiredis.pack_command(words) for words in commands))
        for _ in commands:
            while (reply := self._replies.gets()) is False:
                self._replies.feed(self._socket.recv(65_536))
            if isinstance(reply, Exception):
                raise reply

    def run(self, first: int, ticks: int, interval: float, channels: list[UUID]) -> dict[str, float]:
        late = []
        began = time.monotonic_ns() + 20_000_000
        for tick in range(ticks):
            due = began + int(tick * interval * 1e9)
            made = [event(channel, n, first + tick, due) for n, channel in enumerate(channels)]
            commands = [("PUBLISH", keys.events_key(e.channel), encode_live(e)) for e in made if e.channel]
            wait_until(due)
            late.append((time.monotonic_ns() - due) / 1000)
            self._send(commands)
        late.sort()
        return {
            "sent": ticks * len(channels),
            "late_p99_us": late[int(0.99 * (len(late) - 1))],
            "late_max_us": late[-1],
        }


def wait_until(due: int) -> None:
    """Sleeps, then spins for the last 0.3 ms. `due` in ns of CLOCK_MONOTONIC."""
    left = (due - time.monotonic_ns()) / 1e9
    if left > SPIN_SECONDS:
        time.sleep(left - SPIN_SECONDS)
    while time.monotonic_ns() < due:
        pass


if __name__ == "__main__":
    publishing = Publishing(RedisSettings.from_env())
    for line in sys.stdin:
        asked = json.loads(line)
        asked["channels"] = [UUID(channel) for channel in asked["channels"]]
        print(json.dumps(publishing.run(**asked)), flush=True)  # noqa: T201 - the answer to who drives it
