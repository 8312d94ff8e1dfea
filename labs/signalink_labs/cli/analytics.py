"""Owns `signalink analytics ...`: figures made anew from the log, with progress. How is `rebuild`'s of that service."""

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from signalink_analytics import rebuild
from signalink_analytics.settings import Retention
from signalink_core.database import outage, pool
from signalink_core.errors import ConfigurationError
from signalink_core.settings import PostgresSettings
from signalink_labs.cli import output
from signalink_stacks.local import maintenance
from signalink_stacks.local.state import StateFolder

app = typer.Typer(help="The figures of the platform.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    """Keeps `rebuild` a verb of its own while it is the only one."""


@app.command("rebuild")
def rebuild_(
    since: Annotated[str, typer.Option("--from", metavar="TIME", help="Since when, as 2026-11-24T05:00Z; UTC days.")],
    as_json: output.Json = False,
) -> None:
    """Make the figures since TIME anew from the event log, while counting and reading go on."""
    start = time_of(since)
    folder = StateFolder()
    state = folder.read()
    kept = retention({} if state is None else state.settings)
    with maintenance.owner(folder) as settings, _shown(quiet=as_json) as told:
        done = asyncio.run(_rebuild(settings, start, kept, told))
    if as_json:
        output.document(as_document(done))
        return
    output.text(
        f"{done.windows} windows from {_short(done.start)} to {_short(done.until)} made anew from {done.events} "
        f"events; {done.changed} were wrong, {done.rolled_up} hours and days rolled up again"
    )


async def _rebuild(
    settings: PostgresSettings, since: datetime, kept: Retention, told: rebuild.Told
) -> rebuild.Progress:
    with outage.unavailable_when_away():
        connection = await pool.connect(settings, command_timeout=60.0)
        try:
            return await rebuild.rebuild(connection, since, kept, told=told)
        finally:
            await connection.close()


def time_of(text: str) -> datetime:
    """A time in ISO 8601, UTC when it names no zone. Raises ConfigurationError."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError as error:
        raise ConfigurationError(
            f"--from {text!r} is not a time.",
            next_step="for example `signalink analytics rebuild --from 2026-11-24T05:00Z`",
        ) from error
    return found if found.tzinfo is not None else found.replace(tzinfo=UTC)


def retention(settings: Mapping[str, str]) -> Retention:
    """As the running platform was started with."""
    given: dict[str, Any] = {name: settings.get(f"ANALYTICS_{name.upper()}") for name in Retention.model_fields}
    return Retention(**{name: value for name, value in given.items() if value is not None})


def as_document(done: rebuild.Progress) -> dict[str, Any]:
    return {
        "from": done.start,
        "until": done.until,
        "windows": done.windows,
        "changed": done.changed,
        "events": done.events,
        "rolled_up": done.rolled_up,
    }


@contextmanager
def _shown(*, quiet: bool) -> Iterator[rebuild.Told]:
    """A bar on standard error where that is a terminal."""
    columns = (TextColumn("rebuilding {task.fields[at]}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    console = Console(stderr=True)
    with Progress(*columns, console=console, disable=quiet or not console.is_terminal, transient=True) as bar:
        task = bar.add_task("rebuild", total=None, at="")

        def told(progress: rebuild.Progress) -> None:
            whole, done = progress.until - progress.start, progress.at - progress.start
            at = _short(min(progress.at, progress.until))
            bar.update(task, total=whole.total_seconds(), completed=done.total_seconds(), at=at)

        yield told


def _short(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%MZ")
