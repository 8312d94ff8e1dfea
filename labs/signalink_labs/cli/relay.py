"""Owns `signalink relay ...`: publishing again what Kafka lost, or what a consumer must read anew."""

import asyncio
from datetime import UTC, datetime
from typing import Annotated

import typer

from signalink_core.database import pool
from signalink_core.errors import ConfigurationError
from signalink_core.log.rewind import Rewound, rewind_all
from signalink_core.settings import PostgresSettings
from signalink_labs.cli import output
from signalink_stacks.local import maintenance
from signalink_stacks.local.state import StateFolder

START = "start"
app = typer.Typer(help="The relay, which carries the event log to Kafka.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    """Keeps `rewind` a verb of its own while it is the only one."""


@app.command("rewind")
def rewind(
    to: Annotated[str, typer.Option(metavar="start|TIME", help="Everything, or since a time as 2026-11-24T05:00Z.")],
    as_json: output.Json = False,
) -> None:
    """Move the relays' cursors back, so that the events from there on are published to Kafka again."""
    since = None if to == START else time_of(to)
    with maintenance.owner(StateFolder()) as settings:
        done = asyncio.run(_rewind(settings, since))
    if as_json:
        outboxes = {schema: {"shards": one.shards, "events": one.events} for schema, one in done.items()}
        output.document({"to": to, "outboxes": outboxes})
        return
    for schema, one in done.items():
        output.text(f"{schema}: {one.shards} shards went back; {one.events} events are published from here on.")


async def _rewind(settings: PostgresSettings, since: datetime | None) -> dict[str, Rewound]:
    connection = await pool.connect(settings, command_timeout=None)
    try:
        return await rewind_all(connection, since)
    finally:
        await connection.close()


def time_of(text: str) -> datetime:
    """A time in ISO 8601, UTC when it names no zone. Raises ConfigurationError."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError as error:
        raise ConfigurationError(
            f"--to {text!r} is neither `{START}` nor a time.",
            next_step="for example `signalink relay rewind --to 2026-11-24T05:00Z`",
        ) from error
    return found if found.tzinfo is not None else found.replace(tzinfo=UTC)
