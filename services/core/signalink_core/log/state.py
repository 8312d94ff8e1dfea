"""Which server and epoch the log belongs to (log.md 2): the check before writing, and the step after a restore."""

import asyncpg
from asyncpg.exceptions import PostgresError

from signalink_core.errors import LogMismatch
from signalink_core.log import statements

MISMATCH = "SL001"
"""SQLSTATE of the writers' functions on another server than the log's."""


async def verify_server(conn: asyncpg.Connection) -> int:
    """The current epoch; LogMismatch when this is not the server that `log_state` names."""
    try:
        epoch: int = await conn.fetchval(statements.CURRENT_EPOCH)
    except PostgresError as error:
        raise mismatch(error) or error from error
    return epoch


async def new_epoch(conn: asyncpg.Connection) -> int:
    """Accept this server and raise the epoch of the log, of every channel and of every other outbox in the database;
    as owner, all writers stopped. Answers the log's."""
    raised: dict[str, int] = {}
    for schema in await outboxes(conn):
        raised[schema] = await conn.fetchval(statements.NEW_EPOCH.replace("messaging.", f'"{schema}".'))
    return raised["messaging"]


async def outboxes(conn: asyncpg.Connection) -> list[str]:
    """The schemas with an outbox of the log's shape, as far as the role may see them; the log's own comes first."""
    return [row["schema"] for row in await conn.fetch(statements.OUTBOXES)]


def mismatch(error: PostgresError) -> LogMismatch | None:
    """The refusal in Signalink's words, when `error` is that of a writer's function."""
    if getattr(error, "sqlstate", None) != MISMATCH:
        return None
    return LogMismatch(
        f"Postgres refuses to write: {error}.",
        next_step="if the server was restored or promoted on purpose, stop writers and run: signalink log new-epoch",
    )
