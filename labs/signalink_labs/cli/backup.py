"""Owns `signalink backup` and `signalink restore`: the local platform's Postgres into a file, and back from it."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from signalink_labs.cli import output
from signalink_stacks.local import backup as backups
from signalink_stacks.local.state import StateFolder

File = Annotated[Path, typer.Argument(help="The file, in Postgres's custom format.")]


def backup(file: File, as_json: output.Json = False) -> None:
    """Write all of the platform's data to a file that only its owner reads; the platform may run."""
    size = backups.write(StateFolder(), file.absolute())
    if as_json:
        output.document({"file": str(file), "bytes": size})
        return
    output.text(f"{file} holds the platform's data ({size / 1000:.0f} kB). It has everybody's messages: keep it safe.")


def restore(
    file: File,
    yes: Annotated[bool, typer.Option("--yes", help="Replace the present data without asking.")] = False,
    as_json: output.Json = False,
) -> None:
    """Replace the platform's data by a backup; the platform must be down. What came after the backup is gone."""
    if not yes and not as_json:
        typer.confirm("Replace all data of this platform by the backup?", abort=True)
    done = backups.restore(StateFolder(), file.absolute())
    if as_json:
        output.document(asdict(done))
        return
    moved, events = sum(done.offsets.values()), sum(done.events.values())
    output.text(f"The log is at epoch {done.epoch}; {moved} offsets stand at the end of their topics.")
    output.text(f"{events} events are published again, and skipped by who had them. Next: `signalink up`")
