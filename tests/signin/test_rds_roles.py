"""Roles where nobody is a super user, as at RDS: made by an administrator of AWS's secret, used by tokens alone."""

import asyncio
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import botocore.session
import pytest
from authorities import Authority
from standins import LOOPBACK, REGION, Clock, Identity, tls_front

from signalink_core import principals
from signalink_core.database import migrate, roles, scram
from signalink_core.errors import ConfigurationError
from signalink_core.provision import __main__ as provision
from signalink_core.settings import PostgresSettings
from signalink_stacks.local.credentials import write_private
from signalink_stacks.local.engines import PostgresEngine

pytestmark = pytest.mark.engine("postgres")
ADMIN, SECRET, WORD = "signalink_root", "arn:aws:secretsmanager:eu-central-1:1:secret:rds!db-x", "made by AWS"
SCHEMAS = {
    "messaging": "signalink_api.migrations",
    "analytics": "signalink_analytics.migrations",
    "notifications": "signalink_notifications.migrations",
}
ALIKE = f"""
CREATE ROLE rds_iam NOLOGIN;
CREATE ROLE rds_superuser NOLOGIN;
GRANT rds_iam, pg_monitor TO rds_superuser WITH ADMIN OPTION;
CREATE ROLE {ADMIN} LOGIN CREATEROLE CREATEDB;
GRANT rds_superuser TO {ADMIN};
"""


class Rds(PostgresEngine):
    """Members of rds_iam hand over a token in clear, for AWS to look at; others have a password."""

    def prepare(self) -> None:
        super().prepare()
        lines = (("+rds_iam", "password"), ("all", "scram-sha-256"))
        hba = "".join(f"host all {who} {LOOPBACK}/32 {how}\n" for who, how in lines)
        write_private(self.data / "pg_hba.conf", hba)
        self._own(self.data)


@pytest.fixture
def rds(engine_folder: Path) -> Iterator[PostgresEngine]:
    folder = Path(tempfile.mkdtemp(dir=engine_folder))
    with Rds(folder, durable=False) as engine:
        yield engine
    shutil.rmtree(folder)


def settings(role: str, port: int, authority: Authority, database: str = "signalink") -> PostgresSettings:
    return PostgresSettings(
        dsn=f"postgresql://{role}@{LOOPBACK}:{port}/{database}",
        auth="iam",
        tls="on",
        ca_file=authority.ca_file,
        aws_region=REGION,
    )


async def aws_knows(root: asyncpg.Connection, role: str, port: int) -> None:
    """AWS lets the role in by the token of this moment, computed by its own client, and by no password."""
    client = botocore.session.Session().create_client("rds", region_name=REGION)
    token = client.generate_db_auth_token(LOOPBACK, port, role)
    await root.execute(f"ALTER ROLE {role} PASSWORD '{scram.verifier(token)}'")


async def test_everything_is_made_and_migrated_without_a_super_user_and_a_password(
    rds: PostgresEngine,
    authority: Authority,
    pod: Identity,
    clock: Clock,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    pod.secrets[SECRET] = {"username": ADMIN, "password": WORD}
    root = await asyncpg.connect(rds.admin_dsn(), timeout=5)
    await root.execute(ALIKE)
    await root.execute(f"ALTER ROLE {ADMIN} PASSWORD '{scram.verifier(WORD)}'")
    async with tls_front(rds.port, authority.server(), postgres=True) as port:
        for key, value in {
            "DSN": f"postgresql://{ADMIN}@{LOOPBACK}:{port}/postgres",
            "AUTH": "iam",
            "TLS": "on",
            "CA_FILE": str(authority.ca_file),
            "AWS_REGION": REGION,
        }.items():
            monkeypatch.setenv(f"SIGNALINK_POSTGRES_{key}", value)
        command = ["postgres", "--admin-secret", SECRET, "--timeout", "20"]
        assert await asyncio.to_thread(provision.main, command) == 0, capsys.readouterr().err
        # Who made a role is a member of it, and so of rds_iam: from now on AWS wants the administrator's token too.
        assert await root.fetchval("SELECT pg_has_role($1, 'rds_iam', 'MEMBER')", ADMIN)
        await aws_knows(root, ADMIN, port)
        assert await asyncio.to_thread(provision.main, command) == 0, capsys.readouterr().err
        for role in principals.postgres_roles().values():
            assert await root.fetchval("SELECT rolpassword IS NULL FROM pg_authid WHERE rolname = $1", role)
            assert await root.fetchval("SELECT pg_has_role($1, 'rds_iam', 'USAGE')", role)
            await aws_knows(root, role, port)
        assert not await root.fetchval("SELECT pg_has_role($1, 'signalink_owner', 'USAGE')", ADMIN)
        owner = settings(roles.OWNER, port, authority)
        for schema, package in SCHEMAS.items():
            assert await migrate.upgrade(owner, package=package, schema=schema) == migrate.head(package)
        owners = await root.fetchval(
            "SELECT rolname FROM pg_database JOIN pg_roles r ON r.oid = datdba WHERE datname=$1", "signalink"
        )
        assert owners == roles.OWNER
        for principal, role in principals.postgres_roles().items():
            connection = await asyncpg.connect(**settings(role, port, authority).connect_kwargs(), timeout=5)
            assert await connection.fetchval("SELECT current_user::text") == role, principal
            await connection.close()
        api = await asyncpg.connect(**settings("signalink_api", port, authority).connect_kwargs(), timeout=5)
        assert await api.fetchval("SELECT current_setting('statement_timeout')") == "5s"
        assert await api.fetchval("SELECT count(*) FROM messaging.channels") == 0
        await api.close()
    await root.close()


async def test_a_secret_that_is_not_given_is_named(
    rds: PostgresEngine,
    authority: Authority,
    pod: Identity,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for key, value in {
        "DSN": f"postgresql://{ADMIN}@{LOOPBACK}:{rds.port}/postgres",
        "AUTH": "iam",
        "TLS": "on",
        "AWS_REGION": REGION,
    }.items():
        monkeypatch.setenv(f"SIGNALINK_POSTGRES_{key}", value)
    command = ["postgres", "--admin-secret", SECRET, "--timeout", "0.5"]
    assert await asyncio.to_thread(provision.main, command) == 1
    said = capsys.readouterr().err
    assert SECRET in said and "not for you" in said


async def test_a_role_with_powers_that_only_a_super_user_may_take_is_refused(
    rds: PostgresEngine, authority: Authority
) -> None:
    root = await asyncpg.connect(rds.admin_dsn(), timeout=5)
    await root.execute(ALIKE)
    await root.execute(f"ALTER ROLE {ADMIN} PASSWORD '{scram.verifier('word')}'")
    await root.execute("CREATE ROLE signalink_owner SUPERUSER")
    await root.close()
    dsn = f"postgresql://{ADMIN}:word@{LOOPBACK}:{rds.port}/postgres"
    with pytest.raises(ConfigurationError, match="signalink_owner may do what only a super user"):
        await roles.bootstrap(dsn, {roles.OWNER: "x"})
