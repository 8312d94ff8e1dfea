"""What the operator and `apply` need from the environment. Nothing is read on import; secrets come from files."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, field_validator
from pydantic_settings import NoDecode, SettingsConfigDict

from signalink_core.errors import ConfigurationError
from signalink_core.settings import PREFIX, KafkaSettings, ProcessSettings, SettingsGroup, read_secret

SERVICE = "operator"
Seconds = Annotated[float, Field(gt=0)]
Count = Annotated[int, Field(ge=1)]

CALL_SECONDS = 15.0
READY_SECONDS = 60.0


def _configured(prefix: str) -> SettingsConfigDict:
    return SettingsConfigDict(
        env_prefix=PREFIX + prefix, env_ignore_empty=True, frozen=True, extra="ignore", use_attribute_docstrings=True
    )


@dataclass(frozen=True)
class Deadlines:
    """Seconds: one admin call, and the wait until the broker has made the logs of new topics."""

    call_seconds: float = CALL_SECONDS
    ready_seconds: float = READY_SECONDS


def admin_config(kafka: KafkaSettings, deadlines: Deadlines) -> dict[str, Any]:
    """The confluent client's configuration for these settings; the secret is read here and kept nowhere else."""
    config: dict[str, Any] = {
        "bootstrap.servers": kafka.bootstrap,
        "security.protocol": kafka.security,
        "client.id": "signalink-operator",
        "socket.timeout.ms": int(deadlines.call_seconds * 1000),
        "log_level": 2,
    }
    if kafka.security == "plaintext":
        return config
    password = read_secret(kafka.password_file, "Kafka")
    if kafka.user is None or password is None:
        raise ConfigurationError(
            f"Kafka security is {kafka.security} but the user or the password file is missing.",
            next_step="set SIGNALINK_KAFKA_USER and SIGNALINK_KAFKA_PASSWORD_FILE.",
        )
    return config | {"sasl.mechanism": "SCRAM-SHA-512", "sasl.username": kafka.user, "sasl.password": password}


def python_config(kafka: KafkaSettings) -> dict[str, Any]:
    """The same for kafka-python, which is asked the one thing that the confluent client cannot."""
    confluent = admin_config(kafka, Deadlines())
    config: dict[str, Any] = {
        "bootstrap_servers": kafka.bootstrap.split(","),
        "client_id": confluent["client.id"],
        "security_protocol": kafka.security.upper(),
    }
    if "sasl.username" not in confluent:
        return config
    return config | {
        "sasl_mechanism": confluent["sasl.mechanism"],
        "sasl_plain_username": confluent["sasl.username"],
        "sasl_plain_password": confluent["sasl.password"],
    }


class ApiSettings(SettingsGroup):
    """Where the api is, for Channel resources; without address and token the operator serves Topics only."""

    model_config = _configured("")

    api_url: str = ""
    """`http(s)://host:port` of the api."""
    operator_api_token_file: Path | None = None
    """File that holds the service token (scope `channels:admin`)."""

    @field_validator("api_url")
    @classmethod
    def _is_an_address(cls, url: str) -> str:
        parts = urlsplit(url)
        if url and (parts.scheme not in {"http", "https"} or not parts.hostname):
            raise ValueError("must look like http://host:8000")
        return url

    @property
    def missing(self) -> list[str]:
        """The keys that are not set; empty: Channels are served."""
        given = {"SIGNALINK_API_URL": self.api_url, "SIGNALINK_OPERATOR_API_TOKEN_FILE": self.operator_api_token_file}
        return [key for key, value in given.items() if not value]


class OperatorSettings(SettingsGroup):
    """Which resources it looks after, and how often."""

    model_config = _configured("OPERATOR_")

    cluster_ref: str = "default"
    """Resources with this `clusterRef` are its own; one operator serves one Kafka."""
    namespace: str = "default"
    """Its own namespace: where its Lease and its canary are."""
    watch_namespaces: Annotated[tuple[str, ...], NoDecode] = ()
    """Comma list of namespaces or globs (`team-*`); empty means all."""
    selector: str = ""
    """Label selector (`a=b, c!=d, e, !f`); resources that it does not fit are left alone."""
    resync_seconds: Seconds = 120.0
    """From one full pass over everything to the next."""
    batch_keys: Count = 100
    """Most resources in one batch of calls to Kafka or to the api."""
    batch_wait_ms: Annotated[int, Field(ge=0)] = 100
    """How long a batch waits for more."""
    queue_keys: Count = 20_000
    """Most resources that may wait; one more ends the process."""
    retry_seconds: Seconds = 2.0
    """Wait before the second attempt; it doubles with each one, up to 120 s."""
    writes_in_flight: Count = 20
    """Most calls to the Kubernetes API at a time."""
    finalizers: Literal["on", "off"] = "on"
    """off: no topic and no channel ever goes, whatever a resource's deletionPolicy says; no finalizer is placed."""
    deletion_release_seconds: Annotated[float, Field(ge=0)] = 0.0
    """A deleted resource whose topic or channel cannot be taken away is let go after this long; 0 never."""
    config_keys: Annotated[tuple[str, ...], NoDecode] = ()
    """Comma list of the only settings this Kafka lets anyone change (Amazon MSK Serverless); empty means all."""
    lease_seconds: Seconds = 30.0
    """How long the Lease holds without being renewed; it is renewed three times in that."""
    canary_seconds: Annotated[float, Field(ge=0)] = 20.0
    """From one stamp of the canary to the next; 0 switches it off."""
    stale_seconds: Seconds = 90.0
    """Not live when a stamp has not come back through the watch for this long."""
    stalled_seconds: Seconds = 120.0
    """Not live when one batch takes longer."""

    @field_validator("watch_namespaces", "config_keys", mode="before")
    @classmethod
    def _split(cls, value: Any) -> Any:
        return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value

    @property
    def allowed_config(self) -> frozenset[str] | None:
        return frozenset(self.config_keys) or None


@dataclass(frozen=True)
class Settings:
    """Everything of one operator process."""

    process: ProcessSettings
    kafka: KafkaSettings
    operator: OperatorSettings
    api: ApiSettings = field(default_factory=ApiSettings)

    @classmethod
    def from_env(cls) -> Self:
        process = ProcessSettings.from_env().named(SERVICE)
        return cls(process, KafkaSettings.from_env(), OperatorSettings.from_env(), ApiSettings.from_env())
