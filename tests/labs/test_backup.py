"""Backup and restore of the local platform's Postgres, really: pg_dump, pg_restore, the epoch, offsets and cursors."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from consuming import as_record, message

from signalink_core import principals
from signalink_core.database import pool
from signalink_core.ids import uuid7
from signalink_core.kafka import access, reader, restored
from signalink_core.kafka.producer import KafkaProducer
from signalink_core.settings import KafkaSettings
from signalink_labs.cli import app
from signalink_operator import apply
from signalink_operator.adapters import manifests
from signalink_operator.adapters.kafka import KafkaTopics
from signalink_stacks.backups import files
from signalink_stacks.local import maintenance, schema
from signalink_stacks.local.engines import KafkaEngine, PostgresEngine
from signalink_stacks.local.state import StateFolder

Captured = pytest.CaptureFixture[str]
USER = (
    "INSERT INTO messaging.users (id, username, email, password_hash) VALUES (gen_random_uuid(), $1, $1 || '@x', 'x')"
)
OFFSET = "INSERT INTO analytics.offsets (consumer_group, topic, partition, next_offset) VALUES ('figures', $1, $2, $3)"
EPOCHS = "SELECT m.epoch, n.epoch FROM messaging.log_state m, notifications.log_state n"
OFFSETS = "SELECT topic, partition, next_offset FROM analytics.offsets WHERE consumer_group = 'figures' ORDER BY 1, 2"


@pytest.fixture
def platform(engine_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StateFolder:
    """One of its own for each test: a restore replaces everything."""
    folder = StateFolder(engine_folder / tmp_path.name).open()
    monkeypatch.setenv("SIGNALINK_STATE", str(folder.root))
    with PostgresEngine(folder.root / "postgres", credentials=folder.secrets, durable=False) as engine:
        asyncio.run(schema.bootstrap(folder.secrets, engine.port))
    return folder


def sql(folder: StateFolder, statement: str, *words: Any) -> list[tuple[Any, ...]]:
    async def fetch(settings: Any) -> list[tuple[Any, ...]]:
        connection = await pool.connect(settings)
        try:
            return [tuple(row) for row in await connection.fetch(statement, *words)]
        finally:
            await connection.close()

    with maintenance.owner(folder) as settings:
        return asyncio.run(fetch(settings))


def send(folder: StateFolder, count: int) -> tuple[int, int]:
    """Write so many records of one channel into the platform's own Kafka; their partition and its end."""

    async def sent(settings: KafkaSettings) -> tuple[int, int]:
        await access.apply(settings)
        async with KafkaProducer(settings) as producer:
            records = [as_record(message(uuid7(), 1))] * count
            assert await producer.send_batches(records) == [None] * count
        found = await reader.read_topic(settings, "messages")
        return found[-1].partition, found[-1].offset + 1

    with KafkaEngine(folder.root / "kafka", credentials=folder.secrets) as engine:
        admin = KafkaSettings(
            bootstrap=engine.bootstrap, user=principals.ADMIN, password_file=engine.password_file(principals.ADMIN)
        )
        apply.run(manifests.load([manifests.SHIPPED]), KafkaTopics(admin))
        return asyncio.run(sent(admin))


def users(folder: StateFolder) -> list[str]:
    return [name for (name,) in sql(folder, "SELECT username FROM messaging.users ORDER BY 1")]


@pytest.mark.timeout(120)
@pytest.mark.engine("postgres")
def test_a_platform_without_kafka_is_restored_without_it(
    platform: StateFolder, tmp_path: Path, capsys: Captured
) -> None:
    platform.run_file.write_text('{"only": ["api", "gateway"]}')
    assert app.run(["migrate", "--json"]) == 0
    sql(platform, USER, "ada")
    sql(platform, OFFSET, "messages", 0, 700)
    assert app.run(["backup", str(tmp_path / "monday.dump"), "--json"]) == 0
    sql(platform, USER, "bob")
    assert app.run(["restore", str(tmp_path / "monday.dump"), "--yes", "--json"]) == 0
    assert users(platform) == ["ada"]
    assert sql(platform, OFFSETS) == [("messages", 0, 0)], "topics that were never made begin at 0"
    assert not (platform.root / "kafka").exists()

    whole = (tmp_path / "monday.dump").read_bytes()
    (tmp_path / "half.dump").write_bytes(whole[:-400])
    assert app.run(["restore", str(tmp_path / "half.dump"), "--yes", "--json"]) == 1
    assert app.run(["restore", str(tmp_path / "monday.dump"), "--yes", "--json"]) == 0
    assert sql(platform, EPOCHS) == [(3, 3)], "the same backup again: 2 was given out already, by the log that went"


