"""Everything one relay process reads from its environment, grouped as in the core."""

from dataclasses import dataclass
from typing import Self

from signalink_core.settings import KafkaSettings, PostgresSettings, ProcessSettings, RedisSettings

SERVICE = "relay"


@dataclass(frozen=True)
class Settings:
    """Built once in `__main__` or a test, passed down."""

    process: ProcessSettings
    postgres: PostgresSettings
    redis: RedisSettings
    kafka: KafkaSettings

    @classmethod
    def from_env(cls) -> Self:
        """Raises ConfigurationError naming the key."""
        return cls(
            ProcessSettings.from_env().named(SERVICE),
            PostgresSettings.from_env(),
            RedisSettings.from_env(),
            KafkaSettings.from_env(),
        )
