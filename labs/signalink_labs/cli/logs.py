"""Owns `signalink logs`: the end of a log, or of every log, and following one."""

import time
from pathlib import Path
from typing import Annotated

import typer

from signalink_labs.cli import output
from signalink_stacks.local import control
from signalink_stacks.local.state import StateFolder

FOLLOW_SECONDS = 0.2
FEW_LINES = 5


def logs(
    service: Annotated[str | None, typer.Argument(help="api, gateway-1, kafka, supervisor, ...")] = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on as lines are written; Ctrl-C ends it.")] = False,
    lines: Annotated[int, typer.Option("--lines", "-n", min=1, help="How many lines from the end.")] = 50,
    as_json: output.Json = False,
) -> None:
    """Print the end of a log; without a name, the last lines of every log."""
    folder = StateFolder()
    if service is None:
        paths = sorted(folder.logs.glob("*.log"))
        _print_all({path.stem: last_lines(path, FEW_LINES) for path in paths}, as_json)
        return
    path = control.log_file(folder, service)
    if as_json:
        output.document({"name": path.stem, "lines": last_lines(path, lines)})
        return
    offset = path.stat().st_size
    for line in last_lines(path, lines):
        output.text(line)
    while follow:
        offset = follow_once(path, offset)
        time.sleep(FOLLOW_SECONDS)


def _print_all(found: dict[str, list[str]], as_json: bool) -> None:
    if as_json:
        output.document(found)
        return
    if not found:
        output.text("There are no logs yet. Next: `signalink up`")
    for name, each in found.items():
        output.text(f"== {name}")
        for line in each:
            output.text(line)


def last_lines(path: Path, count: int) -> list[str]:
    """From the last megabyte of the file."""
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - 2**20))
        return file.read().decode(errors="replace").splitlines()[-count:]


def follow_once(path: Path, offset: int) -> int:
    """Print what was written after `offset` (from the start when the log was rotated); the new offset."""
    if not path.exists():
        return 0
    size = path.stat().st_size
    with path.open("rb") as file:
        file.seek(offset if size >= offset else 0)
        chunk = file.read()
        if chunk:
            typer.echo(chunk.decode(errors="replace"), nl=False)
        return file.tell()
