"""The composition root: builds every client, counts when Postgres is there, keeps, serves, says what is ready, drains.

Starts in any order: without Postgres or Kafka the process lives and is not ready, and tries again. Stopping finishes
the batches in hand, gives their partitions back, leaves the group, then closes what it opened.
"""

import asyncio
from collections.abc import Callable

from signalink_analytics import GROUP, SCHEMA, database
from signalink_analytics.effect import WindowEffect
from signalink_analytics.keeper import TOPICS, Keeper
from signalink_analytics.marks import Rules
from signalink_analytics.public import PublicGroups, PublicSide
from signalink_analytics.settings import SERVICE, Settings, WindowSettings
from signalink_core.database.pool import Pool
from signalink_core.http import HttpServer
from signalink_core.internal import InternalServer
from signalink_core.kafka.consumer import ConsumerLimits, KafkaConsumerManager
from signalink_core.kafka.offsets import PostgresOffsets
from signalink_core.kafka.producer import KafkaProducer
from signalink_core.lifecycle import Lifecycle, until_stopped
from signalink_core.readiness import Readiness
from signalink_core.telemetry import logging

log = logging.get_logger(__name__)


class Analytics(Lifecycle):
    """All parts of one process between its ports. Without `public` it counts and serves no figures."""

    def __init__(self, settings: Settings, public: PublicGroups | None = None) -> None:
        super().__init__()
        self.settings = settings
        self.readiness = Readiness(("postgres", "kafka"), own=None if public is None else ())
        self.letters = KafkaProducer(settings.kafka, client_id=settings.process.node)
        self.effect = WindowEffect(rules_of(settings.windows))
        self._internal = InternalServer(settings.process, self.readiness)
        self.public = None if public is None else PublicSide(public, self.readiness)
        self._figures: HttpServer | None = None

    @property
    def port(self) -> int:
        """The internal one."""
        return self._internal.port

    @property
    def public_port(self) -> int | None:
        """Where the figures are served."""
        return None if self._figures is None else self._figures.port

    async def _start(self) -> None:
        await self.enter(self._internal)
        await self.enter(self.letters)
        self.spawn(self._work(), "analytics")
        if self.public is not None:
            await self.enter(self.public)
            process = self.settings.process
            self._figures = HttpServer(self.public.asgi, host=process.host, port=process.http_port)
            await self.enter(self._figures)
        self.readiness.start()

    async def _stop(self) -> None:
        self.readiness.drain()

    async def _work(self) -> None:
        """Runs until a part crashes, which ends the process: its supervisor starts a fresh one."""
        settings = self.settings
        concurrency = settings.windows.concurrency
        pool = await self.enter(await database.wait_for(settings.postgres, concurrency, self.readiness))
        parts: tuple[Lifecycle, ...] = (
            Keeper(pool, settings.kafka, self.effect, settings.windows, settings.retention),
            self._consumer(pool),
        )
        for part in parts:
            await self.enter(part)
        crashed, _ = await asyncio.wait({part.failed for part in parts}, return_when=asyncio.FIRST_COMPLETED)
        raise crashed.pop().result()

    def _consumer(self, pool: Pool) -> KafkaConsumerManager:
        settings = self.settings
        limits = ConsumerLimits(
            batch_records=settings.windows.batch_records,
            concurrency=settings.windows.concurrency,
            partition_bytes=settings.windows.fetch_bytes,
        )
        return KafkaConsumerManager(
            settings.kafka,
            group=GROUP,
            topics=TOPICS,
            apply=self.effect.apply,
            on_idle=self.effect.on_idle,
            store=PostgresOffsets(pool, SCHEMA, GROUP),
            dead_letters=self.letters,
            node=settings.process.node,
            limits=limits,
            report=self.readiness.set,
        )


def rules_of(windows: WindowSettings) -> Rules:
    return Rules(delay_ms=windows.delay_seconds * 1000, lateness_ms=windows.lateness_seconds * 1000)


async def serve(
    settings: Settings,
    stop: asyncio.Event,
    *,
    public: PublicGroups | None = None,
    started: Callable[[Analytics], None] | None = None,
) -> None:
    """Run until `stop` is set; raises what crashed a part."""
    async with Analytics(settings, public) as process:
        if started is not None:
            started(process)
        watched = () if process.public is None else (process.public.revocations,)
        await until_stopped(stop, process, *watched)


async def main(stop: asyncio.Event) -> None:
    """What `process.run` runs."""
    log.info("analytics_starting", service=SERVICE)
    await serve(Settings.from_env(), stop, public=PublicGroups.from_env())
