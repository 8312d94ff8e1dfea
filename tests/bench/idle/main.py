"""`make bench NAME=idle`: what 10,000 authenticated, idle sockets with 5 subscriptions each cost the gateway in memory.

Every socket is another user; 500 channels of 100 members. Resident memory of the gateway process over the same process
before its first socket, after the crowd is in and again after more than one round of pings.
"""

import sys
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

import figures
import machine
import program
import sockets
import stage
from figures import Bar, Result
from ground import Ground
from machine import Cpus
from sockets import Sink
from stage import Shape

SIZES = {"small": (1, 1_000, 2.0), "full": (5, 10_000, 30.0)}
"""Runs, sockets, and seconds of idling (a ping comes every 25 s)."""
EACH = 5
PER_CHANNEL = 100
BAR_MB = 60.0
WINDOW = 256
FAT_BYTES = 8_192


def run(ground: Ground, sink: Path, shape: Shape, tokens: Sequence[str], *, slowed: str = "") -> dict[str, Any]:
    gateway = ground.service("gateway", slowed=slowed)
    try:
        empty = machine.rss_bytes(gateway.pid)
        began = time.monotonic()
        planned = stage.crowd(ground, gateway, shape, tokens)
        with Sink(sink, gateway.http_port, planned, ground.cpus.load, window=WINDOW) as crowd:
            connected = crowd.connected()
            took = time.monotonic() - began
            full = machine.rss_bytes(gateway.pid)
            cpu = machine.cpu_seconds(gateway.pid)
            time.sleep(shape.seconds)
            report = crowd.ask("report")
            sessions = sum(gateway.metric("signalink_ws_sessions").values())
            idled = machine.rss_bytes(gateway.pid)
            return {
                "sockets": connected,
                "sessions": int(sessions),
                "closed": report["closed"],
                "empty_mb": empty / 1e6,
                "full_mb": full / 1e6,
                "idled_mb": idled / 1e6,
                "over_mb": (max(full, idled) - empty) / 1e6,
                "connect_s": took,
                "idle_cpu_percent": (machine.cpu_seconds(gateway.pid) - cpu) / shape.seconds * 100,
            }
    finally:
        gateway.stop()


def measure(size: str, folder: Path) -> Result:
    runs, connections, seconds = SIZES[size]
    sink = sockets.compiled("sink", folder)
    channels = connections * EACH // PER_CHANNEL
    shape = Shape(connections, channels, EACH, 1, seconds)
    with Ground(Cpus.split(), users=connections, channels=channels) as ground:
        ground.join(stage.seats(ground, shape))
        keys_service, tokens = ground.keys_service(), ground.tokens()
        found = figures.interleaved({"signalink": partial(run, ground, sink, shape, tokens)}, runs)["signalink"]
        fat = run(ground, sink, Shape(connections, channels, EACH, 1, 1.0), tokens, slowed="fat")
        keys_service.stop()
    return judged([dict(each) for each in found], fat, connections)


def judged(found: list[dict[str, Any]], fat: dict[str, Any], connections: int) -> Result:
    result = Result(
        "idle",
        ["sockets", "empty MB", "with all MB", "after idling MB", "over empty MB", "KB per socket", "idle CPU %"],
    )
    over = figures.spread(found, "over_mb")
    keys = ("empty_mb", "full_mb", "idled_mb", "over_mb")
    each = figures.Spread.of([run["over_mb"] * 1000 / connections for run in found])
    cpu = figures.spread(found, "idle_cpu_percent")
    result.rows.append(
        [f"{connections:,}", *(figures.spread(found, key).text(1) for key in keys), each.text(), cpu.text(1)]
    )
    result.runs = [dict(run) for run in found]
    for run_ in found:
        if run_["sockets"] != connections or run_["sessions"] != connections or run_["closed"]:
            result.faults.append(f"{run_['sessions']} sessions of {connections}, {run_['closed']} closed")
    result.bars = [Bar("over the empty process", over.median * 10_000 / connections, BAR_MB, unit=" MB")]
    grown = fat["over_mb"] - over.median
    result.notes = [
        f"{connections:,} users with one socket each, {EACH} of {connections * EACH // PER_CHANNEL} channels, resident "
        "memory of the process; kernel socket buffers are not in it",
        f"all were connected, authenticated and subscribed after {figures.spread(found, 'connect_s').text(1)} s",
        f"self-check: {FAT_BYTES // 1024} KB more per session shows as {grown:.1f} MB more",
    ]
    if connections != 10_000:
        result.notes.append("the figure is scaled to 10,000 sockets")
    if grown < FAT_BYTES * connections / 1e6 / 2:
        result.faults.append(f"an injected growth of {FAT_BYTES} bytes per session is not seen ({grown:.1f} MB)")
    return result


if __name__ == "__main__":
    sys.exit(program.main("idle", measure))
