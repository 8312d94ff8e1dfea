"""Owns `signalink user ...`: what only the operator of a platform may do to an account."""

import asyncio

import typer

from signalink_api import commands
from signalink_labs.cli import output
from signalink_stacks.local import maintenance
from signalink_stacks.local.state import StateFolder

app = typer.Typer(help="Accounts.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    """Keeps `promote` a verb of its own while it is the only one."""


@app.command("promote")
def promote(name: str, as_json: output.Json = False) -> None:
    """Make the user NAME an admin; their open sessions end."""
    with maintenance.owner(StateFolder()) as settings:
        changed = asyncio.run(commands.promote_user(settings, name))
    if as_json:
        output.document({"user": name, "role": "admin", "changed": changed})
    else:
        output.text(f"{name} is an admin now." if changed else f"{name} was an admin already.")
