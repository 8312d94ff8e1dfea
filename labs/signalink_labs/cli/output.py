"""Owns how commands speak: text on standard output, one JSON document with `--json`, errors on standard error."""

import json
import os
import re
import shutil
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document instead of text.")]
WIDTH = 118
_COMMAND = re.compile(r"(`|\b[A-Z_]+=\S+ )signalink ")


def console() -> Console:
    """Wide enough for tables where standard output is no terminal."""
    found = Console(highlight=False)
    return found if found.is_terminal else Console(highlight=False, width=WIDTH)


def document(value: Any) -> None:
    typer.echo(json.dumps(value, indent=2, default=str))


def text(line: str) -> None:
    typer.echo(runnable(line))


def aside(line: str) -> None:
    """What happens meanwhile, beside the document on standard output."""
    typer.echo(runnable(line), err=True)


def runnable(line: str) -> str:
    """Commands in it as they can be typed here: without an activated environment `signalink` alone is not found."""
    called = Path(sys.argv[0])
    if called.name != "signalink" or shutil.which("signalink"):
        return line
    return _COMMAND.sub(rf"\g<1>{os.path.relpath(called)} ", line)


def failed(arguments: list[str], code: str, what: str, next_step: str | None, exit_code: int) -> int:
    """Say what, why and the next command; with `--json` as a document too. Returns the exit code."""
    if "--json" in arguments:
        document({"error": {"code": code, "detail": what, "next_step": next_step, "exit_code": exit_code}})
    typer.echo(runnable(f"signalink: {what}"), err=True)
    if next_step:
        typer.echo(runnable(f"Next: {next_step}"), err=True)
    return exit_code


def megabytes(size: int) -> str:
    return f"{size / 2**20:.0f} MB"


def duration(seconds: float) -> str:
    """`42 s`, `3 min 5 s`, `2 h 10 min`."""
    whole = int(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"
