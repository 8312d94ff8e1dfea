"""Owns accounts and rights on running servers: Postgres' roles, Kafka's access rights. Each waits for its server."""

import asyncio
from typing import Final
from urllib.parse import quote, urlsplit

from signalink_core import principals
from signalink_core.errors import ConfigurationError
from signalink_core.provision import waiting
from signalink_core.provision.secretfiles import SecretFiles
from signalink_core.settings import KafkaSettings, PostgresSettings, read_secret, tls_context

STARTING: Final = frozenset({"CannotConnectNowError", "ConnectionDoesNotExistError", "ConnectionFailureError"})
"""What asyncpg raises of a server that starts or restarts."""


async def postgres(settings: PostgresSettings, secrets: SecretFiles, within: float, secret: str = "") -> None:
    """Roles of all principals, and the database. `settings` are the administrator's; safe to repeat.

    With `auth` iam no role gets a password. `secret` is then the administrator's, in AWS Secrets Manager: it is good
    until the administrator's own roles sign in by tokens, from when on RDS wants one of the administrator as well.
    """
    from asyncpg import InvalidAuthorizationSpecificationError as Refused

    from signalink_core.database import roles

    names = principals.postgres_roles()
    by_token = settings.auth == "iam"
    words = {role: None if by_token else secrets.read(f"postgres-{name}") for name, role in names.items()}
    ssl = tls_context(settings.ca_file, "Postgres") if settings.tls == "on" else None

    async def make() -> None:
        for word in await _administrator(settings, secret) if by_token else [_password(settings)]:
            try:
                return await roles.bootstrap(_with_word(settings, word), words, ssl=ssl)
            except Refused as error:
                refused = error
        raise refused

    await waiting.until(make, within, what="Postgres", later=_is_starting)


async def _administrator(settings: PostgresSettings, secret: str) -> list[str]:
    """What may let the administrator in, the likelier first."""
    from signalink_core.signin import aws

    found = [(await aws.secret(secret, settings.aws_region))["password"]] if secret else []
    return [*found, await settings.connect_kwargs()["password"]()]


async def kafka_access(settings: KafkaSettings, within: float) -> None:
    """The ACLs of all principals; safe to repeat."""
    from signalink_core.kafka import access
    from signalink_core.kafka.errors import KafkaUnavailable

    async def apply() -> None:
        await access.apply(settings)

    await waiting.until(apply, within, what="Kafka", later=lambda error: isinstance(error, KafkaUnavailable))


def _is_starting(error: BaseException) -> bool:
    return isinstance(error, (OSError, TimeoutError, asyncio.TimeoutError)) or type(error).__name__ in STARTING


def _password(settings: PostgresSettings) -> str:
    word = read_secret(settings.password_file, "Postgres' super user")
    if word is None:
        raise ConfigurationError(
            "Setting SIGNALINK_POSTGRES_PASSWORD_FILE is missing.",
            next_step="name the file with the super user's password.",
        )
    return word


def _with_word(settings: PostgresSettings, word: str) -> str:
    """The address with the word in it, for the driver of this process only."""
    parts = urlsplit(settings.dsn)
    user = parts.username or "postgres"
    return parts._replace(netloc=f"{user}:{quote(word, safe='')}@{parts.netloc.rpartition('@')[2]}").geturl()
