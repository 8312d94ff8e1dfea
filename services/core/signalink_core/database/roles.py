"""The roles of Signalink's database and their settings, made by an administrator before any migration runs.

Owns who exists and under which time-outs; what each may touch is granted by the migrations of the schemas.
"""

import re
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from contextlib import asynccontextmanager
from ssl import SSLContext

import asyncpg

from signalink_core.database import scram
from signalink_core.errors import ConfigurationError

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
SET_OPTION_SINCE = 160000
CONNECT_SECONDS = 5.0
BY_TOKEN = "rds_iam"  # noqa: S105 - the name of a role
"""Role of RDS whose members sign in by a token of IAM and by nothing else."""
POWERS = ("rolsuper", "rolreplication", "rolbypassrls")
NO_POWERS = "NOSUPERUSER NOREPLICATION NOBYPASSRLS"
LOCK_KEY = 1397311308  # 'SIGL', first half of every advisory lock in the (int, int) key space
BOOTSTRAP_LOCK = 2


async def bootstrap(
    admin_dsn: str,
    passwords: Mapping[str, str | None],
    *,
    database: str = DATABASE,
    ssl: SSLContext | None = None,
) -> None:
    """Make the database, the roles of `passwords` (role -> password) and the retention role; safe to repeat.

    `admin_dsn` is to any database of the server, as a super user or, where a cloud has none to give, as a role that may
    make roles and databases. Existing roles get the given password again; None: the cloud asks for a token of its IAM.
    """
    if OWNER not in passwords:
        raise ValueError(f"bootstrap needs {OWNER}, which owns the database and runs migrations")
    admin = await asyncpg.connect(admin_dsn, ssl=ssl, timeout=CONNECT_SECONDS, command_timeout=60.0)
    try:
        version = (await admin.fetchval("SELECT current_setting('server_version_num')::int")) or 0
        is_super = bool(await admin.fetchval("SELECT rolsuper FROM pg_roles WHERE rolname = current_user"))
        await admin.execute("SELECT pg_advisory_lock($1, $2)", LOCK_KEY, BOOTSTRAP_LOCK)
        await _make_roles(admin, passwords, version, is_super)
        async with _as_owner(admin, version, is_super):
            await _make_database(admin, database, version)
            await admin.execute(f"SET ROLE {OWNER}")
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


def database_grants(database: str, roles: Iterable[str]) -> Iterator[str]:
    """Nobody connects unless named, and the public schema is closed."""
    yield f'REVOKE ALL ON DATABASE "{_safe(database)}" FROM PUBLIC'
    for role in roles:
        yield f'GRANT CONNECT ON DATABASE "{_safe(database)}" TO {_safe(role)}'


async def _make_roles(
    admin: asyncpg.Connection, passwords: Mapping[str, str | None], version: int, is_super: bool
) -> None:
    existing = {row["rolname"]: row for row in await admin.fetch("SELECT * FROM pg_roles")}
    for role in (*passwords, RETENTION):
        if role not in existing:
            await admin.execute(f"CREATE ROLE {_safe(role)}")
        elif not is_super and any(existing[role][power] for power in POWERS):
            raise ConfigurationError(
                f"The role {role} may do what only a super user may take away ({', '.join(POWERS)}).",
                next_step="take it away as a super user, or drop the role.",
            )
        weak = f"{NO_POWERS} " if is_super else ""
        await admin.execute(f"ALTER ROLE {_safe(role)} {weak}NOCREATEDB NOCREATEROLE {_login(role, passwords)}")
        if role in passwords and passwords[role] is None:
            await admin.execute(f"GRANT {BY_TOKEN} TO {_safe(role)}")
        for name, value in role_settings(role, version).items():
            await admin.execute(f"ALTER ROLE {_safe(role)} SET {name} = '{value}'")
    await admin.execute(f"GRANT {RETENTION} TO {OWNER}")
    if "signalink_prober" in passwords:
        await admin.execute("GRANT pg_monitor TO signalink_prober")


def _login(role: str, passwords: Mapping[str, str | None]) -> str:
    if role not in passwords:
        return "NOLOGIN"
    password = passwords[role]
    return "LOGIN PASSWORD NULL" if password is None else f"LOGIN PASSWORD '{scram.verifier(password)}'"


@asynccontextmanager
async def _as_owner(admin: asyncpg.Connection, version: int, is_super: bool) -> AsyncIterator[None]:
    """Who is no super user must be a member of the owner to give it a database, and is one no longer than that."""
    if is_super:
        yield
        return
    how = " WITH SET TRUE, INHERIT FALSE" if version >= SET_OPTION_SINCE else ""
    await admin.execute(f"GRANT {OWNER} TO CURRENT_USER{how}")
    try:
        yield
    finally:
        await admin.execute("RESET ROLE")
        await admin.execute(f"REVOKE {OWNER} FROM CURRENT_USER")


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
