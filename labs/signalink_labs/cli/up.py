"""Owns `signalink up`: wishes from options, progress as the parts become ready, the addresses at the end."""

import re
from dataclasses import asdict
from enum import StrEnum
from typing import Annotated

import typer

from signalink_core.errors import ConfigurationError
from signalink_labs.cli import output
from signalink_stacks.local import control
from signalink_stacks.local.layout import Wishes
from signalink_stacks.local.state import RunState, StateFolder

KEY = re.compile(r"(?:SIGNALINK_)?([A-Z][A-Z0-9_]*)")
PREFIX = "SIGNALINK_"


class PortChoice(StrEnum):
    FIXED = "fixed"
    FREE = "free"


class Progress:
    """Prints each step once, when it is done, with its own time."""

    def __init__(self, silent: bool) -> None:
        self._silent = silent
        self._printed: set[str] = set()

    def __call__(self, state: RunState) -> None:
        for step in state.steps:
            if step.seconds is not None and step.name not in self._printed:
                self._printed.add(step.name)
                if not self._silent:
                    output.text(f"  {step.name:<16} {step.seconds:5.1f} s")


def up(
    ports: Annotated[PortChoice, typer.Option(help="The manifests' ports, or any free ones.")] = PortChoice.FIXED,
    gateways: Annotated[int, typer.Option(min=1, max=20, help="How many gateway processes.")] = 1,
    apis: Annotated[int, typer.Option(min=1, max=20, help="How many api processes.")] = 1,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="A SIGNALINK_ setting for every service; repeatable."),
    ] = None,
    faults: Annotated[bool, typer.Option("--faults", help="Switch fault points on.")] = False,
    as_json: output.Json = False,
) -> None:
    """Start the whole platform on this machine; a second call finds the first."""
    wishes = Wishes(
        instances={"gateway": gateways, "api": apis},
        settings=parse_settings(settings or []),
        faults=faults,
        free_ports=ports is PortChoice.FREE,
    )
    folder = StateFolder()
    if not as_json:
        output.text(estimate(folder))
    started = control.up(folder, wishes, Progress(as_json))
    if as_json:
        output.document(as_document(started))
    else:
        _print(started)


def parse_settings(given: list[str]) -> dict[str, str]:
    """`KEY=VALUE` with or without SIGNALINK_ -> settings without the prefix."""
    result: dict[str, str] = {}
    for each in given:
        key, equals, value = each.partition("=")
        match = KEY.fullmatch(key)
        if match is None or not equals:
            raise ConfigurationError(
                f"--set {each!r} is not KEY=VALUE with an upper-case key.",
                next_step="for example `signalink up --set LIMITS_POSTS_PER_SECOND_PER_USER=1000`",
            )
        result[match.group(1)] = value
    return result


def estimate(folder: StateFolder) -> str:
    """What to expect, from the last start of this folder."""
    last = folder.read() if folder.found_version() == RunState().version else None
    if last is None or last.up_after is None:
        return "Starting Signalink; the first start also downloads Kafka (45 MB) and makes the databases."
    return f"Starting Signalink; the last start took {last.up_after:.0f} s."


def as_document(started: control.Started) -> dict[str, object]:
    state = started.state
    return {
        "phase": state.phase,
        "already_running": started.again,
        "seconds": state.up_after,
        "steps": [asdict(step) for step in state.steps],
        "urls": state.urls,
        "engines": state.engines,
        "ports": {process.name: process.ports for process in state.processes},
    }


def _print(started: control.Started) -> None:
    state = started.state
    count = f"{len(state.processes)} processes"
    if started.again:
        output.text(f"Signalink is up already ({count}); nothing was started and no option was applied.")
    else:
        output.text(f"Signalink is up after {state.up_after:.1f} s ({count}).")
    for name, url in state.urls.items():
        output.text(f"  {name:<16} {url}")
    output.text("Next: `signalink status`, `signalink logs api -f`, `signalink down`")
