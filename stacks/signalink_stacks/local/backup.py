"""Owns backups of the local platform's Postgres, by the programs of its wheel, and what a restore needs besides.

Postgres is the truth, so it alone is backed up: the log is published to Kafka again, Redis holds nothing to keep.
"""

import asyncio
import os
import subprocess
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from signalink_core.database import pool
from signalink_core.errors import ConfigurationError
from signalink_core.kafka import restored
from signalink_core.log import rewind, state
from signalink_core.settings import KafkaSettings, PostgresSettings
from signalink_stacks.local import control, discovery, layout, maintenance, schema
from signalink_stacks.local.engines import EngineFailed, KafkaEngine, PostgresEngine
from signalink_stacks.local.engines.postgres import PASSWORD, SUPERUSER, binary
from signalink_stacks.local.ports import LOOPBACK
from signalink_stacks.local.state import StateFolder

MAGIC: Final = b"PGDMP"
SECONDS: Final = 3600.0
PRINCIPAL: Final = "operator"
"""Who may describe every topic."""


@dataclass(frozen=True, slots=True)
class Restored:
    """The log's new epoch; per schema the offsets that stand at the end and the events that are published again."""

    epoch: int
    offsets: dict[str, int]
    events: dict[str, int]


def write(folder: StateFolder, file: Path) -> int:
    """Dump the whole database into `file`, the platform running or not; its size in bytes. A half file never stays."""
    if file.exists():
        raise ConfigurationError(f"{file} is there already.", next_step="name another file; backups are kept.")
    half = file.with_name(f".{file.name}.half")
    with maintenance.owner(folder) as owner:
        port = int(owner.connect_kwargs()["port"])
        try:
            os.close(os.open(half, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600))
            _run(folder, port, "pg_dump", "--format=custom", f"--file={half}", f"--dbname={schema.DATABASE}")
            half.rename(file)
        finally:
            half.unlink(missing_ok=True)
    return file.stat().st_size


def restore(folder: StateFolder, file: Path) -> Restored:
    """Replace the database by the backup, raise the epoch, move offsets to the end and the relays to the start.

    The platform must be down. Whatever fails, the same again is right: the backup stays as it is.
    """
    if not is_backup(file):
        raise ConfigurationError(f"{file} is no backup.", next_step="`signalink backup FILE` writes one.")
    folder.open()
    maintenance.require_stopped(folder)
    with ExitStack() as stack:
        stack.enter_context(maintenance.alone(folder))
        postgres = stack.enter_context(PostgresEngine(folder.root / "postgres", credentials=folder.secrets))
        asyncio.run(schema.bootstrap(folder.secrets, postgres.port))
        replace = ("--clean", "--if-exists", "--create", "--exit-on-error", "--dbname=postgres", str(file))
        _run(folder, postgres.port, "pg_restore", *replace)
        asyncio.run(schema.bootstrap(folder.secrets, postgres.port))
        owner = schema.settings(folder.secrets, postgres.port, "owner")
        return asyncio.run(settle(owner, _broker(folder, stack)))


def _broker(folder: StateFolder, stack: ExitStack) -> KafkaSettings | None:
    """Kafka for the moment. None: this platform runs without it and never had one, so there are no topics."""
    chosen = layout.selected(discovery.required(), layout.Wishes(only=control.kept(folder)))
    if "kafka" not in chosen.engines and not (folder.root / "kafka").is_dir():
        return None
    kafka = stack.enter_context(KafkaEngine(folder.root / "kafka", credentials=folder.secrets))
    return KafkaSettings(bootstrap=kafka.bootstrap, user=PRINCIPAL, password_file=kafka.password_file(PRINCIPAL))


def is_backup(file: Path) -> bool:
    """Whether it begins as Postgres's custom format does."""
    if not file.is_file():
        return False
    with file.open("rb") as opened:
        return opened.read(len(MAGIC)) == MAGIC


async def settle(owner: PostgresSettings, kafka: KafkaSettings | None) -> Restored:
    """The epoch rule: what a log that came back must do before its writers start. Without Kafka no topic has any."""
    found = {} if kafka is None else await restored.ends(kafka)
    connection = await pool.connect(owner, command_timeout=None)
    try:
        epoch = await state.new_epoch(connection)
        offsets = await restored.to_the_end(connection, found)
        again = await rewind.rewind_all(connection, None)
    finally:
        await connection.close()
    return Restored(epoch, offsets, {name: one.events for name, one in again.items()})


def _run(folder: StateFolder, port: int, name: str, *words: str) -> None:
    """A program of Postgres as its superuser; the secret is in its environment, not on the command line."""
    command: Sequence[str] = [
        str(binary(name)),
        f"--host={LOOPBACK}",
        f"--port={port}",
        f"--username={SUPERUSER}",
        *words,
    ]
    done = subprocess.run(
        command,
        env={"PATH": os.environ.get("PATH", ""), "PGPASSWORD": folder.secrets.read(PASSWORD), "LC_ALL": "C.UTF-8"},
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    if done.returncode:
        raise EngineFailed(f"{name} failed: {done.stderr.strip()[-2000:]}")
