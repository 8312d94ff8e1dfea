"""Keys of the dispatcher and of its channels. A channel without credentials is disabled, which is no error."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, field_validator
from pydantic_settings import NoDecode, SettingsConfigDict

from signalink_core.errors import ConfigurationError
from signalink_core.settings import PREFIX, ProcessSettings, SettingsGroup
from signalink_notifications.delivery.breaker import Rules
from signalink_notifications.delivery.retries import Policy
from signalink_notifications.egress import Place, is_loopback

Seconds = Annotated[float, Field(gt=0, le=86_400)]
LEASE_MARGIN_SECONDS = 2.0


def _configured(prefix: str) -> SettingsConfigDict:
    return SettingsConfigDict(
        env_prefix=PREFIX + prefix, env_ignore_empty=True, frozen=True, extra="ignore", use_attribute_docstrings=True
    )


class DispatchSettings(SettingsGroup):
    """What every channel shares."""

    model_config = _configured("DISPATCH_")

    lease_seconds: Annotated[float, Field(ge=1, le=600)] = 45.0
    """What a process took and did not settle within this time is another's."""
    poll_seconds: Annotated[float, Field(ge=0.01, le=60)] = 0.25
    """How often due deliveries are looked for."""
    expire_hours: Annotated[float, Field(gt=0, le=720)] = 72.0
    """What could not be sent until then is skipped."""
    keep_days: Annotated[float, Field(gt=0, le=3650)] = 90.0
    """How long settled deliveries, and the plans they came from, are kept; longer than any topic."""
    breaker_failures: Annotated[int, Field(ge=1, le=1000)] = 5
    """So many failures in a row, and a provider is left alone for a while."""
    breaker_seconds: Seconds = 10.0
    """For how long at first; doubled each time it then fails again."""
    breaker_cap_seconds: Seconds = 300.0
    """The longest of these pauses."""

    @property
    def rules(self) -> Rules:
        return Rules(self.breaker_failures, self.breaker_seconds, self.breaker_cap_seconds)


class ChannelSettings(SettingsGroup):
    """Base of the channels' groups: how often, how many at once, how long one call may take."""

    attempts: Annotated[int, Field(ge=1, le=100)] = 8
    """Attempts of a delivery before it goes to dlq.notifications."""
    retry_seconds: Seconds = 15.0
    """The wait after the first failed attempt is uniform in 0 to this, after each further one up to twice as long."""
    retry_cap_seconds: Seconds = 1800.0
    """The longest of these waits; a provider's Retry-After goes before."""
    concurrency: Annotated[int, Field(ge=1, le=64)] = 4
    """Calls to providers at once in one process."""
    timeout_seconds: Annotated[float, Field(gt=0, le=120)] = 20.0
    """The longest one call to a provider may take in all."""

    @property
    def at_once_per_provider(self) -> int:
        """Mails and pushes have one provider each."""
        return self.concurrency

    @property
    def policy(self) -> Policy:
        return Policy(self.attempts, self.retry_seconds, self.retry_cap_seconds)


class EmailSettings(ChannelSettings):
    """SMTP; Amazon SES and SendGrid by their SMTP addresses (docs/notifications.md)."""

    model_config = _configured("EMAIL_")

    host: str = ""
    """SMTP server; empty: mails are not sent."""
    port: Annotated[int, Field(ge=1, le=65535)] = 587
    security: Literal["starttls", "tls", "none"] = "starttls"
    """`starttls` (port 587) refuses to go on without TLS; `tls` from the first byte (465); `none` only inside."""
    user: str | None = None
    """SMTP user; without one there is no login."""
    password_file: Path | None = None
    """File that holds the SMTP password."""
    sender: str = "Signalink <notifications@signalink.invalid>"
    """The From of every mail; its domain is that of the Message-IDs."""
    ca_file: Path | None = None
    """Certificates to trust besides the system's."""


class PushSettings(ChannelSettings):
    """Firebase Cloud Messaging, HTTP v1."""

    model_config = _configured("PUSH_")

    credentials_file: Path | None = None
    """Key file of a service account with the right to send; without one nothing is pushed."""
    endpoint: str = "https://fcm.googleapis.com"
    """Where FCM v1 is spoken; another one for tests and private gateways."""
    attempts: Annotated[int, Field(ge=1, le=100)] = 6
    retry_seconds: Seconds = 5.0
    retry_cap_seconds: Seconds = 600.0
    timeout_seconds: Annotated[float, Field(gt=0, le=120)] = 10.0

    @field_validator("endpoint")
    @classmethod
    def _is_safe(cls, url: str) -> str:
        parts = urlsplit(url)
        if parts.scheme != "https" and not (parts.scheme == "http" and is_loopback(parts.hostname or "")):
            raise ValueError("must begin with https://, or with http:// on loopback")
        return url.rstrip("/")


class WebhookSettings(ChannelSettings):
    """Posts to addresses that users chose."""

    model_config = _configured("WEBHOOK_")

    allow: Annotated[tuple[Place, ...], NoDecode] = ()
    """Comma list of host:port on loopback that may be posted to, for labs and tests; refused in prod."""
    ca_file: Path | None = None
    """Certificates to trust besides the system's."""
    attempts: Annotated[int, Field(ge=1, le=100)] = 6
    retry_seconds: Seconds = 5.0
    retry_cap_seconds: Seconds = 900.0
    concurrency: Annotated[int, Field(ge=1, le=64)] = 8
    timeout_seconds: Annotated[float, Field(gt=0, le=30)] = 10.0

    @property
    def at_once_per_provider(self) -> int:
        """One user's host gets a quarter at most, however slowly it answers."""
        return max(1, self.concurrency // 4)

    @field_validator("allow", mode="before")
    @classmethod
    def _places(cls, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        return tuple(_place(part.strip()) for part in value.split(",") if part.strip())


def _place(text: str) -> Place:
    host, _, port = text.rpartition(":")
    host = host.strip("[]").lower()
    if not is_loopback(host) or not port.isdecimal():
        raise ValueError(f"{text} is not host:port on loopback")
    return Place(host, int(port))


@dataclass(frozen=True, slots=True)
class DeliverySettings:
    """The dispatcher's groups together."""

    dispatch: DispatchSettings
    email: EmailSettings
    push: PushSettings
    webhook: WebhookSettings

    @classmethod
    def from_env(cls) -> Self:
        """Raises ConfigurationError naming the key."""
        return cls(
            DispatchSettings.from_env(), EmailSettings.from_env(), PushSettings.from_env(), WebhookSettings.from_env()
        )

    def check(self, process: ProcessSettings) -> None:
        """What only shows when groups are seen together; ConfigurationError."""
        if self.webhook.allow and process.environment == "prod":
            raise ConfigurationError(
                "SIGNALINK_WEBHOOK_ALLOW lets webhooks reach this machine, in the environment prod.",
                next_step="remove it; it is for labs and tests.",
            )
        for channel in (self.email, self.push, self.webhook):
            if channel.timeout_seconds + LEASE_MARGIN_SECONDS > self.dispatch.lease_seconds:
                raise ConfigurationError(
                    f"SIGNALINK_DISPATCH_LEASE_SECONDS is {self.dispatch.lease_seconds:g}, but a call may take "
                    f"{channel.timeout_seconds:g} s ({type(channel).__name__}).",
                    next_step=f"make the lease at least {LEASE_MARGIN_SECONDS:g} s longer than every timeout.",
                )
