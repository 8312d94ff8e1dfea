"""Which code a schema serves: pods wait for it, an old version's migration leaves a newer schema alone."""

import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import asyncpg
import pytest

import signalink_api.migrations
from signalink_core.database import __main__ as command_line
from signalink_core.database import migrate, revisions, serving
from signalink_core.database.revisions import Revision
from signalink_core.errors import ConfigurationError, DependencyUnavailable
from signalink_stacks.local.testing import Database

API = "signalink_api.migrations"
ALL = [Revision("0001", None), Revision("0002", "0001", contract=True), Revision("0003", "0002")]
Package = Callable[..., str]


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Package:
    """Makes a copy of the api's migrations, without the newest revision or with it taking something away."""
    monkeypatch.syspath_prepend(str(tmp_path))

    def make(name: str, *, older: bool = False, contract: bool = False) -> str:
        source = Path(next(iter(signalink_api.migrations.__path__)))
        target = Path(shutil.copytree(source, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__")))
        newest = sorted((target / "versions").glob("v*.py"))[-1]
        if older:
            newest.unlink()
        if contract:
            newest.write_text(newest.read_text() + "\ncontract = True\n")
        sys.modules.pop(name, None)
        return name

    return make


async def versions(database: Database) -> list[str]:
    connection = await database.connect()
    rows = await connection.fetch("SELECT revision FROM signalink_schema.served WHERE schema_name = 'messaging'")
    await connection.close()
    return sorted(row[0] for row in rows)


@pytest.mark.parametrize("principal", ["api", "gateway", "relay", "prober", "analytics", "notifications", "owner"])
async def test_every_principal_may_ask_and_finds_its_version_served(database: Database, principal: str) -> None:
    await migrate.upgrade(database.settings("owner"))
    await serving.wait(database.settings(principal), {"messaging": API}, timeout=0)


async def test_a_pod_waits_until_the_migration_has_run(database: Database) -> None:
    await migrate.upgrade(database.settings("owner"))
    connection = await database.connect()
    await connection.execute("DROP SCHEMA signalink_schema CASCADE")
    await connection.close()
    with pytest.raises(DependencyUnavailable, match="no schema serves this version: messaging at "):
        await serving.wait(database.settings("api"), {"messaging": API}, timeout=0)
    await migrate.upgrade(database.settings("owner"))
    await serving.wait(database.settings("api"), {"messaging": API}, timeout=0)


async def test_an_old_version_runs_on_a_schema_that_only_grew(database: Database, package: Package) -> None:
    old = package("old_migrations", older=True)
    reached = await migrate.upgrade(database.settings("owner"))
    assert revisions.head(old) != reached
    assert await migrate.upgrade(database.settings("owner"), package=old) == reached
    assert await migrate.revision(database.settings("owner")) == reached
    await serving.wait(database.settings("api"), {"messaging": old}, timeout=0)


async def test_an_old_version_waits_for_ever_on_a_schema_that_took_something_away(
    database: Database, package: Package
) -> None:
    old, contracted = package("older_migrations", older=True), package("contracted_migrations", contract=True)
    reached = await migrate.upgrade(database.settings("owner"), package=contracted)
    assert await versions(database) == [reached]
    with pytest.raises(DependencyUnavailable, match="no schema serves this version"):
        await serving.wait(database.settings("api"), {"messaging": old}, timeout=0)
    await serving.wait(database.settings("api"), {"messaging": contracted}, timeout=0)


async def test_a_server_that_is_not_there_is_waited_for_and_named(database: Database, tmp_path: Path) -> None:
    settings = database.settings("api")
    away = settings.model_copy(update={"dsn": "postgresql://signalink_api@127.0.0.1:1/signalink"})
    with pytest.raises(DependencyUnavailable, match="Postgres does not let us in"):
        await serving.wait(away, {}, timeout=0)


async def test_no_principal_may_write_what_is_served(database: Database) -> None:
    await migrate.upgrade(database.settings("owner"))
    connection = await asyncpg.connect(**database.settings("api").connect_kwargs(), timeout=5.0)
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await connection.execute("INSERT INTO signalink_schema.served VALUES ('messaging', '9999')")
    await connection.close()


def test_a_schema_serves_back_to_its_last_contract() -> None:
    assert revisions.served(ALL) == ["0003", "0002"]
    assert revisions.served(ALL[:1]) == ["0001"]


@pytest.mark.parametrize(
    "found", [[], [Revision("2", "1")], [Revision("1", None), Revision("2", "1"), Revision("3", "1")]], ids=str
)
def test_revisions_that_are_not_one_line_are_refused(found: list[Revision]) -> None:
    with pytest.raises(ConfigurationError, match="are not one line"):
        revisions.in_order(found, "x")


def test_the_revisions_are_those_alembic_knows() -> None:
    assert revisions.head(API) == migrate.head(API)
    with pytest.raises(ConfigurationError, match=r"no_such_package is no package of migrations"):
        revisions.shipped("no_such_package")


def test_the_command_says_what_it_waits_for(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SIGNALINK_POSTGRES_DSN", "postgresql://signalink_api@127.0.0.1:1/signalink")
    assert command_line.main(["wait", "--timeout", "0", "--schema", f"messaging={API}"]) == 1
    assert "Postgres does not let us in" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        command_line.main(["wait", "--schema", "messaging"])
    assert "is not SCHEMA=PACKAGE" in capsys.readouterr().err
