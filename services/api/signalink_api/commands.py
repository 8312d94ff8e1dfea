"""Commands on the api's data that the `signalink` command line runs: making an admin, raising the log's epoch.

Owns what they do. Arguments and output are the command line's. `settings` are the owner's; no service uses these.
"""

from signalink_core.database import pool
from signalink_core.errors import NotFound
from signalink_core.log import state
from signalink_core.settings import PostgresSettings

PROMOTE = """
WITH promoted AS (
    UPDATE messaging.users SET role = 'admin' WHERE lower(username) = lower($1) AND role <> 'admin' RETURNING id
), recorded AS (
    INSERT INTO messaging.audit_log (action, target, details)
    SELECT 'user.promote', id::text, '{"role": "admin", "by": "command line"}' FROM promoted
), told AS (
    INSERT INTO messaging.revocations (subject_kind, subject_id, reason) SELECT 'user', id, 'role_changed' FROM promoted
)
SELECT EXISTS (SELECT FROM promoted) AS changed,
    EXISTS (SELECT FROM messaging.users WHERE lower(username) = lower($1)) AS known
"""


async def promote_user(settings: PostgresSettings, name: str) -> bool:
    """Make the user of this name an admin; False when they are one already. Their open sessions end (role change)."""
    connection = await pool.connect(settings)
    try:
        row = await connection.fetchrow(PROMOTE, name)
    finally:
        await connection.close()
    if not row["known"]:
        raise NotFound(f"There is no user named {name!r}.", next_step="register the account first, then promote it.")
    return bool(row["changed"])


async def new_epoch(settings: PostgresSettings) -> int:
    """Accept this server for the log and raise its epoch; every writer must be stopped. Returns the new epoch."""
    connection = await pool.connect(settings, command_timeout=None)
    try:
        return await state.new_epoch(connection)
    finally:
        await connection.close()
