"""The composition root: builds every client, starts planner, relay and dispatcher when Postgres is there, serves
preferences, says what is ready, drains.

Starts in any order: without Postgres or Kafka the process lives and is not ready, without Redis it is degraded.
Stopping finishes requests and batches in hand, gives the relay's leases back, leaves the groups, closes what it opened.
"""

import asyncio
from collections.abc import Callable
from contextlib import aclosing

from signalink_core.auth.jwks import JwksClient
from signalink_core.auth.tokens import TokenVerifier
from signalink_core.database.pool import Pool
from signalink_core.guard.limits import Limiter
from signalink_core.guard.rules import Rules
from signalink_core.http import HttpServer
from signalink_core.internal import InternalServer
from signalink_core.kafka.lanes import Report
from signalink_core.kafka.producer import KafkaProducer
from signalink_core.lifecycle import Lifecycle, until_stopped
from signalink_core.log.relay import OutboxRelay
from signalink_core.readiness import Readiness, State
from signalink_core.telemetry import logging
from signalink_core.web.cursors import CursorSigner
from signalink_core.web.edge import Revoked
from signalink_core.web.revocations import DEPENDENCY as POSTGRES
from signalink_core.web.revocations import Revocations
from signalink_core.web.watch import RedisWatch
from signalink_notifications import SCHEMA, public
from signalink_notifications.database import Database
from signalink_notifications.dispatcher import DISPATCHER, Dispatcher
from signalink_notifications.egress import Egress, Resolver, SystemResolver
from signalink_notifications.history.service import HistoryService
from signalink_notifications.mutes.service import MuteService
from signalink_notifications.parts import Parts
from signalink_notifications.planner import planner
from signalink_notifications.planner.presence import Absent
from signalink_notifications.preferences.service import PreferenceService
from signalink_notifications.settings import SERVICE, Settings
from signalink_notifications.unsubscribe.links import UnsubscribeLinks

OUTBOX, PLANNER = "outbox", "planner"
"""Before the names of what each depends on."""
REDIS_CONNECTIONS = 4
log = logging.get_logger(__name__)


class Notifications(Lifecycle):
    """All parts of one process between its two ports."""

    def __init__(self, settings: Settings) -> None:
        super().__init__()
        settings.delivery.check(settings.process)
        self.settings = settings
        self.readiness = Readiness(
            (POSTGRES, f"{OUTBOX}_kafka", f"{OUTBOX}_log", f"{PLANNER}_kafka", f"{DISPATCHER}_kafka"), own=()
        )
        self.database = Database(settings.postgres, connections=settings.notifications.connections)
        self.producer = KafkaProducer(settings.kafka, client_id=settings.process.node)
        self.keys = JwksClient(settings.auth.jwks_url)
        self.limiter = Limiter(settings.redis, replicas=settings.notifications.replicas)
        self.absent = Absent(settings.redis, settings.process.node)
        self.revocations = Revocations(settings.postgres, self.readiness)
        verifier = TokenVerifier(self.keys, settings.auth.issuer)
        self.parts = parts_of(settings, self.database, verifier, self.revocations, self.limiter)
        app = public.guarded(public.create_app(self.parts), settings, self.limiter)
        self._public = HttpServer(app, host=settings.process.host, port=settings.process.http_port)
        self._internal = InternalServer(settings.process, self.readiness)

    @property
    def ports(self) -> tuple[int, int]:
        """The public and the internal one."""
        return self._public.port, self._internal.port

    async def _start(self) -> None:
        await self.enter(self._internal)
        redis = await self.enter(aclosing(self.settings.redis.client(max_connections=REDIS_CONNECTIONS)))
        for part in (
            self.database,
            self.producer,
            self.keys,
            self.limiter,
            self.absent,
            self.revocations,
            RedisWatch(redis, self.readiness),
        ):
            await self.enter(part)
        self.spawn(self._work(), "notifications")
        await self.enter(self._public)
        self.readiness.start()

    async def _stop(self) -> None:
        self.readiness.drain()

    async def _work(self) -> None:
        """Runs until a part crashes, which ends the process: its supervisor starts a fresh one."""
        parts = self._workers(await self.database.pool())
        for part in parts:
            await self.enter(part)
        crashed, _ = await asyncio.wait({part.failed for part in parts}, return_when=asyncio.FIRST_COMPLETED)
        raise crashed.pop().result()

    def _workers(self, pool: Pool) -> list[Lifecycle]:
        """What works with Kafka."""
        node = self.settings.process.node
        return [
            planner.consumer(
                self.settings.kafka,
                pool,
                self.producer,
                policy=planner.policy_of(self.settings.notifications),
                node=node,
                report=reporting(self.readiness, PLANNER),
                absent=self.absent,
            ),
            OutboxRelay(pool, self.producer, node=node, schema=SCHEMA, report=reporting(self.readiness, OUTBOX)),
            Dispatcher(
                self.settings.delivery,
                self.settings.kafka,
                pool,
                self.producer,
                self.readiness,
                node=node,
                unsubscribe=self.parts.links.of,
            ),
        ]


def parts_of(
    settings: Settings,
    database: Database,
    verifier: TokenVerifier,
    revocations: Revoked,
    limiter: Limiter,
    resolver: Resolver | None = None,
) -> Parts:
    """What the public routes need. `resolver`: of webhooks; the system's without one."""
    own = settings.notifications
    secret = own.secret()
    egress = Egress(resolver or SystemResolver(), settings.delivery.webhook.allow)
    return Parts(
        verifier=verifier,
        revocations=revocations,
        limiter=limiter,
        rules=Rules.of(settings.limits),
        preferences=PreferenceService(
            database, egress, time_zone=own.default_time_zone, digest_minutes=own.digest_minutes
        ),
        mutes=MuteService(database),
        history=HistoryService(database, CursorSigner(secret)),
        links=UnsubscribeLinks(secret, own.url),
    )


def reporting(readiness: Readiness, part: str) -> Report:
    """Several parts speak of one Kafka: each sets a name of its own, so that none hides what another sees."""

    def report(dependency: str, state: State, detail: str) -> None:
        readiness.set(f"{part}_{dependency}", state, detail)

    return report


async def serve(
    settings: Settings, stop: asyncio.Event, *, started: Callable[[Notifications], None] | None = None
) -> None:
    """Run until `stop` is set; raises what crashed a part."""
    async with Notifications(settings) as process:
        if started is not None:
            started(process)
        await until_stopped(stop, process, process.revocations)


async def main(stop: asyncio.Event) -> None:
    """What `process.run` runs."""
    log.info("notifications_starting", service=SERVICE)
    await serve(Settings.from_env(), stop)
