"""Owns `signalink dlq ...`: dead letters as tables and documents, and which of them a command line means."""

import asyncio
from enum import StrEnum
from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from signalink_core import principals
from signalink_core.errors import ConfigurationError
from signalink_core.settings import KafkaSettings
from signalink_labs.cli import output
from signalink_labs.letters.desk import TOPICS, Desk, Entry
from signalink_stacks.local import control, schema
from signalink_stacks.local.ports import LOOPBACK
from signalink_stacks.local.state import StateFolder

app = typer.Typer(help="Poison records: list, show, redrive and drop dead letters.", no_args_is_help=True)
COLOURS = {"parked": "red", "redriving": "yellow", "redriven": "green", "dropped": "dim", "pointer": "yellow"}
Group = Annotated[str | None, typer.Option("--group", metavar="GROUP", help="Only those of this consumer group.")]
All = Annotated[bool, typer.Option("--all", help="Every one that waits, of the topic (and group) given.")]
What = Annotated[str, typer.Argument(metavar="LETTER", help="TOPIC/OFFSET from `dlq list`; with --all a topic.")]


class TopicChoice(StrEnum):
    MESSAGES = "messages"
    NOTIFICATIONS = "notifications"
    ANALYTICS = "analytics"
    PRESENCE = "presence"


class StateChoice(StrEnum):
    PARKED = "parked"
    REDRIVING = "redriving"
    REDRIVEN = "redriven"
    DROPPED = "dropped"
    POINTER = "pointer"


@app.command("list")
def list_(
    topic: Annotated[TopicChoice | None, typer.Argument(help="Whose dead letters; all without.")] = None,
    group: Group = None,
    state: Annotated[StateChoice | None, typer.Option(help="Only those in this state.")] = None,
    as_json: output.Json = False,
) -> None:
    """List dead letters: whose, why, how often it was tried, and what became of them."""
    found = asyncio.run(desk().entries([topic.value] if topic else TOPICS, group))
    shown = [entry for entry in found if state is None or entry.state == state.value]
    if as_json:
        output.document({"letters": [as_document(entry) for entry in shown]})
        return
    if shown:
        output.console().print(table(shown))
    output.text(f"{len(shown)} letters, {sum(entry.waits for entry in shown)} of them wait")


@app.command("show")
def show(
    letter: What,
    body: Annotated[bool, typer.Option("--body", help="Also the value, which may be somebody's message.")] = False,
    as_json: output.Json = False,
) -> None:
    """Show one dead letter: where it was read, its headers, the size of its value."""
    entry = asyncio.run(desk().entry(letter))
    shown = as_document(entry) | {"headers": entry.letter.headers}
    if body:
        shown["value"] = (entry.letter.stored.value or b"").decode(errors="replace")
    if as_json:
        output.document(shown)
        return
    headers = shown.pop("headers")
    for name, value in [*shown.items(), *headers.items()]:
        output.text(f"{name:<16} {value}")


@app.command("redrive")
def redrive(
    letter: What,
    every: All = False,
    group: Group = None,
    wait: Annotated[float, typer.Option(min=0, help="Seconds to wait for the group to take them.")] = 10.0,
    as_json: output.Json = False,
) -> int:
    """Send dead letters back to their topic, for their group alone, each applied once. Exit 1: one still waits."""
    place = desk()
    chosen = asyncio.run(chosen_by(place, letter, group, every=every))
    done = asyncio.run(place.redrive(chosen, wait))
    if as_json:
        names = [entry.name for entry in done.sent]
        output.document({"sent": names, "applied": done.applied, "waiting": done.waiting})
    else:
        output.text(f"{len(done.sent)} sent and confirmed, {done.applied} applied, {done.waiting} still waiting")
        if done.waiting:
            output.text("Next: `signalink dlq list`, `signalink logs --trace` with the trace of one of them")
    return 1 if done.waiting else 0


@app.command("drop")
def drop(letter: What, every: All = False, group: Group = None, as_json: output.Json = False) -> None:
    """Give dead letters up: no redrive applies them any more. The letters stay readable for 30 days."""
    place = desk()
    chosen = asyncio.run(chosen_by(place, letter, group, every=every))
    dropped = asyncio.run(place.drop(chosen))
    if as_json:
        output.document({"dropped": dropped, "letters": [entry.name for entry in chosen]})
    else:
        output.text(f"{dropped} dropped")


async def chosen_by(place: Desk, letter: str, group: str | None, *, every: bool) -> list[Entry]:
    """The letters a command line means; ConfigurationError when it names a topic without --all, or the reverse."""
    if not every:
        if letter in TOPICS:
            raise ConfigurationError(
                f"{letter!r} is a topic.",
                next_step=f"name one letter, as {letter}/0, or say --all",
            )
        return [await place.entry(letter)]
    if letter not in TOPICS:
        raise ConfigurationError(
            f"--all goes with a topic, not with {letter!r}.", next_step=f"one of {', '.join(TOPICS)}"
        )
    return [entry for entry in await place.entries([letter], group) if entry.waits]


def desk() -> Desk:
    """Of the platform that runs; EnvironmentBroken when none does."""
    folder = StateFolder()
    state = control.require_engine(folder, "kafka")
    kafka = KafkaSettings(
        bootstrap=f"{LOOPBACK}:{state.ports['kafka']}",
        user=principals.ADMIN,
        password_file=folder.secrets.path(f"kafka-{principals.ADMIN}"),
        security="sasl_plaintext",
        topic_prefix=state.settings.get("TOPIC_PREFIX", ""),
    )
    return Desk(kafka, schema.settings(folder.secrets, state.ports["postgres"], "owner"))


def as_document(entry: Entry) -> dict[str, Any]:
    letter = entry.letter
    return {
        "letter": entry.name,
        "state": entry.state,
        "group": letter.group or None,
        "error": letter.error,
        "attempts": letter.attempts if entry.row is None else entry.row.attempts,
        "first_at": letter.first_at,
        "last_at": letter.last_at,
        "record": None if letter.origin is None else "{}/{}@{}".format(*letter.origin),
        "event_id": letter.event_id,
        "value_bytes": len(letter.stored.value or b""),
    }


def table(entries: list[Entry]) -> Table:
    """Times in UTC, to the second."""
    result = Table(box=None, pad_edge=False)
    for heading in ("letter", "state", "group", "error", "attempts", "last (UTC)", "record"):
        result.add_column(heading, justify="right" if heading == "attempts" else "left", no_wrap=heading != "error")
    for entry in entries:
        row = as_document(entry)
        state = f"[{COLOURS[entry.state]}]{entry.state}[/{COLOURS[entry.state]}]"
        last = str(row["last_at"])[:19].replace("T", " ")
        cells = (row["group"] or "relay", row["error"], str(row["attempts"]), last, row["record"] or "a row of the log")
        result.add_row(entry.name, state, *map(escape, cells))
    return result
