"""Owns `signalink token ...`: tokens of services, the operator's say; they are no user's."""

import asyncio
from pathlib import Path
from typing import Annotated
from uuid import UUID

import typer
from rich.table import Table

from signalink_api import service_tokens
from signalink_api.service_tokens import DAYS, Issued, Listed
from signalink_core.auth.keys import KeyRing
from signalink_core.auth.service_tokens import CHANNELS_ADMIN
from signalink_core.errors import ConfigurationError
from signalink_core.settings import AuthSettings
from signalink_labs.cli import output
from signalink_stacks.local import maintenance
from signalink_stacks.local.credentials import write_private
from signalink_stacks.local.state import StateFolder

app = typer.Typer(help="Tokens of services.", no_args_is_help=True)
Scopes = Annotated[list[str], typer.Option("--scope", help="What it is good for; repeatable.")]


@app.command("service")
def service(
    name: str,
    scope: Scopes = [CHANNELS_ADMIN],  # noqa: B006 - typer reads it and never changes it
    days: Annotated[int, typer.Option(help="How long it is good; at most 365.")] = DAYS,
    out: Annotated[Path | None, typer.Option(help="Write it to this file (0600) instead of showing it.")] = None,
    as_json: output.Json = False,
) -> None:
    """Issue another token for the service NAME; those it has stay good until they end or are revoked."""
    folder = StateFolder()
    with maintenance.owner(folder) as settings:
        keys = KeyRing.load(folder.secrets.folder("auth-keys"))
        issued = asyncio.run(service_tokens.issue(settings, keys, AuthSettings().issuer, name, scope, days))
    if out is not None:
        write_private(out, issued.token + "\n")
    if as_json:
        output.document(_document(issued, out))
    elif out is None:
        output.text(issued.token)
    else:
        output.text(f"{out}: token {issued.id} of {name}, good until {issued.expires_at:%Y-%m-%d %H:%M} UTC")


@app.command("list")
def list_(as_json: output.Json = False) -> None:
    """Every token ever issued, without its secret."""
    with maintenance.owner(StateFolder()) as settings:
        found = asyncio.run(service_tokens.listed(settings))
    if as_json:
        output.document({"tokens": [{**_shown(one), "state": state(one)} for one in found]})
        return
    if found:
        table = Table("id", "name", "scopes", "issued", "good until", "state")
        for one in found:
            times = (f"{moment:%Y-%m-%d %H:%M}" for moment in (one.issued_at, one.expires_at))
            table.add_row(str(one.id), one.name, " ".join(one.scopes), *times, state(one))
        output.console().print(table)
    output.text(f"{len(found)} tokens")


@app.command("revoke")
def revoke(
    target: Annotated[str, typer.Argument(metavar="NAME|ID", help="All of a service, or one by its id.")],
    keep: Annotated[str | None, typer.Option(help="Id of one that stays good: the new one of a rotation.")] = None,
    as_json: output.Json = False,
) -> None:
    """End tokens at once. Repeating changes nothing."""
    with maintenance.owner(StateFolder()) as settings:
        ended = asyncio.run(service_tokens.revoke(settings, target, None if keep is None else id_of(keep)))
    if as_json:
        output.document({"target": target, "revoked": [str(one) for one in ended]})
    else:
        output.text(f"{len(ended)} tokens of {target} ended.")


def state(token: Listed) -> str:
    if token.revoked_at is not None:
        return "revoked"
    return "good" if token.live else "expired"


def id_of(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError as error:
        raise ConfigurationError(f"{text!r} is no id of a token.", next_step="`signalink token list`") from error


def _shown(token: Issued | Listed) -> dict[str, object]:
    return {"id": str(token.id), "name": token.name, "scopes": list(token.scopes), "expires_at": token.expires_at}


def _document(issued: Issued, out: Path | None) -> dict[str, object]:
    return {**_shown(issued), **({"token": issued.token} if out is None else {"file": str(out)})}
