"""Owns the file of a backup: Postgres's custom format, whole or not there, for its owner's eyes, never written over."""

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from signalink_core.errors import ConfigurationError

MAGIC: Final = b"PGDMP"


@contextmanager
def fresh(file: Path) -> Iterator[Path]:
    """A path to write to, which becomes `file` at the end; a half file never stays."""
    if file.exists():
        raise ConfigurationError(f"{file} is there already.", next_step="name another file; backups are kept.")
    if not file.parent.is_dir():
        raise ConfigurationError(f"There is no folder {file.parent}.", next_step="make it, or name another file.")
    half = file.with_name(f".{file.name}.half")
    try:
        os.close(os.open(half, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600))
        yield half
        half.rename(file)
    finally:
        half.unlink(missing_ok=True)


def require(file: Path) -> None:
    """ConfigurationError unless it begins as Postgres's custom format does."""
    if not is_backup(file):
        raise ConfigurationError(f"{file} is no backup.", next_step="`signalink backup FILE` writes one.")


def is_backup(file: Path) -> bool:
    """Whether it begins as Postgres's custom format does."""
    if not file.is_file():
        return False
    with file.open("rb") as opened:
        return opened.read(len(MAGIC)) == MAGIC


def sha256(file: Path) -> str:
    """In hex, as `sha256sum` says it."""
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()
