"""Owns backups of the local platform's Postgres, by the programs of its wheel.

Postgres is the truth, so it alone is backed up: the log is published to Kafka again, Redis holds nothing to keep.
"""

import asyncio
import json
import os
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Final

from signalink_core.kafka import restored
from signalink_core.settings import KafkaSettings, PostgresSettings
from signalink_stacks.backups import files, settling
from signalink_stacks.backups.settling import Restored
from signalink_stacks.local import control, discovery, layout, maintenance, schema
from signalink_stacks.local.credentials import write_private
from signalink_stacks.local.engines import EngineFailed, KafkaEngine, PostgresEngine
from signalink_stacks.local.engines.postgres import PASSWORD, SUPERUSER, binary
from signalink_stacks.local.ports import LOOPBACK
from signalink_stacks.local.state import StateFolder

SECONDS: Final = 3600.0
FLOORS: Final = "epochs-before-restore.json"
"""In the state folder: schema -> epoch of a log that is being replaced."""
PRINCIPAL: Final = "operator"
"""Who may describe every topic."""


def write(folder: StateFolder, file: Path) -> int:
    """Dump the whole database into `file`, the platform running or not; its size in bytes. A half file never stays."""
    with files.fresh(file) as half, maintenance.owner(folder) as owner:
        port = int(owner.connect_kwargs()["port"])
        _run(folder, port, "pg_dump", "--format=custom", f"--file={half}", f"--dbname={schema.DATABASE}")
    return file.stat().st_size


def restore(folder: StateFolder, file: Path) -> Restored:
    """Replace the database by the backup, raise the epoch, move offsets to the end and the relays to the start.

    The platform must be down. Whatever fails, the same again is right: the backup stays as it is.
    """
    files.require(file)
    folder.open()
    maintenance.require_stopped(folder)
    with ExitStack() as stack:
        stack.enter_context(maintenance.alone(folder))
        postgres = stack.enter_context(PostgresEngine(folder.root / "postgres", credentials=folder.secrets))
        asyncio.run(schema.bootstrap(folder.secrets, postgres.port))
        owner = schema.settings(folder.secrets, postgres.port, "owner")
        floors = _kept(folder.root / FLOORS, asyncio.run(settling.floors(owner)))
        replace = ("--clean", "--if-exists", "--create", "--exit-on-error", "--dbname=postgres", str(file))
        _run(folder, postgres.port, "pg_restore", *replace)
        asyncio.run(schema.bootstrap(folder.secrets, postgres.port))
        done = asyncio.run(_settle(owner, _broker(folder, stack), floors))
        (folder.root / FLOORS).unlink()
        return done


def _broker(folder: StateFolder, stack: ExitStack) -> KafkaSettings | None:
    """Kafka for the moment. None: this platform runs without it and never had one, so there are no topics."""
    chosen = layout.selected(discovery.required(), layout.Wishes(only=control.kept(folder)))
    if "kafka" not in chosen.engines and not (folder.root / "kafka").is_dir():
        return None
    kafka = stack.enter_context(KafkaEngine(folder.root / "kafka", credentials=folder.secrets))
    return KafkaSettings(bootstrap=kafka.bootstrap, user=PRINCIPAL, password_file=kafka.password_file(PRINCIPAL))


def _kept(path: Path, floors: Mapping[str, int]) -> dict[str, int]:
    """Written down until the restore is through: after a failure in the middle the lost log cannot be asked again."""
    earlier = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    found = {schema: max(floors.get(schema, 0), earlier.get(schema, 0)) for schema in {*floors, *earlier}}
    write_private(path, json.dumps(found))
    return found


async def _settle(owner: PostgresSettings, kafka: KafkaSettings | None, floors: Mapping[str, int]) -> Restored:
    """Without Kafka no topic has an end."""
    found = {} if kafka is None else await restored.ends(kafka)
    return await settling.settle(owner, found, floors)


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
