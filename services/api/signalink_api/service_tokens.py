"""Tokens of services, as the `signalink token` command issues, lists and revokes them.

Owns their rows, the accounts behind them and what is on record of it. `settings` are the owner's: the api itself only
reads the rows. Arguments and output are the command line's.
"""

import re
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

import asyncpg

from signalink_core.auth.keys import KeyRing
from signalink_core.auth.service_tokens import SCOPES, ServiceTokenSigner
from signalink_core.database import pool
from signalink_core.errors import ConfigurationError, Conflict, NotFound
from signalink_core.ids import uuid7
from signalink_core.settings import PostgresSettings

DAYS: Final = 90
MOST_DAYS: Final = 365
MOST_LIVE: Final = 8
"""Of one name at a time: rotation needs two."""
NAME: Final = re.compile("[a-z][a-z0-9-]{0,39}")

# $1 id, $2 name. Without a conflict target: two at once may meet in either unique index, and with a target the other
# index would raise. Neither the name nor the address can be registered: no colon there, no host without a dot here.
MAKE_ACCOUNT = """
INSERT INTO messaging.users (id, username, email, display_name, password_hash, kind, disabled_at)
VALUES ($1, 'service:' || $2, 'service:' || $2 || '@service', $2, '!', 'service', clock_timestamp())
ON CONFLICT DO NOTHING
"""
# $1 name. Locked, so that tokens of one name are counted one after the other.
LOCK_ACCOUNT = "SELECT id FROM messaging.users WHERE lower(username) = 'service:' || $1 AND kind = 'service' FOR UPDATE"
LIVE = """
SELECT count(*) FROM messaging.service_tokens
WHERE name = $1 AND revoked_at IS NULL AND expires_at > clock_timestamp()
"""
# $1 id, $2 account, $3 name, $4 scopes, $5 days. Whole seconds, as the token says it.
INSERT = """
INSERT INTO messaging.service_tokens (id, account_id, name, scopes, expires_at)
VALUES ($1, $2, $3, $4, date_trunc('seconds', clock_timestamp() + make_interval(days => $5))) RETURNING expires_at
"""
# $1 token, $2 name, $3 how. `actor_id` is empty: whoever runs the command has no account.
RECORD = """
INSERT INTO messaging.audit_log (action, target, details)
VALUES ($3, $1::uuid::text, jsonb_build_object('name', $2::text, 'by', 'command line') || $4::jsonb)
"""
# $1 ids
REVOKE = """
UPDATE messaging.service_tokens SET revoked_at = date_trunc('milliseconds', clock_timestamp())
WHERE id = ANY ($1::uuid[]) AND revoked_at IS NULL RETURNING id, name
"""
LIST = """
SELECT id, name, scopes, issued_at, expires_at, revoked_at,
    revoked_at IS NULL AND expires_at > clock_timestamp() AS live
FROM messaging.service_tokens ORDER BY name, issued_at, id
"""


@dataclass(frozen=True, slots=True)
class Issued:
    """A new token: a secret, shown or written once and kept nowhere."""

    token: str
    id: UUID
    name: str
    scopes: tuple[str, ...]
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Listed:
    """What is known of a token without its secret."""

    id: UUID
    name: str
    scopes: tuple[str, ...]
    issued_at: datetime
    expires_at: datetime
    revoked_at: datetime | None
    live: bool


async def issue(
    settings: PostgresSettings, keys: KeyRing, issuer: str, name: str, scopes: Sequence[str], days: int = DAYS
) -> Issued:
    """Another token for the service of this name, beside those it has. Raises ConfigurationError, Conflict."""
    _check(name, scopes, days)
    wanted = tuple(sorted(set(scopes)))
    async with _transaction(settings) as connection:
        await connection.execute(MAKE_ACCOUNT, uuid7(), name)
        account = await connection.fetchval(LOCK_ACCOUNT, name)
        if await connection.fetchval(LIVE, name) >= MOST_LIVE:
            raise Conflict(f"{name} has {MOST_LIVE} good tokens.", next_step=f"`signalink token revoke {name}`")
        token_id = uuid7()
        expires_at: datetime = await connection.fetchval(INSERT, token_id, account, name, wanted, days)
        about = {"scopes": list(wanted), "days": days}
        await connection.execute(RECORD, token_id, name, "service_token.issue", about)
        token = ServiceTokenSigner(keys, issuer).sign(name, wanted, token_id, expires_at)
    return Issued(token, token_id, name, wanted, expires_at)


async def revoke(settings: PostgresSettings, target: str, keep: UUID | None = None) -> list[UUID]:
    """End the token of this id, or all of this name except `keep`; at once. Those that ended; none when all had.

    Raises NotFound when there is no such token.
    """
    async with _transaction(settings) as connection:
        tokens = [one for one in await _all(connection) if target in {str(one.id), one.name}]
        if not tokens:
            raise NotFound(f"There is no token {target!r}.", next_step="`signalink token list`")
        ended = await connection.fetch(REVOKE, [one.id for one in tokens if one.id != keep])
        for row in ended:
            await connection.execute(RECORD, row["id"], row["name"], "service_token.revoke", {})
    return [row["id"] for row in ended]


async def listed(settings: PostgresSettings) -> list[Listed]:
    """Every token ever issued, by name and time."""
    async with _transaction(settings) as connection:
        return await _all(connection)


async def _all(connection: asyncpg.Connection) -> list[Listed]:
    rows = await connection.fetch(LIST)
    return [Listed(**{**row, "scopes": tuple(row["scopes"])}) for row in rows]


@asynccontextmanager
async def _transaction(settings: PostgresSettings) -> AsyncIterator[asyncpg.Connection]:
    connection = await pool.connect(settings)
    try:
        async with connection.transaction():
            yield connection
    finally:
        await connection.close()


def _check(name: str, scopes: Sequence[str], days: int) -> None:
    if NAME.fullmatch(name) is None:
        raise ConfigurationError(
            f"{name!r} is no name of a service.", next_step="take 1 to 40 of a-z, 0-9 and -, a letter first."
        )
    unknown = sorted(set(scopes) - set(SCOPES))
    if unknown or not scopes:
        what = f"There is no scope {unknown[0]!r}." if unknown else "A token without a scope opens nothing."
        raise ConfigurationError(what, next_step=f"take one of: {', '.join(SCOPES)}.")
    if not 1 <= days <= MOST_DAYS:
        raise ConfigurationError(f"A token is good for 1 to {MOST_DAYS} days, not {days}.")
