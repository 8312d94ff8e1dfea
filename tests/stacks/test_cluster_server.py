"""Postgres's programs as a cluster's restore runs them, on a real server: out of it, beside it, in its place."""

import asyncio
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from asyncpg.exceptions import InterfaceError, PostgresError

from signalink_core.database import migrate, pool
from signalink_core.errors import ConfigurationError, DependencyUnavailable
from signalink_core.settings import PostgresSettings
from signalink_stacks.backups import settling
from signalink_stacks.clusters.server import Server
from signalink_stacks.local import schema
from signalink_stacks.local.engines import PostgresEngine
from signalink_stacks.local.engines.postgres import binary
from signalink_stacks.local.state import StateFolder

pytestmark = [pytest.mark.engine("postgres"), pytest.mark.timeout(120)]
USER = (
    "INSERT INTO messaging.users (id, username, email, password_hash) VALUES (gen_random_uuid(), $1, $1 || '@x', 'x')"
)
OFFSET = "INSERT INTO analytics.offsets (consumer_group, topic, partition, next_offset) VALUES ('figures', $1, $2, $3)"
OFFSETS = "SELECT topic, partition, next_offset FROM analytics.offsets ORDER BY 1, 2"
USERS = "SELECT username FROM messaging.users ORDER BY 1"
NAMES = "SELECT datname FROM pg_database WHERE datname LIKE 'signalink%' ORDER BY 1"
LOOK = """
SELECT pg_get_userbyid(datdba), pg_encoding_to_char(encoding), datlocprovider, datlocale, datcollate,
    ARRAY(SELECT a::text FROM unnest(datacl) a ORDER BY 1)
FROM pg_database WHERE datname = $1
"""
SCHEMAS = {"messaging": "signalink_api", "analytics": "signalink_analytics", "notifications": "signalink_notifications"}


class Place:
    """A platform's database on a server of its own: a restore replaces everything."""

    def __init__(self, engine: PostgresEngine, folder: StateFolder) -> None:
        self.owner = schema.settings(folder.secrets, engine.port, "owner")
        self.admin = schema.settings(folder.secrets, engine.port, "admin", "postgres")
        path = f"PATH={binary('psql').parent}:{os.environ['PATH']}"
        self.server = Server(["env", path], "signalink", str(self.admin.password_file), engine.port)

    def at(self, database: str) -> PostgresSettings:
        return self.owner.model_copy(update={"dsn": f"{self.owner.dsn.rpartition('/')[0]}/{database}"})

    def sql(self, statement: str, *words: Any, settings: PostgresSettings | None = None) -> list[tuple[Any, ...]]:
        async def fetch() -> list[tuple[Any, ...]]:
            connection = await pool.connect(settings or self.owner)
            try:
                return [tuple(row) for row in await connection.fetch(statement, *words)]
            finally:
                await connection.close()

        return asyncio.run(fetch())

    def names(self) -> list[str]:
        return [name for (name,) in self.sql(NAMES, settings=self.admin)]

    def programs(self, folder: Path, *names: str, **own: str) -> Server:
        """The server where no other programs are on PATH than these, and `own` ones by their text."""
        folder.mkdir()
        for name in names:
            (folder / name).symlink_to(shutil.which(name) or binary(name))
        for name, text in own.items():
            (folder / name).write_text(f"#!/bin/sh\n{text}\n")
            (folder / name).chmod(0o755)
        return replace(self.server, beside=["env", f"PATH={folder}"])


@pytest.fixture(scope="module")
def place(engine_folder: Path) -> Iterator[Place]:
    folder = StateFolder(engine_folder / "cluster-server").open()
    with PostgresEngine(folder.root / "postgres", credentials=folder.secrets, durable=False) as engine:
        asyncio.run(schema.bootstrap(folder.secrets, engine.port))
        found = Place(engine, folder)
        for name, package in SCHEMAS.items():
            asyncio.run(migrate.upgrade(found.owner, package=f"{package}.migrations", schema=name))
        yield found


@pytest.fixture(autouse=True)
def fresh(place: Place) -> None:
    place.server.tidy()
    place.sql("DELETE FROM messaging.users")
    place.sql("DELETE FROM analytics.offsets")


