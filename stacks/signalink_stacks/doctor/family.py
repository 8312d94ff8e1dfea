"""Finds the processes of this folder's platform: those of a living one, and what an earlier one left behind.

Pids come from the state file with their start times. One kind is found by its command line: a supervisor whose state
folder is gone, which no state file names any more.
"""

from dataclasses import dataclass
from pathlib import Path

import psutil

from signalink_core.errors import SignalinkError
from signalink_stacks.doctor.host import Leftover
from signalink_stacks.local.state import VERSION, RunState, StateFolder, is_same

SUPERVISOR = "signalink_stacks.local.supervisor"


@dataclass(frozen=True, slots=True)
class Family:
    """`running`: the supervisor lives."""

    running: bool
    leftovers: tuple[Leftover, ...]


def of(folder: StateFolder) -> Family:
    state = _state(folder)
    running = state is not None and is_same(state.supervisor_pid, state.supervisor_created)
    own = [state.supervisor_pid] if state is not None and running else []
    left = () if state is None or running else left_of(state)
    return Family(running, (*left, *lost(folder, own)))


def _state(folder: StateFolder) -> RunState | None:
    try:
        return folder.read() if folder.found_version() == VERSION else None
    except (SignalinkError, OSError):
        return None


def left_of(state: RunState) -> tuple[Leftover, ...]:
    """Children in the state that still run."""
    return tuple(
        Leftover(process.pid or 0, process.name, ours=True)
        for process in state.processes
        if is_same(process.pid, process.created)
    )


def lost(folder: StateFolder, own: list[int]) -> list[Leftover]:
    """Supervisors of this folder that its state does not know, and those whose folder is gone."""
    found = []
    for process in psutil.process_iter(["pid", "cmdline"]):
        command = process.info["cmdline"] or []
        if SUPERVISOR not in command or process.info["pid"] in own or process.status() == psutil.STATUS_ZOMBIE:
            continue
        root = Path(command[-1])
        if root == folder.root or not root.is_dir():
            found.append(Leftover(process.info["pid"], f"a supervisor of {root}", ours=False))
    return found
