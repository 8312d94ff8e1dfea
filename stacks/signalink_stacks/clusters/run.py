"""Owns carrying out a plan and asking a cluster: each command with its deadline, output shown only when it fails."""

import os
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from signalink_core.errors import DependencyUnavailable
from signalink_stacks.clusters.plan import Step

LINES: Final = 25
LIST_SECONDS: Final = 30.0
ERROR_CHARACTERS: Final = 400
NEEDED: Final = "`signalink doctor --target kind` lists what is needed."
Say = Callable[[str], None]


def steps(wanted: Sequence[Step], root: Path, say: Say) -> None:
    """One after another from the checkout; DependencyUnavailable with the last lines of the one that failed."""
    for step in wanted:
        say(f"{step.name}: {step.about}")
        _run(step, root)


def _run(step: Step, root: Path) -> None:
    try:
        done = subprocess.run(
            step.command,
            input=step.given,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=step.patience,
            cwd=root,
            env=os.environ | {"HELM_NO_PLUGINS": "1"},
            check=False,
        )
    except FileNotFoundError as error:
        raise DependencyUnavailable(f"{step.command[0]} is not on PATH.", next_step=NEEDED) from error
    except subprocess.TimeoutExpired as error:
        raise DependencyUnavailable(
            f"{step.name} took longer than {step.patience:.0f} s.", next_step="`kubectl get pods` shows what waits."
        ) from error
    if done.returncode:
        last = "\n".join(done.stdout.strip().splitlines()[-LINES:])
        raise DependencyUnavailable(
            f"{step.name} failed (exit {done.returncode}):\n{last}",
            next_step="mend that and run the same command again: what is done already is left as it is.",
        )


def ask(words: Sequence[str], given: str = "", seconds: float = LIST_SECONDS) -> str:
    """What a program prints, `given` to its input. DependencyUnavailable when it is missing, late or fails."""
    try:
        done = subprocess.run(words, input=given, capture_output=True, text=True, timeout=seconds, check=False)
    except FileNotFoundError as error:
        raise DependencyUnavailable(f"{words[0]} is not on PATH.", next_step=NEEDED) from error
    except subprocess.TimeoutExpired as error:
        raise DependencyUnavailable(
            f"`{' '.join(words[:2])}` took longer than {seconds:.0f} s.", next_step="`kubectl version` must answer."
        ) from error
    if done.returncode:
        raise DependencyUnavailable(
            f"`{' '.join(words[:2])}` failed: {done.stderr.strip()[-ERROR_CHARACTERS:] or 'no message'}",
            next_step="`kubectl version` must answer; then the same command again.",
        )
    return done.stdout


def clusters() -> list[str]:
    """Names of the kind clusters that are here; none where kind or its engine does not answer."""
    try:
        done = subprocess.run(
            ["kind", "get", "clusters", "--quiet"], capture_output=True, text=True, timeout=LIST_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return []
    return done.stdout.split() if done.returncode == 0 else []
