"""Owns the order of database work on a new or older server: roles and database first, then each service's migrations.

What a role may do and what a migration does is `signalink_core.database`'s and the services'.
Passwords come from files.
"""

from pathlib import Path

from signalink_core import principals
from signalink_core.database import roles
from signalink_core.settings import PostgresSettings
from signalink_stacks.local.credentials import Credentials
from signalink_stacks.local.engines.postgres import PASSWORD, SUPERUSER
from signalink_stacks.local.ports import LOOPBACK

DATABASE = roles.DATABASE


def role_of(principal: str) -> str:
    """`admin` is the superuser; a name that is no principal is taken for a role."""
    return SUPERUSER if principal == principals.ADMIN else principals.postgres_roles().get(principal, principal)


def password_file(credentials: Credentials, principal: str) -> Path:
    """The secret of a principal, or of a role given by its name."""
    by_role = {role: name for name, role in principals.postgres_roles().items()}
    name = by_role.get(principal, principal)
    return credentials.path(PASSWORD if role_of(name) == SUPERUSER else f"postgres-{name}")


def settings(credentials: Credentials, port: int, principal: str, database: str = DATABASE) -> PostgresSettings:
    """What a service would read from its environment."""
    dsn = f"postgresql://{role_of(principal)}@{LOOPBACK}:{port}/{database}"
    return PostgresSettings(dsn=dsn, password_file=password_file(credentials, principal))


def role_passwords(credentials: Credentials) -> dict[str, str]:
    """Role -> password, for each principal that logs in."""
    return {role: credentials.read(f"postgres-{name}") for name, role in principals.postgres_roles().items()}


async def bootstrap(credentials: Credentials, port: int) -> None:
    """Make or repair roles and the database; safe to repeat."""
    word = password_file(credentials, principals.ADMIN).read_text()
    await roles.bootstrap(f"postgresql://{SUPERUSER}:{word}@{LOOPBACK}:{port}/postgres", role_passwords(credentials))
