"""Which code a schema serves: told by the migration that reached it, asked by every process that waits to start.

Owns the schema `signalink_schema` and its one table. `wait` needs no more than the caller's own account.
"""

import asyncio
import time
from collections.abc import Mapping

import asyncpg
from asyncpg.exceptions import InterfaceError, PostgresError

from signalink_core.database import revisions
from signalink_core.database.roles import LOCK_KEY
from signalink_core.errors import DependencyUnavailable
from signalink_core.settings import PostgresSettings

SERVING_LOCK = 3
RETRY_SECONDS = 1.0
TELL = """
CREATE SCHEMA IF NOT EXISTS signalink_schema;
CREATE TABLE IF NOT EXISTS signalink_schema.served (
    schema_name text, revision text, PRIMARY KEY (schema_name, revision)
);
GRANT USAGE ON SCHEMA signalink_schema TO PUBLIC;
GRANT SELECT ON signalink_schema.served TO PUBLIC;
"""
UNREACHABLE = (OSError, TimeoutError, PostgresError, InterfaceError)


async def tell(settings: PostgresSettings, schema: str, package: str) -> None:
    """Write down, as the owner, the revisions whose code runs on `schema` now that it is at the package's newest."""
    rows = [(schema, name) for name in revisions.served(revisions.shipped(package))]
    connection = await asyncpg.connect(**settings.connect_kwargs(), timeout=2.0, command_timeout=60.0)
    try:
        async with connection.transaction():
            await connection.execute("SELECT pg_advisory_xact_lock($1, $2)", LOCK_KEY, SERVING_LOCK)
            await connection.execute(TELL)
            await connection.execute("DELETE FROM signalink_schema.served WHERE schema_name = $1", schema)
            await connection.executemany("INSERT INTO signalink_schema.served VALUES ($1, $2)", rows)
    finally:
        await connection.close(timeout=2.0)


async def wait(settings: PostgresSettings, schemas: Mapping[str, str], timeout: float) -> None:
    """Return when Postgres lets us in and each schema (name -> package of its migrations) serves this code.

    Never migrates. Raises DependencyUnavailable with what was missing last after `timeout` seconds.
    """
    deadline = time.monotonic() + timeout
    wanted = {schema: revisions.head(package) for schema, package in schemas.items()}
    while (missing := await _missing(settings, wanted)) is not None:
        if time.monotonic() >= deadline:
            raise DependencyUnavailable(
                f"After {timeout:.0f} s {missing}.",
                next_step="look at the migration job of the service that owns the schema, and at Postgres.",
                retry_after=RETRY_SECONDS,
            )
        await asyncio.sleep(RETRY_SECONDS)


async def _missing(settings: PostgresSettings, wanted: Mapping[str, str]) -> str | None:
    try:
        connection = await asyncpg.connect(**settings.connect_kwargs(), timeout=2.0, command_timeout=5.0)
    except UNREACHABLE as error:
        return f"Postgres does not let us in: {str(error) or type(error).__name__}"
    try:
        known = await connection.fetchval("SELECT to_regclass('signalink_schema.served')") is not None
        rows = await connection.fetch("SELECT schema_name, revision FROM signalink_schema.served") if known else []
    except UNREACHABLE as error:
        return f"Postgres does not answer: {str(error) or type(error).__name__}"
    finally:
        await connection.close(timeout=2.0)
    present = {(row["schema_name"], row["revision"]) for row in rows}
    absent = [f"{schema} at {revision}" for schema, revision in wanted.items() if (schema, revision) not in present]
    return f"no schema serves this version: {', '.join(absent)}" if absent else None
