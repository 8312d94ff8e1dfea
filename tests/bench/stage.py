"""The parts that several socket benchmarks play: crowds of planned connections, the publisher, a measured window."""

import json
import sys
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import machine
from ground import Ground, Service
from sockets import Driven, Planned, Sink, subscriber

HERE = Path(__file__).parent


class Publisher(Driven):
    """publisher.py beside the engines; `number` goes on from run to run of one gateway."""

    def __init__(self, ground: Ground) -> None:
        command = [sys.executable, HERE / "publisher.py"]
        super().__init__(command, ground.cpus.engines, ground.redis_environment() | {"PYTHONPATH": str(HERE)})
        self.number = 0

    def publish(self, channels: Sequence[UUID], ticks: int, interval: float) -> dict[str, Any]:
        """`ticks` times one event in each channel, at absolute times; blocks until they are out."""
        asked = {"first": self.number, "ticks": ticks, "interval": interval, "channels": [str(c) for c in channels]}
        self.number += ticks
        return self.ask(json.dumps(asked))


@dataclass(frozen=True, slots=True)
class Shape:
    """A load: who subscribes to what, and how often each channel says something."""

    connections: int
    channels: int
    each: int
    """Channels per connection."""
    rate: float
    """Ticks per second; every channel gets one event per tick."""
    seconds: float
    warm_up: float = 1.0

    @property
    def ticks(self) -> int:
        return int(self.rate * self.seconds)

    def of(self, connection: int) -> list[int]:
        """The channels of a connection: spread evenly."""
        return [(connection * self.each + n) % self.channels for n in range(self.each)]

    def deliveries(self, ticks: int) -> int:
        return ticks * self.connections * self.each


def crowd(ground: Ground, gateway: Service, shape: Shape, tokens: Sequence[str]) -> list[Planned]:
    """One planned subscriber per connection; users take turns."""
    return [
        subscriber(gateway.http_port, ground.origin, tokens[n % len(tokens)], [ground.channels[c] for c in shape.of(n)])
        for n in range(shape.connections)
    ]


def seats(ground: Ground, shape: Shape) -> list[tuple[UUID, UUID]]:
    """(channel, user) for every subscription of the shape."""
    users = ground.users
    return [(ground.channels[c], users[n % len(users)]) for n in range(shape.connections) for c in shape.of(n)]


def window(shape: Shape, pid: int, sink: Sink, publish: Any) -> dict[str, Any]:
    """Warm-up, then a window of the shape's ticks. `publish(ticks)` -> what the generator says of itself."""
    warm = max(1, int(shape.rate * shape.warm_up))
    publish(warm)
    sink.settled(shape.deliveries(warm))
    sink.reset()
    before = machine.cpu_seconds(pid)
    said = publish(shape.ticks)
    expected = shape.deliveries(shape.ticks)
    report = sink.settled(expected)
    used = machine.cpu_seconds(pid) - before
    return {
        "us": used / max(1, report["counted"]) * 1e6,
        "cpu": used,
        **report,
        "missing": expected - report["counted"],
        "late_p99_us": said.get("late_p99_us", 0.0),
        "rss_mb": machine.rss_bytes(pid) / 1e6,
    }


def gateway_run(
    ground: Ground, program: Path, shape: Shape, tokens: Sequence[str], *, slowed: str = ""
) -> dict[str, Any]:
    """A new gateway, its crowd, a window; all gone afterwards."""
    gateway = ground.service("gateway", slowed=slowed)
    try:
        with (
            _sink(ground, program, gateway.http_port, crowd(ground, gateway, shape, tokens)) as sink,
            Publisher(ground) as load,
        ):
            assert sink.connected() == shape.connections
            channels = ground.channels[: shape.channels]
            return window(shape, gateway.pid, sink, lambda ticks: load.publish(channels, ticks, 1 / shape.rate))
    finally:
        gateway.stop()


def _sink(ground: Ground, program: Path, port: int, planned: Sequence[Planned]) -> AbstractContextManager[Sink]:
    return Sink(program, port, planned, ground.cpus.load)


def damage(side: str, runs: Sequence[dict[str, Any]]) -> list[str]:
    """A sentence for everything that was not delivered exactly once."""
    bad = {key: sum(int(run[key]) for run in runs) for key in ("missing", "lost", "duplicates", "closed")}
    return [f"{side}: {count} {key}" for key, count in bad.items() if count]
