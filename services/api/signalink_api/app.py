"""Composition root of the api: the only place where clients, pools and services are built.

`Api` is the whole service with its two ports; `create_app` alone is what the ports' tests and the OpenAPI document use.
"""

import asyncio
from collections.abc import Callable
from contextlib import aclosing

from fastapi import FastAPI
from fastapi.routing import APIRoute
from redis.asyncio import Redis

from signalink_api import addresses
from signalink_api.admin import endpoints as admin_endpoints
from signalink_api.admin.service import AdminService
from signalink_api.auth import endpoints as auth_endpoints
from signalink_api.auth.passwords import Passwords
from signalink_api.auth.refresh import RefreshTokens
from signalink_api.auth.service import AuthService
from signalink_api.blocks import endpoints as block_endpoints
from signalink_api.blocks.service import BlockService
from signalink_api.channels import endpoints as channel_endpoints
from signalink_api.channels.service import ChannelService
from signalink_api.database import Database
from signalink_api.devices import endpoints as device_endpoints
from signalink_api.devices.service import DeviceService
from signalink_api.messages import endpoints as message_endpoints
from signalink_api.messages import shortcut
from signalink_api.messages.service import MessageService
from signalink_api.page import Page
from signalink_api.parts import Parts
from signalink_api.problems import CATALOGUE
from signalink_api.settings import Settings
from signalink_api.tickets import endpoints as ticket_endpoints
from signalink_api.tickets.service import TicketService
from signalink_api.users import endpoints as user_endpoints
from signalink_api.users.service import UserService
from signalink_api.writer import MessageWriter
from signalink_core.auth.keys import KeyRing
from signalink_core.auth.service_tokens import ServiceTokenVerifier
from signalink_core.auth.tokens import TokenSigner, TokenVerifier
from signalink_core.bus import Publisher
from signalink_core.errors import ConfigurationError
from signalink_core.guard.asgi import App, Guard
from signalink_core.guard.limits import Limiter
from signalink_core.guard.rules import Rules
from signalink_core.http import HttpServer
from signalink_core.internal import InternalServer
from signalink_core.lifecycle import Lifecycle, until_stopped
from signalink_core.readiness import Readiness
from signalink_core.web import application, public
from signalink_core.web.cursors import CursorSigner
from signalink_core.web.revocations import DEPENDENCY as POSTGRES
from signalink_core.web.revocations import Revocations
from signalink_core.web.watch import DEPENDENCY as REDIS
from signalink_core.web.watch import RedisWatch

ROUTERS = (
    auth_endpoints.router,
    device_endpoints.router,
    block_endpoints.router,
    user_endpoints.router,
    channel_endpoints.router,
    channel_endpoints.direct,
    message_endpoints.router,
    ticket_endpoints.router,
    addresses.router,
    admin_endpoints.router,
    auth_endpoints.keys,
)


