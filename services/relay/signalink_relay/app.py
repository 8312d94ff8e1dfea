"""The composition root: builds every client, starts the relay when Postgres is there, says what is ready, drains.

Starts in any order: without Postgres, Kafka or Redis the process lives and is not ready (Redis: degraded), and tries
again. Stopping finishes the batch in hand (10 s at most), gives the leases back, then closes what it opened.
"""

import asyncio

from signalink_core import bus
from signalink_core.database.pool import Pool, open_pool
from signalink_core.internal import InternalServer
from signalink_core.kafka.producer import KafkaProducer
from signalink_core.lifecycle import Lifecycle, full_jitter, until_stopped
from signalink_core.log import outbox
from signalink_core.log.copies import Copies
from signalink_core.log.heads import Heads
from signalink_core.log.relay import OutboxRelay
from signalink_core.readiness import Readiness
from signalink_core.telemetry import logging
from signalink_relay.settings import SERVICE, Settings

POOL_SIZE = 4
"""The turn, the leases, the heads, the copies: one connection each."""
REDIS_CHECK_SECONDS = 1.0

log = logging.get_logger(__name__)


class RelayProcess(Lifecycle):
    """All parts of one relay process; `port` is the internal one."""

    def __init__(self, settings: Settings) -> None:
        super().__init__()
        self._settings = settings
        self.readiness = Readiness(("postgres", "log", "kafka", "redis"))
        self.readiness.set("topics", "ok")
        self._internal = InternalServer(settings.process, self.readiness)

    @property
    def port(self) -> int:
        return self._internal.port

    async def _start(self) -> None:
        await self.enter(self._internal)
        self._publisher = await self.enter(bus.Publisher(self._settings.redis))
        self._wake = await self.enter(bus.Wake(self._settings.redis))
        node = self._settings.process.node
        self._producer = await self.enter(KafkaProducer(self._settings.kafka, client_id=node))
        self._copier = await self.enter(KafkaProducer(self._settings.kafka, client_id=f"{node}-copies"))
        self.spawn(self._follow_log(), "relay-process")
        self.spawn(self._watch_redis(), "redis-watch")
        self.readiness.start()

    async def _stop(self) -> None:
        self.readiness.drain()

    async def _follow_log(self) -> None:
        """Runs until a part crashes, which ends the process: its supervisor starts a fresh one."""
        pool = await self.enter(await self._pool())
        relay = OutboxRelay(
            pool,
            self._producer,
            node=self._settings.process.node,
            wake=self._wake,
            report=self.readiness.set,
        )
        parts: list[Lifecycle] = [
            Heads(pool, self._publisher.publish_heads),
            relay,
            Copies(pool, self._copier, relay.leases, report=self.readiness.set),
        ]
        for part in parts:
            await self.enter(part)
        crashed, _ = await asyncio.wait({part.failed for part in parts}, return_when=asyncio.FIRST_COMPLETED)
        raise crashed.pop().result()

    async def _pool(self) -> Pool:
        attempt = 0
        while True:
            try:
                return await open_pool(self._settings.postgres, max_size=POOL_SIZE)
            except outbox.ERRORS as error:
                attempt += 1
                self.readiness.set("postgres", "down", repr(error))
                await asyncio.sleep(full_jitter(attempt, cap=2.0))

    async def _watch_redis(self) -> None:
        while True:
            connected = self._publisher.connected
            self.readiness.set(
                "redis", "ok" if connected else "degraded", "" if connected else "heads are not published"
            )
            await asyncio.sleep(REDIS_CHECK_SECONDS)


async def serve(settings: Settings, stop: asyncio.Event) -> None:
    """Run until `stop` is set; raises what crashed a part."""
    async with RelayProcess(settings) as relay:
        await until_stopped(stop, relay)


async def main(stop: asyncio.Event) -> None:
    """What `process.run` runs."""
    log.info("relay_starting", service=SERVICE)
    await serve(Settings.from_env(), stop)
