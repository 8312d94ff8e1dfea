"""`make bench NAME=relay`: one relay on one CPU drains a full log to a real Kafka, beside its two limits.

The limits, in the same run: a bare aiokafka producer that sends the same records with the same settings, and COPY of
the same rows out of the same table. After each drain the topic is read back: the set, repeats, and order per channel.
"""

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

import figures
import ground as grounds
import machine
import msgspec
import program
from broker import Broker
from figures import Bar, Result
from ground import HERE, Ground, Service
from machine import Cpus, pinned

from signalink_core.database import pool
from signalink_core.events import kafka_headers, kafka_key, kafka_value
from signalink_core.kafka import reader
from signalink_core.log.rows import to_event
from signalink_core.testing import eventually
from signalink_stacks.local import layout, schema
from signalink_stacks.local.engines.base import clean_environment
from signalink_stacks.local.ports import free_port

SIZES = {"small": (1, 20_000), "full": (5, 200_000)}
"""Runs, and rows of the log."""
CHANNELS = 100
PER_TRANSACTION = 1_000
EVENTS_PER_SECOND = 5_000
STARVED = 0.1
DRAIN_SECONDS = 300
# A message of 120 characters as post_messages writes it. Triggers are off: who may write events is not measured here.
FILL = """
INSERT INTO messaging.events
    (event_id, epoch, shard, topic, aggregatetype, aggregateid, type, channel_id, seq, payload, traceparent)
SELECT gen_random_uuid(), 1, messaging.shard_of(c.id), 'messages', 'message', m.id, 'dev.signalink.message.created',
    c.id, n, jsonb_build_object('message_id', m.id, 'sender_id', $4::uuid, 'client_id', m.id,
        'body', repeat('lorem ', 20), 'format', 'plain', 'metadata', '{}'::jsonb,
        'reply_to', NULL, 'mentions', '[]'::jsonb, 'created_at', now()),
    '00-' || md5(m.id::text) || '-' || left(md5(n::text), 16) || '-01'
FROM unnest($1::uuid[]) AS c (id) CROSS JOIN generate_series($2::int, $3::int) AS n
CROSS JOIN LATERAL (SELECT gen_random_uuid() AS id WHERE n > 0) m
ORDER BY c.id, n
"""
COLUMNS = (
    "id, event_id, epoch, xid, shard, topic, aggregateid, type, channel_id, seq, payload, traceparent, occurred_at"
)
REWIND = """
UPDATE messaging.relay_cursors SET epoch = 0, xid = '0', event_id = 0, holder = NULL, lease_until = NULL,
    fencing_epoch = fencing_epoch + 1
"""


