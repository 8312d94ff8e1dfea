"""Everything the prober reads from its environment, grouped as in the core."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Self

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from signalink_core.errors import ConfigurationError
from signalink_core.settings import (
    EdgeSettings,
    KafkaSettings,
    PostgresSettings,
    ProcessSettings,
    RedisSettings,
    SettingsGroup,
    read_secret,
)

SERVICE = "prober"


class CanarySettings(SettingsGroup):
    model_config = SettingsConfigDict(
        env_prefix="SIGNALINK_CANARY_",
        env_ignore_empty=True,
        frozen=True,
        extra="ignore",
        use_attribute_docstrings=True,
    )

    secret_file: Path | None = None
    """File from which the bots' names and passwords are made; needed unless the canary is off."""
    seconds: Annotated[float, Field(ge=0, le=60)] = 10.0
    """From one post to the next; 0 switches the canary and the reconciliation of sockets off."""

    def secret(self) -> str:
        """Raises ConfigurationError."""
        secret = read_secret(self.secret_file, "the canary")
        if secret is None:
            raise ConfigurationError(
                "The canary has no secret.",
                next_step="set SIGNALINK_CANARY_SECRET_FILE, or SIGNALINK_CANARY_SECONDS=0.",
            )
        return secret


@dataclass(frozen=True)
class Settings:
    """Built once in `app` or a test, passed down."""

    process: ProcessSettings
    postgres: PostgresSettings
    redis: RedisSettings
    kafka: KafkaSettings
    edge: EdgeSettings
    canary: CanarySettings

    @classmethod
    def from_env(cls) -> Self:
        """Raises ConfigurationError naming the key."""
        return cls(
            ProcessSettings.from_env().named(SERVICE),
            PostgresSettings.from_env(),
            RedisSettings.from_env(),
            KafkaSettings.from_env(),
            EdgeSettings.from_env(),
            CanarySettings.from_env(),
        )

    @property
    def gateways(self) -> tuple[str, ...]:
        """The socket of every gateway."""
        return self.edge.gateway_urls or (self.edge.gateway_url,)
