"""Postgres by a role: a real server whose only password is the token, over TLS that is checked."""

import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import asyncpg
import botocore.session
import pytest
from authorities import Authority
from standins import LOOPBACK, REGION, Clock, Identity, tls_front

from signalink_core.database import pool, scram
from signalink_core.errors import ConfigurationError
from signalink_core.settings import PostgresSettings
from signalink_stacks.local.credentials import write_private
from signalink_stacks.local.engines import PostgresEngine

pytestmark = pytest.mark.engine("postgres")
ROLE = "signalink_api"


class ClearTextPostgres(PostgresEngine):
    """Asks for the password itself, as RDS does of a role that has rds_iam: it hands the token on to AWS."""

    def prepare(self) -> None:
        super().prepare()
        write_private(self.data / "pg_hba.conf", f"host all all {LOOPBACK}/32 password\n")
        self._own(self.data)


@pytest.fixture(scope="module")
def server(engine_folder: Path) -> Iterator[PostgresEngine]:
    folder = Path(tempfile.mkdtemp(dir=engine_folder))
    with ClearTextPostgres(folder, durable=False) as engine:
        yield engine
    shutil.rmtree(folder)


@pytest.fixture
async def admin(server: PostgresEngine) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(server.admin_dsn(), timeout=5)
    await connection.execute(f"DROP ROLE IF EXISTS {ROLE}")
    await connection.execute(f"CREATE ROLE {ROLE} LOGIN")
    yield connection
    await connection.close()


def settings(port: int, ca_file: Path | None, **more: Any) -> PostgresSettings:
    dsn = f"postgresql://{ROLE}@{LOOPBACK}:{port}/postgres"
    return PostgresSettings(dsn=dsn, auth="iam", tls="on", ca_file=ca_file, aws_region=REGION, **more)


async def accept_now(admin: asyncpg.Connection, port: int) -> None:
    """The server takes the token of this moment and no other, computed by AWS's own client."""
    client = botocore.session.Session().create_client("rds", region_name=REGION)
    token = client.generate_db_auth_token(LOOPBACK, port, ROLE)
    await admin.execute(f"ALTER ROLE {ROLE} PASSWORD '{scram.verifier(token)}'")


async def test_connections_are_opened_by_tokens_and_after_a_quarter_of_an_hour_by_the_next(
    server: PostgresEngine, admin: asyncpg.Connection, authority: Authority, pod: Identity, clock: Clock
) -> None:
    async with tls_front(server.port, authority.server(), postgres=True) as port:
        await accept_now(admin, port)
        connections = await pool.open_pool(settings(port, authority.ca_file), min_size=1, max_size=2)
        try:
            async with connections.acquire() as first:
                assert await first.fetchval("SELECT current_user::text") == ROLE
                clock.now += 800
                async with connections.acquire() as second:
                    assert await second.fetchval("SELECT 1") == 1, "the same token still"
            await connections.expire_connections()
            clock.now += 100
            with pytest.raises(asyncpg.InvalidPasswordError):
                async with connections.acquire():
                    pass
            await accept_now(admin, port)
            async with connections.acquire() as third:
                assert await third.fetchval("SELECT current_user::text") == ROLE
        finally:
            await connections.close()


async def test_a_certificate_of_another_authority_or_for_another_name_is_refused(
    server: PostgresEngine, authority: Authority, pod: Identity, tmp_path: Path
) -> None:
    (tmp_path / "other").mkdir()
    other = Authority(tmp_path / "other")
    for context, trusted in (
        (authority.server(), other.ca_file),
        (authority.server(), None),
        (authority.server("db.example.org"), authority.ca_file),
    ):
        async with tls_front(server.port, context, postgres=True) as port:
            with pytest.raises(OSError, match="certificate verify failed"):
                await pool.connect(settings(port, trusted))


async def test_a_server_without_tls_gets_no_token(server: PostgresEngine, authority: Authority, pod: Identity) -> None:
    with pytest.raises(ConnectionError, match="rejected SSL upgrade"):
        await pool.connect(settings(server.port, authority.ca_file))


def test_a_bundle_that_cannot_be_read_is_named(pod: Identity, tmp_path: Path) -> None:
    (tmp_path / "empty.pem").write_text("")
    for name in ("missing.pem", "empty.pem"):
        with pytest.raises(ConfigurationError, match=name) as refused:
            settings(1, tmp_path / name).connect_kwargs()
        assert "_CA_FILE" in str(refused.value.next_step)


async def test_tls_is_checked_with_a_password_too(
    server: PostgresEngine, admin: asyncpg.Connection, authority: Authority, tmp_path: Path
) -> None:
    word = tmp_path / "word"
    word.write_text("plain")
    await admin.execute(f"ALTER ROLE {ROLE} PASSWORD 'plain'")
    async with tls_front(server.port, authority.server(), postgres=True) as port:
        asked = settings(port, authority.ca_file).model_copy(update={"auth": "password", "password_file": word})
        connection = await pool.connect(asked)
        assert await connection.fetchval("SELECT current_user::text") == ROLE
        await connection.close()
