"""Everything the api is told from outside, read once in `__main__` and passed down."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import Field, field_validator
from pydantic_settings import NoDecode, SettingsConfigDict

from signalink_api import page
from signalink_core.errors import ConfigurationError
from signalink_core.guard.controls import Network, networks
from signalink_core.settings import (
    PREFIX,
    AuthSettings,
    EdgeSettings,
    LimitSettings,
    PostgresSettings,
    ProcessSettings,
    RedisSettings,
    SettingsGroup,
)

SECRET_BYTES = 32


class ApiSettings(SettingsGroup):
    """What only the api knows."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX + "API_", env_ignore_empty=True, frozen=True, extra="ignore", use_attribute_docstrings=True
    )

    refresh_days: Annotated[int, Field(ge=1, le=365)] = 30
    """A session ends this many days after its last refresh."""
    reuse_grace_seconds: float = 5.0
    """A refresh whose answer was lost may be repeated for this long."""
    body_characters: Annotated[int, Field(ge=1, le=16_000)] = 4_000
    """Longest message body; at most 16,000."""
    read_connections: Annotated[int, Field(ge=1)] = 10
    """Postgres connections for reads and simple rows."""
    command_connections: Annotated[int, Field(ge=1)] = 6
    """Postgres connections for changes of channels and messages; the writer has its own."""
    replicas: Annotated[int, Field(ge=1)] = 1
    """Processes of the api; divides the limits while Redis is away."""
    ui_dir: Path = page.BUILT
    """Folder of the built browser page; by default the one inside the package that `make ui` fills."""
    hosts: Annotated[tuple[str, ...], NoDecode] = ()
    """Comma list of further host names this api is reached by, besides that of its address and loopback."""
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


@dataclass(frozen=True, slots=True)
class Settings:
    """All groups of this process."""

    process: ProcessSettings
    postgres: PostgresSettings
    redis: RedisSettings
    auth: AuthSettings
    edge: EdgeSettings
    limits: LimitSettings
    api: ApiSettings

    @classmethod
    def from_env(cls) -> Self:
        return cls(
            process=ProcessSettings.from_env().named("api"),
            postgres=PostgresSettings.from_env(),
            redis=RedisSettings.from_env(),
            auth=AuthSettings.from_env(),
            edge=EdgeSettings.from_env(),
            limits=LimitSettings.from_env(),
            api=ApiSettings.from_env(),
        )

    def server_secret(self) -> bytes:
        """The key of refresh tokens and cursors: at least 32 bytes, the same on every process of the api."""
        path = self.auth.secret_file
        if path is None:
            raise ConfigurationError(
                "Setting SIGNALINK_AUTH_SECRET_FILE is missing.",
                next_step="name a file of 32 random bytes.",
            )
        try:
            secret = path.read_bytes().strip()
        except OSError as error:
            raise ConfigurationError(f"The secret file {path} cannot be read: {error.strerror}.") from error
        if len(secret) < SECRET_BYTES:
            raise ConfigurationError(
                f"The secret file {path} holds {len(secret)} bytes; {SECRET_BYTES} are needed.",
                next_step=f"write {SECRET_BYTES} random bytes to it; sessions and cursors made before end.",
            )
        return secret
