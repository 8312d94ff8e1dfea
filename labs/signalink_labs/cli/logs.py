"""Owns `signalink logs`: the end of a log, or of every log, following one, and the lines of one trace from all."""

import json
import time
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from signalink_core.errors import ConfigurationError, NotFound
from signalink_labs.cli import output
from signalink_stacks.local import control, tracelines
from signalink_stacks.local.state import StateFolder

FOLLOW_SECONDS = 0.2
FEW_LINES = 5
COMMON: Final = frozenset({"ts", "event", "service", "version", "node", "logger", "trace_id", "trace_ids"})


def logs(
    service: Annotated[str | None, typer.Argument(help="api, gateway-1, kafka, supervisor, ...")] = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on as lines are written; Ctrl-C ends it.")] = False,
    lines: Annotated[int, typer.Option("--lines", "-n", min=1, help="How many lines from the end.")] = 50,
    trace: Annotated[
        str | None, typer.Option("--trace", metavar="ID", help="The lines of one trace, from all processes, by time.")
    ] = None,
    as_json: output.Json = False,
) -> None:
    """Print the end of a log; without a name, the last lines of every log; or all lines of one trace."""
    folder = StateFolder()
    if follow and (as_json or service is None or trace is not None):
        raise ConfigurationError(
            "--follow goes with one log's name, as text.", next_step="for example `signalink logs api -f`"
        )
    if trace is not None:
        _print_trace(folder, tracelines.trace_id(trace), service, as_json)
        return
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


def _print_trace(folder: StateFolder, trace_id: str, service: str | None, as_json: bool) -> None:
    """NotFound when no line has it: then it is older than the logs, or was left out while much went on."""
    only = None if service is None else control.log_file(folder, service).stem
    found = [line for line in tracelines.of_trace(folder.logs, trace_id) if only in (None, line.process)]
    if not found:
        raise NotFound(
            f"No log has a line of trace {trace_id}.",
            next_step="`signalink trace MESSAGE_ID` needs no logs; `signalink up --set LOG_LEVEL=debug` logs every one",
        )
    if as_json:
        lines = [{"process": line.process, **line.fields} for line in found]
        output.document({"trace_id": trace_id, "lines": lines})
        return
    width = max(len(line.process) for line in found)
    for line in found:
        output.text(f"{line.at}  {line.process:<{width}}  {line.event}  {words(line.fields)}")


def words(fields: dict[str, Any]) -> str:
    """The line's own fields as `key=value`; a batch's other traces are not repeated."""
    own = {key: value for key, value in fields.items() if key not in COMMON}
    return " ".join(f"{key}={value if isinstance(value, str) else json.dumps(value)}" for key, value in own.items())


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
