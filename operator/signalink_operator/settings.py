"""What `apply` needs from the environment, as the Kafka admin client wants it. Nothing is read on import."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from signalink_core.errors import ConfigurationError
from signalink_core.settings import KafkaSettings, read_secret

CALL_SECONDS = 15.0
READY_SECONDS = 60.0


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
