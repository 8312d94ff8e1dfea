"""Owns how a choice of services is asked for and said: `--only`, what the last start was asked for, what is missing."""

from collections.abc import Mapping, Sequence
from typing import Annotated

import typer

from signalink_core.errors import ConfigurationError
from signalink_stacks.local import choice, control, discovery
from signalink_stacks.local.choice import EVERYTHING
from signalink_stacks.local.state import RunState, StateFolder

Only = Annotated[
    str | None,
    typer.Option(
        "--only",
        metavar="SERVICE,...",
        help="Only these services, those they need, and their engines. Kept for the next start; `all` ends it.",
    ),
]
BACK = f"`signalink up --only {EVERYTHING}` starts every part"


def wanted(given: str | None, folder: StateFolder) -> tuple[str, ...]:
    """The services to start, empty for all: as given, else as the last start was asked for."""
    only = control.kept(folder) if given is None else parse(given)
    if only:
        choice.require_known(only, {manifest.name: manifest for manifest in discovery.required()})
    return only


def parse(given: str) -> tuple[str, ...]:
    """`api,gateway` -> names, each once; `all` -> none."""
    names = tuple(dict.fromkeys(name for name in (part.strip() for part in given.split(",")) if name))
    if not names:
        raise ConfigurationError("--only names no service.", next_step="for example `signalink up --only api,gateway`")
    if EVERYTHING in names:
        if len(names) > 1:
            raise ConfigurationError(
                f"--only {given} names {EVERYTHING} and something else.",
                next_step=f"`signalink up --only {EVERYTHING}`",
            )
        return ()
    return names


def require_local(given: str | None) -> None:
    """ConfigurationError for a choice on a cluster."""
    if given is not None:
        raise ConfigurationError(
            "--only is for this machine; on a cluster each service has a switch of its own.",
            next_step="for example `--set analytics.enabled=false`",
        )


def heading(given: str | None, only: Sequence[str]) -> list[str]:
    """Before a start: which services, why these, and which come along."""
    if not only:
        return []
    why = f", as the last start was asked for; {BACK}" if given is None else ""
    added = choice.select(discovery.required(), only).added
    return [f"Only {', '.join(only)}{why}.", *(f"{name} too: {by} needs it." for name, by in added.items())]


def missing(off: Mapping[str, str]) -> list[str]:
    """After a start: each part that is off, and what people do without."""
    if not off:
        return []
    lines = [f"  {name:<16} {purpose}".rstrip() for name, purpose in off.items()]
    return ["Off, so this is missing:", *lines, f"  {BACK}, after `signalink down`."]


def refused(given: str | None, only: Sequence[str], running: RunState) -> list[str]:
    """What a second start says when it asked for another choice than the one that runs."""
    if given is None or sorted(only) == sorted(running.only):
        return []
    runs = f"only {', '.join(running.only)}" if running.only else "every part"
    return [f"It runs {runs}; to change that: `signalink down`, then `signalink up --only {given}`."]
