"""Owns where test engines keep their data: tmpfs when there is one, removed at the end, also after a killed run."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

SHM = Path("/dev/shm")  # noqa: S108  shared memory is the point
PREFIX = "signalink-test-"


def base() -> Path:
    """The parent of test folders."""
    return SHM if SHM.is_dir() and os.access(SHM, os.W_OK) else Path(tempfile.gettempdir())


def remove_abandoned(parent: Path) -> None:
    """Remove folders of test runs that were killed: the name carries the pid of their maker."""
    for folder in parent.glob(f"{PREFIX}*"):
        pid = folder.name.removeprefix(PREFIX).partition("-")[0]
        if pid.isdigit() and not psutil.pid_exists(int(pid)):
            shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def engine_folder() -> Iterator[Path]:
    """One folder per session and worker for all engines' data."""
    remove_abandoned(base())
    folder = Path(tempfile.mkdtemp(prefix=f"{PREFIX}{os.getpid()}-", dir=base()))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)
