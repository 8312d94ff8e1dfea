"""Running a schema's migrations: Alembic under an advisory lock, forward only (expand, backfill, contract).

Owns the running; the revisions live in each package's `migrations` folder, whose `env.py` only calls `run_environment`.
"""

import zlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from importlib import resources
from pathlib import Path
from typing import Any

import asyncpg
from alembic import command, context, op
from alembic.config import Config
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import create_async_engine

from signalink_core.database import revisions, serving
from signalink_core.database.roles import LOCK_KEY
from signalink_core.errors import DependencyUnavailable
from signalink_core.settings import PostgresSettings
from signalink_core.telemetry.logging import get_logger

LOCK_WAIT_SECONDS = 60.0
DIALECT = "postgresql+asyncpg://"
CONNECTION, SCHEMA = "connection", "schema"
log = get_logger(__name__)


async def upgrade(
    settings: PostgresSettings, *, package: str = "signalink_api.migrations", schema: str = "messaging"
) -> str | None:
    """Bring `schema` to its newest revision as the owner role, return that revision; waits <= 60 s for another run.

    A schema at a revision that the package does not know was made by a newer version: it is left as it is.
    """
    engine = create_async_engine(DIALECT, async_creator=partial(_connect, settings))
    try:
        async with _only_one(settings, schema):
            found = await revision(settings, schema=schema)
            if found is not None and found not in {one.name for one in revisions.shipped(package)}:
                log.warning("schema_is_newer", schema=schema, revision=found)
                return found
            async with engine.connect() as connection:
                reached = await connection.run_sync(_run, package, schema)
            await serving.tell(settings, schema, package)
            return reached
    finally:
        await engine.dispose()


async def revision(settings: PostgresSettings, *, schema: str = "messaging") -> str | None:
    """The revision the schema is at; None when no migration ran yet."""
    connection = await asyncpg.connect(**settings.connect_kwargs(), timeout=2.0, command_timeout=5.0)
    try:
        if await connection.fetchval("SELECT to_regclass($1)", f"{schema}.alembic_version") is None:
            return None
        found: str | None = await connection.fetchval(f'SELECT version_num FROM "{schema}".alembic_version')  # noqa: S608
        return found
    finally:
        await connection.close(timeout=2.0)


def head(package: str = "signalink_api.migrations") -> str | None:
    """The newest revision that the package ships."""
    from alembic.script import ScriptDirectory

    return ScriptDirectory.from_config(_config(package)).get_current_head()


def run_environment() -> None:
    """Body of every `env.py`: run the revisions on the connection that `upgrade` opened, in one transaction."""
    attributes = context.config.attributes
    context.configure(
        connection=attributes[CONNECTION], version_table_schema=attributes[SCHEMA], transaction_per_migration=True
    )
    with context.begin_transaction():
        context.run_migrations()


def run_sql(folder: Path) -> None:
    """Execute every `.sql` file of a revision's folder, in name order, each as one multi-statement script."""
    for path in sorted(folder.glob("*.sql")):
        run_script(path.read_text(encoding="utf-8"))


def run_script(script: str) -> None:
    """Execute several statements in the revision's transaction."""
    bind = op.get_bind()
    bind.execute(text("SELECT 1"))  # begins the transaction, which the driver would otherwise not see below
    driver: Any = bind.connection.dbapi_connection
    driver.run_async(lambda connection: connection.execute(script))


def _run(connection: Connection, package: str, schema: str) -> str | None:
    connection.execute(text(f'CREATE SCHEMA IF NOT EXISTS "{schema}"'))
    connection.commit()
    config = _config(package)
    config.attributes.update({CONNECTION: connection, SCHEMA: schema})
    command.upgrade(config, "head")
    connection.commit()
    found: str | None = connection.execute(text(f'SELECT version_num FROM "{schema}".alembic_version')).scalar()  # noqa: S608
    return found


def _config(package: str) -> Config:
    config = Config()
    config.set_main_option("script_location", str(resources.files(package)).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config


async def _connect(settings: PostgresSettings) -> asyncpg.Connection:
    """By the driver's own arguments: a password may be a token that is made for each connection."""
    return await asyncpg.connect(**settings.connect_kwargs(), timeout=2.0)  # type: ignore[no-any-return]


@asynccontextmanager
async def _only_one(settings: PostgresSettings, schema: str) -> AsyncIterator[None]:
    """Hold the migration lock of the schema on a connection of its own, so that a failed migration cannot drop it."""
    connection = await asyncpg.connect(**settings.connect_kwargs(), timeout=2.0, command_timeout=LOCK_WAIT_SECONDS + 5)
    try:
        await connection.execute(f"SET lock_timeout = '{int(LOCK_WAIT_SECONDS)}s'")
        try:
            await connection.execute("SELECT pg_advisory_lock($1, $2)", LOCK_KEY, zlib.crc32(schema.encode()) >> 1)
        except asyncpg.LockNotAvailableError as error:
            raise DependencyUnavailable(
                f"Another migration of schema {schema} is still running after {LOCK_WAIT_SECONDS:.0f} s.",
                next_step="wait for it, or end the session that holds the lock (pg_locks, locktype advisory).",
                retry_after=LOCK_WAIT_SECONDS,
            ) from error
        yield
    finally:
        await connection.close(timeout=2.0)
