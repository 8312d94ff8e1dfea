"""The public port of this service: who may knock, who calls, and the figures behind the routes.

Builds from settings what the endpoints need; `app` decides when it starts and on which port `asgi` is served.
"""

from collections.abc import Callable
from contextlib import aclosing
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, Final, Self

import httpx
from pydantic import Field, field_validator
from pydantic_settings import NoDecode, SettingsConfigDict

from signalink_analytics.lag import Lag
from signalink_analytics.parts import Parts
from signalink_analytics.ranges import Kept
from signalink_analytics.reading import Reading
from signalink_analytics.routes import create_app
from signalink_analytics.service import AskLag, FigureService
from signalink_analytics.settings import Retention
from signalink_core.auth.jwks import JwksClient
from signalink_core.auth.tokens import TokenVerifier
from signalink_core.clock import utc_now
from signalink_core.errors import ConfigurationError
from signalink_core.guard.asgi import App
from signalink_core.guard.controls import Network, networks
from signalink_core.guard.limits import Limiter
from signalink_core.guard.rules import Rules
from signalink_core.lifecycle import Lifecycle
from signalink_core.readiness import Readiness
from signalink_core.settings import (
    PREFIX,
    AuthSettings,
    EdgeSettings,
    KafkaSettings,
    LimitSettings,
    PostgresSettings,
    RedisSettings,
    SettingsGroup,
    read_secret,
)
from signalink_core.web import public
from signalink_core.web.cursors import CursorSigner
from signalink_core.web.revocations import Revocations
from signalink_core.web.watch import DEPENDENCY as REDIS
from signalink_core.web.watch import RedisWatch

SECRET_BYTES: Final = 32
DEFAULT_URL: Final = "http://127.0.0.1:8003"


class PublicSettings(SettingsGroup):
    """What only the public port knows."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX + "ANALYTICS_",
        env_ignore_empty=True,
        frozen=True,
        extra="ignore",
        use_attribute_docstrings=True,
    )

    secret_file: Path | None = None
    """File of at least 32 bytes that sign cursors; the same on every process."""
    read_connections: Annotated[int, Field(ge=1, le=100)] = 4
    """Postgres connections for what people ask; the consumer has its own."""
    replicas: Annotated[int, Field(ge=1)] = 1
    """Processes of analytics; divides the limits while Redis is away."""
    hosts: Annotated[tuple[str, ...], NoDecode] = ()
    """Comma list of further host names this service is reached by, besides that of its address and loopback."""
    trusted_proxies: Annotated[tuple[Network, ...], NoDecode] = ()
    """Comma list of networks whose X-Forwarded-For is believed."""

    @field_validator("hosts", mode="before")
    @classmethod
    def _split(cls, value: Any) -> Any:
        return tuple(part.strip().lower() for part in value.split(",")) if isinstance(value, str) else value

    @field_validator("trusted_proxies", mode="before")
    @classmethod
    def _parse(cls, value: Any) -> Any:
        return networks(value) if isinstance(value, str) else value

    def secret(self) -> bytes:
        """The key of cursors; ConfigurationError when it is missing or short."""
        found = (read_secret(self.secret_file, "analytics") or "").encode()
        if len(found) < SECRET_BYTES:
            raise ConfigurationError(
                f"Setting SIGNALINK_ANALYTICS_SECRET_FILE names no file of at least {SECRET_BYTES} bytes.",
                next_step=f"write {SECRET_BYTES} random characters to a file (mode 0600) and name it.",
            )
        return found


@dataclass(frozen=True, slots=True)
class PublicGroups:
    """The groups of settings that the public port is built from."""

    postgres: PostgresSettings
    redis: RedisSettings
    kafka: KafkaSettings
    auth: AuthSettings
    edge: EdgeSettings
    limits: LimitSettings
    retention: Retention
    public: PublicSettings

    @classmethod
    def from_env(cls) -> Self:
        """Raises ConfigurationError naming the key."""
        return cls(
            postgres=PostgresSettings.from_env(),
            redis=RedisSettings.from_env(),
            kafka=KafkaSettings.from_env(),
            auth=AuthSettings.from_env(),
            edge=EdgeSettings.from_env(),
            limits=LimitSettings.from_env(),
            retention=Retention.from_env(),
            public=PublicSettings.from_env(),
        )

    @property
    def url(self) -> str:
        return self.edge.analytics_url or DEFAULT_URL

    @property
    def kept(self) -> Kept:
        days = self.retention
        return {
            "1m": timedelta(days=days.keep_minutes_days),
            "1h": timedelta(days=days.keep_hours_days),
            "1d": timedelta(days=days.keep_days_days),
        }


class PublicSide(Lifecycle):
    """`asgi` is what the public port serves, after the start. It sets `postgres` and `redis` of the readiness.

    `api`: how the signing keys are fetched, `lag` and `now`: seams of tests.
    """

    def __init__(
        self,
        groups: PublicGroups,
        readiness: Readiness,
        *,
        api: httpx.AsyncBaseTransport | None = None,
        lag: AskLag | None = None,
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        super().__init__()
        self._groups, self._readiness = groups, readiness
        readiness.set(REDIS, "degraded", "not checked yet")
        self._secret = groups.public.secret()
        self._lag, self._now = lag or Lag(groups.kafka).now, now
        self._keys = JwksClient(groups.auth.jwks_url, transport=api)
        self._reading = Reading(groups.postgres, connections=groups.public.read_connections)
        self._limiter = Limiter(groups.redis, replicas=groups.public.replicas)
        self.revocations = Revocations(groups.postgres, readiness)
        self.asgi: App | None = None

    async def _start(self) -> None:
        groups = self._groups
        redis = await self.enter(aclosing(groups.redis.client(max_connections=2)))
        watch = RedisWatch(redis, self._readiness)
        for part in (self._keys, self._reading, self._limiter, self.revocations, watch):
            await self.enter(part)
        policy = public.policy(
            groups.edge,
            groups.limits,
            url=groups.url,
            hosts=groups.public.hosts,
            trusted_proxies=groups.public.trusted_proxies,
        )
        self.asgi = public.guarded(create_app(self._parts()), policy, self._limiter)

    def _parts(self) -> Parts:
        groups = self._groups
        return Parts(
            verifier=TokenVerifier(self._keys, groups.auth.issuer),
            revocations=self.revocations,
            limiter=self._limiter,
            rules=Rules.of(groups.limits),
            figures=FigureService(
                self._reading,
                CursorSigner(self._secret),
                kept=groups.kept,
                presence_kept=timedelta(days=groups.retention.keep_presence_days),
                lag=self._lag,
                now=self._now,
            ),
        )
