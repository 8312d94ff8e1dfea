"""Owns accounts and rights on running servers: Postgres' roles, Kafka's access rights. Each waits for its server."""

import asyncio
from typing import Final
from urllib.parse import quote, urlsplit

from signalink_core import principals
from signalink_core.errors import ConfigurationError
from signalink_core.provision import waiting
from signalink_core.provision.secretfiles import SecretFiles
from signalink_core.settings import KafkaSettings, PostgresSettings, read_secret

STARTING: Final = frozenset({"CannotConnectNowError", "ConnectionDoesNotExistError", "ConnectionFailureError"})
"""What asyncpg raises of a server that starts or restarts."""


async def postgres(settings: PostgresSettings, secrets: SecretFiles, within: float) -> None:
    """Roles of all principals, and the database. `settings` are a super user's; safe to repeat."""
    from signalink_core.database import roles

    words = {role: secrets.read(f"postgres-{name}") for name, role in principals.postgres_roles().items()}
    dsn = _with_password(settings)

    async def make() -> None:
        await roles.bootstrap(dsn, words)

    await waiting.until(make, within, what="Postgres", later=_is_starting)


async def kafka_access(settings: KafkaSettings, within: float) -> None:
    """The ACLs of all principals; safe to repeat."""
    from signalink_core.kafka import access
    from signalink_core.kafka.errors import KafkaUnavailable

    async def apply() -> None:
        await access.apply(settings)

    await waiting.until(apply, within, what="Kafka", later=lambda error: isinstance(error, KafkaUnavailable))


def _is_starting(error: BaseException) -> bool:
    return isinstance(error, (OSError, TimeoutError, asyncio.TimeoutError)) or type(error).__name__ in STARTING


def _with_password(settings: PostgresSettings) -> str:
    """The address with the word in it, for the driver of this process only."""
    word = read_secret(settings.password_file, "Postgres' super user")
    if word is None:
        raise ConfigurationError(
            "Setting SIGNALINK_POSTGRES_PASSWORD_FILE is missing.",
            next_step="name the file with the super user's password.",
        )
    parts = urlsplit(settings.dsn)
    user = parts.username or "postgres"
    return parts._replace(netloc=f"{user}:{quote(word, safe='')}@{parts.netloc.rpartition('@')[2]}").geturl()
