"""Migrations: repeatable, one at a time, and the same schema however they are started."""

from signalink_core.database import migrate
from signalink_stacks.local.testing import Database


async def test_a_migrated_database_is_at_the_newest_revision(database: Database) -> None:
    assert await migrate.revision(database.settings("owner")) == migrate.head()


async def test_migrating_again_changes_nothing(database: Database) -> None:
    admin = await database.connect()
    before = await admin.fetchval("SELECT count(*) FROM pg_class")
    assert await migrate.upgrade(database.settings("owner")) == migrate.head()
    assert await admin.fetchval("SELECT count(*) FROM pg_class") == before
    await admin.close()
