"""`make bench NAME=post`: acknowledged posts per second of one api beside pgbench, and post to another's socket.

Closed loop of 32 clients over 100 channels and on one hot channel; pgbench -c 32 calls messaging.post_messages with one
row on the same server, fsync on, data on disk. Then 100 posts/s by an absolute schedule, seen by another user's socket.
"""

import asyncio
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

import figures
import machine
import program
import sockets
import stage
from figures import Bar, Result
from ground import HERE, Ground, Service
from machine import Cpus, pinned
from sockets import Driven, Sink
from stage import Shape

from signalink_stacks.local import schema
from signalink_stacks.local.engines.postgres import binary

SIZES = {"small": (2, 3.0), "full": (5, 12.0)}
"""Runs, and seconds of each window."""
CLIENTS = 32
CHANNELS = 100
RATE = 100
GENERATOR_LATE_US = 2_000
STARVED = 0.1
"""Share of the time that the api may be ready to run without a CPU: its throughput then says something about others."""
WAL = """
SELECT (SELECT sum(fsyncs) FROM pg_stat_io WHERE object = 'wal') AS flushes,
       (SELECT xact_commit FROM pg_stat_database WHERE datname = 'signalink') AS commits
"""
AUDIT = """
SELECT count(*) AS posted, count(DISTINCT (sender_id, client_id)) AS single,
    (SELECT count(*) FROM messaging.channels c WHERE c.last_seq <>
        (SELECT count(*) FROM messaging.messages m WHERE m.channel_id = c.id)) AS torn
FROM messaging.messages
"""


class Bench:
    """The ground of all windows: one database, an api per run."""

    def __init__(self, ground: Ground, seconds: float) -> None:
        self.ground, self.seconds = ground, seconds
        self.tokens = ground.tokens()
        self.acknowledged = 0

    def api(self, channels: int, *, slowed: str = "") -> dict[str, Any]:
        """A window of 32 closed-loop clients on a new api process."""
        api = self.ground.service("api", slowed=slowed)
        try:
            with self.clients() as clients:
                ids = [str(channel) for channel in self.ground.channels[:channels]]
                self._post(clients, 1.5, ids)
                before, batches = machine.cpu_seconds(api.pid), api.metric("signalink_writer_batch_messages_bucket")
                statements = _statements(api)
                waited = machine.waited_seconds(api.pid)
                answer = self._post(clients, self.seconds, ids)
                waited = machine.waited_seconds(api.pid) - waited
                cpu = machine.cpu_seconds(api.pid) - before
                grown = _grown(batches, api.metric("signalink_writer_batch_messages_bucket"))
                seconds, count = (after - at for after, at in zip(_statements(api), statements, strict=True))
        finally:
            api.stop()
        per_second = answer["posted"] / answer["elapsed"]
        return {
            **answer,
            "per_second": per_second,
            "us": cpu / max(1, answer["posted"]) * 1e6,
            "cpu_share": cpu / answer["elapsed"],
            "waited_share": waited / answer["elapsed"],
            "statement_ms": seconds / max(1.0, count) * 1000,
            "batch_p50": _median(grown),
        }

    def _post(self, clients: Driven, seconds: float, ids: Sequence[str]) -> dict[str, Any]:
        asked = {"mode": "closed", "clients": CLIENTS, "seconds": seconds, "channels": ids}
        answer = clients.ask(json.dumps(asked))
        self.acknowledged += answer["posted"]
        return answer

    def clients(self, connections: int = CLIENTS) -> Driven:
        """clients.py with its connections open."""
        command = [sys.executable, Path(__file__).with_name("clients.py")]
        driven = Driven(command, self.ground.cpus.load, {"PYTHONPATH": str(HERE)})
        hello = {"port": self.ground.api_port, "tokens": self.tokens[:CLIENTS], "connections": connections}
        driven.ask(json.dumps(hello))
        return driven

    def pgbench(self, channels: int) -> dict[str, Any]:
        """One row per call and commit, by 32 clients on prepared statements."""
        secret = schema.password_file(self.ground.secrets, "api").read_text()
        command = [
            str(binary("pgbench")), "-n", "-M", "prepared", "-c", str(CLIENTS), "-j", "2", "-T", str(int(self.seconds)),
            "-D", f"channels={channels}", "-f", str(Path(__file__).with_name("rows.sql")),
            "-h", "127.0.0.1", "-p", str(self.ground.postgres.port), "-U", "signalink_api", "signalink",
        ]  # fmt: skip
        with pinned(self.ground.cpus.load):
            done = subprocess.run(
                command, env=os.environ | {"PGPASSWORD": secret}, capture_output=True, text=True, check=False,
                timeout=self.seconds + 60,
            )  # fmt: skip
        if done.returncode:
            raise RuntimeError(f"pgbench exited {done.returncode}: {done.stderr[-1000:]}")
        posted = int(re.findall(r"actually processed: (\d+)", done.stdout)[0])
        self.acknowledged += posted
        return {
            "per_second": float(re.findall(r"tps = ([\d.]+)", done.stdout)[0]),
            "posted": posted,
            "p50_ms": float(re.findall(r"latency average = ([\d.]+)", done.stdout)[0]),
            "refused": int(re.findall(r"failed transactions: (\d+)", done.stdout)[0]),
        }

    def to_socket(self, sink_program: Path, *, slowed: str = "") -> dict[str, Any]:
        """100 posts/s of one user, counted at another user's socket in the same channel."""
        api = self.ground.service("api")
        gateway = self.ground.service("gateway", slowed=slowed)
        channel, shape = self.ground.channels[CHANNELS], Shape(1, 1, 1, RATE, self.seconds)
        reader = sockets.subscriber(gateway.http_port, self.ground.origin, self.tokens[-1], [channel])
        try:
            with (
                Sink(sink_program, gateway.http_port, [reader], self.ground.cpus.load) as sink,
                self.clients(64) as clients,
            ):
                sink.connected()
                number = 0

                def publish(ticks: int) -> dict[str, Any]:
                    nonlocal number
                    asked = {"mode": "open", "rate": RATE, "seconds": ticks / RATE, "first": number}
                    number += ticks
                    answer = clients.ask(json.dumps({**asked, "channels": [str(channel)]}))
                    self.acknowledged += answer["posted"]
                    return answer

                return stage.window(shape, api.pid, sink, publish)
        finally:
            gateway.stop()
            api.stop()

    def audit(self) -> list[str]:
        """What the database says about everything that was acknowledged."""
        row = asyncio.run(self.ground.execute(AUDIT))[0]
        bad = []
        if not self.acknowledged <= row["posted"] <= self.acknowledged + CLIENTS * 20:
            bad.append(f"{row['posted']} messages for {self.acknowledged} acknowledged posts")
        if row["single"] != row["posted"] or row["torn"]:
            bad.append(f"{row['posted'] - row['single']} duplicates, {row['torn']} channels whose seqs have holes")
        return bad


