"""Owns taking up a stack whose last run was killed: a lock that nobody holds any more, operations that have no end.

Locks are judged only where the backend is ours: what another machine writes is that machine's matter.
"""

import json
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import psutil

from signalink_core.errors import DependencyUnavailable
from signalink_stacks.clusters.project import Project

LOCKS: Final = ".pulumi/locks/organization/signalink"
WAIT_SECONDS: Final = 1200.0
POLL_SECONDS: Final = 1.0
ROUNDING_SECONDS: Final = 2.0
"""Of the two clocks that a lock's time and a process's start come from."""
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Holder:
    """Who took a lock."""

    pid: int
    host: str
    taken: float

    def alive(self) -> bool:
        """Whether that very process still runs: a pid may have been given anew, which begins later than the lock."""
        try:
            process = psutil.Process(self.pid)
            return (
                process.status() != psutil.STATUS_ZOMBIE
                and "pulumi" in process.name()
                and process.create_time() <= self.taken + ROUNDING_SECONDS
            )
        except psutil.Error:
            return False


def recover(project: Project, say: Say, seconds: float = WAIT_SECONDS) -> None:
    """After this the stack can be worked on. DependencyUnavailable when somebody alive keeps it."""
    if project.own and (folder := project.backend / LOCKS / project.stack).is_dir() and any(folder.glob("*.json")):
        _await_end(folder, say, seconds)
        if any(folder.glob("*.json")):
            say("lock: whoever held it is dead; taking it away")
            unlock(project)
    if begun := pending(project):
        say(f"state: {begun} operations of a killed run; looking what became of them")
        project.engine("refresh", "--yes", "--skip-preview", "--clear-pending-creates")


def unlock(project: Project) -> None:
    """Take away whatever locks a stack whose backend is ours."""
    if project.own and any((project.backend / LOCKS / project.stack).glob("*.json")):
        project.engine("cancel", "--yes")


def restart(project: Project) -> None:
    """Begin with an empty state, where the old one tells of what was in a cluster that is gone. The secrets stay."""
    unlock(project)
    if (_exported(project).get("deployment") or {}).get("resources"):
        project.forget(everything=False)
        project.prepare()


def pending(project: Project) -> int:
    """How many operations began and have no end."""
    return len((_exported(project).get("deployment") or {}).get("pending_operations") or [])


def _exported(project: Project) -> dict[str, Any]:
    return dict(json.loads(project.engine("stack", "export") or "{}"))


def _await_end(folder: Path, say: Say, seconds: float) -> None:
    """Until no living process holds a lock; somebody on another machine is not waited for."""
    ends, told = time.monotonic() + seconds, False
    while held := holders(folder):
        if elsewhere := [each.host for each in held if each.host != socket.gethostname()]:
            raise DependencyUnavailable(
                f"The stack is locked from another machine, {elsewhere[0]}.",
                next_step="wait for it; or if it is dead, `pulumi cancel` with what the file `env` beside it sets.",
            )
        running = [each for each in held if each.alive()]
        if not running:
            return
        if time.monotonic() > ends:
            raise DependencyUnavailable(
                f"Another run has kept the stack for {seconds:.0f} s (process {running[0].pid}).",
                next_step=f"wait for it, or end it: `kill {running[0].pid}`, then the same command again.",
            )
        if not told:
            say(f"lock: another run works on the stack (process {running[0].pid}); waiting for it")
        told = True
        time.sleep(POLL_SECONDS)


def holders(folder: Path) -> list[Holder]:
    """Of every lock that can be read; one that was not written whole is nobody's."""
    found = []
    for path in sorted(folder.glob("*.json")):
        try:
            said = json.loads(path.read_text(encoding="utf-8"))
            taken = datetime.fromisoformat(str(said["timestamp"])).timestamp()
            found.append(Holder(int(said["pid"]), str(said["hostname"]), taken))
        except (OSError, ValueError, KeyError, TypeError):
            continue
    return found