class Api(Lifecycle):
    """Everything between the two ports. Live without Postgres and Redis, ready when Postgres answers."""

    def __init__(self, settings: Settings) -> None:
        super().__init__()
        self.settings = settings
        self.readiness = Readiness([POSTGRES], own=())
        self.readiness.set(REDIS, "degraded", "not checked yet")
        self.keys = load_keys(settings)
        self.rules = Rules.of(settings.limits)
        self.database = Database(
            settings.postgres,
            connections=settings.api.read_connections,
            command_connections=settings.api.command_connections,
        )
        self.publisher = Publisher(settings.redis)
        self.writer = MessageWriter(settings.postgres, on_committed=self.publisher.publish)
        self.limiter = Limiter(settings.redis, replicas=settings.api.replicas)
        self.passwords = Passwords()
        self.revocations = Revocations(settings.postgres, self.readiness)
        self.asgi: App | None = None

    async def _start(self) -> None:
        redis = await self.enter(aclosing(self.settings.redis.client(max_connections=8)))
        for part in (
            self.database,
            self.publisher,
            self.limiter,
            self.passwords,
            self.revocations,
            RedisWatch(redis, self.readiness),
            self.writer,
        ):
            await self.enter(part)
        parts = self._parts(redis)
        app = create_app(parts)
        self.asgi = guarded(shortcut.PostShortcut(app, parts, _route_of_posts()), self.settings, self.limiter)

    def _parts(self, redis: Redis) -> Parts:
        settings, secret = self.settings, self.settings.server_secret()
        signer = TokenSigner(self.keys, settings.auth.issuer)
        return Parts(
            keys=self.keys,
            verifier=TokenVerifier(self.keys, settings.auth.issuer),
            revocations=self.revocations,
            limiter=self.limiter,
            rules=self.rules,
            origins=settings.edge.ws_origins,
            secure_cookies=public.over_tls(settings.edge.api_url),
            auth=self._auth(signer, RefreshTokens(secret)),
            users=UserService(self.database, self.limiter, self.rules),
            devices=DeviceService(self.database),
            blocks=BlockService(self.database),
            addresses=addresses.Addresses(
                gateway=settings.edge.gateway_url,
                analytics=settings.edge.analytics_url or None,
                notifications=settings.edge.notifications_url or None,
            ),
            admin=AdminService(
                self.database, ServiceTokenVerifier(self.keys, settings.auth.issuer), self.publisher.publish
            ),
            channels=ChannelService(self.database, CursorSigner(secret), self.publisher.publish),
            messages=MessageService(
                database=self.database,
                writer=self.writer,
                limiter=self.limiter,
                rules=self.rules,
                publish=self.publisher.publish,
                body_characters=settings.api.body_characters,
            ),
            tickets=TicketService(
                redis, signer, origins=settings.edge.ws_origins, gateway_url=settings.edge.gateway_url
            ),
        )

    def _auth(self, signer: TokenSigner, tokens: RefreshTokens) -> AuthService:
        return AuthService(
            database=self.database,
            hasher=self.passwords,
            signer=signer,
            tokens=tokens,
            revocations=self.revocations,
            limiter=self.limiter,
            rules=self.rules,
            hint=self.publisher.hint_revocations,
            refresh_days=self.settings.api.refresh_days,
            grace_seconds=self.settings.api.reuse_grace_seconds,
        )


async def serve(settings: Settings, stop: asyncio.Event, *, started: Callable[[int, int], None] | None = None) -> None:
    """Run both ports until `stop`, then drain: not ready, stop accepting, finish, flush. `started` gets the ports."""
    api = Api(settings)
    async with InternalServer(settings.process, api.readiness) as internal, api:
        assert api.asgi is not None  # noqa: S101 - set by a start that succeeded
        public = HttpServer(api.asgi, host=settings.process.host, port=settings.process.http_port)
        async with public:
            api.readiness.start()
            if started is not None:
                started(public.port, internal.port)
            await until_stopped(stop, api.writer, api.publisher, api.revocations)
            api.readiness.drain()


def create_app(parts: Parts | None = None) -> FastAPI:
    """The routes. Without `parts` it can only describe itself."""
    return application.make(
        title="Signalink API",
        version="1.0.0",
        description="Accounts, channels and messages of Signalink. Errors are RFC 9457 problem documents.",
        routers=ROUTERS,
        catalogue=CATALOGUE,
        parts=parts,
    )


def routes() -> list[APIRoute]:
    """Every public route, in the order they are matched."""
    return application.routes_of(ROUTERS)


def _route_of_posts() -> APIRoute:
    return next(route for route in routes() if route.endpoint is message_endpoints.post)


def guarded(app: App, settings: Settings, limiter: Limiter) -> App:
    """The app as the public port serves it: guard outside, then the page, then CORS with its list, then the routes."""
    edge, api = settings.edge, settings.api
    policy = public.policy(
        edge,
        settings.limits,
        url=edge.api_url,
        hosts=api.hosts,
        trusted_proxies=api.trusted_proxies,
        defers=shortcut.is_post,
    )
    spoken_to = [url for url in (edge.gateway_url, edge.analytics_url, edge.notifications_url) if url]
    paged = Page(public.cors(app, edge.ws_origins), folder=api.ui_dir, speaks_to=spoken_to)
    return Guard(paged, policy=policy, limits=limiter)


def load_keys(settings: Settings) -> KeyRing:
    if settings.auth.keys_dir is None:
        raise ConfigurationError(
            "Setting SIGNALINK_AUTH_KEYS_DIR is missing.",
            next_step="name the folder of the Ed25519 signing keys (<kid>.pem).",
        )
    return KeyRing.load(settings.auth.keys_dir)
