"""Owns getting at a stack's resources without a cloud: recorded by the stacks environment, or read from a preview.

The recording itself is `signalink_stacks.graph`, run as a program, since Pulumi lives in an environment of its own.
"""

import json
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from signalink_core.errors import ConfigurationError, DependencyUnavailable
from signalink_stacks.lib.prices import Resource

ENVIRONMENT: Final = Path(".venv-stacks/bin/python")
PROGRAM: Final = "signalink_stacks.graph"
SECONDS: Final = 120.0
GONE: Final = frozenset({"delete", "delete-replaced", "discard", "remove-pending-replace"})
"""Steps of a preview after which the resource is not there."""


@dataclass(frozen=True, slots=True)
class Graph:
    """A stack's resources; `max_usd` is the limit of its config."""

    stack: str
    target: str
    profile: str
    resources: tuple[Resource, ...]
    max_usd: float = 0.0


def record(stack: str, root: Path, settings: Sequence[str] = (), config: Path | None = None) -> Graph:
    """What the program would register; `settings` (KEY=VALUE) lie over its file. ConfigurationError in its words.

    `config`: the stack's file, if not in stacks/config.
    """
    python = root / ENVIRONMENT
    if not python.exists():
        raise ConfigurationError(
            f"The stacks' environment {ENVIRONMENT.parts[0]} is not there.",
            next_step="`make stacks` makes it, or give a document of `pulumi preview --json` with --from.",
        )
    try:
        done = subprocess.run(
            [
                *(str(python), "-m", PROGRAM, stack),
                *(word for each in settings for word in ("--set", each)),
                *(["--config", str(config)] if config else []),
            ],
            cwd=root,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise DependencyUnavailable(
            f"The graph of {stack} was not there after {SECONDS:.0f} s.",
            next_step="run it again when less is going on.",
        ) from error
    if done.returncode:
        raise ConfigurationError(
            f"The stack {stack} has no graph: {done.stderr.strip() or f'exit {done.returncode}'}",
            next_step=f"correct {config or f'stacks/config/Pulumi.{stack}.yaml'}",
        )
    return of_record(json.loads(done.stdout))


def of_record(document: Mapping[str, Any]) -> Graph:
    """From the program's document."""
    return Graph(
        document["stack"],
        document["target"],
        document["profile"],
        tuple(Resource(each["type"], each["name"], each["inputs"]) for each in document["resources"]),
        float(document["max_usd"]),
    )


def of_preview(document: Mapping[str, Any]) -> tuple[Resource, ...]:
    """What is there after the steps of `pulumi preview --json`."""
    return _resources(document, "newState", without=GONE)


def before_preview(document: Mapping[str, Any]) -> tuple[Resource, ...]:
    """What is there before them."""
    return _resources(document, "oldState", without=frozenset({"create", "create-replacement", "import", "read"}))


def _resources(document: Mapping[str, Any], which: str, *, without: frozenset[str]) -> tuple[Resource, ...]:
    """Of each resource once: a replacement is several steps of one URN."""
    steps: Sequence[Mapping[str, Any]] = document.get("steps") or []
    states = {
        str(state["urn"]): state
        for step in steps
        if step.get("op") not in without
        and (state := step.get(which) or (step.get("oldState") if step.get("op") == "same" else None))
    }
    return tuple(
        Resource(state["type"], urn.rpartition("::")[2], state.get("inputs") or {}) for urn, state in states.items()
    )


def read_preview(path: Path) -> tuple[tuple[Resource, ...], tuple[Resource, ...]]:
    """Both from a file, before first; ConfigurationError when it is none or holds something else."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        before, after = before_preview(document), of_preview(document)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ConfigurationError(
            f"{path} is no document of a preview ({type(error).__name__}: {error}).",
            next_step="`pulumi preview --json > FILE` writes one.",
        ) from error
    if not before and not after:
        raise ConfigurationError(
            f"{path} names no resource.", next_step="`pulumi preview --json > FILE`, without --suppress-outputs."
        )
    return before, after
