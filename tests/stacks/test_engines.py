"""The engines as the fixtures and the product run them: they answer, they authenticate, and they leave nothing."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import asyncpg
import psutil
import pytest
import redis.exceptions

from signalink_core import principals
from signalink_core.testing import eventually
from signalink_stacks.local.engines import EngineFailed, KafkaEngine, PostgresEngine, ValkeyEngine, postgres
from signalink_stacks.local.engines.kafka import cluster_id
from signalink_stacks.local.testing import Brokers, Database, PostgresServer, Topics, ValkeyServer


async def test_each_test_gets_a_database_of_its_own_with_the_schema(database: Database) -> None:
    connection = await database.connect("owner")
    assert await connection.fetchval("SELECT current_database()") == database.name
    assert await connection.fetchval("SELECT to_regclass('messaging.events')::text") == "messaging.events"
    await connection.close()


async def test_postgres_refuses_a_wrong_password(database: Database) -> None:
    kwargs = database.settings("api").connect_kwargs() | {"password": "wrong"}
    with pytest.raises(asyncpg.InvalidPasswordError):
        await asyncpg.connect(**kwargs, timeout=5)


def test_postgres_never_runs_as_root_to_itself(postgres: PostgresServer) -> None:
    inner = Path(f"/proc/{postgres.engine.pid}/status").read_text()
    namespace = Path(f"/proc/{postgres.engine.pid}/uid_map").read_text().split()
    uid = int(next(line for line in inner.splitlines() if line.startswith("Uid:")).split()[1])
    assert uid != 0 or namespace[:2] == [str(postgres_uid()), "0"]


def postgres_uid() -> int:
    return postgres.ordinary_uid()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
@pytest.mark.engine("postgres")
def test_where_namespaces_are_refused_postgres_runs_under_another_uid(monkeypatch: pytest.MonkeyPatch) -> None:
    folder = Path("/var/tmp") / f"signalink-uid-{os.getpid()}"  # noqa: S108  pytest's own folders are closed to others
    monkeypatch.setattr(postgres, "identity", lambda: f"uid:{postgres_uid()}")
    folder.mkdir(mode=0o755)
    try:
        with PostgresEngine(folder / "pg", durable=False) as engine:
            assert psutil.Process(engine.pid).uids().real == postgres_uid()
    finally:
        subprocess.run(["rm", "-rf", str(folder)], check=True)


@pytest.mark.engine("postgres")
def test_a_killed_postgres_leaves_no_shared_memory_behind(engine_dir: Path) -> None:
    engine = PostgresEngine(engine_dir, durable=False).start()
    pid = engine.pid
    assert len(segments_of(pid)) == 1
    engine.kill()
    engine.stop()
    assert segments_of(pid) == []


@pytest.mark.engine("postgres")
def test_a_killed_postgres_that_nobody_reaped_keeps_no_second_one_out(engine_dir: Path) -> None:
    first = PostgresEngine(engine_dir, durable=False).start()
    os.kill(first.pid, signal.SIGKILL)
    os.waitid(os.P_PID, first.pid, os.WEXITED | os.WNOWAIT)  # over, but not reaped: it stays as a zombie
    second = PostgresEngine(engine_dir, durable=False, credentials=first.credentials)
    second.cleanup()
    assert psutil.Process(first.pid).status() == psutil.STATUS_ZOMBIE
    with second:
        assert second.ready()
    first.stop()


def segments_of(pid: int) -> list[str]:
    """Ids of the System V shared memory that a process made."""
    lines = [line.split() for line in Path("/proc/sysvipc/shm").read_text().splitlines()[1:]]
    return [fields[1] for fields in lines if fields[4] == str(pid)]


@pytest.mark.engine("postgres")
def test_data_are_there_again_after_a_stop_and_on_another_port(engine_dir: Path) -> None:
    with PostgresEngine(engine_dir) as first:
        first_data = (first.data / "global" / "pg_control").stat().st_ino
    with PostgresEngine(engine_dir) as second:
        assert second.ready()
        assert (second.data / "global" / "pg_control").stat().st_ino == first_data


async def test_valkey_gives_a_principal_its_commands_and_no_others(valkey: ValkeyServer) -> None:
    async with valkey.settings("api").client() as client:
        await client.set("signalink:ticket:a", "1", px=30000)
        for refused in (client.set("other", "1"), client.flushall(), client.config_get("*"), client.keys("*")):
            with pytest.raises(redis.exceptions.NoPermissionError):
                await refused
    async with valkey.settings("gateway").client() as client:
        assert await client.getdel("signalink:ticket:a") == b"1"


async def test_valkey_lets_each_principal_publish_only_where_it_may(valkey: ValkeyServer) -> None:
    allowed = {
        "api": {"signalink:events:x", "signalink:log", "signalink:revocations"},
        "relay": {"signalink:heads"},
    }
    for principal, channels in allowed.items():
        async with valkey.settings(principal).client() as client:
            for channel in channels:
                assert await client.publish(channel, b"") == 0
            with pytest.raises(redis.exceptions.NoPermissionError):
                await client.publish("signalink:presence", b"")


async def test_valkey_refuses_who_has_no_name(valkey: ValkeyServer) -> None:
    async with redis.asyncio.Redis(port=valkey.engine.port, retry=None, socket_timeout=5) as client:
        with pytest.raises(redis.exceptions.AuthenticationError):
            await client.ping()


def test_kafka_answers_and_every_principal_has_its_word(kafka: Brokers, topics: Topics) -> None:
    assert kafka.engine.ready()
    words = {kafka.settings(name).client_kwargs()["sasl_plain_password"] for name in principals.kafka_principals()}
    assert len(words) == len(principals.kafka_principals())
    assert topics.settings("relay").topic("messages") == f"{topics.prefix}messages"


def test_no_secret_is_on_a_command_line_or_in_an_environment(
    kafka: Brokers, valkey: ValkeyServer, postgres: PostgresServer
) -> None:
    for engine in (kafka.engine, valkey.engine, postgres.engine):
        words = [path.read_bytes() for path in engine.credentials.directory.iterdir()]
        seen = b"".join(Path(f"/proc/{engine.pid}/{name}").read_bytes() for name in ("cmdline", "environ"))
        assert words
        assert not [word for word in words if word in seen]


def test_kafka_s_cluster_id_is_never_taken_for_an_option() -> None:
    assert not [text for _ in range(500) if (text := cluster_id()).startswith("-")]


@pytest.mark.engine("valkey")
def test_an_engine_that_ends_at_once_says_why(engine_dir: Path, valkey: ValkeyServer) -> None:
    with pytest.raises(EngineFailed, match=r"(?s)valkey ended while starting.*Address already in use"):
        ValkeyEngine(engine_dir, valkey.engine.port).start(within=10)


@pytest.mark.engine("valkey")
async def test_an_engine_dies_with_the_process_that_started_it(engine_dir: Path) -> None:
    program = (
        "import sys, time; from pathlib import Path; from signalink_stacks.local.engines import *\n"
        "made = [E(Path(sys.argv[1]) / E.name).start() for E in (ValkeyEngine, PostgresEngine)]\n"
        "print(*(each.pid for each in made), flush=True); time.sleep(60)\n"
    )
    with subprocess.Popen([sys.executable, "-c", program, str(engine_dir)], stdout=subprocess.PIPE) as parent:  # noqa: ASYNC220
        assert parent.stdout is not None
        pids = [int(word) for word in parent.stdout.readline().split()]
        assert len(pids) == 2
        parent.send_signal(signal.SIGKILL)
    await eventually(lambda: not [pid for pid in pids if psutil.pid_exists(pid)], within=15)


def test_versions_are_those_the_packages_carry() -> None:
    assert PostgresEngine.version().startswith("18.")
    assert ValkeyEngine.version().startswith("9.1")
    assert KafkaEngine.version() == "4.4.0"