class Bench:
    """One log, drained anew into fresh topics by each run."""

    def __init__(self, ground: Ground, broker: Broker, rows: int) -> None:
        self.ground, self.broker, self.rows = ground, broker, rows
        self.wrong: list[str] = []
        self._runs = 0
        asyncio.run(self._fill())
        self._records = ground.folder / "records.msgpack"
        self._records.write_bytes(asyncio.run(self._encoded()))

    def _prefix(self) -> str:
        self._runs += 1
        prefix = f"r{self._runs}."
        self.broker.topics(prefix)
        return prefix

    async def _connect(self) -> Any:
        settings = schema.settings(self.ground.secrets, self.ground.postgres.port, "admin")
        return await pool.connect(settings, command_timeout=300)

    async def _fill(self) -> None:
        connection = await self._connect()
        try:
            await connection.execute("SET session_replication_role = replica")
            each = PER_TRANSACTION // CHANNELS
            for first in range(1, self.rows // CHANNELS + 1, each):
                await connection.execute(FILL, self.ground.channels, first, first + each - 1, self.ground.users[0])
            await connection.execute("VACUUM ANALYZE messaging.events")
        finally:
            await connection.close()

    async def _encoded(self) -> bytes:
        """The records that the relay will send, for the bare producer."""
        connection = await self._connect()
        try:
            rows = await connection.fetch(f"SELECT {COLUMNS} FROM messaging.events ORDER BY shard, epoch, xid, id")
        finally:
            await connection.close()
        events = (to_event(row) for row in rows)
        return msgspec.msgpack.encode([(kafka_key(e), kafka_value(e), kafka_headers(e)) for e in events])

    def relay(self, *, slowed: str = "") -> dict[str, Any]:
        """A new relay process drains the whole log."""
        prefix = self._prefix()
        asyncio.run(self.ground.execute(REWIND))
        service = self._start(prefix, slowed)
        try:
            found = _drained(service, self.rows)
        finally:
            service.stop()
        if not slowed:
            self.wrong += asyncio.run(self._audit(prefix))
        return found

    def _start(self, prefix: str, slowed: str) -> Service:
        metrics = free_port()
        ports = {"postgres": self.ground.postgres.port, "valkey": self.ground.valkey.port, "kafka": self.broker.port}
        values = {
            "METRICS_PORT": str(metrics),
            "TOPIC_PREFIX": prefix,
            **layout.bindings("relay", ["postgres", "redis", "kafka"], ports, self.ground.secrets),
        }
        command = [sys.executable, "-m", "signalink_relay"]
        if slowed:
            command = [sys.executable, str(HERE / "slowed.py"), "relay", slowed]
        environment = {f"SIGNALINK_{key}": value for key, value in values.items()}
        return self.ground.start("relay", command, self.ground.cpus.server, environment, 0, metrics)

    async def _audit(self, prefix: str) -> list[str]:
        """What is wrong with what Kafka holds: the set, repeats, the order of each channel."""
        records = await reader.read_topic(self.broker.settings(prefix), "messages", within=120)
        last: dict[bytes, int] = {}
        seen: set[bytes] = set()
        disordered = 0
        for record in records:
            headers = dict(record.headers)
            seen.add(headers["ce_id"])
            seq, key = int(headers["ce_seq"]), record.key or b""
            disordered += seq != last.get(key, 0) + 1
            last[key] = seq
        wrong = []
        if len(seen) != self.rows:
            wrong.append(f"{self.rows - len(seen)} events are not in Kafka")
        if len(records) != len(seen):
            wrong.append(f"{len(records) - len(seen)} repeats in Kafka without any failure")
        if disordered:
            wrong.append(f"{disordered} records out of order")
        return wrong

    def bare(self) -> dict[str, Any]:
        """The same records by the bare producer, on the relay's CPU."""
        prefix = self._prefix()
        kafka = self.broker.settings(prefix, "relay")
        environment = clean_environment() | {
            "SIGNALINK_KAFKA_BOOTSTRAP": kafka.bootstrap,
            "SIGNALINK_KAFKA_USER": "relay",
            "SIGNALINK_KAFKA_PASSWORD_FILE": str(kafka.password_file),
            "SIGNALINK_TOPIC_PREFIX": prefix,
        }
        command = [sys.executable, str(HERE / "peers" / "send_batch.py"), str(self._records), "messages"]
        with pinned(self.ground.cpus.server):
            done = subprocess.run(
                command, env=environment, capture_output=True, text=True, check=False, timeout=DRAIN_SECONDS
            )
        if done.returncode:
            raise RuntimeError(f"the bare producer exited {done.returncode}: {done.stderr[-1000:]}")
        answer = json.loads(done.stdout)
        return {
            "per_second": answer["records"] / answer["seconds"],
            "us": answer["cpu"] / answer["records"] * 1e6,
            "seconds": answer["seconds"],
        }

    def copy(self) -> dict[str, Any]:
        """The same rows by COPY, thrown away as they come."""
        began = time.monotonic()
        asyncio.run(self._copy())
        seconds = time.monotonic() - began
        return {"per_second": self.rows / seconds, "seconds": seconds}

    async def _copy(self) -> None:
        async def away(data: bytes) -> None:
            """Nothing is kept."""

        connection = await self._connect()
        try:
            query = f"SELECT {COLUMNS} FROM messaging.events ORDER BY shard, epoch, xid, id"
            await connection.copy_from_query(query, output=away)
        finally:
            await connection.close()


def _drained(service: Service, rows: int) -> dict[str, Any]:
    """From the first events seen in its figures to the last: start-up and the first connection are not measured."""

    def published() -> int:
        return int(sum(service.metric("signalink_relay_published_total").values()))

    grounds.wait_ready(service, lambda: published() > 0)
    began, first = time.monotonic(), published()
    cpu, waited = machine.cpu_seconds(service.pid), machine.waited_seconds(service.pid)
    asyncio.run(eventually(lambda: published() >= rows, within=DRAIN_SECONDS, every=0.05))
    seconds = time.monotonic() - began
    return {
        "per_second": (rows - first) / seconds,
        "us": (machine.cpu_seconds(service.pid) - cpu) / max(1, rows - first) * 1e6,
        "seconds": seconds,
        "measured": rows - first,
        "waited_share": (machine.waited_seconds(service.pid) - waited) / seconds,
        "rss_mb": machine.rss_bytes(service.pid) / 1e6,
    }


def measure(size: str, folder: Path) -> Result:
    """`folder` is for compiled programs; this benchmark has none."""
    runs, rows = SIZES[size]
    cpus = Cpus.split()
    with (
        Ground(cpus, users=1, channels=CHANNELS) as ground,
        Broker(ground.folder / "kafka", ground.secrets, cpus) as broker,
    ):
        bench = Bench(ground, broker, rows)
        sides: dict[str, Callable[[], Mapping[str, Any]]] = {
            "relay": bench.relay,
            "bare send_batch": bench.bare,
            "COPY": bench.copy,
        }
        found = figures.interleaved(sides, runs)
        slow = bench.relay(slowed="burn")
    result = judged(found, slow, rows)
    result.faults += sorted(set(bench.wrong))
    return result


def judged(found: Mapping[str, Sequence[Mapping[str, Any]]], slow: Mapping[str, Any], rows: int) -> Result:
    result = Result("relay", ["side", "events/s", "us of CPU per event", "RSS MB"])
    for side, runs in found.items():
        cells = (("per_second", 0), ("us", 1), ("rss_mb", 0))
        result.rows.append(
            [side, *(figures.spread(runs, key).text(digits) if key in runs[0] else "" for key, digits in cells)]
        )
        result.runs += [{"side": side, **run} for run in runs]
    relay = found["relay"]
    per_second, us = figures.spread(relay, "per_second"), figures.spread(relay, "us")
    result.bars = [Bar("events per second on one core", per_second.median, EVENTS_PER_SECOND, most=False)]
    slower = slow["us"] - us.median
    result.notes += [
        f"{rows:,} events of {CHANNELS} channels, 120 characters each, {PER_TRANSACTION} to a transaction; one relay "
        "with all 64 shards reads, encodes, sends with acks=all and idempotence, waits, and moves its cursors",
        "each drain is read back: the set equals the log's, no repeat, every channel in order without a hole",
        f"of the bare producer's rate {figures.ratios(relay, found['bare send_batch'], 'per_second').text()}; its "
        "records were encoded before; of COPY's rate "
        f"{figures.ratios(relay, found['COPY'], 'per_second').text(3)}; COPY decodes and keeps nothing",
        f"the relay was ready to run but had no CPU for {figures.spread(relay, 'waited_share').text()} of the time",
        f"self-check: 200 us burnt per event show as {slower:.0f} us",
    ]
    if (starved := figures.spread(relay, "waited_share").median) > STARVED and not result.bars[0].ok:
        result.faults.append(f"the relay had no CPU for {starved:.0%} of the time: the machine is too busy to measure")
    if slower < 100:
        result.faults.append("an injected slowdown is not seen")
    return result


if __name__ == "__main__":
    sys.exit(program.main("relay", measure))
