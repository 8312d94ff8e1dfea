"""Owns `signalink down`: stop everything; the messages stay unless `--purge`."""

import time
from typing import Annotated

import typer

from signalink_labs.cli import output
from signalink_stacks.local import control
from signalink_stacks.local.state import StateFolder


def down(
    purge: Annotated[bool, typer.Option("--purge", help="Also delete all data and secrets.")] = False,
    as_json: output.Json = False,
) -> None:
    """Stop the platform: no process, no port, no shared memory stays. Messages stay unless --purge."""
    folder, began = StateFolder(), time.monotonic()
    ran = control.down(folder, purge=purge)
    seconds = round(time.monotonic() - began, 1)
    if as_json:
        output.document({"ran": ran, "purged": purge, "seconds": seconds})
        return
    output.text(f"Signalink stopped after {seconds} s." if ran else "Signalink was not running.")
    output.text(
        f"Deleted {folder.root}." if purge else f"The data stays in {folder.root}; `signalink up` shows it again."
    )
