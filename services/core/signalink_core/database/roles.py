"""The roles of Signalink's database and their settings, made by a super user before any migration runs.

Owns who exists and under which time-outs; what each may touch is granted by the migrations of the schemas.
"""

import re
from collections.abc import Iterator, Mapping

import asyncpg

from signalink_core.database import scram

OWNER = "signalink_owner"
RETENTION = "signalink_retention"
DATABASE = "signalink"
STATEMENTS = {"statement_timeout": "5s", "idle_in_transaction_session_timeout": "5s", "lock_timeout": "2s"}
COMMON = {"default_transaction_isolation": "read committed", "TimeZone": "UTC"}
# The owner runs migrations and backfills, which may take long but must not queue writers behind a lock for long.
OWNER_SETTINGS = COMMON | {"lock_timeout": "5s", "idle_in_transaction_session_timeout": "60s"}
# Every statement of the relay walks one index of the log in its order. Row counts that are stale after a burst must not
# turn that into a scan and a sort of everything that waits.
# So does the prober's look at what waits.
LOG_ORDER = {"enable_seqscan": "off", "enable_bitmapscan": "off"}
RELAY_SETTINGS = {"signalink_relay": LOG_ORDER, "signalink_prober": LOG_ORDER}
READ_ONLY = ("signalink_gateway", "signalink_prober")
TRANSACTION_TIMEOUT_SINCE = 170000
BUILTIN_LOCALE_SINCE = 170000
LOCK_KEY = 1397311308  # 'SIGL', first half of every advisory lock in the (int, int) key space
BOOTSTRAP_LOCK = 2


async def bootstrap(admin_dsn: str, passwords: Mapping[str, str], *, database: str = DATABASE) -> None:
    """Make the database, the roles of `passwords` (role -> password) and the retention role; safe to repeat.

    `admin_dsn` is a super user's, to any database of the server. Existing roles get the given password again.
    """
    if OWNER not in passwords:
        raise ValueError(f"bootstrap needs a password for {OWNER}, which owns the database and runs migrations")
    admin = await asyncpg.connect(admin_dsn, timeout=2.0, command_timeout=60.0)
    try:
        version = (await admin.fetchval("SELECT current_setting('server_version_num')::int")) or 0
        await admin.execute("SELECT pg_advisory_lock($1, $2)", LOCK_KEY, BOOTSTRAP_LOCK)
        await _make_roles(admin, passwords, version)
        await _make_database(admin, database, version)
        for statement in database_grants(database, passwords):
            await admin.execute(statement)
    finally:
        await admin.close(timeout=2.0)


def role_settings(role: str, version: int) -> dict[str, str]:
    """The session defaults of a role on a server of this version number (180004 is 18.4)."""
    if role == OWNER:
        return OWNER_SETTINGS
    settings = COMMON | STATEMENTS | RELAY_SETTINGS.get(role, {})
    if version >= TRANSACTION_TIMEOUT_SINCE:
        settings |= {"transaction_timeout": "5s"}
    if role in READ_ONLY:
        settings |= {"default_transaction_read_only": "on"}
    return settings


def database_grants(database: str, roles: Mapping[str, str]) -> Iterator[str]:
    """Nobody connects unless named, and the public schema is closed."""
    yield f'REVOKE ALL ON DATABASE "{_safe(database)}" FROM PUBLIC'
    for role in roles:
        yield f'GRANT CONNECT ON DATABASE "{_safe(database)}" TO {_safe(role)}'


async def _make_roles(admin: asyncpg.Connection, passwords: Mapping[str, str], version: int) -> None:
    existing = {row["rolname"] for row in await admin.fetch("SELECT rolname FROM pg_roles")}
    for role in (*passwords, RETENTION):
        if role not in existing:
            await admin.execute(f"CREATE ROLE {_safe(role)}")
        login = f"LOGIN PASSWORD '{scram.verifier(passwords[role])}'" if role in passwords else "NOLOGIN"
        await admin.execute(
            f"ALTER ROLE {_safe(role)} NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS {login}"
        )
        for name, value in role_settings(role, version).items():
            await admin.execute(f"ALTER ROLE {_safe(role)} SET {name} = '{value}'")
    await admin.execute(f"GRANT {RETENTION} TO {OWNER}")
    if "signalink_prober" in passwords:
        await admin.execute("GRANT pg_monitor TO signalink_prober")


async def _make_database(admin: asyncpg.Connection, database: str, version: int) -> None:
    if await admin.fetchval("SELECT 1 FROM pg_database WHERE datname = $1", database):
        return
    locale = "LOCALE_PROVIDER builtin BUILTIN_LOCALE 'C.UTF-8'" if version >= BUILTIN_LOCALE_SINCE else ""
    await admin.execute(
        f"CREATE DATABASE \"{_safe(database)}\" OWNER {OWNER} TEMPLATE template0 ENCODING 'UTF8' {locale} LOCALE 'C'"
    )


def _safe(name: str) -> str:
    """The name itself, which goes unquoted into a statement; ValueError for anything but a plain identifier."""
    if not re.fullmatch(r"[a-z_][a-z0-9_]{0,62}", name):
        raise ValueError(f"{name!r} is no plain identifier; use lower-case letters, digits and _")
    return name