def _statements(api: Service) -> tuple[float, float]:
    """Seconds in statements of the writer, and their number."""
    name = "signalink_writer_statement_seconds"
    return sum(api.metric(f"{name}_sum").values()), sum(api.metric(f"{name}_count").values())


def _grown(before: Mapping[str, float], after: Mapping[str, float]) -> list[tuple[float, float]]:
    """(upper bound, observations up to it) of a histogram's growth."""
    bounds = [(label, re.findall(r'le="([^"]+)"', label)[0]) for label in after]
    grown = [(float("inf") if le == "+Inf" else float(le), after[label] - before.get(label, 0)) for label, le in bounds]
    return sorted(grown)


def _median(cumulative: Sequence[tuple[float, float]]) -> float:
    """Interpolated in its bucket."""
    half, below, low = cumulative[-1][1] / 2, 0.0, 0.0
    for bound, count in cumulative:
        if count >= half and count > below:
            return low + (min(bound, 1e9) - low) * (half - below) / (count - below)
        below, low = count, bound
    return low


def measure(size: str, folder: Path) -> Result:
    runs, seconds = SIZES[size]
    sink = sockets.compiled("sink", folder)
    with Ground(Cpus.split(), users=CLIENTS + 1, channels=CHANNELS + 1) as ground:
        ground.join([(channel, user) for channel in ground.channels for user in ground.users])
        bench = Bench(ground, seconds)
        sides: dict[str, Callable[[], Mapping[str, Any]]] = {
            "api, 100 channels": lambda: bench.api(CHANNELS),
            "pgbench, 100 channels": lambda: bench.pgbench(CHANNELS),
            "api, hot channel": lambda: bench.api(1),
            "pgbench, hot channel": lambda: bench.pgbench(1),
        }
        found = figures.interleaved(sides, runs)
        live = figures.interleaved({"post to socket": lambda: bench.to_socket(sink)}, runs)["post to socket"]
        bench.seconds = min(seconds, 4.0)
        slow, held = bench.api(CHANNELS, slowed="burn"), bench.to_socket(sink, slowed="delay")
        audit = bench.audit()
        fsync = flush_microseconds(ground)
    result = judged(found, live, slow, held)
    result.faults += audit
    result.notes.append(f"pg_test_fsync on the same disk: {fsync} us per fdatasync of 8 KB")
    return result


