"""Owns `signalink trace`: the way of one message as a table or a document. Exit 1 when it is stuck somewhere."""

import asyncio
from dataclasses import asdict
from typing import Annotated
from uuid import UUID

import typer
from rich.markup import escape
from rich.table import Table

from signalink_core.clock import isoformat
from signalink_core.errors import ConfigurationError
from signalink_labs.cli import output
from signalink_labs.journey import collect
from signalink_labs.journey.collect import Journey
from signalink_stacks.local import control
from signalink_stacks.local.state import StateFolder

COLOURS = {"done": "green", "waiting": "yellow", "idle": "dim", "off": "dim", "unknown": "red"}


def trace(
    message_id: Annotated[str, typer.Argument(metavar="MESSAGE_ID", help="The `id` in the answer of a post.")],
    as_json: output.Json = False,
) -> int:
    """Show the way of one message through api, log, relay, Kafka and gateways, with times, and where it is stuck."""
    wanted = parse(message_id)
    folder = StateFolder()
    found = asyncio.run(collect.journey(folder, control.require_running(folder), wanted))
    if as_json:
        output.document(as_document(found))
    else:
        _print(found)
    return 0 if found.complete else 1


def parse(given: str) -> UUID:
    try:
        return UUID(given)
    except ValueError as error:
        raise ConfigurationError(
            f"{given!r} is no message id: it is a UUID.", next_step="take `id` from the answer of a post"
        ) from error


def as_document(found: Journey) -> dict[str, object]:
    row = found.stored.row
    return {
        "message_id": row["message_id"],
        "channel_id": row["channel_id"],
        "channel": row["channel"],
        "seq": row["seq"],
        "trace_id": found.trace_id,
        "complete": found.complete,
        "verdict": found.verdict,
        "hops": [asdict(hop) | {"at": None if hop.at is None else isoformat(hop.at)} for hop in found.hops],
    }


def _print(found: Journey) -> None:
    row = found.stored.row
    output.text(f"message {row['message_id']}, seq {row['seq']} of {row['channel']} ({row['channel_id']})")
    output.text(f"trace   {found.trace_id or 'none'}")
    output.console().print(table(found))
    output.text(found.verdict)
    if found.trace_id is not None:
        output.text(f"Next: `signalink logs --trace {found.trace_id}`")


def table(found: Journey) -> Table:
    """Times to the millisecond, and how long after the post they were."""
    result = Table(box=None, pad_edge=False)
    for heading in ("part", "", "time (UTC)", "after", "what", "says"):
        result.add_column(heading, justify="right" if heading == "after" else "left", no_wrap=heading != "what")
    first = found.hops[0].at
    for hop in found.hops:
        after = "" if hop.at is None or first is None else f"{(hop.at - first).total_seconds() * 1000:+.0f} ms"
        at = "" if hop.at is None else isoformat(hop.at)[11:-1]
        colour = COLOURS[hop.status]
        result.add_row(hop.part, f"[{colour}]{hop.status}[/{colour}]", at, after, escape(hop.what), hop.source)
    return result
