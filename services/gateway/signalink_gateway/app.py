"""Builds the gateway from settings and runs it: the only place where its clients are made.

The public port serves the socket and tells everything else where it is; health, metrics and faults are on the internal
one. The process starts in any order: without Postgres it is not ready, without Redis it is ready and degraded.
"""

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass, field
from typing import Any, Self

from signalink_core import ids, lifecycle
from signalink_core.auth.jwks import JwksClient
from signalink_core.auth.tokens import TokenVerifier
from signalink_core.bus import Subscriber
from signalink_core.bus.keys import canary_key
from signalink_core.errors import ConfigurationError, NotFound, SignalinkError
from signalink_core.guard import controls
from signalink_core.guard.asgi import Guard, Policy
from signalink_core.guard.limits import Limiter
from signalink_core.guard.rules import Rules
from signalink_core.http import HttpServer
from signalink_core.internal import InternalServer
from signalink_core.kafka.producer import KafkaProducer
from signalink_core.readiness import Readiness
from signalink_core.settings import (
    AuthSettings,
    EdgeSettings,
    KafkaSettings,
    LimitSettings,
    PostgresSettings,
    ProcessSettings,
    RedisSettings,
)
from signalink_gateway import drain, handshake, inspection
from signalink_gateway.canary import Canary, Place
from signalink_gateway.forwarding import Forwarder
from signalink_gateway.gateway import PING_SECONDS, Gateway, Parts
from signalink_gateway.heads import Heads
from signalink_gateway.identity import Identity
from signalink_gateway.people import People
from signalink_gateway.presence import Timing
from signalink_gateway.protocol import protocol_for
from signalink_gateway.reads import LogReads
from signalink_gateway.recovery import Recovery

Message = MutableMapping[str, Any]
TOKENS_REMEMBERED = 500
"""A socket shows its token once; the memory of an api would only hold what the sessions hold already."""


@dataclass(frozen=True, slots=True)
class Settings:
    process: ProcessSettings
    postgres: PostgresSettings
    redis: RedisSettings
    auth: AuthSettings
    edge: EdgeSettings
    limits: LimitSettings
    kafka: KafkaSettings | None = None
    """Presence transitions go there; without it they are not published."""
    ping_seconds: float = PING_SECONDS
    presence: Timing = field(default_factory=Timing)

    @classmethod
    def from_env(cls) -> Self:
        settings = cls(
            process=ProcessSettings.from_env(),
            postgres=PostgresSettings.from_env(),
            redis=RedisSettings.from_env(),
            auth=AuthSettings.from_env(),
            edge=EdgeSettings.from_env(),
            limits=LimitSettings.from_env(),
            kafka=KafkaSettings.from_env_if_set(),
        )
        if not settings.edge.ws_origins:
            raise ConfigurationError(
                "No origin may open a socket: SIGNALINK_WS_ORIGINS is empty.",
                next_step="set it to the exact origins of the pages, as http://127.0.0.1:8000.",
            )
        return settings


class GatewayServer(HttpServer):
    """The public port, which can stop accepting long before its sockets end."""

    async def stop_accepting(self) -> None:
        if self._server is not None:
            for server in self._server.servers:
                server.close()


async def elsewhere(scope: Message, receive: Callable[[], Awaitable[Message]], send: object) -> None:
    """ASGI: plain HTTP on the public port."""
    if scope["type"] == "http":
        raise NotFound("Only a WebSocket is served here.", next_step=f"connect to {handshake.PATH} as a WebSocket.")


class App(lifecycle.Lifecycle):
    """A whole gateway in this process. `drain` before `stop` spares the clients a surprise."""

    def __init__(self, settings: Settings) -> None:
        super().__init__()
        process = settings.process.named("gateway")
        self.readiness = Readiness(["postgres", "redis"], own=("canary",))
        self.gateway = Gateway(
            node=process.node,
            limits=settings.limits,
            origins=settings.edge.ws_origins,
            hosts=controls.hosts_of(settings.edge.gateway_url) | {host.lower() for host in settings.edge.gateway_hosts},
            ping_seconds=settings.ping_seconds,
        )
        self.reads = LogReads(settings.postgres, self.readiness)
        self.recovery = Recovery(self.reads)
        self.jwks = JwksClient(settings.auth.jwks_url)
        self.limiter = Limiter(settings.redis)
        self.identity = Identity(
            settings.redis,
            TokenVerifier(self.jwks, settings.auth.issuer, remembered=TOKENS_REMEMBERED),
            self.reads,
            revoked=self.gateway.revoked,
        )
        self.forwarder = Forwarder(settings.edge.api_url)
        self.producer = None if settings.kafka is None else KafkaProducer(settings.kafka, client_id=process.node)
        self.people = People(
            node=process.node,
            redis=settings.redis,
            reads=self.reads,
            hub=self.recovery.hub,
            producer=self.producer,
            timing=settings.presence,
        )
        canary = canary_key(ids.uuid7().hex)
        self.bus = Subscriber(
            settings.redis,
            on_event=self.recovery.hub.on_event,
            on_heads=self.recovery.hub.on_heads,
            on_attached=lambda channel_id: self.heads.attached(channel_id),
            on_lost=lambda: self.heads.lost(),
            on_revocations=self.identity.hint,
            on_presence=self.people.presence.hear,
            on_following=self.people.presence.following,
            on_typing=self.people.typing.hear,
            canary=(canary, lambda payload: self.canary.hear(payload)),
        )
        self.heads = Heads(self.recovery, self.readiness, self.bus)
        self.recovery.hub.bus = self.bus
        self.gateway.assemble(Parts(self.recovery, self.identity, self.forwarder, self.limiter, self.people))
        policy = Policy(Rules.of(settings.limits), settings.edge.ws_origins, self.gateway.hosts)
        guarded = Guard(elsewhere, policy=policy, limits=self.limiter)
        self.server = GatewayServer(guarded, host=process.host, port=process.http_port, ws=protocol_for(self.gateway))
        self.canary = Canary(
            self.gateway,
            settings.redis,
            self.readiness,
            key=canary,
            place=lambda: Place(process.host, self.server.port, settings.edge.gateway_url, settings.edge.ws_origins[0]),
        )
        views = {"channel": inspection.channel_view(process.node, self.recovery.hub)}
        self.internal = InternalServer(process, self.readiness, views)

    async def _start(self) -> None:
        if self.producer is not None:
            await self.enter(self.producer)
        parts = (
            self.internal, self.reads, self.jwks, self.limiter, self.forwarder, self.recovery, self.identity,
            self.people, self.bus, self.heads, self.gateway, self.server, self.canary,
        )  # fmt: skip
        for part in parts:
            await self.enter(part)
        self.readiness.start()

    @property
    def crashes(self) -> "list[asyncio.Future[BaseException]]":
        """Complete when a part that the others need has crashed."""
        return [
            part.failed for part in (self.bus, self.heads, self.identity, self.reads, self.gateway.wheel, self.canary)
        ]

    async def drain(self) -> None:
        await drain.drain(self.gateway, self.readiness, self.server.stop_accepting)


async def main(stop: asyncio.Event) -> None:
    """Serves until `stop` is set, then drains. A part that crashed ends the process, so that it is started anew."""
    async with App(Settings.from_env()) as app:
        stopping = asyncio.ensure_future(stop.wait())
        waited: list[asyncio.Future[Any]] = [stopping, *app.crashes]
        await asyncio.wait(waited, return_when=asyncio.FIRST_COMPLETED)
        await app.drain()
        if not stop.is_set():
            stopping.cancel()
            raise SignalinkError("A part of the gateway crashed; its error is in the log above.")