def flush_microseconds(ground: Ground) -> str:
    """What the disk takes for one flush."""
    file = ground.folder / "fsync.probe"
    command = [str(binary("pg_test_fsync")), "-s", "1", "-f", str(file)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    found = re.findall(r"fdatasync\s+[\d.]+ ops/sec\s+(\d+) usecs/op", done.stdout)
    return str(found[0]) if found else "unknown"


def judged(
    found: Mapping[str, Sequence[Mapping[str, Any]]],
    live: Sequence[Mapping[str, Any]],
    slow: Mapping[str, Any],
    held: Mapping[str, Any],
) -> Result:
    result = Result("post", ["side", "posts/s", "p50 / p95 / p99 ms", "us of api CPU per post", "api CPU", "batch p50"])
    for side, runs in found.items():
        columns = (("per_second", 0), ("us", 0), ("cpu_share", 2), ("batch_p50", 1))
        per_second, us, share, batch = (
            figures.spread(runs, key).text(digits) if key in runs[0] else "" for key, digits in columns
        )
        times = " / ".join(
            f"{figures.spread(runs, k).median:.1f}" for k in ("p50_ms", "p95_ms", "p99_ms") if k in runs[0]
        )
        result.rows.append([side, per_second, times, us, share, batch])
        result.runs += [{"side": side, **run} for run in runs]
        if refused := sum(run["refused"] for run in runs):
            result.faults.append(f"{side}: {refused} posts refused")
    times = " / ".join(f"{figures.spread(live, key).median / 1000:.2f}" for key in ("p50", "p95", "p99"))
    result.rows.append(
        [f"post to another's socket, {RATE}/s", str(RATE), times, figures.spread(live, "us").text(0), "", ""]
    )
    result.runs += [{"side": "post to socket", **run} for run in live]
    result.faults += stage.damage("post to socket", [dict(run) for run in live])
    many = figures.ratios(found["api, 100 channels"], found["pgbench, 100 channels"], "per_second")
    hot = figures.ratios(found["api, hot channel"], found["pgbench, hot channel"], "per_second")
    p95 = figures.spread(live, "p95")
    result.bars = [
        Bar("posts of pgbench over 100 channels", many.median, 1.0, most=False, unit="x"),
        Bar("on one hot channel", hot.median, 4.0, most=False, unit="x"),
        Bar("post to another's socket p95", p95.median / 1000, 15.0, unit=" ms"),
    ]
    late, many_runs = figures.spread(live, "late_p99_us"), found["api, 100 channels"]
    slower = slow["us"] / figures.spread(found["api, 100 channels"], "us").median
    result.notes += [
        f"{CLIENTS} clients, closed loop; a post goes through HTTP, token, four limits, writer, Postgres and Valkey",
        "pgbench: -c 32 -M prepared, the same function with one row and one commit each; its p50 is its average",
        f"ratios: 100 channels {many.text()}, hot channel {hot.text()}",
        f"post to socket: p95 {p95.low / 1000:.2f} to {p95.high / 1000:.2f} ms; generator late p99 {late.text(0)} us",
        f"the api was ready to run but had no CPU for {figures.spread(many_runs, 'waited_share').text()} of the time; "
        f"a statement took {figures.spread(many_runs, 'statement_ms').text()} ms as the api saw it",
        f"self-check: 1 ms burnt per post shows as {slower:.2f}x CPU; a gateway holding writes 10 ms as p50 "
        f"{held['p50'] / 1000:.1f} ms",
    ]
    if (starved := figures.spread(many_runs, "waited_share").median) > STARVED:
        result.faults.append(f"the api had no CPU for {starved:.0%} of the time: the machine is too busy to measure")
    if late.median > GENERATOR_LATE_US:
        result.faults.append(f"the generator was late by p99 {late.median:.0f} us: the machine is too busy to measure")
    if slower < 1.5 or held["p50"] < 10_000:
        result.faults.append("an injected slowdown is not seen")
    return result


if __name__ == "__main__":
    sys.exit(program.main("post", measure))
