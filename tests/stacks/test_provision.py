"""Preparing engines that somebody else runs: the same accounts and rights as the local target's, on real engines."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest
from redis.exceptions import NoPermissionError

from signalink_core import principals
from signalink_core.kafka.producer import KafkaProducer
from signalink_core.provision import __main__ as provision
from signalink_core.provision import kafka, redis
from signalink_core.provision.secretfiles import SecretFiles
from signalink_core.settings import KafkaSettings
from signalink_stacks.local import schema
from signalink_stacks.local.credentials import Credentials
from signalink_stacks.local.engines import KafkaEngine, PostgresEngine, ValkeyEngine, jars
from signalink_stacks.local.engines import kafka as kafka_engine
from signalink_stacks.local.engines.base import Launch

CLUSTER = "c2lnbmFsaW5rLXRlc3Rpbg"


@pytest.fixture
def secrets(tmp_path: Path) -> Credentials:
    """Every principal's word, as a chart's Secret or compose's volume would show them."""
    made = Credentials(tmp_path / "secrets")
    for name in principals.postgres_roles():
        made.path(f"postgres-{name}")
    for engine, names in (("redis", principals.redis_principals()), ("kafka", principals.kafka_principals())):
        for name in names:
            made.path(f"{engine}-{name}")
    return made


@pytest.mark.engine("postgres")
async def test_postgres_gets_every_role_with_its_word_and_again_changes_nothing(
    engine_dir: Path, secrets: Credentials, monkeypatch: pytest.MonkeyPatch
) -> None:
    with PostgresEngine(engine_dir, durable=False, credentials=secrets) as engine:
        monkeypatch.setenv("SIGNALINK_POSTGRES_DSN", f"postgresql://postgres@127.0.0.1:{engine.port}/postgres")
        monkeypatch.setenv("SIGNALINK_POSTGRES_PASSWORD_FILE", str(secrets.path("postgres-admin")))
        arguments = ["postgres", "--secrets", str(secrets.directory), "--timeout", "20"]
        assert await in_thread(arguments) == 0
        assert await in_thread(arguments) == 0
        for name, role in principals.postgres_roles().items():
            settings = schema.settings(secrets, engine.port, name)
            connection = await asyncpg.connect(**settings.connect_kwargs(), timeout=5)
            assert await connection.fetchval("SELECT current_user::text") == role
            await connection.close()


async def in_thread(arguments: list[str]) -> int:
    """The command has an event loop of its own."""
    import asyncio

    return await asyncio.to_thread(provision.main, arguments)


