"""`make bench NAME=analytics`: one analytics process on one CPU counts a full topic, beside a bare consumer loop.

Both read the same 500,000 records of the same topic in a real Kafka with the same fetch settings. The loop decodes each
record and throws it away; the process counts it in windows, exactly once, with its offset in one Postgres transaction.
After each run the totals in the tables are compared with what was sent.
"""

import asyncio
import json
import random
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

import figures
import machine
import program
from broker import Broker
from figures import Bar, Result
from ground import HERE, Ground, Service
from machine import Cpus, pinned

from signalink_core.clock import utc_now
from signalink_core.database import migrate, pool
from signalink_core.events import Event, kafka_headers, kafka_key, kafka_value, types
from signalink_core.ids import uuid7
from signalink_core.kafka.producer import KafkaProducer
from signalink_core.kafka.records import Record
from signalink_core.testing import eventually
from signalink_stacks.local import layout, schema
from signalink_stacks.local.engines.base import clean_environment, tail
from signalink_stacks.local.ports import free_port

SIZES = {"small": (1, 20_000), "full": (5, 500_000)}
"""Runs, and events."""
CHANNELS = 100
MEMBERS = 100
"""Users of each channel, of 2,000."""
PER_SECOND = 2_000
"""Event time: 500,000 events are 250 s, five windows."""
OF_THE_LOOP = 0.5
SHARES = ((types.MESSAGE_CREATED, 0.85), (types.MESSAGE_EDITED, 0.1), (types.MEMBER_JOINED, 0.05))
DRAIN_SECONDS = 300
SEND_AT_ONCE = 10_000
STARVED = 0.1
LOOP, EVENTS = "bare getmany, JSON", "bare getmany, events"
EVERY_SECONDS = 0.05
PREFIX = "bench."
TABLES = "message_metrics, channel_metrics, user_metrics, late_events, conversations, offsets, positions, rollups"
AFRESH = "UPDATE analytics.progress SET reached = '-infinity'"
"""Hours that a run before rolled up would be over for this one: each event of theirs would be late."""
CONSUMED = "SELECT coalesce(sum(next_offset), 0)::bigint FROM analytics.offsets WHERE topic = 'messages'"
TOTALS = """
SELECT coalesce(sum(events), 0)::bigint AS events, coalesce(sum(messages), 0)::bigint AS messages,
    coalesce(sum(characters), 0)::bigint AS characters, (SELECT count(*) FROM analytics.late_events) AS late
FROM analytics.message_metrics
"""


