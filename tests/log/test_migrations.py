"""Roles and migrations: repeatable, one at a time, and honest about what they cannot do."""

import asyncio
import base64
import hmac
import zlib
from pathlib import Path

import asyncpg
import pytest

import signalink_api.migrations
from signalink_core.database import __main__ as command_line
from signalink_core.database import migrate, roles, scram
from signalink_stacks.local import schema
from signalink_stacks.local.testing import Database, PostgresServer

CATALOGUE = """
SELECT c.relname || ' ' || a.attname || ' ' || format_type(a.atttypid, a.atttypmod)
FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0
WHERE c.relnamespace = 'messaging'::regnamespace
UNION ALL SELECT oid::regprocedure::text FROM pg_proc WHERE pronamespace = 'messaging'::regnamespace ORDER BY 1
"""


@pytest.fixture
async def empty(database: Database) -> Database:
    """A database as bootstrap leaves it."""
    connection = await database.connect()
    await connection.execute("DROP SCHEMA messaging CASCADE")
    await connection.close()
    return database


async def catalogue(database: Database) -> list[str]:
    connection = await database.connect()
    found = [row[0] for row in await connection.fetch(CATALOGUE)]
    await connection.close()
    return found


async def test_a_migrated_database_is_at_the_newest_revision_and_again_changes_nothing(database: Database) -> None:
    before = await catalogue(database)
    assert await migrate.revision(database.settings("owner")) == migrate.head()
    assert await migrate.upgrade(database.settings("owner")) == migrate.head()
    assert await catalogue(database) == before
    assert len(before) > 200


async def test_four_migrations_at_once_are_one_after_the_other(empty: Database) -> None:
    assert await migrate.revision(empty.settings("owner")) is None
    settings = empty.settings("owner")
    assert set(await asyncio.gather(*(migrate.upgrade(settings) for _ in range(4)))) == {migrate.head()}


async def test_a_migration_waits_under_its_advisory_lock_in_the_int_int_space(empty: Database) -> None:
    connection = await empty.connect()
    await connection.execute("SELECT pg_advisory_lock($1, $2)", roles.LOCK_KEY, zlib.crc32(b"messaging") >> 1)
    migrating = asyncio.create_task(migrate.upgrade(empty.settings("owner")))
    done, _ = await asyncio.wait({migrating}, timeout=0.5)
    assert not done
    assert await connection.fetchval("SELECT to_regclass('messaging.events')") is None
    await connection.close()
    assert await migrating == migrate.head()


async def test_a_migration_that_fails_leaves_nothing_behind(empty: Database) -> None:
    connection = await empty.connect()
    await connection.execute("CREATE SCHEMA messaging AUTHORIZATION signalink_owner")
    await connection.execute("CREATE TABLE messaging.log_state ()")
    with pytest.raises(Exception, match="log_state"):
        await migrate.upgrade(empty.settings("owner"))
    tables = await connection.fetch("SELECT relname FROM pg_class WHERE relnamespace = 'messaging'::regnamespace")
    assert {row["relname"] for row in tables} == {"log_state"}
    await connection.close()


def test_every_revision_has_its_folder_of_sql() -> None:
    tree = Path(signalink_api.migrations.__file__).parent
    folders = sorted(path.name for path in (tree / "sql").iterdir())
    assert folders == sorted(path.name[1:5] for path in (tree / "versions").glob("v*.py"))
    assert folders[-1] == migrate.head()


async def test_bootstrap_can_be_repeated_and_repairs_a_password(postgres: PostgresServer) -> None:
    credentials = postgres.engine.credentials
    await schema.bootstrap(credentials, postgres.engine.port)
    admin = await postgres.connect()
    await admin.execute("ALTER ROLE signalink_relay PASSWORD 'changed' SUPERUSER")
    await admin.close()
    with pytest.raises(asyncpg.InvalidPasswordError):
        await postgres.connect("relay")
    await schema.bootstrap(credentials, postgres.engine.port)
    relay = await postgres.connect("relay")
    assert await relay.fetchval("SELECT rolsuper FROM pg_roles WHERE rolname = current_user") is False
    await relay.close()


async def test_bootstrap_without_an_owner_or_with_an_odd_name_is_refused() -> None:
    with pytest.raises(ValueError, match="signalink_owner"):
        await roles.bootstrap("postgresql://nowhere", {"signalink_api": "x"})
    with pytest.raises(ValueError, match="plain identifier"):
        list(roles.database_grants('x"; DROP TABLE y', {}))


def test_a_verifier_is_the_one_of_the_standard() -> None:
    # The exchange printed in RFC 7677, section 3.
    nonce, salt = "rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0", "W22ZaJ0SNY7soEsUEjb6gQ=="
    made = scram.verifier("pencil", salt=base64.b64decode(salt))
    message = f"n=user,r=rOprNGfwEbeRWgbNEkqO,r={nonce},s={salt},i=4096,c=biws,r={nonce}"
    server_key = base64.b64decode(made.rsplit(":", 1)[1])
    signature = base64.b64encode(hmac.digest(server_key, message.encode(), "sha256"))
    assert signature == b"6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="
    assert scram.verifier("pencil") != scram.verifier("pencil"), "salted"


def test_the_command_migrates_and_says_where_it_arrived(
    empty: Database, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = empty.settings("owner")
    monkeypatch.setenv("SIGNALINK_POSTGRES_DSN", settings.dsn)
    monkeypatch.setenv("SIGNALINK_POSTGRES_PASSWORD_FILE", str(settings.password_file))
    assert command_line.main(["migrate", "--schema", "messaging"]) == 0
    assert capsys.readouterr().out == f"messaging is at revision {migrate.head()}\n"


def test_the_command_without_settings_or_server_says_what_to_do(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("SIGNALINK_POSTGRES_DSN", raising=False)
    assert command_line.main(["migrate"]) == 64
    assert "SIGNALINK_POSTGRES_DSN" in capsys.readouterr().err
    monkeypatch.setenv("SIGNALINK_POSTGRES_DSN", "postgresql://signalink_owner@127.0.0.1:1/signalink")
    assert command_line.main(["migrate"]) == 1
    assert "start it" in capsys.readouterr().err
