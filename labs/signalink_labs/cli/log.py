"""Owns `signalink log ...`: the event log's epoch, raised after a restore or the promotion of a standby."""

import asyncio

import typer

from signalink_api import commands
from signalink_labs.cli import output
from signalink_stacks.local import maintenance
from signalink_stacks.local.state import StateFolder

app = typer.Typer(help="The event log.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    """Keeps `new-epoch` a verb of its own while it is the only one."""


@app.command("new-epoch")
def new_epoch(as_json: output.Json = False) -> None:
    """Accept the present Postgres server for the log and raise its epoch. The platform must be down."""
    with maintenance.owner(StateFolder(), stopped=True) as settings:
        epoch = asyncio.run(commands.new_epoch(settings))
    if as_json:
        output.document({"epoch": epoch})
    else:
        output.text(f"The log is at epoch {epoch}. Next: `signalink up`")
