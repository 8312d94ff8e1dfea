"""Owns a platform that is down, for the commands that work on its data."""

import asyncio
from pathlib import Path

import pytest

from signalink_stacks.local import schema
from signalink_stacks.local.engines import PostgresEngine
from signalink_stacks.local.state import StateFolder


@pytest.fixture
def platform(engine_folder: Path, monkeypatch: pytest.MonkeyPatch) -> StateFolder:
    """A state folder whose Postgres has roles and database, and no schema yet."""
    folder = StateFolder(engine_folder / "cli").open()
    monkeypatch.setenv("SIGNALINK_STATE", str(folder.root))
    with PostgresEngine(folder.root / "postgres", credentials=folder.secrets, durable=False) as engine:
        asyncio.run(schema.bootstrap(folder.secrets, engine.port))
    return folder
