"""One consumer in a process of its own, to be killed: `python member.py`, its orders one line on standard input."""

import asyncio
import signal
import sys
from typing import Any

import orjson

from signalink_core import faults
from signalink_core.database.pool import open_pool
from signalink_core.kafka.consumer import ConsumerLimits, KafkaConsumerManager
from signalink_core.kafka.delivery import Batch
from signalink_core.kafka.offsets import PostgresOffsets
from signalink_core.kafka.producer import KafkaProducer
from signalink_core.settings import KafkaSettings, PostgresSettings


async def run(orders: dict[str, Any]) -> None:
    """Consume until killed or told to stop. A body that begins with `poison` fails, unless the effect is `fixed`."""
    schema, group = orders["schema"], orders["group"]
    kafka = KafkaSettings(**orders["kafka"])
    pool = await open_pool(PostgresSettings(**orders["postgres"]), max_size=6)

    async def effect(tx: Any, batch: Batch) -> None:
        for delivered in batch.events:
            delivered.data()
            body = str(delivered.event.data.get("body", delivered.event.type))
            if body.startswith("poison") and not orders.get("fixed"):
                raise ValueError(body)
            await tx.execute(
                f"INSERT INTO {schema}.effects VALUES (DEFAULT, $1, $2, $3)", group, body, delivered.event.id
            )

    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    faults.here.enabled = True
    for fault in orders["faults"]:
        faults.here.put(fault)
    async with (
        KafkaProducer(kafka) as letters,
        KafkaConsumerManager(
            kafka,
            group=group,
            topics=orders["topics"],
            apply=effect,
            store=PostgresOffsets(pool, schema, group),
            dead_letters=letters,
            node="member",
            limits=ConsumerLimits(batch_records=orders["batch"]),
        ),
    ):
        await stop.wait()
    await pool.close()


if __name__ == "__main__":
    asyncio.run(run(orjson.loads(sys.stdin.readline())))
