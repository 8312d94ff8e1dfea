"""Everything the windows read from the environment, in groups. What only the public port needs is `public`'s."""

from dataclasses import dataclass
from typing import Annotated, Final, Self

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from signalink_core.settings import (
    PREFIX,
    KafkaSettings,
    PostgresSettings,
    ProcessSettings,
    SettingsGroup,
)

SERVICE: Final = "analytics"
_CONFIG: Final = SettingsConfigDict(
    env_prefix=PREFIX + "ANALYTICS_", env_ignore_empty=True, frozen=True, extra="ignore", use_attribute_docstrings=True
)
Days = Annotated[int, Field(ge=1, le=3650)]


class WindowSettings(SettingsGroup):
    """How event time is followed. Every process of the group needs the same."""

    model_config = _CONFIG

    delay_seconds: Annotated[int, Field(ge=0, le=3600)] = 5
    """The watermark stays so far behind the newest event of a partition, or behind the clock where nothing comes."""
    lateness_seconds: Annotated[int, Field(ge=0, le=3600)] = 30
    """So long after a window was closed by the watermark an event still corrects it; later ones are late events."""
    batch_records: Annotated[int, Field(ge=1, le=20_000)] = 4_000
    """Most records in one transaction."""
    fetch_bytes: Annotated[int, Field(ge=65_536, le=67_108_864)] = 2_097_152
    """Most of one partition in one fetch: some 2,500 records. Large batches cost less than small ones, but memory."""
    concurrency: Annotated[int, Field(ge=1, le=32)] = 4
    """Partitions whose batches run at once; each needs a Postgres connection."""
    keep_seconds: Annotated[float, Field(gt=0, le=600)] = 5.0
    """How often rollups and retention look for work."""


class Retention(SettingsGroup):
    """How long each level is kept. Minutes go only once their hour is rolled up, hours once their day is."""

    model_config = _CONFIG

    keep_minutes_days: Days = 7
    """Windows of 60 s."""
    keep_hours_days: Days = 90
    """Rollups of an hour."""
    keep_days_days: Days = 1095
    """Rollups of a day."""
    keep_late_days: Days = 30
    """Late events, and events from the future; counted from when they came."""
    keep_presence_days: Days = 30
    """Changes of presence."""


@dataclass(frozen=True, slots=True)
class Settings:
    """Built once in `__main__` or a test, passed down."""

    process: ProcessSettings
    postgres: PostgresSettings
    kafka: KafkaSettings
    windows: WindowSettings
    retention: Retention

    @classmethod
    def from_env(cls) -> Self:
        """Raises ConfigurationError naming the key."""
        return cls(
            process=ProcessSettings.from_env().named(SERVICE),
            postgres=PostgresSettings.from_env(),
            kafka=KafkaSettings.from_env(),
            windows=WindowSettings.from_env(),
            retention=Retention.from_env(),
        )
