"""Owns the Postgres fixtures: one server per session, roles and schema once, a clean copy of the database per test."""

import asyncio
import uuid
from collections.abc import Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

import pytest

from signalink_core import principals
from signalink_core.database import migrate, pool, roles
from signalink_core.settings import PostgresSettings
from signalink_stacks.local import schema
from signalink_stacks.local.engines import PostgresEngine
from signalink_stacks.local.ports import LOOPBACK

T = TypeVar("T")


def run(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine to its end in a loop of its own, whether or not the caller is inside one."""
    with ThreadPoolExecutor(1) as executor:
        return executor.submit(asyncio.run, coroutine).result()


class Database:
    """A database of the session's server. Roles: a principal (`api`), its role (`signalink_api`), or `admin`."""

    def __init__(self, engine: PostgresEngine, name: str) -> None:
        self.engine = engine
        self.name = name

    def settings(self, role: str = "api") -> PostgresSettings:
        """What a service would read from its environment."""
        return schema.settings(self.engine.credentials, self.engine.port, role, self.name)

    def dsn(self, role: str = principals.ADMIN) -> str:
        """With the secret in it, for `asyncpg.connect(dsn)`."""
        word = schema.password_file(self.engine.credentials, role).read_text()
        return f"postgresql://{schema.role_of(role)}:{word}@{LOOPBACK}:{self.engine.port}/{self.name}"

    async def connect(self, role: str = principals.ADMIN) -> Any:
        """An `asyncpg.Connection` with the product's codecs; the caller closes it."""
        return await pool.connect(self.settings(role))


class PostgresServer(Database):
    """The session's server; as a `Database` it is the migrated template, to which no test should stay connected."""

    def __init__(self, engine: PostgresEngine) -> None:
        super().__init__(engine, schema.DATABASE)

    def copy(self) -> Database:
        """A new database with everything the template has."""
        name = f"test_{uuid.uuid4().hex[:12]}"
        grants = roles.database_grants(name, schema.role_passwords(self.engine.credentials))
        create = f'CREATE DATABASE "{name}" TEMPLATE "{self.name}" OWNER {roles.OWNER} STRATEGY FILE_COPY'
        run(self._execute(create, *grants))
        return Database(self.engine, name)

    def drop(self, database: Database) -> None:
        run(self._execute(f'DROP DATABASE IF EXISTS "{database.name}" WITH (FORCE)'))

    async def _execute(self, *statements: str) -> None:
        admin = schema.settings(self.engine.credentials, self.engine.port, principals.ADMIN, "postgres")
        connection: Any = await pool.connect(admin, command_timeout=60)
        try:
            for statement in statements:
                await connection.execute(statement)
        finally:
            await connection.close()


async def _prepare(server: PostgresServer) -> None:
    await schema.bootstrap(server.engine.credentials, server.engine.port)
    await migrate.upgrade(server.settings("owner"))


@pytest.fixture(scope="session")
def postgres(engine_folder: Path) -> Iterator[PostgresServer]:
    """The session's Postgres with roles and the migrated schema `messaging` in database `signalink`."""
    with PostgresEngine(engine_folder / "postgres", durable=False) as engine:
        server = PostgresServer(engine)
        run(_prepare(server))
        yield server


@pytest.fixture
def database(postgres: PostgresServer) -> Iterator[Database]:
    """A database of this test alone."""
    copy = postgres.copy()
    yield copy
    postgres.drop(copy)