class Bench:
    """One full topic, read anew from its start by each run."""

    def __init__(self, ground: Ground, broker: Broker, count: int) -> None:
        self.ground, self.broker, self.count = ground, broker, count
        self.wrong: list[str] = []
        self.sent = {"events": 0, "messages": 0, "characters": 0, "late": 0}
        broker.topics(PREFIX)
        owner = schema.settings(ground.secrets, ground.postgres.port, "owner")
        asyncio.run(migrate.upgrade(owner, package="signalink_analytics.migrations", schema="analytics"))
        asyncio.run(self._fill())

    async def _fill(self) -> None:
        chance = random.Random(1)
        users = [str(uuid7()) for _ in range(20 * MEMBERS)]
        channels = [(uuid7(), chance.sample(users, MEMBERS)) for _ in range(CHANNELS)]
        seqs = dict.fromkeys(range(CHANNELS), 0)
        begin = utc_now() - timedelta(seconds=self.count / PER_SECOND + 10)
        async with KafkaProducer(self.broker.settings(PREFIX)) as producer:
            for first in range(0, self.count, SEND_AT_ONCE):
                records = []
                for number in range(first, min(first + SEND_AT_ONCE, self.count)):
                    place = chance.randrange(CHANNELS)
                    seqs[place] += 1
                    event = self._event(chance, *channels[place], seqs[place], begin, number)
                    records.append(Record("messages", kafka_key(event), kafka_value(event), kafka_headers(event)))
                if await producer.send_batches(records) != [None] * len(records):
                    raise RuntimeError("Kafka did not take the records")

    def _event(
        self, chance: random.Random, channel: uuid.UUID, members: Sequence[str], seq: int, begin: Any, number: int
    ) -> Event:
        kind = chance.choices([name for name, _ in SHARES], [share for _, share in SHARES])[0]
        time, user, message = begin + timedelta(seconds=number / PER_SECOND), chance.choice(members), str(uuid7())
        self.sent["events"] += 1
        if kind == types.MESSAGE_CREATED:
            self.sent["messages"] += 1
            self.sent["characters"] += 120
            data = {"id": message, "channel_id": str(channel), "seq": seq, "sender_id": user, "client_id": message}
            data |= {"body": "lorem " * 20, "format": "plain", "metadata": {}, "reply_to": None, "thread_root": None}
            data["created_at"] = time.isoformat()
        elif kind == types.MESSAGE_EDITED:
            data = {"id": message, "message_seq": 1, "body": "lorem " * 20, "edited_by": user, "revision": 1}
            data["edited_at"] = time.isoformat()
        else:
            data = {"user_id": user, "role": "member", "by": user}
        trace = f"00-{uuid.uuid4().hex}-{uuid.uuid4().hex[:16]}-01"
        return Event(uuid7(), kind, time, 1, data, channel, seq, traceparent=trace)

    def analytics(self, *, slowed: str = "") -> dict[str, Any]:
        """A new process counts the whole topic into empty tables."""
        names = ", ".join(f"analytics.{table}" for table in TABLES.split(", "))
        asyncio.run(self.ground.execute(f"TRUNCATE {names}"))
        asyncio.run(self.ground.execute(AFRESH))
        service = self._start(slowed)
        try:
            found = asyncio.run(self._counted(service))
        finally:
            service.stop()
        (totals,) = asyncio.run(self.ground.execute(TOTALS))
        wrong = {key: totals[key] for key in self.sent if totals[key] != self.sent[key]}
        self.wrong += [f"{key} is {value} instead of {self.sent[key]}" for key, value in wrong.items()]
        return found

    def _start(self, slowed: str) -> Service:
        metrics = free_port()
        ports = {"postgres": self.ground.postgres.port, "valkey": self.ground.valkey.port, "kafka": self.broker.port}
        secret = self.ground.folder / "secret"
        secret.write_text("x" * 64)
        values = {
            "METRICS_PORT": str(metrics),
            "TOPIC_PREFIX": PREFIX,
            "ANALYTICS_SECRET_FILE": str(secret),
            **layout.bindings("analytics", ["postgres", "redis", "kafka"], ports, self.ground.secrets),
        }
        command = [sys.executable, "-m", "signalink_analytics"]
        if slowed:
            command = [sys.executable, str(HERE / "slowed.py"), "analytics", slowed]
        environment = {f"SIGNALINK_{key}": value for key, value in values.items()}
        return self.ground.start("analytics", command, self.ground.cpus.server, environment, 0, metrics)

    async def _counted(self, service: Service) -> dict[str, Any]:
        """From the first records seen in its offsets to the last: start-up and joining the group are not measured."""
        settings = schema.settings(self.ground.secrets, self.ground.postgres.port, "admin")
        connection = await pool.connect(settings)
        try:
            first = await self._reached(connection, service, 1)
            began = time.monotonic()
            cpu, waited = machine.cpu_seconds(service.pid), machine.waited_seconds(service.pid)
            await self._reached(connection, service, self.count)
        finally:
            await connection.close()
        seconds = time.monotonic() - began
        return {
            "per_second": (self.count - first) / seconds,
            "us": (machine.cpu_seconds(service.pid) - cpu) / max(1, self.count - first) * 1e6,
            "seconds": seconds,
            "measured": self.count - first,
            "waited_share": (machine.waited_seconds(service.pid) - waited) / seconds,
            "rss_mb": machine.rss_bytes(service.pid) / 1e6,
        }

    async def _reached(self, connection: Any, service: Service, wanted: int) -> int:
        """Where its offsets are as soon as they are there."""

        async def there() -> int:
            seen = int(await connection.fetchval(CONSUMED))
            if service.process.poll() is not None:
                raise RuntimeError(f"it ended after {seen} of {self.count} records:\n{tail(service.log)}")
            return seen if seen >= wanted else 0

        return await eventually(there, within=DRAIN_SECONDS, every=EVERY_SECONDS)

    def bare(self, decode: str) -> dict[str, Any]:
        """The same records by the bare loop, on the service's CPU."""
        kafka = self.broker.settings(PREFIX, "analytics")
        environment = clean_environment() | {
            "SIGNALINK_KAFKA_BOOTSTRAP": kafka.bootstrap,
            "SIGNALINK_KAFKA_USER": "analytics",
            "SIGNALINK_KAFKA_PASSWORD_FILE": str(kafka.password_file),
            "SIGNALINK_TOPIC_PREFIX": PREFIX,
        }
        command = [sys.executable, str(HERE / "peers" / "getmany.py"), "messages", str(self.count), decode]
        with pinned(self.ground.cpus.server):
            done = subprocess.run(
                command, env=environment, capture_output=True, text=True, check=False, timeout=DRAIN_SECONDS
            )
        if done.returncode:
            raise RuntimeError(f"the bare loop exited {done.returncode}: {done.stderr[-1000:]}")
        answer = json.loads(done.stdout)
        return {
            "per_second": answer["records"] / answer["seconds"],
            "us": answer["cpu"] / answer["records"] * 1e6,
            "seconds": answer["seconds"],
        }