@pytest.mark.timeout(300)
@pytest.mark.engine("postgres", "kafka")
def test_a_restore_brings_the_backup_back_and_keeps_the_epoch_rule(
    platform: StateFolder, tmp_path: Path, capsys: Captured
) -> None:
    file = tmp_path / "monday.dump"
    assert app.run(["migrate", "--json"]) == 0
    sql(platform, USER, "ada")
    partition, end = send(platform, 5)
    sql(platform, OFFSET, "messages", partition, 2)
    capsys.readouterr()
    assert app.run(["backup", str(file), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["bytes"], told["sha256"]) == (file.stat().st_size, files.sha256(file))
    assert file.stat().st_mode & 0o777 == 0o600

    sql(platform, USER, "bob")
    [(epoch,)] = sql(platform, "SELECT messaging.current_epoch()")
    assert app.run(["restore", str(file), "--yes", "--json"]) == 0
    done = json.loads(capsys.readouterr().out)

    assert users(platform) == ["ada"]
    assert done["epoch"] == epoch + 1
    assert sql(platform, "SELECT messaging.current_epoch()") == [(epoch + 1,)]
    expected = [("messages", number, end if number == partition else 0) for number in range(12)]
    assert end == 5
    assert sql(platform, OFFSETS) == expected, "none of the records that are there is read again"
    assert done["offsets"]["analytics"] == 12
    assert set(done["events"]) >= {"messaging", "notifications"}


@pytest.mark.timeout(300)
@pytest.mark.engine("postgres", "kafka")
def test_a_lost_server_is_restored_onto_a_new_one(platform: StateFolder, tmp_path: Path, capsys: Captured) -> None:
    file = tmp_path / "monday.dump"
    assert app.run(["migrate"]) == 0
    sql(platform, USER, "ada")
    assert app.run(["backup", str(file)]) == 0
    (platform.root / "postgres").rename(platform.root / "lost")
    assert app.run(["restore", str(file), "--yes"]) == 0
    assert "The log is at epoch 2" in capsys.readouterr().out
    assert users(platform) == ["ada"]
    assert app.run(["log", "new-epoch"]) == 0  # the owner's rights came back too


@pytest.mark.engine("postgres")
def test_offsets_go_to_the_end_new_partitions_included_and_lost_topics_to_0(platform: StateFolder) -> None:
    assert app.run(["migrate"]) == 0
    sql(platform, OFFSET, "messages", 0, 700)
    sql(platform, OFFSET, "gone", 3, 12)
    found = {("messages", 0): 900, ("messages", 1): 40, ("presence", 0): 7}

    async def move(settings: Any) -> dict[str, int]:
        connection = await pool.connect(settings)
        try:
            return await restored.to_the_end(connection, found)
        finally:
            await connection.close()

    with maintenance.owner(platform) as settings:
        moved = asyncio.run(move(settings))
    assert moved["analytics"] == 3
    assert moved["notifications"] == 0
    assert sql(platform, OFFSETS) == [("gone", 3, 0), ("messages", 0, 900), ("messages", 1, 40)]


@pytest.mark.engine("postgres")
def test_a_backup_is_never_written_over(platform: StateFolder, tmp_path: Path, capsys: Captured) -> None:
    (tmp_path / "monday.dump").write_text("kept")
    assert app.run(["backup", str(tmp_path / "monday.dump")]) == 64
    assert "is there already" in capsys.readouterr().err
    assert (tmp_path / "monday.dump").read_text() == "kept"


@pytest.mark.parametrize("content", [None, b"", b"not a dump"])
def test_what_is_no_backup_is_refused_before_anything_is_touched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes | None, capsys: Captured
) -> None:
    monkeypatch.setenv("SIGNALINK_STATE", str(tmp_path / "state"))
    if content is not None:
        (tmp_path / "x.dump").write_bytes(content)
    assert app.run(["restore", str(tmp_path / "x.dump"), "--yes"]) == 64
    assert "is no backup" in capsys.readouterr().err
    assert not (tmp_path / "state").exists()
