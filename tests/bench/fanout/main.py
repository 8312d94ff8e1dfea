"""`make bench NAME=fanout`: CPU per delivery of the gateway beside websockets.broadcast, Starlette and a C send() loop.

Shape A is 1 channel x 1,000 subscribers x 20 messages/s, where nothing can be joined; shape B is 1,000 connections in
10 of 100 channels at 10 ticks/s. Same payload bytes, deflate off, server pinned, runs interleaved.
"""

import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

import figures
import program
import publisher
import sockets
import stage
from figures import Bar, Result
from ground import Ground, wait_ready
from machine import Cpus
from sockets import Driven, Planned, Sink
from stage import Shape

from signalink_core.bus import keys
from signalink_core.events import encode_live
from signalink_stacks.local.ports import free_port, is_free

SIZES = {"small": (2, 2.0), "full": (5, 8.0)}
"""Runs, and seconds of each window."""
HERE = Path(__file__).parents[1]
PEERS = {"websockets.broadcast": "broadcast.py", "starlette send_text": "starlette_loop.py"}
NOTES = (
    "us: user + system CPU of the server process per counted delivery; latency is from the intended send time",
    "the gateway does more than its peers: authentication, rights, order (seq), recovery ring, limits, metrics; "
    "websockets.broadcast and Starlette follow the same Valkey channel; the C floor makes its frames itself",
    "mix: 1,000 connections x 10 of 100 channels x 10 ticks/s; its floor ratio is against the uncoalesced C loop; "
    "`C floor, joined` is one send() of ten frames per socket and tick",
)


def peer(ground: Ground, sink_program: Path, shape: Shape, script: str) -> Mapping[str, Any]:
    port = free_port()
    follow = ",".join(keys.events_key(channel).decode() for channel in ground.channels[: shape.channels])
    environment = ground.redis_environment() | {"FOLLOW": follow}
    command = [sys.executable, str(HERE / "peers" / script), str(port)]
    server = ground.start(script, command, ground.cpus.server, environment, port)
    try:
        wait_ready(server, lambda: not is_free(port))
        planned = [Planned(sockets.request(port, "/"))] * shape.connections
        with Sink(sink_program, port, planned, ground.cpus.load) as sink, stage.Publisher(ground) as load:
            sink.connected()
            channels = ground.channels[: shape.channels]
            return stage.window(shape, server.pid, sink, lambda ticks: load.publish(channels, ticks, 1 / shape.rate))
    finally:
        server.stop()


def floor(ground: Ground, sink_program: Path, floor_program: Path, shape: Shape, joined: int) -> Mapping[str, Any]:
    port, payload = free_port(), floor_program.with_name("payload")
    payload.write_bytes(encode_live(publisher.event(ground.channels[0], 0, 0, 0)))
    number = 0
    planned = [Planned(sockets.request(port, "/"))] * shape.connections
    with Driven([floor_program, str(port), str(shape.connections), payload], ground.cpus.server) as server:
        server.answer()

        def publish(ticks: int) -> dict[str, Any]:
            nonlocal number
            said = server.ask(f"run {number} {ticks} {int(1e9 / shape.rate)} {joined}")
            number += ticks
            return said

        with Sink(sink_program, port, planned, ground.cpus.load) as sink:
            sink.connected()
            return stage.window(shape, server.process.pid, sink, publish)


def shapes(seconds: float) -> tuple[Shape, Shape]:
    return Shape(1_000, 1, 1, 20, seconds), Shape(1_000, 100, 10, 10, seconds)


def measure(size: str, folder: Path) -> Result:
    runs, seconds = SIZES[size]
    single, mix = shapes(seconds)
    sink, least = sockets.compiled("sink", folder), sockets.compiled("floor", folder)
    with Ground(Cpus.split(), users=100, channels=100) as ground:
        ground.join([*stage.seats(ground, single), *stage.seats(ground, mix)])
        keys_service, tokens = ground.keys_service(), ground.tokens()
        sides: dict[str, Callable[[], Mapping[str, Any]]] = {
            "signalink": lambda: stage.gateway_run(ground, sink, single, tokens),
            "websockets.broadcast": lambda: peer(ground, sink, single, PEERS["websockets.broadcast"]),
            "C floor": lambda: floor(ground, sink, least, single, 1),
            "starlette send_text": lambda: peer(ground, sink, single, PEERS["starlette send_text"]),
            "signalink, mix": lambda: stage.gateway_run(ground, sink, mix, tokens),
            "C floor, joined": lambda: floor(ground, sink, least, mix, mix.each),
        }
        found = figures.interleaved(sides, runs)
        slow = stage.gateway_run(ground, sink, single, tokens, slowed="burn")
        keys_service.stop()
    return judged(found, slow)


def judged(found: Mapping[str, Sequence[Mapping[str, Any]]], slow: Mapping[str, Any]) -> Result:
    result = Result("fanout", ["side", "us per delivery", "CPU s per million", "p50 / p95 / p99 / max ms", "RSS MB"])
    for side, runs in found.items():
        us = figures.spread(runs, "us")
        times = " / ".join(f"{figures.spread(runs, key).median / 1000:.2f}" for key in ("p50", "p95", "p99", "max"))
        result.rows.append([side, us.text(), f"{us.median:.2f}", times, f"{figures.spread(runs, 'rss_mb').median:.0f}"])
        result.faults += stage.damage(side, [dict(run) for run in runs])
        result.runs += [{"side": side, **run} for run in runs]
    ours, lowest = found["signalink"], found["C floor"]
    against = {
        "of websockets.broadcast": figures.ratios(ours, found["websockets.broadcast"], "us"),
        "of the C floor": figures.ratios(ours, lowest, "us"),
        "mix of the C floor": figures.ratios(found["signalink, mix"], lowest, "us"),
        "of starlette": figures.ratios(ours, found["starlette send_text"], "us"),
    }
    result.notes += [*NOTES, *(f"signalink {name}: {ratio.text()}" for name, ratio in against.items())]
    result.bars = [
        Bar("per delivery of websockets.broadcast", against["of websockets.broadcast"].median, 1.0, unit="x"),
        Bar("of the C floor", against["of the C floor"].median, 1.45, unit="x", stretch=True),
        Bar("mix of the C floor", against["mix of the C floor"].median, 0.25, unit="x"),
    ]
    slower = float(slow["us"]) / figures.spread(ours, "us").median
    result.notes.append(f"self-check: 20 us burnt per write shows as {slow['us']:.1f} us per delivery ({slower:.2f}x)")
    if slower < 1.5:
        result.faults.append(f"an injected slowdown of 20 us per write is not seen ({slower:.2f}x)")
    return result


if __name__ == "__main__":
    sys.exit(program.main("fanout", measure))
