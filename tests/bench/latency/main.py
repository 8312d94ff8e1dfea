"""`make bench NAME=latency`: publish to socket, open loop: 100 connections in one channel x 100 messages/s (shape D).

Latency counts from the intended time of each publish on an absolute schedule; a generator that was late itself is told.
"""

import sys
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

import figures
import program
import sockets
import stage
from figures import Bar, Result
from ground import Ground
from machine import Cpus
from stage import Shape

SIZES = {"small": (2, 3.0), "full": (5, 15.0)}
"""Runs, and seconds of each window."""
GENERATOR_LATE_US = 1_000
RATES = (100, 200)


def shape(rate: float, seconds: float) -> Shape:
    return Shape(connections=100, channels=1, each=1, rate=rate, seconds=seconds)


def measure(size: str, folder: Path) -> Result:
    runs, seconds = SIZES[size]
    sink = sockets.compiled("sink", folder)
    with Ground(Cpus.split(), users=100, channels=1) as ground:
        ground.join(stage.seats(ground, shape(1, 1)))
        keys_service, tokens = ground.keys_service(), ground.tokens()
        sides = {f"{rate}/s": partial(stage.gateway_run, ground, sink, shape(rate, seconds), tokens) for rate in RATES}
        found = figures.interleaved(sides, runs)
        slow = stage.gateway_run(ground, sink, shape(RATES[0], min(seconds, 5.0)), tokens, slowed="delay")
        keys_service.stop()
    return judged(found, slow)


def judged(found: Mapping[str, Sequence[Mapping[str, Any]]], slow: Mapping[str, Any]) -> Result:
    result = Result("latency", ["messages/s to 100 sockets", "p50 ms", "p95 ms", "p99 ms", "max ms", "us per delivery"])
    for side, runs in found.items():
        times = [figures.Spread.of([run[key] / 1000 for run in runs]).text() for key in ("p50", "p95", "p99", "max")]
        result.rows.append([side, *times, figures.spread(runs, "us").text()])
        result.faults += stage.damage(side, [dict(run) for run in runs])
        result.runs += [{"side": side, **run} for run in runs]
    runs = found[f"{RATES[0]}/s"]
    p95, p99 = (figures.spread(runs, key).median / 1000 for key in ("p95", "p99"))
    late = figures.spread(runs, "late_p99_us")
    result.bars = [Bar("p95", p95, 2.5, unit=" ms"), Bar("p99", p99, 5.0, unit=" ms")]
    result.notes = [
        "open loop by an absolute schedule; latency from the intended time of the publish to the read in the C sink",
        f"the generator itself was late by p99 {late.text(0)} us",
        f"self-check: a gateway that holds every write for 10 ms shows as p50 {slow['p50'] / 1000:.1f} ms",
    ]
    if late.median > GENERATOR_LATE_US:
        result.faults.append(f"the generator was late by p99 {late.median:.0f} us: the machine is too busy to measure")
    if slow["p50"] < 10_000:
        result.faults.append("an injected delay of 10 ms per write is not seen")
    return result


if __name__ == "__main__":
    sys.exit(program.main("latency", measure))