def measure(size: str, folder: Path) -> Result:
    """`folder` is for compiled programs; this benchmark has none."""
    runs, count = SIZES[size]
    cpus = Cpus.split()
    with (
        Ground(cpus, users=1, channels=1) as ground,
        Broker(ground.folder / "kafka", ground.secrets, cpus) as broker,
    ):
        bench = Bench(ground, broker, count)
        sides: dict[str, Callable[[], Mapping[str, Any]]] = {
            "analytics": bench.analytics,
            LOOP: lambda: bench.bare("json"),
            EVENTS: lambda: bench.bare("events"),
        }
        found = figures.interleaved(sides, runs)
        slow = bench.analytics(slowed="burn")
    result = judged(found, slow, count)
    result.faults += sorted(set(bench.wrong))
    return result


def judged(found: Mapping[str, Sequence[Mapping[str, Any]]], slow: Mapping[str, Any], count: int) -> Result:
    result = Result("analytics", ["side", "records/s", "us of CPU per record", "RSS MB"])
    for side, runs in found.items():
        cells = (("per_second", 0), ("us", 1), ("rss_mb", 0))
        result.rows.append(
            [side, *(figures.spread(runs, key).text(digits) if key in runs[0] else "" for key, digits in cells)]
        )
        result.runs += [{"side": side, **run} for run in runs]
    ours, loop, events = found["analytics"], found[LOOP], found[EVENTS]
    ratio, us = figures.ratios(ours, loop, "per_second"), figures.spread(ours, "us")
    result.bars = [Bar("of the bare loop's records per second", ratio.median, OF_THE_LOOP, most=False, unit="x")]
    slower, starved = slow["us"] - us.median, figures.spread(ours, "waited_share").median
    result.notes += [
        f"{count:,} events of {CHANNELS} channels with {MEMBERS} of {20 * MEMBERS:,} users each, "
        f"{PER_SECOND:,} in a second of event time: 85 % messages of 120 characters, 10 % edits, 5 % joins",
        "the loop: aiokafka's getmany with the same fetch settings, headers as a dictionary, the value from JSON",
        "analytics: the same, and windows, positions, late events, response times, counters per minute, channel and "
        "user, and offsets in the same durable transaction; after each run the totals equal what was sent",
        "the second loop reads each record as every consumer of the platform must (`delivery.read`): of its records "
        f"per second {figures.ratios(ours, events, 'per_second').text()}",
        f"ratio run by run {ratio.text()}; of CPU per record {figures.ratios(ours, loop, 'us').text()}",
        f"the process was ready to run but had no CPU for {figures.spread(ours, 'waited_share').text()} of the time",
        f"self-check: 200 us burnt per event show as {slower:.0f} us",
    ]
    if starved > STARVED and not result.bars[0].ok:
        result.faults.append(f"it had no CPU for {starved:.0%} of the time: the machine is too busy to measure")
    if slower < 100:
        result.faults.append("an injected slowdown is not seen")
    return result


if __name__ == "__main__":
    sys.exit(program.main("analytics", measure))