def test_a_server_that_never_starts_is_named_after_the_timeout(
    secrets: Credentials, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SIGNALINK_POSTGRES_DSN", "postgresql://postgres@127.0.0.1:1/postgres")
    monkeypatch.setenv("SIGNALINK_POSTGRES_PASSWORD_FILE", str(secrets.path("postgres-admin")))
    assert provision.main(["postgres", "--secrets", str(secrets.directory), "--timeout", "0.5"]) == 1
    assert "Postgres was not ready within 0.5 s" in capsys.readouterr().err


def test_a_missing_secret_or_setting_is_named(
    secrets: Credentials, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    secrets.path("redis-relay").unlink()
    assert provision.main(["redis-acl", "--secrets", str(secrets.directory), "--out", str(tmp_path / "acl")]) == 64
    assert "redis-relay" in capsys.readouterr().err
    monkeypatch.delenv("SIGNALINK_POSTGRES_DSN", raising=False)
    assert provision.main(["postgres", "--secrets", str(secrets.directory)]) == 64
    assert "SIGNALINK_POSTGRES_DSN" in capsys.readouterr().err


class ForeignValkey(ValkeyEngine):
    """A server whose ACL file was written by the command."""

    def prepare(self) -> None:
        super().prepare()
        arguments = ["--secrets", str(self.credentials.directory), "--out", str(self._acl)]
        assert provision.main(["redis-acl", *arguments]) == 0


@pytest.mark.engine("valkey")
async def test_valkey_reads_the_acl_file_and_each_principal_has_its_rights(
    engine_dir: Path, secrets: Credentials
) -> None:
    with ForeignValkey(engine_dir, credentials=secrets) as engine:
        assert engine._acl.stat().st_mode & 0o777 == 0o600
        from signalink_core.settings import RedisSettings

        api = RedisSettings(url=engine.url("api"), password_file=engine.password_file("api"))
        async with api.client() as client:
            assert await client.set("signalink:ticket:x", "1", px=1000)
            with pytest.raises(NoPermissionError):
                await client.keys("*")


def test_the_acl_file_holds_hashes_and_no_word(secrets: Credentials) -> None:
    text = redis.acl(SecretFiles(secrets.directory))
    assert not [name for name in principals.redis_principals() if secrets.read(f"redis-{name}") in text]
    assert text.startswith("user default off")


def test_exporters_sign_in_as_the_prober_by_files_of_their_own_form(secrets: Credentials, tmp_path: Path) -> None:
    common = ["--secrets", str(secrets.directory)]
    paths = {name: tmp_path / name for name in ("acl", "passwords.json", "arguments")}
    acl = ["redis-acl", *common, "--out", str(paths["acl"]), "--exporter", str(paths["passwords.json"])]
    assert provision.main(acl) == 0
    found = json.loads(paths["passwords.json"].read_text())
    assert found == {"redis://prober@127.0.0.1:6379": secrets.read("redis-prober")}
    formatting = ["kafka-format", *common, "--out", str(tmp_path), "--cluster-id", CLUSTER]
    assert provision.main([*formatting, "--exporter", str(paths["arguments"])]) == 0
    lines = paths["arguments"].read_text().splitlines()
    assert f"--sasl.password={secrets.read('kafka-prober')}" in lines
    assert secrets.read("kafka-admin") not in paths["arguments"].read_text()
    assert {paths[name].stat().st_mode & 0o777 for name in ("passwords.json", "arguments")} == {0o600}


class ForeignKafka(KafkaEngine):
    """A node that is formatted and started from what the command wrote, as an image of Kafka would."""

    def prepare(self) -> None:
        self.directory.mkdir(parents=True, exist_ok=True)
        given = self.directory / "given.properties"
        own = kafka.NODE | kafka.SMALL | kafka_engine.SIZES | kafka.addresses(kafka.Place("127.0.0.1", self.port))
        own |= {
            "listeners": f"CLIENT://127.0.0.1:{self.port},CONTROLLER://127.0.0.1:{self.controller_port}",
            "controller.quorum.voters": f"1@127.0.0.1:{self.controller_port}",
            "log.dirs": str(self.data),
        }
        given.write_text("".join(f"{key}={value}\n" for key, value in own.items()))
        arguments = ["--secrets", str(self.credentials.directory), "--out", str(self.directory)]
        arguments += ["--cluster-id", CLUSTER, "--properties", str(given)]
        assert provision.main(["kafka-format", *arguments]) == 0
        for _ in range(2):  # formatting again is no fault
            command = [str(jars.java()), "-cp", jars.class_path(), f"@{self.directory / kafka.ARGUMENTS}"]
            subprocess.run(command, check=True, capture_output=True, timeout=60)

    def launch(self) -> Launch:
        launch = super().launch()
        assert launch.command[-1] == str(self.directory / kafka.PROPERTIES)
        return launch


@pytest.fixture
def node(engine_dir: Path, secrets: Credentials) -> Iterator[KafkaEngine]:
    with ForeignKafka(engine_dir, credentials=secrets) as engine:
        yield engine


@pytest.mark.engine("kafka")
async def test_kafka_is_formatted_with_its_users_and_gets_their_rights(
    node: KafkaEngine, secrets: Credentials, monkeypatch: pytest.MonkeyPatch
) -> None:
    for key, value in {
        "BOOTSTRAP": node.bootstrap,
        "USER": "admin",
        "PASSWORD_FILE": str(secrets.path("kafka-admin")),
        "SECURITY": "sasl_plaintext",
    }.items():
        monkeypatch.setenv(f"SIGNALINK_KAFKA_{key}", value)
    assert await in_thread(["kafka-access", "--timeout", "30"]) == 0
    assert await in_thread(["kafka-access", "--timeout", "30"]) == 0
    relay = KafkaSettings(bootstrap=node.bootstrap, user="relay", password_file=secrets.path("kafka-relay"))
    async with KafkaProducer(relay, client_id="test"):
        pass  # its start signs in


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["--cluster-id", "short"], "no cluster id"),
        (["--cluster-id", "-2lnbmFsaW5rLXRlc3Rpbm"], "no cluster id"),
        (["--cluster-id", CLUSTER, "--properties", "nowhere"], "cannot be read"),
    ],
)
def test_kafka_format_names_what_it_cannot_use(
    given: list[str], said: str, secrets: Credentials, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["kafka-format", "--secrets", str(secrets.directory), "--out", str(tmp_path)]
    options = [f"{name}={value}" for name, value in zip(given[::2], given[1::2], strict=True)]
    assert provision.main([*arguments, *options]) == 64
    assert said in capsys.readouterr().err


def test_given_properties_with_a_word_in_them_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "server.properties"
    path.write_text("sasl.jaas.config=a\n")
    from signalink_core.errors import ConfigurationError

    with pytest.raises(ConfigurationError, match=r"has a jaas\.config line"):
        kafka.read_properties(path)


def test_the_whole_file_is_written_when_none_is_given(secrets: Credentials, tmp_path: Path) -> None:
    kafka.prepare(SecretFiles(secrets.directory), tmp_path / "out", CLUSTER, kafka.Place("broker.example"))
    text = (tmp_path / "out" / kafka.PROPERTIES).read_text()
    assert "advertised.listeners=CLIENT://broker.example:9092\n" in text
    assert (tmp_path / "out" / kafka.PROPERTIES).stat().st_mode & 0o777 == 0o600
    arguments = (tmp_path / "out" / kafka.ARGUMENTS).read_text()
    assert secrets.read("kafka-relay") not in arguments
    assert arguments.count("--add-scram") == len(principals.kafka_principals())
