"""Everything a notifications process reads from its environment, in groups. The channels' keys are `delivery`'s."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Self
from zoneinfo import available_timezones

from pydantic import Field, field_validator
from pydantic_settings import NoDecode, SettingsConfigDict

from signalink_core.errors import ConfigurationError
from signalink_core.guard.controls import Network, networks
from signalink_core.settings import (
    PREFIX,
    AuthSettings,
    EdgeSettings,
    KafkaSettings,
    LimitSettings,
    PostgresSettings,
    ProcessSettings,
    RedisSettings,
    SettingsGroup,
    read_secret,
)
from signalink_notifications.delivery.settings import DeliverySettings

SERVICE = "notifications"
SECRET_CHARACTERS = 32
DEFAULT_URL = "http://127.0.0.1:8004"


class NotificationSettings(SettingsGroup):
    """What only this service knows."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX + "NOTIFICATIONS_",
        env_ignore_empty=True,
        frozen=True,
        extra="ignore",
        use_attribute_docstrings=True,
    )

    url: str = DEFAULT_URL
    """Address people reach this service by; unsubscribe links begin with it."""
    secret_file: Path | None = None
    """File of at least 32 random characters, the same for every process: signs unsubscribe links and cursors."""
    away_minutes: Annotated[int, Field(ge=0, le=1440)] = 10
    """Who is away longer than this counts as offline."""
    digest_minutes: Annotated[int, Field(ge=0, le=1440)] = 15
    """How long a mail of a digest waits for others, where the user did not choose; 0: no digests."""
    digest_after: Annotated[int, Field(ge=1, le=1000)] = 3
    """So many mails in the digest's time go at once; further ones wait for each other."""
    oldest_hours: Annotated[int, Field(ge=1, le=8760)] = 24
    """What was posted longer ago is told nobody: after a long outage, or when this service is new."""
    default_time_zone: str = "UTC"
    """IANA zone of quiet hours of users who named none."""
    hosts: Annotated[tuple[str, ...], NoDecode] = ()
    """Comma list of further host names this service is reached by, besides that of its address and loopback."""
    trusted_proxies: Annotated[tuple[Network, ...], NoDecode] = ()
    """Comma list of networks whose X-Forwarded-For is believed."""
    replicas: Annotated[int, Field(ge=1)] = 1
    """Processes of this service; divides the limits while Redis is away."""
    connections: Annotated[int, Field(ge=4, le=100)] = 12
    """Postgres connections: consumers, relay, dispatcher and preferences share them."""

    @field_validator("hosts", mode="before")
    @classmethod
    def _split(cls, value: Any) -> Any:
        return tuple(part.strip().lower() for part in value.split(",")) if isinstance(value, str) else value

    @field_validator("trusted_proxies", mode="before")
    @classmethod
    def _parse(cls, value: Any) -> Any:
        return networks(value) if isinstance(value, str) else value

    @field_validator("url")
    @classmethod
    def _is_an_address(cls, url: str) -> str:
        if not url.startswith(("http://", "https://")):
            raise ValueError("must begin with https:// or http://")
        return url.rstrip("/")

    @field_validator("default_time_zone")
    @classmethod
    def _is_a_zone(cls, name: str) -> str:
        if name not in available_timezones():
            raise ValueError("must be an IANA time zone such as Europe/Berlin")
        return name

    def secret(self) -> bytes:
        """The signing key; ConfigurationError when the file is missing or too short."""
        text = read_secret(self.secret_file, "unsubscribe links")
        if text is None:
            raise ConfigurationError(
                "Setting SIGNALINK_NOTIFICATIONS_SECRET_FILE is missing.",
                next_step=f"name a file of {SECRET_CHARACTERS} random characters.",
            )
        if len(text) < SECRET_CHARACTERS:
            raise ConfigurationError(
                f"The secret file {self.secret_file} holds {len(text)} characters; {SECRET_CHARACTERS} are needed.",
                next_step="write more random characters to it; links in mails sent before end.",
            )
        return text.encode()


@dataclass(frozen=True, slots=True)
class Settings:
    """Built once in `__main__` or a test, passed down."""

    process: ProcessSettings
    postgres: PostgresSettings
    redis: RedisSettings
    kafka: KafkaSettings
    auth: AuthSettings
    edge: EdgeSettings
    limits: LimitSettings
    notifications: NotificationSettings
    delivery: DeliverySettings = field(default_factory=DeliverySettings.from_env)

    @classmethod
    def from_env(cls) -> Self:
        """Raises ConfigurationError naming the key."""
        return cls(
            process=ProcessSettings.from_env().named(SERVICE),
            postgres=PostgresSettings.from_env(),
            redis=RedisSettings.from_env(),
            kafka=KafkaSettings.from_env(),
            auth=AuthSettings.from_env(),
            edge=EdgeSettings.from_env(),
            limits=LimitSettings.from_env(),
            notifications=NotificationSettings.from_env(),
            delivery=DeliverySettings.from_env(),
        )
