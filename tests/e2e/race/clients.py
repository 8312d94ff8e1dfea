"""One process of a race: `python clients.py` with its orders as a JSON line on stdin, then `go`.

`post` posts one message over REST; `storm` writes batches to Postgres as the api's role; `relay` runs a relay until
stdin ends, the product's or the one with the mistake that the race must catch. Answers are JSON lines on stdout.
"""

import asyncio
import random
import sys
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, ClassVar
from uuid import UUID

import httpx
import orjson
from batches import POST, command

from signalink_core.client import ApiClient
from signalink_core.database import pool
from signalink_core.kafka.producer import KafkaProducer
from signalink_core.log import outbox
from signalink_core.log.relay import OutboxRelay
from signalink_core.settings import KafkaSettings, PostgresSettings


class ByIdRelay(OutboxRelay):
    """The mistake: `id > last` instead of the snapshot rule. A row whose transaction commits late is never read."""

    READ: ClassVar[str] = outbox.READ.replace(
        "AND (e.epoch, e.xid, e.id) > (c.epoch, c.xid, c.event_id) AND (e.epoch, e.xid) < (s.current_epoch, s.xmin)",
        "AND e.id > c.event_id",
    ).replace("ORDER BY e.epoch, e.xid, e.id", "ORDER BY e.id")

    async def _empty(self, held: dict[int, int], end: outbox.Place) -> None:
        """It knows no snapshot."""


RELAYS: dict[str, type[OutboxRelay]] = {"product": OutboxRelay, "by-id": ByIdRelay}


async def post(orders: Mapping[str, Any]) -> None:
    async with httpx.AsyncClient(timeout=15, trust_env=False) as http:
        client = ApiClient(orders["api"], http=http)
        await client.login(orders["username"], orders["password"])
        await ready()
        posted = await client.post_message(orders["channel"], orders["body"], client_id=orders["client_id"])
        tell(id=posted.id, seq=posted.seq, epoch=posted.epoch, replayed=posted.replayed)


async def storm(orders: Mapping[str, Any]) -> None:
    chance = random.Random(orders["seed"])
    channels, owner = [UUID(channel) for channel in orders["channels"]], UUID(orders["owner"])
    connection = await pool.connect(PostgresSettings(**orders["postgres"]))
    await ready()
    for _ in range(orders["rounds"]):
        targets = channels if chance.random() < 0.2 else [chance.choice(channels)]
        if chance.random() < 0.2:
            transaction = connection.transaction()
            await transaction.start()
            await connection.execute(POST, command(owner, *targets))
            await transaction.rollback()
        else:
            await connection.execute(POST, command(owner, *targets))
    await connection.close()
    tell(done=True)


async def relay(orders: Mapping[str, Any]) -> None:
    made = RELAYS[orders["variant"]]
    if orders["variant"] != "product" and made.READ.count("e.xid") >= outbox.READ.count("e.xid"):
        raise RuntimeError("the mistake is not in: the relay's statement has changed, so must this program")
    connections = await pool.open_pool(PostgresSettings(**orders["postgres"]), max_size=4)
    producer = KafkaProducer(KafkaSettings(**orders["kafka"]))
    async with connections, producer, made(connections, producer, node=f"race-{orders['variant']}"):
        await ready()
        await line()
    tell(done=True)


async def line() -> bytes:
    return await asyncio.to_thread(sys.stdin.buffer.readline)


async def ready() -> None:
    """Say so and wait for the start."""
    tell(ready=True)
    await line()


def tell(**answer: Any) -> None:
    sys.stdout.buffer.write(orjson.dumps(answer) + b"\n")
    sys.stdout.buffer.flush()


PARTS: dict[str, Callable[[Mapping[str, Any]], Awaitable[None]]] = {"post": post, "storm": storm, "relay": relay}


async def main() -> None:
    orders = orjson.loads(await line())
    await PARTS[orders["part"]](orders)


if __name__ == "__main__":
    asyncio.run(main())