def settled(place: Place, **request: Any) -> dict[str, Any]:
    """What the text answers that a pod runs, here in a process of its own with a pod's environment."""
    beside = place.at(place.server.side)
    done = subprocess.run(
        [sys.executable, "-c", Path(settling.__file__).read_text(), "settle", json.dumps(request)],
        env={
            "SIGNALINK_POSTGRES_DSN": beside.dsn,
            "SIGNALINK_POSTGRES_PASSWORD_FILE": str(beside.password_file),
        },
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    answer: dict[str, Any] = json.loads(done.stdout.removeprefix(settling.MARK))
    return answer


def test_a_backup_comes_back_in_one_moment_settled_and_with_everybodys_rights(place: Place, tmp_path: Path) -> None:
    server, file = place.server, tmp_path / "monday.dump"
    place.sql(USER, "ada")
    place.sql(OFFSET, "messages", 0, 700)
    [(epoch,)] = place.sql("SELECT epoch FROM messaging.log_state")
    assert server.dump(file) == file.stat().st_size
    assert file.stat().st_mode & 0o777 == 0o600
    place.sql(USER, "bob")
    place.sql("SELECT messaging.new_epoch()")  # the lost log gave out a number that the backup knows nothing of

    server.make_space(file.stat().st_size)
    server.load(file)
    assert place.sql(USERS) == [("ada",), ("bob",)], "the present one serves meanwhile"
    assert place.sql(LOOK, server.side) == place.sql(LOOK, "signalink")

    ends = [["messages", 0, 900], ["messages", 1, 40]]
    answer = settled(place, ends=ends, replaced=place.owner.dsn, floors={})
    assert answer["epoch"] == epoch + 2
    assert answer["offsets"]["analytics"] == 2
    server.change()
    server.tidy()
    assert place.names() == ["signalink"]
    assert place.sql(USERS) == [("ada",)]
    assert place.sql("SELECT messaging.current_epoch()") == [(epoch + 2,)]
    assert place.sql(OFFSETS) == [("messages", 0, 900), ("messages", 1, 40)]


def test_epochs_that_were_noted_count_where_the_lost_log_cannot_be_asked(place: Place, tmp_path: Path) -> None:
    server = place.server
    server.dump(tmp_path / "x.dump")
    server.make_space(0)
    server.load(tmp_path / "x.dump")
    assert settled(place, ends=[], replaced="", floors={"messaging": 40, "gone": 99})["epoch"] == 41


def test_the_change_ends_whoever_is_still_connected(place: Place) -> None:
    server = place.server
    server.make_space(0)

    async def held() -> None:
        connection = await pool.connect(place.owner)
        try:
            await asyncio.to_thread(server.change)
            with pytest.raises((PostgresError, InterfaceError, OSError)):
                await connection.fetchval("SELECT 1")
        finally:
            connection.terminate()

    asyncio.run(held())
    assert place.names() == ["signalink", "signalink_replaced"]
    server.query("ALTER DATABASE signalink RENAME TO signalink_restored")
    server.query("ALTER DATABASE signalink_replaced RENAME TO signalink")


def test_who_comes_over_loopback_is_nobody_else(place: Place) -> None:
    async def asked() -> list[str]:
        connection = await pool.connect(place.owner)
        try:
            return await asyncio.to_thread(place.server.others)
        finally:
            await connection.close()

    assert asyncio.run(asked()) == []


def test_a_backup_that_is_cut_off_is_told_and_the_present_data_stays(place: Place, tmp_path: Path) -> None:
    place.sql(USER, "ada")
    place.server.dump(tmp_path / "whole.dump")
    whole = (tmp_path / "whole.dump").read_bytes()
    (tmp_path / "half.dump").write_bytes(whole[:-400])
    place.server.make_space(0)
    with pytest.raises(DependencyUnavailable, match="pg_restore failed in the pod"):
        place.server.load(tmp_path / "half.dump")
    place.server.tidy()
    assert place.sql(USERS) == [("ada",)]
    assert place.names() == ["signalink"]


def test_a_dump_that_is_cut_off_leaves_no_file(place: Place, tmp_path: Path) -> None:
    cut = replace(place.server, beside=["sh", "-c", '"$@" | head -c 2000', "cut", *place.server.beside])
    with pytest.raises(DependencyUnavailable):
        cut.dump(tmp_path / "x.dump")
    assert list(tmp_path.iterdir()) == []


def test_a_dump_that_lost_a_part_on_its_way_is_told(place: Place, tmp_path: Path) -> None:
    lossy = replace(place.server, beside=["sh", "-c", '"$@" | sed "1s/PGDMP/PGDMQ/"', "lossy", *place.server.beside])
    with pytest.raises(DependencyUnavailable, match="cut off on its way"):
        lossy.dump(tmp_path / "x.dump")


def test_an_image_without_the_program_is_told(place: Place, tmp_path: Path) -> None:
    bare = place.programs(tmp_path / "bin", "sh", "cat")
    with pytest.raises(ConfigurationError, match=r"image .* has no pg_dump"):
        bare.dump(tmp_path / "x.dump")


def test_what_the_server_refuses_is_said_in_its_words(place: Place, tmp_path: Path) -> None:
    lost = replace(place.server, database="nowhere")
    with pytest.raises(DependencyUnavailable, match='database "nowhere" does not exist'):
        lost.dump(tmp_path / "x.dump")
    assert list(tmp_path.iterdir()) == []


def test_a_disk_without_space_for_both_is_refused_before_anything_is_made(place: Place, tmp_path: Path) -> None:
    names = ("sh", "cat", "psql")
    full = place.programs(tmp_path / "bin", *names, df='printf "Filesystem 1K Used Free\\n/dev/x 9 9 20 99%% /\\n"')
    with pytest.raises(ConfigurationError, match="has 0 MB free"):
        full.make_space(0)
    assert place.names() == ["signalink"]
