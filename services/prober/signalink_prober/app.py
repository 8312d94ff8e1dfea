"""The composition root: builds every client and looks at everything at its own pace, until SIGTERM.

Ready as soon as it runs, with nothing else there: what it cannot see is what it is for. A part that crashes ends the
process, and its supervisor starts a fresh one; nothing is lost by that but figures.
"""

import asyncio
from typing import TypeVar

from signalink_core.internal import InternalServer
from signalink_core.lifecycle import Lifecycle, until_stopped
from signalink_core.readiness import Readiness
from signalink_core.telemetry import logging
from signalink_prober import backlog, engines, groups, reconciliation
from signalink_prober.bots import Bots
from signalink_prober.canary import Canary
from signalink_prober.database import Database
from signalink_prober.rounds import Rounds
from signalink_prober.settings import SERVICE, Settings

P = TypeVar("P", bound=Lifecycle)
log = logging.get_logger(__name__)


class Prober(Lifecycle):
    """All parts of one prober; `port` is the internal one."""

    def __init__(self, settings: Settings) -> None:
        super().__init__()
        self.readiness = Readiness()
        self._settings = settings
        self._internal = InternalServer(settings.process, self.readiness)
        self.parts: list[Lifecycle] = []

    @property
    def port(self) -> int:
        return self._internal.port

    async def _start(self) -> None:
        settings = self._settings
        await self.enter(self._internal)
        database = await self.enter(Database(settings.postgres))
        bots = await self._bots()
        redis = await self.enter(engines.RedisFigures(settings.redis))
        reconciled = await self._enter(reconciliation.Reconciliation(database, settings.kafka, bots))
        looks = (
            ("outbox", backlog.Backlog(database).look, backlog.EVERY_SECONDS),
            ("groups", groups.Groups(settings.kafka).look, groups.EVERY_SECONDS),
            ("postgres", engines.Postgres(database).look, engines.EVERY_SECONDS),
            ("redis", redis.look, engines.EVERY_SECONDS),
            ("reconciliation", reconciled.look, reconciliation.EVERY_SECONDS),
        )
        for name, look, every in looks:
            await self._enter(Rounds(name, look, every, self.readiness))
        self.readiness.start()

    async def _bots(self) -> Bots | None:
        settings = self._settings
        if settings.canary.seconds == 0:
            return None
        origin = settings.edge.ws_origins[0] if settings.edge.ws_origins else None
        bots = await self._enter(
            Bots(settings.canary.secret(), api_url=settings.edge.api_url, gateways=settings.gateways, origin=origin)
        )
        await self._enter(Canary(bots, self.readiness, settings.gateways, settings.canary.seconds))
        return bots

    async def _enter(self, part: P) -> P:
        self.parts.append(part)
        await self.enter(part)
        return part

    async def _stop(self) -> None:
        self.readiness.drain()


async def serve(settings: Settings, stop: asyncio.Event) -> None:
    """Run until `stop` is set; raises what crashed a part."""
    async with Prober(settings) as prober:
        await until_stopped(stop, *prober.parts)


async def main(stop: asyncio.Event) -> None:
    """What `process.run` runs."""
    log.info("prober_starting", service=SERVICE)
    await serve(Settings.from_env(), stop)
