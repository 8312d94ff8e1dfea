"""A planner with its outbox's relay in a process of its own, to be killed: orders are one line on standard input."""

import asyncio
import signal
import sys
from dataclasses import replace
from datetime import timedelta
from typing import Any

import orjson

from signalink_core import faults
from signalink_core.database.pool import open_pool
from signalink_core.kafka.producer import KafkaProducer
from signalink_core.log.relay import OutboxRelay
from signalink_core.settings import KafkaSettings, PostgresSettings
from signalink_notifications import SCHEMA
from signalink_notifications.planner import planner
from signalink_notifications.planner.rules import Policy

POLICY = Policy(timedelta(minutes=10), digest_minutes=15, digest_after=3, oldest=timedelta(hours=24))


async def run(orders: dict[str, Any]) -> None:
    """Plan until killed or told to stop."""
    kafka = KafkaSettings(**orders["kafka"])
    pool = await open_pool(PostgresSettings(**orders["postgres"]), max_size=8)
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    faults.here.enabled = True
    for fault in orders["faults"]:
        faults.here.put(fault)
    async with KafkaProducer(kafka) as producer:
        consumer = planner.consumer(
            kafka,
            pool,
            producer,
            policy=POLICY,
            node="planning",
            report=lambda *_: None,
            limits=replace(planner.LIMITS, batch_records=orders["batch"]),
        )
        async with consumer, OutboxRelay(pool, producer, node="planning", schema=SCHEMA):
            await stop.wait()
    await pool.close()


if __name__ == "__main__":
    asyncio.run(run(orjson.loads(sys.stdin.readline())))
